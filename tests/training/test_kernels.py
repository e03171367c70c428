"""Selections equal brute force, and sums over pairs equal double loops."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models_for_tests import seeded

from sdl_theory import SDLModel
from sdl_theory.training.methods.batchtopk import batch_threshold
from sdl_theory.training.pairs import (
    Pairs,
    decode_pairs,
    encode_pairs,
    largest_values,
    top_k,
    top_k_lowest,
)
from sdl_theory.training.step import Knobs, Step


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 10**6),
    st.integers(1, 12),
    st.sampled_from([16, 64, 160, 416, 417]),
    st.booleans(),
)
def test_top_k_in_two_stages_is_top_k(seed, k, n_q, ties):
    z = torch.randn(7, n_q, generator=seeded(seed))
    z = z.mul(2).round() if ties else z
    values, latents = top_k(z, k)
    assert torch.equal(values.sort(1).values, z.topk(min(k, n_q)).values.sort(1).values)
    assert torch.equal(z.gather(1, latents), values)
    assert all(len(set(row.tolist())) == len(row) for row in latents)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 10**6), st.integers(1, 400), st.sampled_from([64, 320, 321]), st.floats(-2, 1)
)
def test_largest_values_are_the_largest_positive_ones(seed, count, n_q, shift):
    z = torch.randn(11, n_q, generator=seeded(seed)) + shift
    positive = z[z > 0].sort(descending=True).values
    assert torch.equal(largest_values(z, count).sort(descending=True).values, positive[:count])


def test_pairs_with_repeated_and_missing_latents_and_empty_samples():
    """encode and decode of hand-made pairs, by double loops; samples 1 and 3 have none."""
    g = seeded()
    rows, latents = torch.tensor([0, 0, 2, 2, 2, 4]), torch.tensor([1, 6, 1, 2, 3, 6])
    x = torch.randn(5, 4, generator=g)
    W_E = torch.randn(8, 4, generator=g, requires_grad=True)
    W_D = torch.randn(3, 8, generator=g, requires_grad=True)
    pairs = Pairs(rows, latents, 5, 8)
    values = encode_pairs(x, W_E, (x @ W_E.mT).detach(), pairs)
    out = decode_pairs(values, W_D, pairs)
    weight = torch.randn(5, 3, generator=g)
    (out * weight).sum().backward()
    ours = W_E.grad.clone(), W_D.grad.clone()
    W_E.grad = W_D.grad = None
    literal = torch.zeros(5, 3)
    for b, i in zip(rows.tolist(), latents.tolist()):
        literal[b] = literal[b] + (x[b] @ W_E[i]) * W_D[:, i]
    (literal * weight).sum().backward()
    torch.testing.assert_close(out, literal)
    torch.testing.assert_close(ours, (W_E.grad, W_D.grad))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 12), st.sampled_from([12, 40, 417]))
def test_of_equal_preactivations_the_lowest_latents_are_taken(seed, k, n_q):
    z = torch.randn(7, n_q, generator=seeded(seed), dtype=torch.float64).mul(2).round()
    z[0], z[1, 3:] = 0, -torch.inf
    values, latents = top_k_lowest(z, k)
    assert torch.equal(z.gather(1, latents), values)
    for row, got in zip(z, latents):
        if row.sort(descending=True).values[k - 1] not in (0, -torch.inf):
            assert sorted(got.tolist()) == sorted(
                sorted(range(n_q), key=lambda i: (-row[i].item(), i))[:k]
            )


@pytest.mark.parametrize("instances", [None, 3])
def test_batch_threshold_admits_k_per_sample_on_average(instances):
    lead = () if instances is None else (instances,)
    model = SDLModel(30, 64, method="batchtopk", k=4, instances=instances, generator=seeded())
    z = torch.randn(*lead, 50, 64, generator=seeded(1))
    threshold_of = lambda z: batch_threshold(Step(model, z, z, z, Knobs(50)), 4)
    threshold = threshold_of(z)
    assert ((z >= threshold[..., None, None]).sum((-1, -2)) == 200).all()
    few = z - 2.5  # fewer than 200 are positive: all of them stay, no more
    assert ((few > 0).sum((-1, -2)) < 200).all() and (threshold_of(few) == 0).all()
