"""The paper's claim on feature anchoring, checked: the abstract."""

from __future__ import annotations

import math

import torch

from ...activations import TopK
from ...measure.matching import best_matches
from ...problem import Problem
from ...theory.certify import certify
from ...theory.global_minimum import mirrored_weights
from ...theory.loss import approximate_loss
from .claims import FAILS, ZERO, Claim, Seen, register, show

ANCHORING: list[Claim] = []
claim = register(ANCHORING, ours=False)


@claim(
    "abstract",
    "",
    "feature anchoring restores identifiability (read as: of the features not anchored)",
    problem="ReLU, 3 orthonormal features, 1 anchored, A = diag(1, B), B a turn by 45 degrees",
    expected=FAILS,
    call="mirrored_weights, certify",
)
def _anchored():
    three, c = Problem(torch.eye(3, dtype=torch.float64)), math.sqrt(0.5)
    A = torch.tensor([[1, 0, 0], [0, c, c], [0, -c, c]], dtype=torch.float64)
    weights = mirrored_weights(three, 6, A)
    apart = weights.W_E[0] - three.W_p[:, 0], weights.W_D[:, 0] - three.W_r[:, 0]
    pull = apart[0].square().sum() + apart[1].square().sum()
    loss, best = certify(three, weights).loss, best_matches(weights.W_D.mT, three.W_r)
    top_1 = approximate_loss(three, weights, TopK(1)).item()
    return Seen(
        f"loss {show(loss)}, anchor term {show(pull)}; best decoder cosines "
        f"{', '.join(show(b) for b in best)}; Top-1 excludes this point (loss {show(top_1, 3)})",
        holds=False,
        refuted=loss < ZERO and pull < ZERO and best[1:].max() < 0.9 and top_1 > 0.1,
    )
