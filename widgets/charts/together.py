"""Features that are active together: cosines, second moments, the neuron's codes, the verdicts."""

from __future__ import annotations

import altair as alt

from ..kinds import Code, Together
from .heat import heat
from .style import (
    GREEN,
    ORANGE,
    VERDICT_COLOURS,
    VERDICT_NAMES,
    VERDICT_SHAPES,
    codes,
    named,
    of,
    styled,
    zero,
)

SIDE = 150  # of each panel
SHOWN = (Code.TRAP, Code.SADDLE, Code.NONE, Code.DEGENERATE, Code.GLOBAL)


def together_chart(data, link: str = "correlation r, or P(child | parent)"):
    """Above: G, C, and z. Beneath: the verdict at every value of the link."""
    panel = lambda chart, title, subtitle: chart.properties(
        width=SIDE, height=SIDE, title=alt.Title(title, subtitle=subtitle, frame="group")
    )
    above = alt.hconcat(
        panel(
            _entries(data, Together.COSINE, ORANGE),
            "Cosines G",
            "of the features' directions",
        ),
        panel(
            _entries(data, Together.MOMENT, GREEN),
            "Moments C",
            "how often both are active",
        ),
        panel(_codes(data), "Codes z", "grey: the top eigenvector's"),
        spacing=26,
    ).resolve_scale(color="independent")
    strip = _strip(data, link).properties(
        width=3 * SIDE + 130,
        height=34,
        title=alt.Title("The same directions at every link", frame="group"),
    )
    return styled(
        alt.vconcat(above, strip, spacing=12).resolve_scale(
            color="independent", shape="independent"
        )
    )


def _entries(data, kind: int, above: str):
    axis = alt.Axis(grid=False, labelAngle=0, ticks=False, domain=False)
    x = alt.X("x:O", title="feature", axis=axis)
    y = alt.Y("y:O", title="feature", axis=axis)
    return heat(of(data, kind), x, y, size="x2", above=above, form=".3~f")


def _verdict(values, legend=None) -> dict:
    return {"scale": codes(VERDICT_NAMES, values), "legend": legend}


def _codes(data):
    feature = alt.X("x:O", title="feature", axis=alt.Axis(grid=False, labelAngle=0, ticks=False))
    z = alt.Y("y:Q", title="z of each feature", scale=alt.Scale(domain=[-1, 1.25]))
    bars = of(data, Together.CODE).mark_bar(width=26)
    return alt.layer(
        bars.encode(
            x=feature, y=z, y2=alt.datum(0), color=alt.Color("value:O", **_verdict(VERDICT_COLOURS))
        ),
        zero(y=alt.datum(0)),
    )


def _strip(data, link: str):
    x = alt.X("x:Q", title=link, scale=alt.Scale(domain=[-1, 1], nice=False))
    legend = alt.Legend(
        title=None,
        labelExpr=named(VERDICT_NAMES),
        values=list(map(int, SHOWN)),
        orient="bottom",
        columns=5,
    )
    here = of(data, Together.HERE).mark_point(
        size=260, filled=True, opacity=1, stroke="white", strokeWidth=2
    )
    return alt.layer(
        of(data, Together.LINK)
        .mark_rect(opacity=0.35)
        .encode(x=x, x2="x2:Q", color=alt.Color("value:O", **_verdict(VERDICT_COLOURS))),
        here.encode(
            x=x,
            color=alt.Color("value:O", **_verdict(VERDICT_COLOURS, legend)),
            shape=alt.Shape("value:O", **_verdict(VERDICT_SHAPES, legend)),
        ),
    ).resolve_scale(color="independent", shape="independent")
