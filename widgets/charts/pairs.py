"""One framework, three machines: inputs, targets, and the loss."""

from __future__ import annotations

import altair as alt

from ..kinds import Disc
from .landscape import arrow_legend, disc, landscape
from .style import styled


def machine_chart(data):
    """Left: what the encoder reads. Middle: what the decoder writes. Right: the loss.

    The loss is drawn as the encoder row turns.
    """
    ticks = alt.Axis(values=[-1, 0, 1])
    reads = disc(data, Disc.INPUTS, arrow_legend(), size=120, axis=ticks)
    writes = disc(data, Disc.TARGETS, None, size=120, axis=ticks)
    discs = alt.hconcat(
        reads.properties(
            width=180,
            height=180,
            title=alt.Title("Input side", subtitle="crosscoder: model 1"),
        ),
        writes.properties(
            width=180,
            height=180,
            title=alt.Title("Target side", subtitle="crosscoder: model 2"),
        ),
        spacing=14,
    )
    turning = landscape(data).properties(
        width=270,
        height=180,
        title=alt.Title("The loss", subtitle="shaded: the neuron fires for both"),
    )
    return styled(
        alt.hconcat(discs, turning, spacing=18).resolve_scale(
            color="independent", shape="independent"
        )
    )
