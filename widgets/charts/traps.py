"""Shares with their intervals: random groups that are traps; runs that end on one neuron."""

from __future__ import annotations

import csv
import io

import altair as alt

from .style import BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY, styled, zero

COLOURS = [BLUE, ORANGE, GREEN, RED, PINK, SKY]
SHAPES = ["circle", "square", "diamond", "triangle-up", "triangle-down", "cross"]


def prevalence_chart(rows: list[dict]):
    """The share of random groups that are traps, against sparsity: a panel for each n_p.

    rows : of `prevalence`, with n_p.
    """
    sizes = sorted({row["size"] for row in rows})
    look = _look("size:O", "features in the group", sizes)
    x = sparsity_axis("kappa:Q", min(row["kappa"] for row in rows))
    y = _share("share of random groups that are traps")
    panels = [
        _curves([row for row in rows if row["n_p"] == n_p], x, y, look).properties(
            width=290, height=220, title=_title(f"n_p = {n_p}", "bars: 95% intervals")
        )
        for n_p in sorted({row["n_p"] for row in rows})
    ]
    return styled(alt.hconcat(*panels, spacing=20))


def merged_chart(rows: list[dict], title: str, x: str):
    """How many runs end with one neuron on both features, against the distance from the law's line.

    rows : of `merged_rows`.
    """
    names = list(dict.fromkeys(row["series"] for row in rows))
    away = alt.X("x:Q", title=x, scale=alt.Scale(domain=[-0.42, 0.42], nice=False))
    y = _share("share of runs that end merged")
    return styled(
        alt.layer(
            zero(x=alt.datum(0)), _curves(rows, away, y, _look("series:N", None, names))
        ).properties(
            width=470,
            height=230,
            title=_title(title, "dashed: the law's line; bars: 95% intervals"),
        )
    )


def absorbed_chart(rows: list[dict]):
    """How often a child's neuron silences its parent's, against P(child | parent).

    rows : of `absorbed_rows`.
    """
    names = list(dict.fromkeys(row["series"] for row in rows))
    x = alt.X("x:Q", title="P(child | parent)", scale=alt.Scale(domain=[0, 1]))
    y = _share("share of runs that absorb")
    return styled(
        _curves(rows, x, y, _look("series:N", None, names)).properties(
            width=470,
            height=230,
            title=_title(
                "Is the parent's neuron silent where the child is active?", "bars: 95% intervals"
            ),
        )
    )


def chosen_chart(rows: list[dict]):
    """Of the neurons that several features share the share that are traps, a panel a method.

    rows : of `chosen_rows`.
    """
    names = list(dict.fromkeys(row["series"] for row in rows))
    look = _look("series:N", None, names, [RED, BLUE, GREY])
    x = sparsity_axis("x:Q", 0.01, 0.25)
    y = _share("share of their groups that are traps")
    panels = [
        _curves([row for row in rows if row["panel"] == panel], x, y, look).properties(
            width=185, height=200, title=_title(panel, "bars: 95% intervals")
        )
        for panel in dict.fromkeys(row["panel"] for row in rows)
    ]
    return styled(alt.hconcat(*panels, spacing=16))


def sparsity_axis(field: str, least: float, most: float = 0.5) -> alt.X:
    """S rising to the right, by the logarithm of 1 - S, which the field holds."""
    return alt.X(
        field,
        title="sparsity S (log scale of 1 - S)",
        scale=alt.Scale(type="log", domain=[0.99 * least, most], reverse=True, nice=False),
        axis=alt.Axis(
            values=[0.5, 0.2, 0.1, 0.03, 0.01, 0.001], labelExpr="format(1 - datum.value, '.3~f')"
        ),
    )


def _title(text: str, subtitle: str) -> alt.Title:
    return alt.Title(text, subtitle=subtitle, frame="group")


def _share(title: str) -> alt.Y:
    return alt.Y("share:Q", title=title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))


def _look(field: str, title: str | None, names: list, colours: list[str] = COLOURS) -> dict:
    """A colour and a shape for each series, and one legend for both."""
    legend = alt.Legend(title=title, orient="bottom", columns=4 if title else 3, labelLimit=400)
    scale = lambda values: alt.Scale(domain=names, range=values[: len(names)])
    return {
        "color": alt.Color(field, scale=scale(colours), legend=legend),
        "shape": alt.Shape(field, scale=scale(SHAPES), legend=legend),
    }


def _curves(rows: list[dict], x: alt.X, y: alt.Y, look: dict):
    """A line with points and intervals for each series."""
    base = alt.Chart(_short(rows)).encode(x=x, color=look["color"])
    low = alt.Y("low:Q", title=y.to_dict()["title"])
    return alt.layer(
        base.mark_line(strokeWidth=2).encode(y=y),
        base.mark_rule(strokeWidth=2).encode(y=low, y2="high:Q"),
        base.mark_point(filled=True, size=60, opacity=1).encode(y=y, shape=look["shape"]),
    )


def _short(rows: list[dict]) -> alt.InlineData:
    """Rows inside the spec, as CSV of five digits: a fraction of what JSON takes in a notebook."""
    written, numbers = io.StringIO(), [name for name, one in rows[0].items() if _is_number(one)]
    sheet = csv.writer(written)
    sheet.writerow(rows[0])
    for row in rows:
        sheet.writerow(f"{one:.5g}" if _is_number(one) else one for one in row.values())
    parse = {name: "number" for name in numbers}
    return alt.InlineData(
        values=written.getvalue(), format=alt.CsvDataFormat(parse=parse, type="csv")
    )


def _is_number(value) -> bool:
    return isinstance(value, (int, float))
