"""How to train: every setting of a run has a name, a default and a check."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from numbers import Real

from ..checks import check_count
from ..plain import plain
from ..signature import check_fields

POSITIVE = ("lr", "clip", "bandwidth")
NOT_NEGATIVE = ("sparsity", "aux_coef", "gain")
SHARES = ("decay", "resample_until")


@dataclass(frozen=True)
class Config:
    """How to train: every choice of a run, with its default.

    Lengths are in steps unless they say samples; one step is one batch over all processes.

    steps, batch : how many steps, and samples in each.
    lr : the learning rate, with linear `warmup` steps and a linear decay to 0 over the last share
        `decay`.
    betas : Adam's.
    clip : the largest gradient norm.
    sparsity : first coefficient of the L1 (relu, gated) or L0 (jumprelu) term, grown linearly over
        the warm-up.
    target_l0 : steer that coefficient until this many latents fire per sample, within a factor 100
        of `sparsity`; None leaves it alone. `gain` is the steering's speed per step. A ReLU without
        biases may never get there: nothing silences small interference (notebook 11).
    bandwidth : JumpReLU's straight-through window, in units of z.
    aux_coef, aux_k : AuxK (topk, batchtopk, matryoshka); aux_k None is n_p / 2.
    aux_target : what the dead latents are to reconstruct: "residual", x_r - x_hat (Gao et al.
        2024), or "input", x_r itself (Eq. 8 of arXiv:2512.05534).
    dead_after : samples without firing that make a latent dead.
    level_loss : Matryoshka's loss, the "mean" or the "sum" of its levels' (or ks'). None: the mean
        of levels, the sum of ks, as Eq. 9 of arXiv:2512.05534 is printed. SAELens sums levels;
        beside a mean, AuxK and anchors weigh as many times more as there are levels, and `clip`
        bites later.
    resample_every : steps between resamplings of dead latents, up to `resample_until` (a share of
        the steps); 0 is never.
    resample : where they begin anew. "bricken": at badly reconstructed samples (Bricken et al.
        2023). Ours: "sign", along the directions in which most is missing; "split", as clones of
        the latents pulled apart the most, not for the Top-k family.
    unit_norm : hold W_D's columns at model.decoder_norm, the gradient's part along them removed.
        Weights from elsewhere whose columns have other norms are rescaled at the first step, which
        changes what they compute: go on with such a model with unit_norm=False.
    lam_anchor : weight of the anchors, a number or one per instance.
    precision : "float32" or "bf16" (the large products in bfloat16, weights and Adam in float32).
    compile : pass the objective through torch.compile.
    log_every, eval_every, checkpoint_every : steps; eval_every 0 is at the end only,
        checkpoint_every 0 likewise.

    NumPy's and PyTorch's numbers are kept as Python's, lists as tuples. ValueError for a value that
    does not fit its field.

    >>> from sdl_theory import Config
    >>> config = Config(steps=100, lr=0.01, warmup=10)
    >>> [round(config.rate(step), 4) for step in (0, 9, 50, 99)]  # up, level, and down to 0
    [0.001, 0.01, 0.01, 0.0005]
    >>> Config(precision="fp8")
    Traceback (most recent call last):
    ValueError: precision must be 'float32' or 'bf16'; got 'fp8'
    """

    steps: int = 2000
    batch: int = 1024
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: int = 100
    decay: float = 0.2
    clip: float = 1.0
    seed: int = 0
    sparsity: float = 0.1
    target_l0: float | None = None
    gain: float = 0.01
    bandwidth: float = 0.5
    aux_coef: float = 0.0
    aux_k: int | None = None
    aux_target: str = "residual"
    level_loss: str | None = None
    dead_after: int = 100_000
    resample_every: int = 0
    resample_until: float = 0.5
    resample: str = "bricken"
    unit_norm: bool = True
    lam_anchor: float | tuple[float, ...] = 0.1
    precision: str = "float32"
    compile: bool = False
    log_every: int = 20
    eval_every: int = 0
    checkpoint_every: int = 0

    def __post_init__(self):
        check_fields(self)
        for one in fields(self):
            self._keep(one.name, plain(one.name, getattr(self, one.name)))
        self._check_kinds()
        self._check_ranges()
        self._check_words()

    def _keep(self, name: str, value) -> None:
        object.__setattr__(self, name, value)

    def _check_kinds(self) -> None:
        """Counts are whole numbers, numbers are numbers, flags are flags."""
        counts = ["steps", "batch", "log_every", "dead_after"]
        for name in counts + ["aux_k"] * (self.aux_k is not None):
            self._keep(name, check_count(name, getattr(self, name)))
        numbers = [*POSITIVE, *NOT_NEGATIVE, *SHARES]
        for name in numbers + ["target_l0"] * (self.target_l0 is not None):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real):
                raise ValueError(f"{name} must be a number; got {value!r}")
        for name in ("unit_norm", "compile"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be True or False; got {getattr(self, name)!r}")
        if not (
            isinstance(self.betas, tuple)
            and len(self.betas) == 2
            and all(isinstance(beta, Real) and 0 <= beta < 1 for beta in self.betas)
        ):
            raise ValueError(f"betas are Adam's two decay rates, in [0, 1); got {self.betas}")
        for name in ("warmup", "seed", "resample_every", "eval_every", "checkpoint_every"):
            self._keep(name, check_count(name, getattr(self, name), 0))

    def _check_ranges(self) -> None:
        for name in POSITIVE:
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive and finite; got {getattr(self, name)}")
        for name in NOT_NEGATIVE:
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be >= 0 and finite; got {getattr(self, name)}")
        if self.target_l0 is not None and not (0 < self.target_l0 < math.inf and self.sparsity > 0):
            raise ValueError(
                f"target_l0 must be positive, and sparsity, which it multiplies, too; "
                f"got target_l0={self.target_l0}, sparsity={self.sparsity}"
            )
        for name in SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(
                    f"{name} is a share of the steps, in [0, 1]; got {getattr(self, name)}"
                )

    def _check_words(self) -> None:
        if self.aux_target not in ("residual", "input"):
            raise ValueError(
                f"aux_target must be 'residual' (Gao et al. 2024) or 'input' (Eq. 8 of the paper); "
                f"got {self.aux_target!r}"
            )
        if self.level_loss not in (None, "mean", "sum"):
            raise ValueError(f"level_loss must be 'mean', 'sum' or None; got {self.level_loss!r}")
        if self.resample not in ("bricken", "sign", "split"):
            raise ValueError(
                f"resample must be 'bricken', 'sign' or 'split'; got {self.resample!r}"
            )
        if self.precision not in ("float32", "bf16"):
            raise ValueError(f"precision must be 'float32' or 'bf16'; got {self.precision!r}")

    def rate(self, step: int) -> float:
        """The learning rate of step 0, 1, ..., steps - 1."""
        up = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        tail = self.decay * self.steps
        return self.lr * up * (min(1.0, (self.steps - step) / tail) if tail else 1.0)
