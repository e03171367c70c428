"""Every tolerance of the exact core, all of them relative, each with its reason.

Machine epsilon is 2e-16 in float64.
"""

from __future__ import annotations

import math

import torch

# a gradient below this, of what its terms add up to, is zero: a hundred thousand roundings, and
# what tests promise
STATIONARY = 1e-10

# eigenvalues this close, of tr K, are equal: well above eigh's own rounding, and so far below
# STATIONARY that any vector between two of them passes for stationary, even at an eigenvalue of
# 1e-3 tr K (float32: 10 epsilons)
EIGEN_TOLERANCE = 1e-13

# z is positive when z_min > this * z_max: y has s = sqrt(M_d) in it, which says nothing about signs
POSITIVE_TOLERANCE = 1e-9

# feature d is reconstructed when ||r_d|| is below this of ||w_r^d|| and the terms of W_D z_d:
# feature by feature, so that a large M_d of another does not hide its loss
ZERO_RESIDUAL = 1e-10

# z this close to theta, of the row's length, is on the wall: a descent of any sensible step
# reaches it
WALL_TOLERANCE = 1e-9

# the same of where a quadratic program (solved to 1e-11, through square roots) ends
SEARCH_WALL = 1e-6

# a sum of k products is right to about sqrt(k) machine epsilons of its length; eight times that is
# beyond doubt
ROUNDING = 8.0

# hulls of unit vectors closer than this touch: a few hundred times what rounding of their entries
# can do
TOUCHING = 1e-13

# a distance that non-negative least squares gets right to 1e-4 of itself: its squares end at 1e-14
CLEAR = 1e-6

# singular values below this, of the largest, are zero: directions as close as that are one to
# WALL_TOLERANCE, too
RANK_TOLERANCE = 1e-9

# singular values below this, of ||B||, leave an eigenspace's rows free: eigenvectors are right to
# 1e-13 or so
SUBSPACE = 1e-11

# z this far, of its largest, from every eigenspace is no stationary point, however small M_d makes
# its gradient
OFF = 1e-6

# curvature this small, in units in which a lone neuron's own is 2, is none: a point is stationary
# to STATIONARY only, and its least curvature right to about that times its condition
FLAT = 1e-8

# a row's move along a wall, of its largest component, that is none
NO_MOVE = 1e-12

# a decoder column this small, of what it has to reconstruct, is zero: its direction would be
# rounding's
SILENT = 1e-12


def tolerance(least: float, eps: float, epsilons: float = 1000.0) -> float:
    """A tolerance above, raised to what the dtype (of machine epsilon `eps`) can tell.

    In float32 and below, to so many of its epsilons.
    """
    return least if eps < 1e-12 else max(least, epsilons * eps)


def rounding(k: int, dtype: torch.dtype = torch.float64) -> float:
    """What rounding can add to <w, x> of vectors in R^k, relative to ||w|| ||x||."""
    return ROUNDING * math.sqrt(k) * torch.finfo(dtype).eps
