"""Every figure of a trained model on the bench, beside chance: what it found, what latents do.

The bench is the Linear Representation Bench.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, make_dataclass

import torch

from ..checks import Tensor, check_count
from ..readers import having
from ..signature import checked
from ..table import Table
from .firing import run, total_variance
from .heldout import for_each, heldout_features, sides
from .latents import duplicate, mirrored_share, strictly_dead
from .matching import check_tau
from .recovery import Recovery, recoveries


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """What `evaluate` found. Prints as a table; `.summary()` is flat and ready for JSON.

    recoveries : encoder raw (the paper's literal metric: section 5.1, appendix B), encoder cosine,
        decoder cosine, decoder raw, in that order; `.of("decoder")` picks one.
    heldout : indices of the features they are about.
    loss : mean ||x_r - x_hat||^2 per sample.
    l0 : latents that fire per sample.
    explained_variance : the share of x_r's variance that x_hat explains.
    f1_best, f1_matched : F1 of the best latent, and of the latent whose decoder column matches
        best; both means over the held-out features.
    dead, strictly_dead : shares of all latents: those that never fired here, and those that no
        single feature can fire.
    duplicate : share of the live latents that repeat an earlier one.
    mirrored : share of the latents whose row is not zero that have a mirror image.
    """

    recoveries: tuple[Recovery, ...]
    heldout: Tensor
    n: int
    n_q: int
    samples: int
    loss: float
    l0: float
    explained_variance: float
    f1_best: float
    f1_matched: float
    dead: float
    strictly_dead: float
    duplicate: float
    mirrored: float

    @checked
    def of(self, side: str, measure: str = "cosine") -> Recovery:
        """The Recovery of one side, "encoder" or "decoder", in one measure, "cosine" or "raw"."""
        for one in self.recoveries:
            if (one.side, one.measure) == (side, measure):
                return one
        raise ValueError(
            f"a report has sides 'encoder' and 'decoder', measures 'cosine' and 'raw'; "
            f"got {side!r}, {measure!r}"
        )

    def table(self) -> Table:
        """One row per side and measure: recovery at each tau, MIP, the same of the null, MCC.

        A `Table` that prints and shows in a notebook.
        """
        rows = [dict(side=one.side, measure=one.measure) | one.figures() for one in self.recoveries]
        Row = make_dataclass("RecoveryRow", list(rows[0]), frozen=True)
        return Table(Row(**row) for row in rows)

    def summary(self) -> dict[str, float]:
        """Every figure by a flat name, plain numbers.

        decoder_recovery_95, encoder_raw_mip, decoder_mcc, encoder_null_mip, l0, ... Cosine figures
        carry the side alone, raw ones side_raw: M_GT and M_IP of the paper's section 5.1 are
        encoder_raw_recovery_95 and encoder_raw_mip. null_mip and null_recovery_95 without a side
        are the decoder's, in cosine.
        """
        flat = {f.name: getattr(self, f.name) for f in fields(self)[2:]}
        flat["heldout"] = len(self.heldout)
        for one in self.recoveries:
            prefix = one.side if one.measure == "cosine" else f"{one.side}_raw"
            there = {name: value for name, value in one.figures().items() if value is not None}
            flat |= {f"{prefix}_{name}": value for name, value in there.items()}
        decoder = self.of("decoder").figures()
        return flat | {name: decoder[name] for name in decoder if name.startswith("null")}

    def __str__(self) -> str:
        anchored = self.n - len(self.heldout)
        left_out = f" ({anchored} anchored ones left out)" if anchored else ""
        return (
            f"{len(self.heldout)} held-out features{left_out}, "
            f"n_q = {self.n_q}, {self.samples} samples\n"
            f"{self.table()}\n"
            f"encoder raw: the paper's metric (section 5.1, appendix B), max_i |<w_E^i, w_p^d>|; "
            f"it scales with W_E\n"
            f"decoder cosine: whether the truth is in the model; "
            f"an encoder's cosines fall as it learns to cancel interference. null_*: random rows\n"
            f"loss {self.loss:.4g} per sample, explained variance {self.explained_variance:.4g}, "
            f"L0 {self.l0:.4g}, "
            f"F1 {self.f1_best:.3g} (best latent), {self.f1_matched:.3g} (matched by decoder)\n"
            f"latents: {self.dead:.1%} dead, {self.strictly_dead:.1%} strictly dead, "
            f"{self.duplicate:.1%} of the live duplicate, {self.mirrored:.1%} mirrored"
        )

    __repr__ = __str__


@checked(
    model=having("encode", "decode", "W_E", "W_D", what="a model, such as SDLModel"),
    bench=having("sample", "W_p", "W_r", several=True, what="a LinearRepresentationBench"),
)
@torch.no_grad()
def evaluate(
    model,
    bench,
    *,
    anchored: Sequence = (),
    samples: int = 10_000,
    seed: int = 1,
    taus: Sequence[float] = (0.9, 0.95),
    batch: int = 1024,
    null_draws: int = 4,
) -> Report | list[Report]:
    """How much of the truth of a bench a model holds: a `Report`, beside random rows.

    On the *held-out* features, encoder and decoder, raw and cosine. Truth is bench.W_p for W_E,
    bench.W_r for W_D; a crosscoder's columns are compared whole, blocks stacked and normalized as
    one: see `best_matches` for why W* then scores 1 / sqrt(m) by the paper's literal metric
    (section 5.1).

    anchored : features that training was shown, left out of recovery, MIP, MCC, F1.
    samples, seed : of bench.sample, which no training stream holds; the model runs on `batch` of
        them at a time.
    null_draws : sets of random rows.

    A model needs `encode`, `decode`, `W_E`, `W_D`. Its `firing_level` says what <w_E, x_p> must
    exceed for a latent to fire, which tells the strictly dead; without it that is 0, a ReLU's.

    One with `instances` gives a list of Reports; `bench` is then one or a list of as many,
    `anchored` one list of features or one per instance. ValueError if no feature is held out, a
    weight is not finite, or shapes disagree.

    >>> import torch
    >>> from sdl_theory import LinearRepresentationBench, SDLModel, evaluate, ideal_weights
    >>> bench = LinearRepresentationBench(n=12, n_p=8, S=0.9, mu=0.5, dtype=torch.float64)
    >>> best = ideal_weights(bench.problem, 12)
    >>> model = SDLModel(8, 12, method="relu", dtype=torch.float64)  # holds nothing yet
    >>> _ = model.load_state_dict(dict(W_E=best.W_E, W_D=best.W_D))
    >>> report = evaluate(model, bench, samples=1000)
    >>> report.of("decoder").recovery  # every feature is found, at both thresholds
    {0.9: 1.0, 0.95: 1.0}
    >>> report.loss > 0.1  # and yet: under ReLU features that are active together interfere
    True
    """
    taus = [check_tau(tau) for tau in taus]
    samples, batch = check_count("samples", samples, 2), check_count("batch", batch)
    many = model.W_E.ndim == 3
    count = len(model.W_E) if many else 1
    benches = for_each("benches", bench if isinstance(bench, Sequence) else [bench], count)
    heldout = heldout_features(anchored, benches)
    each = [part if many else part[None] for part in (model.W_E, model.W_D, firing_level(model))]
    found = [
        recoveries(*sides(W_E, W_D, one, kept), taus=taus, draws=null_draws, seed=seed)
        for W_E, W_D, one, kept in zip(*each[:2], benches, heldout)
    ]
    drawn = {id(one): one for one in benches}  # a bench that serves all is asked once
    batches = {key: one.sample(samples, seed=seed) for key, one in drawn.items()}
    data = [batches[id(one)] for one in benches]
    active = [one.x[:, kept] > 0 for one, kept in zip(data, heldout)]
    runs = run(model, data, active, batch)
    reports = []
    for i, (W_E, W_D, level) in enumerate(zip(*each)):
        counts, errors = runs[i]
        f1 = counts.f1(found[i]["decoder", "cosine"].latents)
        reports.append(
            Report(
                recoveries=tuple(found[i].values()),
                heldout=heldout[i],
                n=benches[i].n,
                n_q=len(W_E),
                samples=samples,
                loss=errors / samples,
                l0=counts.fired.sum().item() / samples,
                explained_variance=1 - errors / total_variance(data[i].x_r),
                f1_best=f1.mean(),
                f1_matched=f1.mean("matched"),
                dead=_share(counts.fired == 0),
                strictly_dead=_share(strictly_dead(W_E, benches[i].W_p, level)),
                duplicate=duplicate(W_D, counts.fired > 0),
                mirrored=mirrored_share(W_E),
            )
        )
    return reports if many else reports[0]


def _share(mask: Tensor) -> float:
    return mask.double().mean().item()


def firing_level(model) -> Tensor:
    """What <w_E^i, x_p> must exceed for latent i to fire at inference, (n_q,) or (I, n_q).

    The model's own `firing_level`, as an SDLModel has it; 0, a ReLU's, for a model that has none.
    """
    level = getattr(model, "firing_level", None)
    return model.W_E.new_zeros(model.W_E.shape[:-1]) if level is None else level
