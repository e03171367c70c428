"""Dead latents begun anew where there are many: nothing, Bricken's rows, sign rows, clones, AuxK.

The demo bench (n = 100 features, n_p = 77, S = .99), the demo recipe but half as long, and four
models of which many latents die: `CASES`. Every arm trains on the same samples; a rule looks at
batches to come, Bricken's at one, ours at four. A pass every 50 steps in the first half of the run.

A row is a case, an arm, a list of seeds, and as lists, a number a seed: at the end, on held-out
samples,
loss : mean ||x_r - x_hat||^2.  dead : share of latents that never fired.
raw, raw_mip, raw_null : M_GT and M_IP of section 5.1 of arXiv:2512.05534 (encoder rows raw), and
    M_IP of random rows of the learned norms.
encoder, decoder : the share of features with a cosine > .95, by rows of W_E, by columns of W_D;
    encoder_mip, decoder_mip : the mean best cosine.  null_mip : that of random rows.
f1 : mean over features of the F1 of the best latent.  l0 : how many fire per sample.
begun : latents begun anew, all passes together.  awake : how many of the last time they were begun
    fire at the end (a latent counts once).
before, at, later : the held-out loss around the first pass that began any: just before, just
    after, and LATER steps on (null: there was none).  jump : the largest at - before of all passes.
"""

from __future__ import annotations

import torch

from ...measure.report import evaluate
from ...training.config import Config
from ...training.model import SDLModel
from ...training.trainer import Trainer
from ...truth.bench import LinearRepresentationBench
from .resampled import around, recovered, summary

# looked at by nobody while the rules were written; trained two by two
SEEDS = tuple((seed, seed + 1) for seed in range(2000, 2010, 2))
BENCH = dict(n=100, n_p=77, S=0.99, mu=0.1)
RECIPE = dict(steps=600, batch=256, lr=3e-3, warmup=50, dead_after=10_000, resample_every=50)
LATER, HELD_OUT, SAMPLES = 20, 2048, 4000
AIM = dict(target_l0=1.0, sparsity=0.02, gain=0.03)  # the demo's of jumprelu
CASES: dict[str, dict] = {
    "jumprelu, theta_0 = 3": dict(model=dict(method="jumprelu", n_q=400, theta=3.0), config=AIM),
    "jumprelu, theta_0 = 2": dict(model=dict(method="jumprelu", n_q=400, theta=2.0), config=AIM),
    "top-1, n_q = n": dict(model=dict(method="topk", n_q=100, k=1), config={}),
    "top-3, n_q = 4n": dict(model=dict(method="topk", n_q=400, k=3), config={}),
}
# size : norm of Bricken's rows over the mean live one
ARMS: dict[str, dict] = {
    "nothing": dict(config=dict(resample_every=0)),
    "bricken, .2": dict(size=0.2),
    "bricken, 1": dict(size=1.0),
    "sign": dict(config=dict(resample="sign")),
    "split": dict(config=dict(resample="split")),
    "auxk": dict(config=dict(resample_every=0, aux_coef=1 / 32)),
}
OF_TOP_K, NOT_OF_TOP_K = "auxk", "split"


def head() -> dict:
    return dict(
        experiment="traps resampling", bench=BENCH, recipe=RECIPE, seeds=sum(map(len, SEEDS))
    )


def jobs() -> list[dict]:
    """All arms of a few seeds before the next seeds'."""
    return [
        dict(case=case, arm=arm, seeds=list(seeds))
        for seeds in SEEDS
        for case in CASES
        for arm in ARMS
        if arm != (NOT_OF_TOP_K if case.startswith("top") else OF_TOP_K)
    ]


class Watched(Trainer):
    """A run that writes down the held-out loss around every pass, and whom it began anew."""

    def watch(self, x: torch.Tensor) -> None:
        self.x = x
        self.passes: list[dict] = []
        self.begun, self.count = torch.zeros(self.model.n_q, dtype=torch.bool), 0

    @torch.no_grad()
    def held_out(self) -> float:
        return (self.x - self.model(self.x)).square().sum(1).mean().item()

    def _resample(self) -> None:
        asleep, before = self.asleep.clone(), self.held_out()
        super()._resample()
        new = (self.asleep == 0) & (asleep >= self.config.dead_after)
        self.begun |= new
        self.count += int(new.sum())
        if new.any():
            self.passes.append(dict(step=self.steps_done, before=before, at=self.held_out()))

    def step(self) -> None:
        super().step()
        for one in self.passes[:1]:
            if self.steps_done == one["step"] + LATER:
                one["later"] = self.held_out()


def run(job: dict) -> dict:
    runs = [_run(CASES[job["case"]], ARMS[job["arm"]], seed) for seed in job["seeds"]]
    return job | {name: [one[name] for one in runs] for name in runs[0]}


def _run(case: dict, arm: dict, seed: int) -> dict:
    bench = LinearRepresentationBench(**BENCH, seed=seed)
    start = torch.Generator().manual_seed(seed)
    model = SDLModel(bench.n_p, **case["model"], generator=start)
    if "size" in arm:
        model.way.row_scale = arm["size"]
    config = Config(**RECIPE | dict(seed=seed) | case["config"] | arm.get("config", {}))
    trainer = Watched(model, bench, config)
    trainer.watch(bench.batch(10**6, HELD_OUT).x_p)
    for _ in range(config.steps):
        trainer.step()
    awake = trainer.begun & (trainer.asleep < config.dead_after)
    return _figures(model, bench) | _passes(trainer) | dict(awake=int(awake.sum()))


def _figures(model: SDLModel, bench: LinearRepresentationBench) -> dict:
    found = evaluate(model, bench, samples=SAMPLES, null_draws=1).summary()
    names = dict(
        loss="loss",
        dead="dead",
        raw="encoder_raw_recovery_95",
        raw_mip="encoder_raw_mip",
        raw_null="encoder_raw_null_mip",
        encoder="encoder_recovery_95",
        encoder_mip="encoder_mip",
        decoder="decoder_recovery_95",
        decoder_mip="decoder_mip",
        null_mip="null_mip",
        f1="f1_best",
        l0="l0",
    )
    return {short: round(found[name], 4) for short, name in names.items()}


def _passes(trainer: Watched) -> dict:
    first = trainer.passes[0] if trainer.passes else {}
    figures = {name: first.get(name) for name in ("before", "at", "later")}
    figures["jump"] = max((one["at"] - one["before"] for one in trainer.passes), default=None)
    rounded = {name: None if one is None else round(one, 4) for name, one in figures.items()}
    return dict(begun=trainer.count) | rounded


def show(rows: list[dict]) -> None:
    for table in (summary(rows), recovered(rows), around(rows)):
        print(table, end="\n\n")
