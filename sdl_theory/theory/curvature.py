"""The least curvature of rows that share features, off the moves that change no output."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from ..tolerances import FLAT, OFF, STATIONARY, tolerance
from .point import Point
from .region import Region
from .symmetries import Symmetries

DENSE = 400  # coordinates up to which the whole Hessian is made
MOST = 1 << 26  # entries times n_r from which on products are not tried
MIXES = 4000  # symmetries whose Gram matrix is inverted
ROUNDS = 200  # restarts of Lanczos' method before it gives up


@dataclass(frozen=True, eq=False)
class Curvature:
    """The least curvature of one component, and the move that has it.

    value : infinite where every move changes no output; nan where it was not found; 0 where some
        move is flat to second order and no known symmetry.
    rows : positions among the firing rows.
    E, D : the move, of w_E (k, n_p) and w_D (n_r, k).
    neurons : their numbers.
    off : small M_d hide a gradient, which is not small for its own features.
    """

    value: float
    rows: np.ndarray
    E: np.ndarray
    D: np.ndarray
    neurons: list[int]
    off: bool = False

    @property
    def open(self) -> bool:
        """Does the curvature leave open what the component is?

        A lone neuron's eigenvalue repeats where it is flat, and that is degenerate.
        """
        flat = self.value == 0 and len(self.rows) > 1
        return self.off or math.isnan(self.value) or flat

    def __str__(self) -> str:
        more = ", ..." if len(self.neurons) > 4 else ""
        name = "neuron" if len(self.neurons) == 1 else "neurons"
        return f"{name} {', '.join(map(str, self.neurons[:4]))}{more}"


def curvature(point: Point, rows: np.ndarray) -> Curvature:
    """Of these firing rows, dense when small, by Lanczos' method when large."""
    region, neurons = Region(point, rows), point.firing[torch.as_tensor(rows)].tolist()
    eps = torch.finfo(point.z.dtype).eps
    flat = tolerance(FLAT, eps)
    if region.steepest > max(OFF, 1e4 * tolerance(STATIONARY, eps)):
        nothing = np.zeros(region.size)
        return Curvature(0.0, rows, *region.lifted(nothing), neurons=neurons, off=True)
    find = _dense if region.size <= DENSE else _large
    value, move = find(region, flat)
    return Curvature(value, rows, *region.lifted(move), neurons=neurons)


def hessian_of(region: Region) -> np.ndarray:
    """The whole Hessian of a region, in its coordinates."""
    H = np.stack([region.product(row) for row in np.eye(region.size)])
    return (H + H.T) / 2


def _dense(region: Region, flat: float) -> tuple[float, np.ndarray]:
    """By the eigenvalues of the whole Hessian.

    Moves of curvature 0 are symmetries if they change no output, and if as many of that kind exist
    all around (J has constant rank): then they run along a manifold of equal outputs, and on its
    other side curvature decides.
    """
    values, vectors = np.linalg.eigh(hessian_of(region))
    if values[0] < -flat:
        return float(values[0]), vectors[:, 0]
    still = np.abs(values) <= flat
    if region.toll.any():  # a penalty on codes leaves one symmetry a row
        if still.sum() != len(region.rows):
            return float("nan"), vectors[:, 0]
        symmetric = True
    else:
        null = vectors[:, still]
        JJ = hessian_of(region.outputs_alone())
        generic = hessian_of(region.outputs_alone(np.random.default_rng(0)))
        rank = lambda A: int((np.linalg.eigvalsh(A) > flat).sum())
        symmetric = np.abs(null.T @ JJ @ null).max(initial=0.0) <= flat
        symmetric &= rank(JJ) == rank(generic) == region.size - still.sum()
    if not symmetric:
        return 0.0, vectors[:, 0]
    if still.all():
        return float("inf"), np.zeros(region.size)
    at = int(np.flatnonzero(~still)[0])
    return float(values[at]), vectors[:, at]


def _large(region: Region, flat: float) -> tuple[float, np.ndarray]:
    """By products of the Hessian, with the symmetries that can be written down moved away."""
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    size, nothing = region.size, np.zeros(region.size)
    if len(region.codes) * region.columns.shape[1] > MOST:
        return float("nan"), nothing
    symmetries = Symmetries(region)
    if symmetries.moves.shape[1] > MIXES:
        return float("nan"), nothing
    away = 10 * _norm_bound(region)

    def product(v: np.ndarray) -> np.ndarray:
        off = symmetries.off(v)
        return symmetries.off(region.product(off)) + away * (v - off)

    start = symmetries.off(np.random.default_rng(0).standard_normal(size))
    operator = LinearOperator((size, size), matvec=product, dtype=float)
    try:
        values, vectors = eigsh(operator, 1, which="SA", v0=start, ncv=40, maxiter=ROUNDS, tol=1e-9)
    except ArpackNoConvergence:
        return float("nan"), nothing
    value = float(values[0])
    return (0.0 if abs(value) <= flat else value), vectors[:, 0]


def _norm_bound(region: Region) -> float:
    """No smaller than the Hessian's norm."""
    codes, toll = region.unit_codes, np.abs(region.toll).max(initial=0.0)
    frobenius = np.square(region.columns).sum() + (codes * codes).sum()
    pull = np.linalg.norm(region.residual) + toll * len(region.s) ** 0.5
    return 2 * float(frobenius + pull / region.lengths.min())
