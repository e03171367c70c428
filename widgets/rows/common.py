"""What all rows share: their table, the order of verdicts, and two features at a cosine."""

from __future__ import annotations

import math

import numpy as np
import torch

from sdl_theory import Problem, Verdict

from ..kinds import Code

VERDICTS = [Verdict[code.name] for code in Code]


def table(
    rows: list[dict], columns: tuple[str, ...] = ("kind", "x", "y", "x2", "value")
) -> dict[str, np.ndarray]:
    """Rows with keys among `columns` as float32 columns; what is missing is 0."""
    return {key: np.array([row.get(key, 0.0) for row in rows], dtype="<f4") for key in columns}


def pair_problem(rho: float, m_2: float = 1.0) -> Problem:
    """Two unit features at cosine rho, mirrored about the vertical axis; weights (1, m_2)."""
    half = math.acos(rho) / 2
    W = torch.tensor(
        [[math.sin(-half), math.sin(half)], [math.cos(half), math.cos(half)]], dtype=torch.float64
    )
    return Problem(W, M_d=torch.tensor([1.0, m_2], dtype=torch.float64))
