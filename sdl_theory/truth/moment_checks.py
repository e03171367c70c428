"""What C = E[x x^T] and m = E[x] of features x >= 0 must be; else a ValueError that says why."""

from __future__ import annotations

import torch

from ..checks import Tensor, as_matrix, as_tensor, check_bytes

# what rounding of a sum of samples may do to symmetry, signs and eigenvalues, of the entry's scale
ROUNDED = 1e-10
# root of an eigenvalue, of a unit diagonal, below which features are in a fixed proportion
TOGETHER = 1e-6


def check_room(name: str, n: int) -> None:
    """A ValueError if moments of n features do not fit."""
    fix = "Take the features of one group alone"
    check_bytes(f"{name}: C, (n, n), and its checks for n = {n} features", 4 * 8 * n * n, fix)


def second_moments(C: Tensor) -> Tensor:
    """C as an own (n, n) tensor, float64 on the CPU, or a ValueError."""
    C = as_matrix("C", C, "(n, n)").detach().double().cpu()
    if C.shape[0] != C.shape[1]:
        raise ValueError(f"C = E[x x^T] must be square, (n, n); got shape {tuple(C.shape)}")
    scale = C.abs().max().item()
    if (C < 0).any():
        i, j = (C < 0).nonzero()[0].tolist()
        if (C < -ROUNDED * scale).any() or i == j:
            i, j = divmod(int(C.argmin()), len(C))
            raise ValueError(
                f"C = E[x x^T] must not be negative, for x >= 0; C[{i}, {j}] = {C[i, j].item():g}. "
                f"A covariance is not it: add the outer product of the means"
            )
    off = (C - C.mT).abs()
    if off.max() > ROUNDED * scale:
        i, j = divmod(int(off.argmax()), len(C))
        raise ValueError(
            f"C = E[x x^T] must be symmetric; C[{i}, {j}] = {C[i, j].item():g} and "
            f"C[{j}, {i}] = {C[j, i].item():g}. Take (C + C.T) / 2"
        )
    C = ((C + C.mT) / 2).clamp(min=0)
    # judged where the diagonal is 1, so that a large feature does not hide a small one's fault
    root = C.diagonal().sqrt()
    most = torch.outer(root, root)
    if (C > most * (1 + ROUNDED)).any():
        i, j = divmod(int((C - most).argmax()), len(C))
        raise ValueError(
            f"C = E[x x^T] must be positive semidefinite; "
            f"C[{i}, {j}] = {C[i, j].item():g} is above "
            f"sqrt(C[{i}, {i}] C[{j}, {j}]) = {most[i, j].item():g}: Cauchy-Schwarz forbids it"
        )
    unit = C / most.where(most > 0, torch.ones(()))
    if torch.linalg.cholesky_ex(unit + ROUNDED * len(C) * torch.eye(len(C)))[1]:
        lowest = torch.linalg.eigvalsh(unit)[0].item()
        raise ValueError(
            f"C = E[x x^T] must be positive semidefinite; scaled to a unit diagonal its least "
            f"eigenvalue is {lowest:g}. Moments of samples always are: Moments.of_samples(x)"
        )
    return C


def first_moments(m: Tensor, C: Tensor) -> Tensor:
    """m as an own (n,) tensor that goes with C, or a ValueError."""
    m = as_tensor("m", m).detach().double().cpu()
    if m.shape != (len(C),):
        raise ValueError(
            f"m = E[x] must have shape (n,) = ({len(C)},) to go with C; got {tuple(m.shape)}"
        )
    if not torch.isfinite(m).all() or (m < 0).any():
        d = int((~torch.isfinite(m) | (m < 0)).nonzero()[0])
        raise ValueError(f"m = E[x] must be finite and >= 0, for x >= 0; m[{d}] = {m[d].item():g}")
    over = m.square() - C.diagonal() * (1 + ROUNDED)
    if (over > 0).any():
        d = int(over.argmax())
        raise ValueError(
            f"m_d^2 <= C_dd, for a variance is not negative; "
            f"m[{d}]^2 = {m[d].item() ** 2:g}, C[{d}, {d}] = {C[d, d].item():g}"
        )
    root = C.diagonal().sqrt()
    unit = C / torch.outer(root, root).clamp(min=1e-300)
    factor, failed = torch.linalg.cholesky_ex(unit.fill_diagonal_(1.0))
    if failed or factor.diagonal().min() < TOGETHER:  # some features in a fixed proportion
        sizes, E = torch.linalg.eigh(unit)
        unseen = E[:, sizes < TOGETHER**2] / root.clamp(min=1e-300)[:, None]
        means = unseen.mT @ m
        if (means.abs() > 10 * TOGETHER * (unseen.abs().mT @ m)).any():
            raise ValueError(
                "m = E[x] does not go with C: a combination of features that C has always in "
                "proportion, of second moment 0, has a mean in m. Moments.of_samples(x) gives both"
            )
    return m.clone()
