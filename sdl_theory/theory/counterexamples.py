"""Small problems on which a claim fails or a hypothesis shows: for the audit, lessons and tests."""

from __future__ import annotations

import math

import torch

from ..checks import Tensor
from ..problem import Problem


def from_gram(G) -> Tensor:
    """Directions with this Gram matrix, as the columns of an upper triangular matrix (Cholesky)."""
    return torch.linalg.cholesky(torch.as_tensor(G, dtype=torch.float64)).mT.contiguous()


def in_plane(*degrees: float) -> Tensor:
    """Unit vectors in the plane at these angles, as columns (2, n)."""
    angles = torch.tensor(degrees, dtype=torch.float64) * (math.pi / 180)
    return torch.stack([angles.cos(), angles.sin()])


def three_features(M_d) -> Problem:
    """The robust counterexample to Theorem 3.7: cosines (12: .6, 13: .3, 23: -.2).

    M_d = (1,1,1) a trap, (1,3,1) nothing, (.3,1,1) a saddle.
    """
    return Problem(
        from_gram([[1, 0.6, 0.3], [0.6, 1, -0.2], [0.3, -0.2, 1]]),
        M_d=torch.as_tensor(M_d, dtype=torch.float64),
    )


def outside_constraint() -> Problem:
    """w_3 ~ 2 w_1 - w_2 with <w_1, w_2> = .5: no row at the eigenvector leaves feature 3 alone.

    {1,2},{3} is realizable, y = (1,1) is an eigenvector, but z_3 = .577 > 0 there.
    """
    W = from_gram([[1, 0.5], [0.5, 1]])
    W = torch.cat([W, 2 * W[:, :1] - W[:, 1:]], 1)
    return Problem(W / W.norm(dim=0))


def no_child_can_leave() -> tuple[Problem, list[list[int]]]:
    """Four features and two parents, of which no child can leave at theta = 0.

    The features lie in the plane, at 0, 60, 160, 260 degrees; the parents are {2,3}, {4,1}
    (counted from 1; returned from 0). At theta = 0 the two groups can be fired for, yet no child
    of either can leave for a neuron of its own (Theorem 3.10's "some" fails); at theta = .3 each
    of the four can.
    """
    return Problem(in_plane(0, 60, 160, 260)), [[1, 2], [3, 0]]
