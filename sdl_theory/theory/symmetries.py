"""Moves inside a region that change no output, written down: what Lanczos' method leaves out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .region import Region


@dataclass(frozen=True, eq=False)
class Symmetries:
    """w_E^j takes in a multiple of z_i, and w_D^i gives up as much of w_D^j.

    Of i = j, which is (t w_E, w_D / t), and of every row j that fires for all that i fires for (and
    can have z_i, and zero elsewhere, for its own code). A penalty on codes leaves only i = j.
    """

    region: Region

    @cached_property
    def moves(self):
        """As unit columns, sparse (size, count)."""
        from scipy.sparse import csc_array

        region = self.region
        fires = region.matrix(np.ones(len(region.codes)))
        common = fires @ fires.T
        common = common if isinstance(common, np.ndarray) else common.toarray()
        inside = common == common.diagonal()[:, None]  # F_i in F_j
        free = np.array([len(basis) == basis.shape[1] for basis, _ in region.blocks])
        allowed = inside & (free | inside.T)
        i, j = np.diag_indices(len(free)) if region.toll.any() else allowed.nonzero()
        parts = [self._mix(a, b) for a, b in zip(i, j)]
        at = np.concatenate([where for where, _ in parts])
        column = np.repeat(np.arange(len(parts)), [len(where) for where, _ in parts])
        values = np.concatenate([move / np.linalg.norm(move) for _, move in parts])
        return csc_array((values, (at, column)), (region.size, len(parts)))

    def _mix(self, i: int, j: int) -> tuple[np.ndarray, np.ndarray]:
        """The symmetry of rows i and j: its coordinates, and what it does there."""
        region, starts = self.region, np.r_[0, self.region.ends]
        own, other = (slice(*region.spans[one : one + 2]) for one in (i, j))
        features, code = region.entries[1], np.zeros(other.stop - other.start)
        code[np.isin(features[other], features[own], assume_unique=True)] = region.codes[own]
        n_r = region.columns.shape[1]
        where = np.r_[starts[j] : starts[j + 1], starts[-1] + i * n_r : starts[-1] + (i + 1) * n_r]
        move = np.r_[region.blocks[j][0].T @ code, -region.columns[j] * region.lengths[i]]
        return where, move

    @cached_property
    def _inverse(self) -> np.ndarray:
        return np.linalg.pinv((self.moves.T @ self.moves).toarray(), hermitian=True)

    def off(self, v: np.ndarray) -> np.ndarray:
        """What is left of a move without its part along the symmetries."""
        return v - self.moves @ (self._inverse @ (self.moves.T @ v))
