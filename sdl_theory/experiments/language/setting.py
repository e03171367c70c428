"""What a run of Figure 7 is: its kind, its arm, and every choice that was made for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ...checks import check_count
from ...representations.anatomy import PARTS
from ...training.config import Config

KINDS = ("sae", "transcoder", "crosscoder")
# dead latents are left alone; begun anew once at samples (after Bricken et al. 2023, whose rows are
# a fifth as long), or at residuals ("under-reconstructed directions", the walkthrough); or rebuild
# the residual (AuxK)
ARMS = ("nothing", "resampling", "residuals", "auxk")
RESAMPLED_AT = 6  # the share of the steps after which: 5,000 of 30,000 in Figure 7
DEAD_AFTER = 12  # a latent that is silent for this share of a run's samples is dead
PRINTED = dict(nothing=1.7, resampled=1.3)  # Figure 7's final losses, read off its curves


@dataclass(frozen=True)
class Setting:
    """Every choice of a set of runs.

    model : "smollm2", or the folder of a network, see `representations.networks`.
    layer : its block. A crosscoder reads the one of half that number beside it.
    texts : how many of WordNet's glosses are read, or a file of texts, one a line.
    max_length : tokens of a text, at most.
    wide : latents per coordinate of the residual stream, n_q = wide * n_p; for all three kinds.
    k : latents that fire; Top-k with a ReLU after it, without biases.
    centred : take the mean off every row. Not, by default: the theory has no bias that could learn
        it, and latents that point away from a large mean never fire.
    aux_k : dead latents that AuxK rebuilds the residual with, its weight is 1/32.
    precision : of the large products; "bf16" takes half the time of "float32" where the processor
        has such products.
    """

    model: str = "smollm2"
    layer: int = 12
    texts: int | str = 8000
    max_length: int = 64
    wide: int = 16
    k: int = 32
    steps: int = 360
    batch: int = 512
    lr: float = 1e-3
    centred: bool = False
    aux_k: int = 144
    precision: str = "bf16"

    def __post_init__(self):
        for name in ("layer", "max_length", "wide", "k", "batch", "aux_k"):
            check_count(name, getattr(self, name))
        check_count("steps", self.steps, DEAD_AFTER)
        if not Path(str(self.texts)).is_file():
            check_count("texts", self.texts)

    @property
    def layers(self) -> list[int]:
        """The crosscoder's two."""
        if self.layer < 2:
            raise ValueError(f"a crosscoder of two blocks needs layer >= 2; got {self.layer}")
        return [self.layer // 2, self.layer]

    def config(self, arm: str, seed: int) -> Config:
        """How `Trainer` is to train. Resampling is left to `runs`, which has more samples for it
        than a batch."""
        return Config(
            steps=self.steps,
            batch=self.batch,
            lr=self.lr,
            warmup=self.steps // 20,
            seed=seed,
            dead_after=self.steps // DEAD_AFTER * self.batch,
            aux_coef=1 / 32 if arm == "auxk" else 0.0,
            aux_k=self.aux_k,
            precision=self.precision,
        )

    def kept(self) -> dict:
        """As the record has it."""
        return asdict(self)


PRESETS = {
    "demo": Setting(),
    # n_p = 4096, n_q = 131,072, as printed beside Figure 7; k and lr are ours
    "paper": replace(
        Setting(), texts=120_000_000 // 512, max_length=512, wide=32, k=64, steps=30_000,
        batch=4096, lr=3e-4, aux_k=512,
    ),
}  # fmt: skip


def wanted(setting: Setting, kinds: Sequence[str]) -> tuple[list[int], list[str]]:
    """The layers and parts to harvest for these kinds."""
    layers = setting.layers if "crosscoder" in kinds else [setting.layer]
    residual = "sae" in kinds or "crosscoder" in kinds
    names = [residual, "transcoder" in kinds, "transcoder" in kinds]
    return layers, [part for part, asked in zip(PARTS, names) if asked]


def inputs_and_targets(setting: Setting, kind: str) -> tuple[list[str], list[str] | None]:
    """What of a harvest is x_p, and x_r where that is something else."""
    if kind == "sae":
        return [f"residual_{setting.layer}"], None
    if kind == "transcoder":
        return [f"mlp_in_{setting.layer}"], [f"mlp_out_{setting.layer}"]
    if kind == "crosscoder":
        return [f"residual_{layer}" for layer in setting.layers], None
    raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
