"""First and second moments of features x >= 0: all that one neuron's true loss asks of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from ..checks import Tensor, as_matrix, check_count, check_number, refuse
from ..signature import checked
from .magnitudes import Constant, Magnitudes
from .moment_checks import ROUNDED, check_room, first_moments, second_moments


class Moments:
    """C = E[x x^T] and m = E[x] of features x >= 0, in float64 on the CPU.

    C : (n, n), symmetric, positive semidefinite, no negative entry.
    m : (n,), no negative entry, m_d^2 <= C_dd; or None, when only C is known (no penalty can be
        asked about then).

    ValueError for anything else: no x >= 0 has such moments. (Not all that samples have is asked:
    C - m m^T, a covariance, may come out indefinite if C and m are made up.)

    Independent features: `SparseFeatures(n, S).moments()`. Any others: `Moments.of_samples(x)`,
    or in closed form `Moments.hierarchical`, `Moments.exclusive` and `Moments.correlated`.

    >>> from sdl_theory import Moments
    >>> moments = Moments([[0.2, 0.1], [0.1, 0.2]], m=[0.2, 0.2])
    >>> moments.n, moments.kappa.item()  # C_12 / sqrt(C_11 C_22)
    (2, 0.5)
    >>> Moments([[0.2, 0.3], [0.3, 0.2]])
    Traceback (most recent call last):
    ValueError: C = E[x x^T] must be positive semidefinite; C[0, 1] = 0.3 is above
        sqrt(C[0, 0] C[1, 1]) = 0.2: Cauchy-Schwarz forbids it
    """

    @checked
    def __init__(self, C: Tensor, m: Tensor | None = None):
        self.C = second_moments(C)
        self.m = None if m is None else first_moments(m, self.C)

    @property
    def n(self) -> int:
        """Number of features."""
        return len(self.C)

    @property
    def kappa(self) -> Tensor:
        """The largest cosine of two features' activations, C_ij / sqrt(C_ii C_jj); 0 if n = 1."""
        root = self.C.diagonal().sqrt().clamp(min=1e-300)
        return (self.C / root / root[:, None]).fill_diagonal_(0.0).max()

    def __repr__(self):
        return f"Moments(n={self.n}, {'C alone' if self.m is None else 'C and m'})"

    @classmethod
    @checked
    def of_samples(cls, x) -> Moments:
        """The moments of samples, whatever their law.

        x : (samples, n), no negative entry; or an iterable of such, which are added up as they
            come.

        >>> import torch
        >>> from sdl_theory import Moments
        >>> Moments.of_samples(torch.tensor([[1.0, 0.0], [1.0, 1.0]])).C
        tensor([[1.0000, 0.5000],
                [0.5000, 0.5000]], dtype=torch.float64)
        """
        count, C, m = 0, None, None
        if hasattr(x, "shape") or not isinstance(x, Iterable) or isinstance(x, (str, bytes, dict)):
            x = [x]  # not annotated as a list: a stream is not to be held whole
        for part in x:
            part = as_matrix("x", part, "(samples, n)").detach().double().cpu()
            if (part < 0).any():
                b, d = (part < 0).nonzero()[0].tolist()
                raise ValueError(
                    f"x must not be negative; x[{b}, {d}] = {part[b, d].item():g}. "
                    f"Features are activations >= 0: relu(x)"
                )
            check_room("x", part.shape[1])
            if C is not None and len(C) != part.shape[1]:
                raise ValueError(f"x must have n = {len(C)} columns in all parts; got {part.shape}")
            C = part.mT @ part if C is None else C + part.mT @ part
            m = part.sum(0) if m is None else m + part.sum(0)
            count += len(part)
        if C is None or m is None:
            refuse("x", "(samples, n) or an iterable of such, with at least one sample", x)
        return cls(C / count, m / count)

    @classmethod
    @checked
    def hierarchical(
        cls, p: float, children: Sequence[float], magnitudes: Magnitudes = Constant(1.0)
    ) -> Moments:
        """A parent, feature 0, and its children, each of which implies the parent.

        p : P(parent active), in (0, 1].
        children : P(child | parent) of each, in [0, 1]; independent of each other given the parent.
        magnitudes : the law of every active feature, independent of the others.

        >>> from sdl_theory import Moments
        >>> Moments.hierarchical(0.5, [0.2]).C
        tensor([[0.5000, 0.1000],
                [0.1000, 0.1000]], dtype=torch.float64)
        """
        p = check_number("p = P(parent active)", p, above=0, at_most=1)
        alone = p * torch.cat([torch.ones(1).double(), _probabilities("children", children)])
        return cls(*_of_supports(torch.outer(alone, alone) / p, alone, magnitudes))

    @classmethod
    @checked
    def exclusive(cls, p: Sequence[float], magnitudes: Magnitudes = Constant(1.0)) -> Moments:
        """Features of which at most one is active: C is diagonal, and Lt the true loss.

        p : P(feature d active), a probability each; they sum to 1 at most.

        >>> from sdl_theory import Moments
        >>> Moments.exclusive([0.5, 0.25]).C
        tensor([[0.5000, 0.0000],
                [0.0000, 0.2500]], dtype=torch.float64)
        """
        alone = _probabilities("p", p)
        if alone.sum() > 1 + ROUNDED:
            raise ValueError(
                f"p must sum to 1 at most, for at most one feature is active; "
                f"got {alone.sum().item():g}. Divide p by its sum"
            )
        return cls(*_of_supports(torch.diag(alone), alone, magnitudes))

    @classmethod
    @checked
    def correlated(
        cls, n: int, S: float, r: float, magnitudes: Magnitudes = Constant(1.0)
    ) -> Moments:
        """n features whose activity, two by two, has correlation r.

        P(both active) = p^2 + r p (1 - p), p = 1 - S.

        S : sparsity P(x_d = 0), in [0, 1).
        r : in [0, 1] (a feature copies one common coin with probability sqrt(r)); for n = 2 also
            below zero, down to where the two are never active, or never silent, together.

        >>> from sdl_theory import Moments
        >>> Moments.correlated(2, S=0.5, r=-1.0).C  # one or the other
        tensor([[0.5000, 0.0000],
                [0.0000, 0.5000]], dtype=torch.float64)
        """
        n = check_count("n", n)
        check_room("n", n)
        p = 1 - check_number("S = P(x_d = 0)", S, at_least=0, below=1)
        least = -min(p / (1 - p), (1 - p) / p) if n == 2 and p < 1 else 0.0
        r = check_number(f"r (n = {n}, S = {S:g})", r, at_least=least - ROUNDED, at_most=1)
        both = torch.full((n, n), p * p + max(r, least) * p * (1 - p), dtype=torch.float64)
        alone = torch.full((n,), p, dtype=torch.float64)
        return cls(*_of_supports(both, alone, magnitudes))


def independent(p: float, n: int, magnitudes: Magnitudes) -> Moments:
    """The moments of n independent features, each active with probability p."""
    check_room("n", n)
    alone = torch.full((n,), p, dtype=torch.float64)
    return Moments(*_of_supports(torch.outer(alone, alone), alone, magnitudes))


def _of_supports(both: Tensor, alone: Tensor, law: Magnitudes) -> tuple[Tensor, Tensor]:
    """C and m from P(i and j active), P(d active) and a law of independent magnitudes."""
    C = both * law.mean**2
    return C.diagonal_scatter(alone * law.second_moment), alone * law.mean


def _probabilities(name: str, values: Sequence[float]) -> Tensor:
    if not len(values):
        refuse(name, "a list of one probability at least", values)
    check_room(name, len(values))
    read = [check_number(f"{name}[{i}]", p, at_least=0, at_most=1) for i, p in enumerate(values)]
    return torch.tensor(read, dtype=torch.float64)
