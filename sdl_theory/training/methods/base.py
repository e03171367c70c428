"""What a method, one way to be sparse, tells the model, the step, the trainer and the theory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ...activations import Activation
from ...checks import Tensor, check_count
from ..pairs import Pairs, decode_pairs
from ..step import Step

if TYPE_CHECKING:
    from ..model import SDLModel


# settings of the methods where k says how many fire, and of those that a penalty makes sparse
OF_K = ("k", "aux_coef", "aux_k", "aux_target")
OF_SPARSITY = ("sparsity", "target_l0", "gain")


class Coded(NamedTuple):
    """Codes (batch, n_q) at training, BatchTopK's threshold, and how many codes JumpReLU counts."""

    codes: Tensor
    threshold: Tensor | None = None
    active: Tensor | None = None


class Fit(NamedTuple):
    """How well the codes reconstruct: the `loss` of it, `mse` = mean ||x_r - x_hat||^2, `x_hat`."""

    loss: Tensor
    mse: Tensor
    x_hat: Tensor


class Method:
    """One way to be sparse.

    A method must have a `name`, `dense_copies`, `activate`, `sigma` and `firing_level`, and with
    `takes_k` also `sparse_copies` (TypeError where the class is written); all else has a default.

    vectors : parameters (n_q,) beside W_E and W_D, and where they begin.
    scalars : buffers () that follow the batches, and begin at 0.
    in_theory : sigma(z)_i is 0 or z_i, Eq. 10.
    by_sample : a Top-k of each sample, with no threshold to learn.
    dense_copies, sparse_copies : memory of a step in units of z, (batch, n_q): z, codes, masks, and
        the gradients of all that, or z and two blocks; in the sparse step z, what finding the pairs
        takes, and as many as it ever has (None: there is none, or at its peak the method is dense).
    takes_k : k says how many fire: the target-L0 control has nothing to steer, and AuxK wakes what
        never does.
    settings : what this method alone takes, of Config's fields and SDLModel's arguments.
    row_scale : norm of a resampled encoder row in units of the mean live one. Bricken et al.
        (2023), who resample ReLU dictionaries, take .2, so that a latent wakes without shouting.
    """

    name: ClassVar[str]
    dense_copies: float
    sparse_copies: float | None = None
    takes_k = by_sample = False
    in_theory = True
    row_scale = 0.2
    vectors: Mapping[str, float] = {}
    scalars: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()

    k: int | None
    levels: tuple[int, ...] | None
    ks: tuple[int, ...] | None

    def __init_subclass__(cls):
        """TypeError for a method, a class with a name, that lacks something it must have."""
        super().__init_subclass__()
        if "name" not in vars(cls):
            return
        lacks = [] if hasattr(cls, "dense_copies") else ["dense_copies"]
        if cls.takes_k and cls.sparse_copies is None:
            lacks.append("sparse_copies")
        for one in ("activate", "sigma", "firing_level"):
            if getattr(cls, one) is getattr(Method, one):
                lacks.append(one)
        if lacks:
            raise TypeError(f"the method {cls.name!r} lacks {', '.join(lacks)}")

    @classmethod
    def has_setting(cls, name: str) -> bool:
        """Whether the setting, one that not all methods have, is one of this method's."""
        return name in cls.settings or name in (OF_K if cls.takes_k else OF_SPARSITY)

    @classmethod
    def variant(cls, ks) -> type[Method]:
        """The class that these ks call for."""
        return cls

    def __init__(self, n_q: int, *, k=None, levels=None, ks=None, plain=False, theta=None):
        self.n_q = n_q
        self.ks = self.check_ks(ks, k, levels)
        self.k = self.check_k(k if self.ks is None else self.ks[-1])
        self.levels = self.check_levels(levels)
        if not isinstance(plain, bool) or plain and not self.by_sample:
            raise ValueError(
                f"plain=True is Top-k without a ReLU: for topk, and matryoshka with ks; "
                f"got {plain!r} for method={self.name!r}"
            )
        self.plain = plain
        self.check_theta(theta)

    # ---- what it takes: ValueError for the rest

    def check_ks(self, ks, k, levels) -> tuple[int, ...] | None:
        if ks is not None:
            raise ValueError(
                f"ks are Matryoshka's, of Eq. 9, in place of levels; "
                f"got method={self.name!r}, levels={levels}"
            )
        return None

    def check_k(self, k) -> int | None:
        from . import WITH_K

        if k is not None:
            raise ValueError(
                f"k is for {', '.join(WITH_K)}; method={self.name!r} has none. "
                f"For a target number of active latents use Config(target_l0=...)"
            )
        return None

    def check_levels(self, levels: Sequence[int] | None) -> tuple[int, ...] | None:
        if levels is not None:
            raise ValueError(f"levels are Matryoshka's; method={self.name!r} has none")
        return None

    def check_theta(self, theta: float | None) -> None:
        if theta is not None:
            raise ValueError(f"theta is JumpReLU's threshold; method={self.name!r} has none to set")

    # ---- at inference, and in the theory

    def activate(self, model: SDLModel, z: Tensor) -> Tensor:
        """sigma at inference, elementwise or along the last axis: (batch, n_q) -> (batch, n_q)."""
        raise NotImplementedError

    def rectify(self, z: Tensor) -> Tensor:
        """ReLU, which Top-k has after it unless it is `plain`."""
        return z if self.plain else z.relu()

    def sigma(self, model: SDLModel) -> Activation:
        """The activation as the theory writes it; ValueError if it cannot."""
        raise NotImplementedError

    def firing_level(self, model: SDLModel) -> Tensor:
        """What z must exceed for a latent to fire at inference, (n_q,) or (I, n_q)."""
        raise NotImplementedError

    # ---- a step, dense: literal, and for autograd

    def codes(self, step: Step) -> Coded:
        """Codes at training."""
        return Coded(self.activate(step.model, step.z))

    def fit(self, step: Step, codes: Tensor) -> Fit:
        """The reconstruction of the codes."""
        return self.missed(step, step.model.decode(codes))

    def missed(self, step: Step, x_hat: Tensor) -> Fit:
        """How far x_hat is off."""
        mse = (step.x_r - x_hat).square().sum((-1, -2)) * step.knobs.share
        return Fit(mse, mse, x_hat)

    def penalty(self, step: Step, coded: Coded) -> Tensor | float:
        """The sparsity term, summed over samples: () or (instances,)."""
        return 0.0

    # ---- the same step from the pairs (sample, latent) that matter

    def pairs(self, step: Step, most: float) -> tuple[Pairs | None, Tensor | None]:
        """The pairs that a step touches, and BatchTopK's threshold.

        All pairs that fire, and all that feel a gradient. None if they are more than the share
        `most`, too many to gain, or if the method has no sparse step.
        """
        return None, None

    def pair_codes(self, step: Step, values: Tensor, pairs: Pairs) -> tuple[Tensor, Tensor | float]:
        """Codes at the pairs, from the preactivations there; and the sparsity term."""
        return self.rectify(values), 0.0

    def pair_fit(self, step: Step, values: Tensor, pairs: Pairs) -> Fit:
        """The reconstruction of the codes at the pairs."""
        x_hat = step.model.complete(decode_pairs(values, step.model.W_D, pairs))
        mse = (step.x_r - x_hat).square().sum(-1).sum(0) * step.knobs.share
        return Fit(mse, mse, x_hat)

    # ---- between steps

    def follow(self, model: SDLModel, threshold: Tensor, steps_done: int) -> None:
        """Learn from a batch's threshold."""

    def settle(self, model: SDLModel) -> None:
        """Put right, after a step, what it may have pushed out of its range."""

    def scale(self, model: SDLModel, which: Tensor, by: Tensor) -> None:
        """The codes of the latents `which` times `by` > 0, on every input; not for Top-k."""
        model.W_E[which] *= by[:, None]
        if model.b_E is not None:
            model.b_E[which] *= by

    def begin_anew(self, model: SDLModel, which: Tensor, alive: Tensor, own: Tensor) -> None:
        """Its vectors at the resampled latents `which`, put back to where they begin.

        own : what each new row answers to the sample it was made of.
        """
        for name, start in self.vectors.items():
            getattr(model, name)[which] = start


class KLargest(Method):
    """The family where k says how many latents fire.

    A resampled row begins with the whole norm: a latent that fires at all has to outdo the k-th
    largest of the live ones, which a row of .2 hardly ever does: it gets no gradient and dies again
    (tests/training/test_resampling.py counts both).
    """

    takes_k = True
    row_scale = 1.0
    k: int

    def check_k(self, k) -> int:
        k = min(32, self.n_q) if k is None else check_count("k", k)
        if k > self.n_q:
            raise ValueError(f"k = {k} latents cannot fire of n_q = {self.n_q}")
        return k
