"""The loss inside one activation region, to second order, in coordinates that no rescaling changes.

A row's codes weigh z_i = sqrt(M_d) ||w_D^i|| z_id, and its column has unit length. A move is the
change of the weighed codes, in the row space of the directions that the row fires for (any other
move of w_E is invisible), and the change of the columns times ||z_i||.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from ..tolerances import RANK_TOLERANCE, SILENT
from .patterns import to_numpy
from .point import Point

SPARSE = 0.1  # a pattern with fewer entries than this share is kept sparse


@dataclass(frozen=True, eq=False)
class Region:
    """Some firing rows of a point, together with every feature they fire for.

    rows : positions among the point's firing rows.
    """

    point: Point
    rows: np.ndarray

    @cached_property
    def entries(self) -> tuple[np.ndarray, np.ndarray]:
        """Where these rows fire, M_d > 0."""
        counted = self.point.fired & (self.point.problem.M_d > 0)
        i, d = counted[torch.as_tensor(self.rows, device=counted.device)].cpu().numpy().nonzero()
        return i, d

    @cached_property
    def s(self) -> np.ndarray:
        return np.sqrt(to_numpy(self.point.problem.M_d))

    @cached_property
    def toll(self) -> np.ndarray:
        """The penalty on a unit of weighed code of each feature, (n,)."""
        toll = self.point.toll
        if toll is None:
            return np.zeros(len(self.s))
        return to_numpy(toll) / np.where(self.s > 0, self.s, 1.0)

    @cached_property
    def _sizes(self) -> np.ndarray:
        """||w_D^i||; of a column that is zero, the size that would be natural."""
        D, (i, d) = to_numpy(self.point.W_D)[:, self.rows], self.entries
        sizes, c2 = np.linalg.norm(D, axis=0), np.square(to_numpy(self.point.problem.W_r)).sum(0)
        own = np.zeros((2, len(self.rows)))
        np.add.at(own[0], i, self.s[d] ** 2 * c2[d])
        np.add.at(own[1], i, np.square(self.s[d] * to_numpy(self.point.Z)[self.rows][i, d]))
        natural = np.sqrt(own[0] / own[1])
        return np.where(sizes > SILENT * natural, sizes, natural)

    @cached_property
    def columns(self) -> np.ndarray:
        """Unit decoder columns as rows, (k, n_r)."""
        return (to_numpy(self.point.W_D)[:, self.rows] / self._sizes).T

    @cached_property
    def codes(self) -> np.ndarray:
        """The weighed codes at the entries."""
        i, d = self.entries
        return self.s[d] * self._sizes[i] * to_numpy(self.point.Z)[self.rows][i, d]

    @cached_property
    def lengths(self) -> np.ndarray:
        """||z_i|| of the weighed codes, (k,)."""
        total = np.zeros(len(self.rows))
        np.add.at(total, self.entries[0], np.square(self.codes))
        return np.sqrt(total)

    @cached_property
    def residual(self) -> np.ndarray:
        """R diag(s) as rows, (n, n_r)."""
        return (to_numpy(self.point.residual) * self.s).T

    @cached_property
    def blocks(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each row the basis of its codes' moves, (|F_i|, r), and the w_E that make them."""
        W, (_, d), known = self.point.problem.W_p_array, self.entries, {}
        blocks = []
        for features in np.split(d, self.spans[1:-1]):
            key = features.tobytes()
            if key not in known:
                # rank is judged where columns are unit
                U, sizes, V = np.linalg.svd(W[:, features], full_matrices=False)
                rank = int((sizes > RANK_TOLERANCE * sizes[0]).sum())
                Q, R = np.linalg.qr(V[:rank].T * self.s[features, None])
                known[key] = Q, np.linalg.solve(R.T, (U[:, :rank] / sizes[:rank]).T).T
            blocks.append(known[key])
        return blocks

    @cached_property
    def spread(self):
        """From a move's codes to their values at the entries, sparse."""
        from scipy.sparse import block_diag

        return block_diag([basis for basis, _ in self.blocks], format="csr")

    @property
    def size(self) -> int:
        """How many coordinates a move has."""
        return self.spread.shape[1] + self.columns.size

    def matrix(self, values: np.ndarray):
        """Values at the entries as a matrix (k, n)."""
        (i, d), shape = self.entries, (len(self.rows), len(self.s))
        if len(i) < SPARSE * shape[0] * shape[1]:
            from scipy.sparse import csr_array

            return csr_array((values, (i, d)), shape)
        dense = np.zeros(shape)
        dense[i, d] = values
        return dense

    @cached_property
    def unit_codes(self):
        """The weighed codes, each row of unit length."""
        return self.matrix(self.codes / self.lengths[self.entries[0]])

    def _split(self, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        codes = self.spread.shape[1]
        return v[:codes], v[codes:].reshape(self.columns.shape)

    @cached_property
    def gradient(self) -> np.ndarray:
        """Of the loss, in these coordinates."""
        (i, d), D, R = self.entries, self.columns, self.residual
        codes = -2 * np.einsum("ij,ij->i", D[i], R[d]) + self.toll[d]
        columns = -2 * (self.unit_codes @ R) + (self.unit_codes @ self.toll)[:, None] * D
        return np.concatenate([self.spread.T @ codes, columns.ravel()])

    @property
    def steepest(self) -> float:
        """The largest entry of the codes' gradient, of what its own features' M_d let it be."""
        W_r = self.s * np.linalg.norm(to_numpy(self.point.problem.W_r), axis=0)
        size = W_r + np.linalg.norm(self.residual, axis=1) + np.abs(self.toll)
        codes = self.gradient[: self.spread.shape[1]]
        return float((np.abs(codes) / (2 * (abs(self.spread).T @ size[self.entries[1]]))).max())

    def product(self, v: np.ndarray) -> np.ndarray:
        """The Hessian of the loss times a move."""
        (i, d), D, R = self.entries, self.columns, self.residual
        x, moved = self._split(v)
        at, Z = self.spread @ x, self.unit_codes
        U, B = self.matrix(at), moved / self.lengths[:, None]
        Y = U.T @ D + Z.T @ moved  # the model's change, (n, n_r)
        codes = 2 * (np.einsum("ij,ij->i", D[i], Y[d]) - np.einsum("ij,ij->i", B[i], R[d]))
        columns = 2 * (Z @ Y) - 2 * (U @ R) / self.lengths[:, None]
        if self.toll.any():
            along = np.einsum("ij,ij->i", D, B)
            codes += self.toll[d] * along[i]
            columns += (U @ self.toll / self.lengths)[:, None] * D
            columns += (Z @ self.toll)[:, None] * (B - along[:, None] * D)
        return np.concatenate([self.spread.T @ codes, columns.ravel()])

    def lifted(self, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A move as changes of w_E (k, n_p) and of w_D (n_r, k)."""
        x, B = self._split(v)
        parts = np.split(x, self.ends[:-1])
        E = np.stack([lift @ part for (_, lift), part in zip(self.blocks, parts)])
        return E / self._sizes[:, None], (B * (self._sizes / self.lengths)[:, None]).T

    @cached_property
    def spans(self) -> np.ndarray:
        """Where each row's entries begin and end."""
        return np.searchsorted(self.entries[0], np.arange(len(self.rows) + 1))

    @cached_property
    def ends(self) -> np.ndarray:
        """Where each row's codes end among the coordinates."""
        return np.cumsum([basis.shape[1] for basis, _ in self.blocks])

    def outputs_alone(self, rng: np.random.Generator | None = None) -> Region:
        """The region without residual and toll: its Hessian is J^T J, J the outputs' derivative.

        rng : at codes and columns drawn at random, where the rank of J is as large as it gets.
        """
        other, zero = Region(self.point, self.rows), np.zeros_like
        known = {"blocks": self.blocks, "columns": self.columns, "codes": self.codes}
        if rng is not None:
            known["columns"] = rng.standard_normal(self.columns.shape)
            known["codes"] = self.spread @ rng.standard_normal(self.spread.shape[1])
        known |= {"residual": zero(self.residual), "toll": zero(self.toll)}
        other.__dict__.update(known)  # in place of what a cached_property would compute
        return other
