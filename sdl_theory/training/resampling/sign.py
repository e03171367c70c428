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
from ..pairs import top_k
from .samples import look

RIDGE = 1e-9  # of C's mean eigenvalue, added to all: samples may have fewer directions than n_p
LEAST = 1e-9  # directions that gain less of what is missing are none
ASIDE = 1e-5  # how far from a length at which a Top-k latent wins one sample more


class Half(NamedTuple):
    """Samples x (N, n_p), and what is missing of them, r (N, n_r): written to as rows are added.

    level : Top-k's family alone: what a code must exceed to win a place (N,).
    displaced : what is lost of x_hat when it does (N, n_r); None where no other latent gives way.
    """

    x: Tensor
    r: Tensor
    level: Tensor | None = None
    displaced: Tensor | None = None


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
    new = sign_rows(model, *_halves(model, *pair), count=len(which))
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


def _halves(model: SDLModel, x_p: Tensor, x_r: Tensor) -> tuple[Half, Half]:
    """Samples of even and of odd place, as the model leaves them."""
    batches = [_half(model, *part) for part in zip(x_p.split(1024), x_r.split(1024))]
    x, r, level, displaced = (
        None if one[0] is None else torch.cat(one)  # type: ignore[arg-type]  # all, or none
        for one in zip(*batches)
    )
    assert x is not None and r is not None
    every_other = lambda one, i: None if one is None else one[i::2]
    first, second = (
        Half(x[i::2], r[i::2], every_other(level, i), every_other(displaced, i)) for i in (0, 1)
    )
    return first, second


def _half(model: SDLModel, x_p: Tensor, x_r: Tensor) -> Half:
    seen = look(model, x_p, x_r)
    if not model.way.takes_k:
        return Half(x_p, seen.residual)
    if not model.by_sample:
        assert seen.threshold is not None
        return Half(x_p, seen.residual, seen.threshold.expand(len(x_p)))
    values, latents = top_k(seen.z, model.k)
    level, place = values.min(1)
    last = latents.gather(1, place[:, None])[:, 0]
    lost = model.rectify(level)[:, None] * model.W_D[:, last].mT
    return Half(x_p, seen.residual, level, lost)


def sign_rows(model: SDLModel, fit: Half, check: Half, count: int) -> list[NewRow]:
    """As many as `count` rows, fewer where no more gain; `fit` and `check` may be the same."""
    halves = [fit] if fit is check else [fit, check]
    whole = float(fit.r.square().sum())
    new: list[NewRow] = []
    while len(new) < count:
        before = len(new)
        for w in directions(fit, LEAST * whole / max(1, len(fit.x))):
            one = _best(model, w, fit=fit, check=check)
            if one is None:
                continue
            new.append(one)
            for half in halves:
                _take(model, one, half)
            if len(new) == count:
                break
        if len(new) == before:
            break
    return new


def directions(half: Half, least: float) -> Tensor:
    """The eigenvectors w of P^T P w = Lambda C w, E <w, x>^2 = 1, Lambda > least: largest first."""
    x, r = half.x.double(), half.r.double()
    C, P = x.mT @ x / max(1, len(x)), r.mT @ x / max(1, len(x))
    ridge = RIDGE * C.diagonal().mean()
    if not ridge > 0:
        return half.x[:0]
    L = torch.linalg.cholesky(C + ridge * torch.eye(len(C), dtype=C.dtype, device=C.device))
    A = torch.linalg.solve_triangular(L, P.mT, upper=False)
    sizes, y = torch.linalg.eigh(A @ A.mT)
    y = y[:, sizes > least].flip(1)
    return torch.linalg.solve_triangular(L.mT, y, upper=True).mT.to(half.x)


def _best(model: SDLModel, w: Tensor, fit: Half, check: Half) -> NewRow | None:
    """The better sign of a direction, as long as it gains most on `check`; None if nothing."""
    jumps = "theta" in model.way.vectors
    z = fit.x @ w
    tried = [(*_column(s * z, fit.r, jumps=jumps), s * w) for s in (1.0, -1.0)]
    gain, column, threshold, w = max(tried, key=lambda one: float(one[0]))
    if not gain > 0:
        return None
    z = check.x @ w
    if check.level is None:
        codes = z * (z > threshold)
        size = (codes @ (check.r @ column)) / codes.square().sum().clamp(min=1e-30)
    else:
        size = _length(z, column, check)
    if not size > 0:
        return None
    return NewRow(size * w, column, threshold=size * threshold, gain=gain)


def _column(z: Tensor, r: Tensor, *, jumps: bool) -> tuple[Tensor, Tensor, Tensor]:
    """The gain of codes z 1{z > threshold}, their best column over its norm, and the threshold.

    jumps : the threshold is that of the largest gain: all are tried. Else it is 0.
    """
    threshold, zero = z.new_zeros(()), z.new_zeros(())
    if not jumps:
        codes = z.relu()
        pull, size = codes @ r, codes.square().sum()
    else:
        z, order = z.sort(descending=True)
        count = int((z > 0).sum())
        if not count:
            return zero, r.new_zeros(r.shape[1]), threshold
        z, pulls = z[:count], (z[:count, None] * r[order[:count]]).cumsum(0)
        sizes = z.square().cumsum(0)
        best = int((pulls.square().sum(1) / sizes.clamp(min=1e-30)).argmax())
        pull, size = pulls[best], sizes[best]
        # between the least code that counts and the next
        threshold = (z[best] + (z[best + 1] if best + 1 < count else 0)) / 2
    norm = pull.norm()
    if not (norm > 0 and size > 0):
        return zero, pull, threshold
    return norm.square() / size / len(r), pull / norm, threshold


def _length(z: Tensor, column: Tensor, half: Half) -> Tensor:
    """How long a Top-k latent's row should be: the factor t of z at which the loss is least.

    It fires where t z > level, and there r becomes r + displaced - t z column: between the t at
    which it wins another sample the loss is a parabola in t.
    """
    assert half.level is not None
    some = (z > 0).nonzero()[:, 0]
    if not len(some):
        return z.new_zeros(())
    wins, order = (half.level[some] / z[some]).clamp(min=0).sort()
    some = some[order]
    z, pulled, constant = z[some], (half.r @ column)[some], 0 * wins
    if half.displaced is not None:
        r, lost = half.r[some], half.displaced[some]
        pulled = pulled + lost @ column
        constant = (2 * (r * lost).sum(1) + lost.square().sum(1)).cumsum(0)
    linear = (z * pulled).cumsum(0)
    square = z.square().cumsum(0)
    least, most = wins * (1 + ASIDE), torch.cat([wins[1:], wins.new_full((1,), torch.inf)])
    most = most * (1 - ASIDE)
    t = (linear / square.clamp(min=1e-30)).clamp(min=0)
    t = torch.minimum(torch.maximum(t, least), most)
    change = constant - 2 * t * linear + t.square() * square
    change = change.masked_fill(least > most, torch.inf)
    best = int(change.argmin())
    return t[best] if change[best] < 0 else z.new_zeros(())


def _take(model: SDLModel, one: NewRow, half: Half) -> None:
    """Write to `half` what the new row leaves of it."""
    z = half.x @ one.row
    if half.level is None:
        half.r.addr_(z * (z > one.threshold), one.column, alpha=-1)
        return
    on = ((z > half.level) & (z > 0)).nonzero()[:, 0]
    left = half.r[on] - z[on, None] * one.column
    if half.displaced is not None:
        left += half.displaced[on]
        half.displaced[on] = 0  # the place is gone
    half.r[on] = left
