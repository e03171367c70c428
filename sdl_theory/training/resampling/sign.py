r"""Dead latents begun anew along the sign rows of what is missing (ours).

A new latent of codes c = relu(<w, x_p>), all others as they are, takes with its best column

.. math:: G(w) = \frac{\|E[r\,c]\|^2}{E[c^2]}

of the loss E ||r||^2, r = x_r - x_hat. Without the ReLU that is a Rayleigh quotient, the residual's
regression on the input: with P = E[r x_p^T] and C = E[x_p x_p^T]

.. math:: \Lambda = \max_w \frac{\|P w\|^2}{w^\top C w}
                  = \lambda_{\max}(C^{-1/2} P^\top P\, C^{-1/2}).

Take w its top eigenvector. Since <w, x> = relu(<w, x>) - relu(<-w, x>), the better of w and -w
gains at least Lambda / 2; no other row gains more than all that is missing. That is `sign_row` of
the theory where samples stand for its single features (a test compares), and holds of any samples:
of those that are looked at, exactly.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from ...checks import Tensor
from ..descent import Latents
from ..model import SDLModel
from .columns import Found, best_columns, lengths
from .halves import Half, halves

RIDGE = 1e-9  # of C's mean eigenvalue, added to all: samples may have fewer directions than n_p
LEAST = 1e-9  # directions that gain less of what is missing are none
TOGETHER = 32  # directions that are looked at together


class NewRow(NamedTuple):
    """A row, its unit column, the threshold of its codes; and the loss's fall, `gain`, by it."""

    row: Tensor
    column: Tensor
    threshold: Tensor
    gain: Tensor


@torch.no_grad()
def sign(
    descent: Latents, pair: tuple[Tensor, Tensor], dead: Tensor, generator: torch.Generator
) -> Tensor:
    """Begin the latents `dead` (n_q,) of a model anew at sign rows, the strongest first.

    pair : x_p and x_r. Half of the samples give directions and columns, the others how long each
        row is: as long as it gains most there. Where that is 0 the direction was noise, and the
        next is tried.
    generator : not used: nothing is drawn.

    Each takes the next direction, of what those before it left. W_D's columns have norm
    decoder_norm, so that rows carry the length. A JumpReLU threshold is that of the largest gain,
    so that codes gain what a ReLU's would, or more. Under Top-k nothing is promised: the row is as
    long as pays, counting what the places that it wins gave before; one that wins none is left out.
    """
    model, which = descent.model, dead.nonzero()[:, 0]
    if not len(which):
        return which
    new = sign_rows(model, *halves(model, *pair), count=len(which))
    which = which[: len(new)]
    if not len(which):
        return which
    size = model.decoder_norm
    model.W_E[which] = torch.stack([one.row for one in new]).to(model.W_E) / size
    model.W_D[:, which] = (size * torch.stack([one.column for one in new])).mT.to(model.W_D)
    if model.b_E is not None:
        model.b_E[which] = 0
    model.way.begin_anew(model, which, ~dead, model.W_E[which].norm(dim=1))
    if "theta" in model.way.vectors:
        model.theta[which] = torch.stack([one.threshold for one in new]).to(model.theta) / size
    descent.forget(which)
    return which


def sign_rows(model: SDLModel, fit: Half, check: Half, count: int) -> list[NewRow]:
    """As many as `count` rows, fewer where no more gain; `fit` and `check` may be the same."""
    least = LEAST * float(fit.r.square().sum()) / max(1, len(fit.x))
    root, new, jumps = whitening(fit.x), list[NewRow](), "theta" in model.way.vectors
    while root is not None and len(new) < count:
        before = len(new)
        for ways in directions(fit, least, root).split(TOGETHER):
            new += _along(ways, fit, check, jumps=jumps, most=count - len(new))
            if len(new) == count:
                break
        if len(new) == before:
            break
    return new


def _along(ways: Tensor, fit: Half, check: Half, *, jumps: bool, most: int) -> list[NewRow]:
    """Rows along `ways` (m, n_p) in their order, at most so many, each of what those before left.

    Of each way the better sign, as long as it gains most on `check`. Without thresholds to try,
    all are looked at together first, which costs less: ways that gain nothing then are left out.
    """
    both, new = [fit] if fit is check else [fit, check], list[NewRow]()
    z = [ways @ one.x.mT for one in both]
    some = range(len(ways)) if jumps else tried(z, both, jumps=False).gains.nonzero()[:, 0]
    for i in map(int, some):
        if len(new) == most:
            break
        found, sizes, gains = tried([one[i : i + 1] for one in z], both, jumps=jumps)
        if not gains[0]:
            continue
        factor, column, threshold = sizes * found.sign, found.column[0], sizes * found.threshold
        new.append(NewRow(factor * ways[i], column, threshold[0], gain=found.gain[0]))
        for half, values in zip(both, z):
            half.take(factor * values[i], column, threshold)
    return new


class Tried(NamedTuple):
    """Ways as they gain most: `sizes`, how long they are then, and which of them gain at all."""

    found: Found
    sizes: Tensor
    gains: Tensor


def tried(z: list[Tensor], both: list[Half], *, jumps: bool) -> Tried:
    """Ways whose <w, x> on the half that gives columns and on the other are z[0] and z[-1]."""
    found = best_columns(z[0], both[0].r, jumps=jumps)
    sizes = lengths(found.sign[:, None] * z[-1], found, both[-1])
    return Tried(found, sizes, (found.gain > 0) & (sizes > 0))


def whitening(x: Tensor) -> Tensor | None:
    """L, lower triangular, with L L^T = C, float64; None where all samples are empty."""
    x = x.double()
    C = x.mT @ x / max(1, len(x))
    ridge = RIDGE * C.diagonal().mean()
    if not ridge > 0:
        return None
    C.diagonal().add_(ridge)
    return torch.linalg.cholesky(C)


def directions(half: Half, least: float, root: Tensor) -> Tensor:
    """The eigenvectors w of P^T P w = Lambda C w, E <w, x>^2 = 1, Lambda > least: largest first.

    root : C's, by `whitening`.
    """
    P = half.r.mT.double() @ half.x.double() / len(half.x)
    A = torch.linalg.solve_triangular(root, P.mT, upper=False)
    sizes, y = torch.linalg.eigh(A @ A.mT)
    y = y[:, sizes > least].flip(1)
    return torch.linalg.solve_triangular(root.mT, y, upper=True).mT.to(half.x)
