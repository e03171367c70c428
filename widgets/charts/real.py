"""Real embeddings: cosines of class means, scores of rows that nobody trained, stored verdicts."""

from __future__ import annotations

import altair as alt

from ..kinds import Real
from .style import BLUE, GREEN, GREY, ORANGE, named, named_lines, of, styled, zero

SCORES = ["mean best match (M_IP)", "share found at .9"]
COMPARED = [
    "anchored minus plain, ImageNet's classes",
    "anchored minus plain, classes of shuffled labels",
    "anchored minus the best untrained rows",
]


def mean_chart(data, names: list[str]):
    """Left: the cosines between class means. Right: what rows score that nobody trained."""
    left = _histogram(data).properties(
        width=300, height=210, title=alt.Title("Class means", subtitle="cosines of all pairs")
    )
    right = _scores(data, names).properties(
        width=300, height=210, title=alt.Title("Rows that nobody trained", subtitle="unit rows")
    )
    return styled(alt.hconcat(left, right, spacing=24))


def _histogram(data):
    x = alt.X("x:Q", title="cosine of two class means", scale=alt.Scale(domain=[-1, 1], nice=False))
    y = alt.Y(
        "y:Q",
        title="share of pairs",
        axis=alt.Axis(format="%", labelFlush=True),  # else the title stands higher than the other
        scale=alt.Scale(domain=[0, 0.5], clamp=True),
    )
    return (
        of(data, Real.BAR)
        .mark_rect(color=BLUE, opacity=0.8)
        .encode(x=x, x2="high:Q", y=y, y2=alt.datum(0))
    )


def _scores(data, names: list[str]):
    legend = alt.Legend(title=None, labelExpr=named(SCORES), orient="bottom", columns=1)
    scale = lambda values: alt.Scale(domain=[0, 1], range=values)
    x = alt.X("x:Q", title="score on the class means", scale=alt.Scale(domain=[0, 1], nice=False))
    return (
        of(data, Real.SCORE)
        .mark_point(filled=True, size=130, opacity=1)
        .encode(
            x=x,
            y=named_lines(names, field="y:Q"),
            color=alt.Color("value:O", scale=scale([BLUE, ORANGE]), legend=legend),
            shape=alt.Shape("value:O", scale=scale(["circle", "square"]), legend=legend),
        )
    )


def verdicts_chart(data, names: list[str], titles: list[str], domains: list[list[float]]):
    """Differences with their 95% intervals, a panel a figure, a line a case."""
    panels = [
        _differences(data, kind, names, domain).properties(
            width=300, height=46 * len(names), title=alt.Title(title, frame="group")
        )
        for kind, (title, domain) in enumerate(zip(titles, domains))
    ]
    return styled(alt.hconcat(*panels, spacing=14))


def _differences(data, kind: int, names: list[str], domain: list[float]):
    legend = alt.Legend(title=None, labelExpr=named(COMPARED), orient="bottom", columns=1)
    scale = lambda values: alt.Scale(domain=[0, 1, 2], range=values)
    colour = alt.Color("value:O", scale=scale([BLUE, ORANGE, GREEN]), legend=legend)
    shape = alt.Shape("value:O", scale=scale(["circle", "square", "diamond"]), legend=legend)
    x = alt.X(
        "x:Q",
        title="difference of mean best matches",
        scale=alt.Scale(domain=domain, nice=False, clamp=True),
        axis=alt.Axis(tickCount=6),
    )
    y = named_lines(names, kind == 0)
    rows = of(data, kind).transform_calculate(line="datum.y + 0.22 * (datum.value - 1)")
    intervals = rows.mark_rule(strokeWidth=2.5).transform_calculate(x="datum.low")
    dots = rows.mark_point(filled=True, size=90, opacity=1)
    return alt.layer(
        zero(x=alt.datum(0)),
        intervals.encode(x=x, x2="high:Q", y=y, color=colour),
        dots.encode(x=x, y=y, color=colour, shape=shape),
    )


def layers_chart(data):
    """Dead latents after training against the share of the mean, a mark a layer."""
    legend = alt.Legend(title=None, labelExpr="['raw', 'centred'][datum.value]", orient="bottom")
    scale = lambda values: alt.Scale(domain=[0, 1], range=values)
    colour = alt.Color("value:O", scale=scale([BLUE, ORANGE]), legend=legend)
    shape = alt.Shape("value:O", scale=scale(["circle", "square"]), legend=legend)
    x = alt.X(
        "x:Q",
        title="share of the mean in the squared norm",
        axis=alt.Axis(format="%"),
        scale=alt.Scale(domain=[-0.03, 1], nice=False),
    )
    y = alt.Y(
        "y:Q",
        title="latents dead after training",
        axis=alt.Axis(format="%"),
        scale=alt.Scale(domain=[-0.03, 1], nice=False, clamp=True),
    )
    base = alt.Chart(data)
    intervals = base.mark_rule(strokeWidth=2, color=GREY).transform_calculate(y="datum.low")
    dots = base.mark_point(filled=True, size=110, opacity=1)
    return styled(
        alt.layer(
            intervals.encode(x=x, y=y, y2="high:Q"),
            dots.encode(x=x, y=y, color=colour, shape=shape),
        ).properties(
            width=600,
            height=280,
            title=alt.Title("Dead latents", subtitle="a mark a layer; lines: 95% over seeds"),
        )
    )
