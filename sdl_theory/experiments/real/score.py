"""How much of the class means lies in a dictionary: figures by flat names, all classes and the
classes that no anchor showed.
"""

from __future__ import annotations

import torch

from ...checks import Tensor
from ...measure.matching import best_matches, gt_recovery, max_inner_product
from ...measure.recovery import random_matches
from ...training.model import SDLModel
from ...truth.streams import seeded
from .cases import Case

TAUS = (0.95, 0.9, 0.8)
CHUNK = 1024


def shares(name: str, matches: Tensor, others: Tensor) -> dict[str, float]:
    """Found at .95, .9 and .8 and mean best match of matches (K,): of all classes, and
    (`..._others`) of those in the mask `others`.
    """
    figures = {}
    for suffix, of in (("", matches), ("_others", matches[others])):
        for tau in TAUS:
            figures[f"{name}_found_{100 * tau:g}{suffix}"] = gt_recovery(of, tau)
        figures[f"{name}_mip{suffix}"] = max_inner_product(of)
    return figures


def score_rows(rows: Tensor, case: Case, others: Tensor) -> dict[str, float]:
    """Unit rows (m, n_p) that nobody trained, scored as an encoder is: raw and cosine agree."""
    matches = best_matches(rows, case.truth)
    return shares("encoder_raw", matches, others) | shares("encoder", matches, others)


@torch.no_grad()
def score_model(model: SDLModel, case: Case, others: Tensor, seed: int) -> dict[str, float]:
    """A trained model's figures, in this order.

    encoder_raw : the literal metric of section 5.1 and appendix B: max_j |<W_E[j], w>|, w the
        unit class means.
    encoder, decoder : by cosine.
    null_raw, null : random rows of the encoder's norms, and of norm 1.
    relabelled_raw, relabelled : the same encoder, and classes whose labels were shuffled.
    dead, loss, l0 : see `behaviour`.
    """
    W_E, W_D = model.W_E.detach().cpu(), model.W_D.detach().cpu()
    norms = torch.stack([W_E.norm(dim=1), torch.ones(len(W_E))])
    draws = random_matches(case.truth, norms, draws=1, generator=seeded("cpu", seed, 66))
    figures = shares("encoder_raw", best_matches(W_E, case.truth, cosine=False), others)
    figures |= shares("encoder", best_matches(W_E, case.truth), others)
    figures |= shares("decoder", best_matches(W_D.mT, case.truth), others)
    figures |= shares("null_raw", draws[0, 0], others) | shares("null", draws[1, 0], others)
    nonsense = case.relabelled(seed)
    figures |= shares("relabelled_raw", best_matches(W_E, nonsense, cosine=False), others)
    figures |= shares("relabelled", best_matches(W_E, nonsense), others)
    return figures | behaviour(model, case)


@torch.no_grad()
def behaviour(model: SDLModel, case: Case) -> dict[str, float]:
    """What the latents do.

    dead : share of them that fire for none of `case.seen`, rows of training.
    loss : sum ||x - x_hat||^2 / sum ||x - mean||^2 over `case.heldout`, rows that training has
        not: 0 is perfect, 1 is what the training rows' mean achieves.
    l0 : how many fire for such a row.
    """
    like = model.W_E
    fired = torch.zeros(model.n_q, dtype=torch.bool, device=like.device)
    for x in case.seen.split(CHUNK):
        fired |= (model.encode(x.to(like)) != 0).any(0)
    errors = spread = count = 0.0
    mean = case.seen_mean.to(like)
    for x in case.heldout.split(CHUNK):
        x = x.to(like)
        codes = model.encode(x)
        errors += (model.decode(codes) - x).double().square().sum().item()
        spread += (x - mean).double().square().sum().item()
        count += codes.count_nonzero().item()
    return dict(
        dead=1 - fired.double().mean().item(),
        loss=errors / spread,
        l0=count / len(case.heldout),
    )
