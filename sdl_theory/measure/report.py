"""What a trained model found and what its latents do: every figure of the Linear Representation
Bench, beside chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, make_dataclass

import torch

from ..problem import Tensor, as_matrix, check_count
from ..signature import checked, having
from ..table import Table
from ..theory.patterns import check_group
from .firing import FiringCounts, total_variance
from .latents import duplicate, mirrored_share, strictly_dead
from .matching import best_pairs, check_tau, mcc
from .recovery import Null, Recovery, random_matches

# the paper's own metric first
ORDER = (("encoder", "raw"), ("encoder", "cosine"), ("decoder", "cosine"), ("decoder", "raw"))


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """What `evaluate` found. Prints as a table; `.summary()` is flat and ready for JSON.

    recoveries : encoder raw (the paper's literal metric: section 5.1, appendix B), encoder cosine,
        decoder cosine, decoder raw, in that order;
    `.of("decoder")` picks one.  heldout : indices of the features they are about.
    loss : mean ||x_r - x_hat||^2 per sample.  l0, explained_variance, f1_best, f1_matched (F1 of
        the latent whose decoder column matches
    best; both means over the held-out features).  Shares: dead (never fired here), strictly_dead
    (no single feature can fire it), of all latents; mirrored (a row with its mirror image), of
    those whose row is not zero; duplicate, of the live ones.
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
            f"a report has sides 'encoder' and 'decoder', measures 'cosine' and 'raw'; got "
            f"{side!r}, {measure!r}"
        )

    def table(self) -> Table:
        """One row per side and measure: recovery at each tau, MIP, the same of the null, MCC. A
        `Table` that prints and shows in a notebook.
        """
        rows = [dict(side=one.side, measure=one.measure) | one.figures() for one in self.recoveries]
        Row = make_dataclass("RecoveryRow", list(rows[0]), frozen=True)
        return Table(Row(**row) for row in rows)

    def summary(self) -> dict[str, float]:
        """Every figure by a flat name, plain numbers: decoder_recovery_95, encoder_raw_mip,
        decoder_mcc, encoder_null_mip, l0, ...

        Cosine figures carry the side alone, raw ones side_raw: M_GT and M_IP of the paper's section
        5.1 are encoder_raw_recovery_95 and encoder_raw_mip. null_mip and null_recovery_95 without a
        side are the decoder's, in cosine.
        """
        flat = {f.name: getattr(self, f.name) for f in fields(self)[2:]} | dict(
            heldout=len(self.heldout)
        )
        for one in self.recoveries:
            prefix = one.side if one.measure == "cosine" else f"{one.side}_raw"
            flat |= {
                f"{prefix}_{name}": value
                for name, value in one.figures().items()
                if value is not None
            }
        return flat | {
            name: value
            for name, value in self.of("decoder").figures().items()
            if name.startswith("null")
        }

    def __str__(self) -> str:
        anchored = self.n - len(self.heldout)
        left_out = f" ({anchored} anchored ones left out)" if anchored else ""
        return (
            f"{len(self.heldout)} held-out features{left_out}, n_q = {self.n_q}, {self.samples} "
            f"samples\n"
            f"{self.table()}\n"
            f"encoder raw: the paper's metric (section 5.1, appendix B), max_i |<w_E^i, w_p^d>|; "
            f"it scales with W_E\n"
            f"decoder cosine: whether the truth is in the model; an encoder's cosines fall as it "
            f"learns to cancel interference. null_*: random rows\n"
            f"loss {self.loss:.4g} per sample, explained variance {self.explained_variance:.4g}, "
            f"L0 {self.l0:.4g}, "
            f"F1 {self.f1_best:.3g} (best latent), {self.f1_matched:.3g} (matched by decoder)\n"
            f"latents: {self.dead:.1%} dead, {self.strictly_dead:.1%} strictly dead, "
            f"{self.duplicate:.1%} of the live duplicate, "
            f"{self.mirrored:.1%} mirrored"
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
    """How much of the truth of a bench a model holds: a `Report` on the *held-out* features,
    encoder and decoder, raw and cosine, beside random rows.

    anchored : features that training was shown, left out of recovery, MIP, MCC, F1. samples, seed :
        of bench.sample, which no training stream
    holds; the model runs on `batch` of them at a time. null_draws : sets of random rows. Truth is
    bench.W_p for W_E, bench.W_r for W_D; a crosscoder's columns are compared whole, blocks stacked
    and normalized as one: see `best_matches` for why W* then scores 1 / sqrt(m) by the paper's
    literal metric.

    A model with `instances` gives a list of Reports; `bench` is then one or a list of as many,
    `anchored` one list of features or one per instance. ValueError if no feature is held out, a
    weight is not finite, or shapes disagree.
    """
    taus, samples, batch = (
        [check_tau(tau) for tau in taus],
        check_count("samples", samples, 2),
        check_count("batch", batch),
    )
    many = model.W_E.ndim == 3
    count = len(model.W_E) if many else 1
    benches = _each("benches", bench if isinstance(bench, Sequence) else [bench], count)
    if anchored is None:
        raise ValueError(
            "anchored must list the true features that training was shown, () if none; nobody "
            "knows which are held out if it is None"
        )
    anchored = list(anchored)
    nested = any(getattr(one, "ndim", isinstance(one, Sequence)) for one in anchored)
    heldout = [
        _heldout(features, one.n)
        for features, one in zip(
            _each("lists of anchored features", anchored if nested else [anchored], count), benches
        )
    ]
    parts = [part if many else part[None] for part in (model.W_E, model.W_D, firing_level(model))]
    found = [
        _recoveries(W_E, W_D, one, kept, taus, null_draws, seed)
        for W_E, W_D, one, kept in zip(*parts[:2], benches, heldout)
    ]
    runs, reports = _run(model, benches, heldout, samples, seed, batch), []
    for W_E, W_D, level, one, kept, sides, (counts, errors, variance) in zip(
        *parts, benches, heldout, found, runs
    ):
        f1, fired = counts.f1(sides["decoder", "cosine"].latents), counts.fired
        reports.append(
            Report(
                tuple(sides.values()),
                kept,
                one.n,
                len(W_E),
                samples,
                loss=errors / samples,
                l0=fired.sum().item() / samples,
                explained_variance=1 - errors / variance,
                f1_best=f1.mean(),
                f1_matched=f1.mean("matched"),
                dead=_share(fired == 0),
                strictly_dead=_share(strictly_dead(W_E, one.W_p, level)),
                duplicate=duplicate(W_D, fired > 0),
                mirrored=mirrored_share(W_E),
            )
        )
    return reports if many else reports[0]


def _each(what: str, given: Sequence, count: int) -> list:
    """One of them for each of `count` instances; a single one serves all."""
    if len(given) not in (1, count):
        raise ValueError(
            f"{len(given)} {what} for {count} model instances; give one for all, or one each"
        )
    return list(given) * (count // len(given))


def _share(mask: Tensor) -> float:
    return mask.double().mean().item()


def _heldout(anchored, n: int) -> Tensor:
    anchored = check_group(anchored, n, "anchored")
    if len(anchored) == n:
        raise ValueError(
            f"all n = {n} features are anchored: recovery is judged on held-out features, and none "
            f"is left. Anchor fewer"
        )
    mask = torch.ones(n, dtype=torch.bool)
    mask[anchored] = False
    return mask.nonzero()[:, 0]


def firing_level(model) -> Tensor:
    """What <w_E^i, x_p> must exceed for latent i to fire at inference: theta less the bias, (n_q,)
    or (I, n_q). Top-k: 0, its ReLU's; plain: -inf.
    """
    level = model.way.firing_level(model)
    return level if model.b_E is None else level - model.b_E


def _recoveries(W_E, W_D, bench, heldout, taus, draws, seed) -> dict[tuple[str, str], Recovery]:
    """The four Recoveries of one model, by (side, measure), in the order of `ORDER`."""
    if (W_E.shape[1], W_D.shape[0]) != (bench.n_p, bench.n_r):
        raise ValueError(
            f"the model maps n_p = {W_E.shape[1]} to n_r = {W_D.shape[0]}, but the bench n_p = "
            f"{bench.n_p} to n_r = {bench.n_r}; "
            "evaluate a model on the bench it was trained on"
        )
    rows = dict(
        encoder=as_matrix("W_E", W_E, "(n_q, n_p)"), decoder=as_matrix("W_D", W_D, "(n_r, n_q)").mT
    )
    truth = dict(encoder=bench.W_p[:, heldout].to(W_E), decoder=bench.W_r[:, heldout].to(W_E))
    found = {}
    # an SAE's two sides have one truth, and its random rows need drawing once
    for sides in (
        [["encoder", "decoder"]] if torch.equal(*truth.values()) else [["encoder"], ["decoder"]]
    ):
        norms = torch.stack(
            [torch.ones_like(W_E[:, 0])] + [rows[side].norm(dim=1) for side in sides]
        )
        chance = random_matches(
            truth[sides[0]], norms, draws=draws, generator=torch.Generator().manual_seed(seed)
        )
        for side, raw in zip(sides, chance[1:]):
            pair = rows[side], truth[side]
            found[side, "cosine"] = Recovery(
                side,
                "cosine",
                *(one.cpu() for one in best_pairs(*pair)),
                Null.of(chance[0], taus),
                mcc(*pair),
            )
            found[side, "raw"] = Recovery(
                side,
                "raw",
                *(one.cpu() for one in best_pairs(*pair, cosine=False)),
                Null.of(raw, taus),
                None,
            )
    return {which: found[which] for which in ORDER}


def _run(
    model, benches, heldout, samples: int, seed: int, batch: int
) -> list[tuple[FiringCounts, float, float]]:
    """The model on the samples of its bench: per instance, firing counts with the held-out
    features, total squared error, total variance.
    """
    like, many = model.W_E, model.W_E.ndim == 3
    drawn = {
        id(bench): bench.sample(samples, seed=seed)
        for bench in {id(bench): bench for bench in benches}.values()
    }
    data = [drawn[id(bench)] for bench in benches]
    active = [one.x[:, kept] > 0 for one, kept in zip(data, heldout)]
    counts = [FiringCounts(like.shape[-2], len(kept), like.device) for kept in heldout]
    errors = torch.zeros(len(benches), dtype=torch.float64)
    for part in torch.arange(samples).split(max(1, batch // len(benches))):
        part = slice(int(part[0]), int(part[-1]) + 1)
        x_p = torch.stack([one.x_p[part].to(like) for one in data])
        codes = model.encode(x_p if many else x_p[0])
        x_hat = model.decode(codes)
        for i, (code, guess) in enumerate(zip(codes, x_hat) if many else [(codes, x_hat)]):
            counts[i].update(code != 0, active[i][part].to(like.device))
            errors[i] += (guess - data[i].x_r[part].to(like)).double().square().sum().item()
    if not torch.isfinite(errors).all():
        raise ValueError(
            f"the model's reconstruction is not finite: total squared error {errors.tolist()}. Its "
            f"training diverged; lower the learning rate"
        )
    return [
        (count, error, total_variance(one.x_r))
        for count, error, one in zip(counts, errors.tolist(), data)
    ]
