"""The paper's Table 1: seven rows, anchored and not, judged on the same held-out features."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from ..estimate import Estimate, interval
from ..measure.report import Report, evaluate
from ..signature import checked
from ..table import Table
from ..training.anchors import check_held_out
from .presets import TABLE_1, Preset
from .rows import Setup, setup, train_row


@dataclass(frozen=True)
class TableRow:
    """A method of Table 1, anchored or not: held-out figures over seeds.

    With 95% Student t intervals (within what is possible) where there are several seeds.

    literal_recovery, literal_mip : the paper's M_GT (tau = .95) and M_IP as section 5.1 and
        appendix B define them, max_i |<w_E^i, w_p^d>| without normalization.
    literal_null_recovery, literal_null_mip : the same of random rows with the encoder's norms.
    encoder_..., decoder_... : by cosine.
    null_mip : of random rows, by cosine (against W_r).
    """

    method: str
    anchored: int
    seeds: int
    literal_recovery: Estimate
    literal_mip: Estimate
    encoder_recovery: Estimate
    encoder_mip: Estimate
    decoder_recovery: Estimate
    decoder_mip: Estimate
    literal_null_recovery: Estimate
    literal_null_mip: Estimate
    null_mip: Estimate
    l0: Estimate
    explained: Estimate
    mirrored: Estimate
    seconds: float

    @classmethod
    def from_json(cls, stored: dict) -> TableRow:
        """The row that `dataclasses.asdict` gave.

        ValueError for one that lacks a figure: none is made up.
        """
        names = [f.name for f in fields(cls)]
        if not isinstance(stored, dict):
            raise ValueError(f"a row is a dict with {', '.join(names)}; got {stored!r}")
        if missing := [name for name in names if name not in stored]:
            old = ""
            if missing[0] == "literal_recovery":
                old = ", as tables did before they held the paper's literal metric"
            raise ValueError(f"the row {stored.get('method')!r} lacks {', '.join(missing)}{old}")
        if unknown := [name for name in stored if name not in names]:
            raise ValueError(
                f"the row {stored['method']!r} has {', '.join(unknown)}, "
                f"which no row of this table has"
            )
        figures: dict[str, Any] = {
            name: Estimate(**value) if isinstance(value, dict) else value
            for name, value in stored.items()
        }
        return cls(**figures)


@checked(device=torch.device | str, bench=dict | None)
def table_1(
    preset: str | Preset = "demo",
    methods: Sequence[str] = TABLE_1,
    *,
    seeds: Sequence[int] | None = None,
    device="cpu",
    progress: bool = True,
    done: Sequence[TableRow] = (),
    callback: Callable[[Table[TableRow]], None] | None = None,
    **override,
) -> Table[TableRow]:
    """Table 1 of the paper on a preset: each method without anchors, and with the preset's.

    done : rows of an earlier call, not run again.
    callback : called with the table after each new row.
    override : what takes the place of the preset's, as in `setup`.

    Both are judged on the *same* held-out features: those that the anchored run is shown are left
    out of both runs' figures, so the two rows of a method compare. tau = .95; first the paper's
    literal metric (encoder, raw), then encoder and decoder by cosine, then random rows by both. See
    `TableRow`.

    Still: anchors change the gradient norm that `clip` looks at, and lesson 11 finds that *sham*
    anchors lead as well, and no lead without clipping (clip=1e9). A difference between the two rows
    is not yet the anchors' knowledge.

    Ctrl-C raises KeyboardInterrupt: the row that it stops is in no table.

    >>> from sdl_theory import table_1
    >>> tiny = dict(bench=dict(n=20, n_p=16, mu=0.5), n_q=32, batch=32, steps=2)
    >>> table = table_1("demo", ["topk"], seeds=[0, 1], progress=False, **tiny)
    >>> [(row.method, row.anchored, row.seeds) for row in table]  # plain, then anchored
    [('topk', 0, 2), ('topk', 10, 2)]
    >>> table.columns()[3:5]  # the metric of section 5.1 and appendix B, to the letter
    ['literal_recovery', 'literal_mip']
    """
    had = {(row.method, row.anchored > 0): row for row in done}
    # a fault in the last row's settings is found before the first row is trained
    for method in methods:
        setup(preset, method, anchors=None, seeds=seeds, device=device, **deepcopy(override))
    table: Table[TableRow] = Table()
    for method in methods:
        for anchored in (False, True):
            if (method, anchored) in had:
                table.append(had[method, anchored])
                continue
            start = time.perf_counter()
            row = setup(preset, method, anchors=None, seeds=seeds, device=device, **override)
            check_held_out(row.anchors, row.data)
            shown = row.shown  # to neither run's credit
            row = row if anchored else replace(row, anchors=None)
            if train_row(row, progress=progress).interrupted:
                raise KeyboardInterrupt(
                    f"stopped within the row {method}, {'anchored' if anchored else 'plain'}; "
                    f"half a row is no row"
                )
            reports = evaluate(row.model, row.data, anchored=shown, samples=4000)
            table.append(_table_row(method, row, reports, time.perf_counter() - start))
            if callback is not None:
                callback(table)
    return table


def _table_row(method: str, row: Setup, reports: Sequence[Report], seconds: float) -> TableRow:
    """The reports' figures over the seeds, each within what it can be."""
    figures = [report.summary() for report in reports]
    over_seeds = lambda name: interval([one[name] for one in figures])
    share = lambda name: over_seeds(name).within(0, 1)
    size = lambda name: over_seeds(name).within(0, math.inf)
    return TableRow(
        method=method,
        anchored=row.anchors[0].k if row.anchors else 0,
        seeds=len(figures),
        literal_recovery=share("encoder_raw_recovery_95"),
        literal_mip=size("encoder_raw_mip"),
        encoder_recovery=share("encoder_recovery_95"),
        encoder_mip=share("encoder_mip"),
        decoder_recovery=share("decoder_recovery_95"),
        decoder_mip=share("decoder_mip"),
        literal_null_recovery=share("encoder_raw_null_recovery_95"),
        literal_null_mip=size("encoder_raw_null_mip"),
        null_mip=share("null_mip"),
        l0=size("l0"),
        explained=over_seeds("explained_variance").within(-math.inf, 1),
        mirrored=share("mirrored"),
        seconds=round(seconds, 1),
    )
