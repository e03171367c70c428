"""True feature directions of bounded interference, and bounds on what is possible at all."""

from __future__ import annotations

import math

import torch

from ..checks import Tensor, as_matrix, check_bytes, check_count
from ..signature import checked

CHUNK = 1024  # columns of the Gram matrix held at once: n = 16384 needs megabytes, not gigabytes
LAM = 1e-3  # weight of the soft push on every positive cosine; above .01 it fights the target


@checked
def gram(W: Tensor) -> Tensor:
    """W^T W, shape (n, n): the inner products <w^i, w^j> of the columns of W (n_p, n)."""
    W = as_matrix("W", W, "(n_p, n)")
    return W.mT @ W


@checked
def interference(W: Tensor) -> float:
    """mu = max_{i != j} <w^i, w^j>, signed, of the columns of W (n_p, n).

    ValueError for one column: there is no pair.

    >>> import torch
    >>> from sdl_theory import interference
    >>> W = torch.tensor([[1.0, 0.6, -1.0], [0.0, 0.8, 0.0]], dtype=torch.float64)
    >>> interference(W)  # signed: <w^0, w^2> = -1 is no interference
    0.6
    """
    W = as_matrix("W", W, "(n_p, n)")
    if W.shape[1] < 2:
        raise ValueError(
            "interference mu = max_{i != j} <w^i, w^j> needs n >= 2 columns; got n = 1"
        )
    return _interference(W)


def _interference(W: Tensor) -> float:
    best = -math.inf
    for start in range(0, W.shape[1], CHUNK):
        G = W.mT @ W[:, start : start + CHUNK]
        G.diagonal(-start).fill_(-math.inf)
        best = max(best, G.max().item())
    return best


def gaussian(rows: int, columns: int, generator: torch.Generator | None) -> Tensor:
    """A matrix of independent N(0, 1), float64 on the CPU, drawn where the generator is."""
    device = generator.device if generator else "cpu"
    drawn = torch.randn(rows, columns, generator=generator, dtype=torch.float64, device=device)
    return drawn.cpu()


@checked
def rankin_bound(n: int, n_p: int) -> float:
    """Rankin (1955): no n unit vectors in R^n_p have mu below this.

    -1/(n-1) for n <= n_p + 1 (the regular simplex), else 0 (the cross-polytope reaches it for
    n <= 2 n_p; beyond, mu > 0 strictly and `levenshtein_bound` is sharper).
    """
    n, n_p = check_count("n", n, 2), check_count("n_p", n_p)
    return -1.0 / (n - 1) if n <= n_p + 1 else 0.0


@checked
def levenshtein_bound(n: int, n_p: int) -> float:
    """Levenshtein's bound: for n > 2 n_p, the smallest mu with

        n <= n_p (1 - mu) (2 + (n_p + 1) mu) / (1 - n_p mu^2),
        0 <= mu <= (sqrt(n_p + 3) - 1) / (n_p + 2).

    Returns the right end of that interval when even it is too small, and Rankin's bound
    for n <= 2 n_p.
    """
    n, n_p = check_count("n", n, 2), check_count("n_p", n_p)
    if n <= 2 * n_p:
        return rankin_bound(n, n_p)
    end = (math.sqrt(n_p + 3) - 1) / (n_p + 2)
    # n (1 - n_p mu^2) = n_p (1 - mu)(2 + (n_p + 1) mu), as a mu^2 + b mu + c = 0 with a > 0 > -c
    a, b, c = n_p * (n - n_p - 1), n_p * (n_p - 1), 2 * n_p - n
    root = (-b + math.sqrt(b * b - 4 * a * c)) / (2 * a)
    return min(root, end)


class InterferenceNotReached(ValueError):
    """The search for W_p stopped above the mu asked for.

    `.mu` is the best it reached, `.W_p` the matrix.
    """

    def __init__(self, message: str, mu: float, W_p: Tensor):
        super().__init__(message)
        self.mu, self.W_p = mu, W_p


@checked
def feature_matrix(
    n: int,
    n_p: int,
    mu: float,
    *,
    generator: torch.Generator | None = None,
    max_steps: int = 500,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> Tensor:
    r"""Linear Representation Bench, arXiv:2512.05534: n unit directions of interference mu at most.

    W_p, shape (n_p, n), with max_{i != j} <w^i, w^j> <= mu: by projected gradient on

    .. math:: \sum_{i \ne j} [g_{ij} - (\mu - \epsilon)]_+^2 + \lambda \sum_{i \ne j} [g_{ij}]_+^2

    from a Gaussian start; columns renormalized at each step, the step halved when the maximum
    rises. If the search stalls and an exact configuration exists (orthonormal, simplex,
    cross-polytope), that one is returned, randomly rotated.

    Raises ValueError if mu is below Rankin's or Levenshtein's bound, and `InterferenceNotReached`
    (a ValueError that carries the best mu and its matrix) when the search gives up.

    >>> import torch
    >>> from sdl_theory import feature_matrix, interference
    >>> W_p = feature_matrix(6, 4, 0.4, generator=torch.Generator().manual_seed(0))
    >>> W_p.shape, interference(W_p) <= 0.4
    (torch.Size([4, 6]), True)
    >>> feature_matrix(12, 4, 0.1)  # nobody has such a matrix
    Traceback (most recent call last):
    ValueError: mu = 0.1 is below Levenshtein's bound 0.220197 for n = 12 unit vectors in R^4; ask
        for mu >= 0.220197
    """
    n, n_p = check_count("n", n), check_count("n_p", n_p)
    if not math.isfinite(mu):
        raise ValueError(f"mu must be a finite number; got {mu}")
    check_bytes(
        f"the search for n = {n} directions in n_p = {n_p} dimensions",
        5 * n * n_p * dtype.itemsize,
        "Ask for fewer features or dimensions",
        1 << 34,
    )
    drawn_on = generator.device if generator else device
    W = torch.randn(n_p, n, generator=generator, dtype=dtype, device=drawn_on).to(device)
    W = W / W.norm(dim=0)
    if n == 1:
        return W
    _check_reachable(n, n_p, mu)
    W, reached = _search(W, mu, max_steps)
    if reached <= mu:
        return W
    exact = _exact_configuration(n, n_p, W, generator)
    if exact is not None and _interference(exact) <= mu + 16 * torch.finfo(dtype).eps:
        return exact
    raise InterferenceNotReached(
        f"feature_matrix(n={n}, n_p={n_p}, mu={mu:g}) gave up: best mu reached {reached:.4g} "
        f"(bound {levenshtein_bound(n, n_p):.4g}). Ask for mu >= {reached:.3g}, fewer features, "
        f"a larger n_p or more max_steps",
        reached,
        W,
    )


def _check_reachable(n: int, n_p: int, mu: float) -> None:
    bound, name = rankin_bound(n, n_p), "Rankin"
    if n > 2 * n_p and levenshtein_bound(n, n_p) > bound:
        bound, name = levenshtein_bound(n, n_p), "Levenshtein"
    if mu < bound - 1e-12:
        raise ValueError(
            f"mu = {mu:g} is below {name}'s bound {bound:.6g} "
            f"for n = {n} unit vectors in R^{n_p}; ask for mu >= {bound:.6g}"
        )


def _search(W: Tensor, mu: float, max_steps: int) -> tuple[Tensor, float]:
    """`feature_matrix`'s projected gradient from W: the best matrix, and its maximum interference.

    It ends as soon as that is <= mu.
    """
    from tqdm import tqdm

    n_p, n = W.shape
    # a little inside, so that the limit lies within mu
    target = mu - 0.01 * (mu - max(rankin_bound(n, n_p), -abs(mu)))
    step, best, best_W, stalled = 2.0, math.inf, W, 0
    for _ in tqdm(range(max_steps), desc=f"feature_matrix n={n}", delay=3, leave=False):
        direction, now = _descent(W, target)
        if now <= mu:
            return W, now
        if now < best * (1 - 1e-3) if best > 0 else now < best - 1e-6:
            best, best_W, stalled = now, W, 0
        else:
            stalled, step, W = stalled + 1, step / 2, best_W
            if stalled > 12:
                break
            direction, _ = _descent(W, target)
        W = W - step * direction
        W = W / W.norm(dim=0)
    return best_W, best


def _descent(W: Tensor, target: float) -> tuple[Tensor, float]:
    """W C of the gradient 4 W C, and the present maximum interference.

    One block of Gram columns at a time.
    """
    out, highest = torch.empty_like(W), -math.inf
    for start in range(0, W.shape[1], CHUNK):
        G = W.mT @ W[:, start : start + CHUNK]
        G.diagonal(-start).fill_(-math.inf)
        highest = max(highest, G.max().item())
        C = (G - target).clamp_(min=0)
        C += G.clamp_(min=0).mul_(LAM)
        out[:, start : start + CHUNK] = W @ C
    return out, highest


def _exact_configuration(n: int, n_p: int, like: Tensor, generator) -> Tensor | None:
    """A randomly rotated simplex (n <= n_p + 1) or cross-polytope (n <= 2 n_p); None beyond."""
    if n > 2 * n_p:
        return None
    if n <= n_p + 1:
        centred = torch.eye(n, dtype=torch.float64) - 1 / n
        points = torch.linalg.svd(centred).Vh[: n - 1] * math.sqrt(n / (n - 1))
    else:
        points = torch.cat([torch.eye(n_p), -torch.eye(n_p)], 1)[:, :n].double()
    W = torch.linalg.qr(gaussian(n_p, n_p, generator)).Q[:, : len(points)] @ points
    return (W / W.norm(dim=0)).to(like)
