"""Figure 7's runs: losses and dead latents on the way, and how runs end against nothing."""

from __future__ import annotations

import altair as alt

from ..kinds import Remedy, Run, Sleep
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, named, of, styled, zero

NAMES = ["nothing", "anew at samples", "anew at residuals", "AuxK"]
COLOURS = [BLACK, ORANGE, GREEN, BLUE]
DASHES = [[1, 0], [7, 3], [3, 3], [9, 2, 2, 2]]
PERCENT = "datum.value === 0 ? '0' : format(100 * datum.value, '+.0f') + '%'"


def _codes(values: list):
    return alt.Scale(domain=[int(one) for one in Remedy], range=values)


def curves_chart(data, title: str):
    """Left: the training loss of every run. Right: its share of dead latents.

    A line a seed; dashed, the step after which dead latents are resampled.
    """
    legend = alt.Legend(title=None, labelExpr=named(NAMES), orient="bottom", symbolSize=300)
    encoding = dict(
        color=alt.Color("value:O", scale=_codes(COLOURS), legend=legend),
        strokeDash=alt.StrokeDash("value:O", scale=_codes(DASHES), legend=legend),
        detail="seed:O",
    )
    steps = alt.Scale(nice=False, zero=True)
    x = alt.X("x:Q", title="training step", scale=steps, axis=alt.Axis(tickCount=6))
    when = of(data, Run.WHEN).mark_rule(color=GREY, strokeDash=[4, 3]).encode(x=x)
    # the highest number stays inside, so that both titles stand on one line
    flush = dict(labelFlush=True)
    loss = alt.Y(
        "y:Q",
        title="mean squared error",
        scale=alt.Scale(type="log", nice=True),
        axis=alt.Axis(**flush),
    )
    dead = alt.Y("y:Q", title="share of latents that are dead", axis=alt.Axis(format="%", **flush))
    panels = [
        alt.layer(
            when, of(data, kind).mark_line(strokeWidth=1.8).encode(x=x, y=y, **encoding)
        ).properties(width=310, height=240, title=alt.Title(head, subtitle=below))
        for kind, y, head, below in (
            (Run.LOSS, loss, title, "an answer of 0 has loss 1; a line a seed"),
            (Run.DEAD, dead, "Dead latents", "dashed: where some arms begin them anew"),
        )
    ]
    return styled(alt.hconcat(*panels, spacing=18))


def ends_chart(data, kinds: list[str]):
    """Losses at the end, an arm minus nothing, in per cent of nothing's, with 95% intervals.

    Of latents begun anew at residuals, and of AuxK: at samples the loss is another scale's.
    """
    legend = alt.Legend(title=None, labelExpr=named(NAMES), orient="bottom", values=[2, 3])
    scale = lambda values: alt.Scale(domain=[2, 3], range=values)
    colour = alt.Color("value:O", scale=scale(COLOURS[2:]), legend=legend)
    shape = alt.Shape("value:O", scale=scale(["square", "triangle-up"]), legend=legend)
    x = alt.X(
        "x:Q",
        title="loss, minus that of doing nothing",
        scale=alt.Scale(padding=12),
        axis=alt.Axis(labelExpr=PERCENT),
    )
    axis = alt.Axis(labelExpr=named(kinds), values=list(range(len(kinds))), grid=False, title=None)
    size = alt.Scale(domain=[-0.6, len(kinds) - 0.4], reverse=True, nice=False)
    panels = []
    for held_out, title in enumerate(("On training rows, as in Figure 7", "On held-out rows")):
        y = alt.Y("line:Q", scale=size, axis=None if held_out else axis)
        rows = (
            alt.Chart(data)
            .transform_filter((alt.datum.held_out == held_out) & (alt.datum.value >= 2))
            .transform_calculate(line="datum.y + 0.24 * (datum.value - 2.5)")
        )
        layer = alt.layer(
            zero(x=alt.datum(0)),
            rows.mark_rule(strokeWidth=2.5).encode(x="low:Q", x2="high:Q", y=y, color=colour),
            rows.mark_point(filled=True, size=80, opacity=1).encode(
                x=x, y=y, color=colour, shape=shape
            ),
        )
        panels.append(layer.properties(width=290, height=62 * len(kinds), title=title))
    return styled(alt.hconcat(*panels, spacing=18))


def sleep_chart(data):
    """Random latents: how they lie to the mean, and how much longer they would have to be."""
    names = ["wins places", "asleep: wins none", "strictly dead: z < 0 everywhere"]
    scale = lambda values: alt.Scale(domain=[int(one) for one in Sleep], range=values)
    legend = alt.Legend(title=None, labelExpr=named(names), orient="bottom")
    x = alt.X(
        "x:Q",
        title="cosine of the latent's row with the mean",
        scale=alt.Scale(domain=[-0.8, 0.8], nice=False, clamp=True),
    )
    y = alt.Y(
        "y:Q",
        title="factor at which its row wins a place (log scale)",
        scale=alt.Scale(type="log", domain=[0.2, 20], clamp=True, nice=False),
        axis=alt.Axis(values=[0.2, 0.5, 1, 2, 5, 10, 20]),
    )
    points = (
        alt.Chart(data)
        .mark_point(filled=True, size=70, opacity=0.8)
        .encode(
            x=x,
            y=y,
            color=alt.Color("value:O", scale=scale([BLUE, ORANGE, BLACK]), legend=legend),
            shape=alt.Shape(
                "value:O", scale=scale(["circle", "square", "triangle-down"]), legend=legend
            ),
        )
    )
    head = alt.Title(
        "Untrained latents, Top-4 of 128",
        subtitle="above the dashed line they win nothing; at the top edge: 20 times or never",
    )
    return styled(
        alt.layer(zero(y=alt.datum(1)), points).properties(width=640, height=300, title=head)
    )
