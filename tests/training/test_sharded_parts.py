"""What a process holds of a dictionary cut over several, and what it picks of each sample's Top-k.

No processes here: each part is asked in turn.
"""

import pytest
import torch

from sdl_theory import SDLModel, training_bytes
from sdl_theory.training import start
from sdl_theory.training.sharded.choice import largest_of_all
from sdl_theory.training.world import World


class Told:
    """A world in which the others' numbers are known: all that `beside` is given, joined."""

    def __init__(self, shard: int, joined=None):
        self.shard, self.joined = shard, joined

    def beside(self, part):
        self.given = part
        return part if self.joined is None else self.joined


def by_parts(z, k, widths):
    """The mask of the k largest of each row, every part of these widths asked by itself."""
    parts, worlds = z.split(widths, dim=1), [Told(shard) for shard in range(len(widths))]
    for part, world in zip(parts, worlds):
        largest_of_all(part.repeat(1, 1), k, world)
    joined = torch.cat([world.given for world in worlds], 1)
    masks = []
    for shard, part in enumerate(parts):
        latents, keep = largest_of_all(part, k, Told(shard, joined))
        mask = torch.zeros_like(part, dtype=torch.bool)
        masks.append(mask.scatter(1, latents, keep))
    return torch.cat(masks, 1)


@pytest.mark.parametrize("widths", [[12, 12], [6, 6, 6, 6], [20, 0, 4], [24]])
@pytest.mark.parametrize("k", [1, 3, 7, 20, 24])
def test_the_k_largest_of_all_and_of_equal_ones_the_lowest(widths, k):
    """Against a stable sort of all latents. Four values only: most choices are among equals."""
    z = torch.randint(1, 5, (200, 24), generator=torch.Generator().manual_seed(0)).double() - 2.5
    want = torch.zeros_like(z, dtype=torch.bool)
    want.scatter_(1, z.sort(dim=1, descending=True, stable=True).indices[:, :k], True)
    assert torch.equal(by_parts(z, k, widths), want)


def test_zeros_fill_up_and_a_nan_is_kept():
    """Rows of zeros, of which any will do, and a NaN, which must reach the loss."""
    z = torch.zeros(3, 8, dtype=torch.float64)
    z[1, 6], z[2, 1] = 1, torch.nan
    mask = by_parts(z, 3, [4, 4])
    assert mask[:2].sum(1).tolist() == [3, 3] and mask[1, 6] and mask[2, 1]


def test_more_than_there_are_are_all_of_them():
    """As AuxK asks where fewer latents are dead than it wakes: what is -inf is none."""
    z = torch.full((5, 8), -torch.inf, dtype=torch.float64)
    z[:, 2], z[:, 7] = 1, -2
    mask = by_parts(z, 6, [4, 4])
    assert mask[:, [2, 7]].all()


@pytest.mark.parametrize("shards", [2, 3, 5])
@pytest.mark.parametrize("n_r", [3, 5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_parts_begin_as_the_whole(shards, n_r, dtype, monkeypatch):
    """Bit for bit, though the numbers are drawn in blocks; the last block is the longest."""
    monkeypatch.setattr(start, "BLOCK", 16)
    how = dict(n_p=3, n_q=90, n_r=n_r, k=40, method="topk", biases=True, dtype=dtype)
    whole = SDLModel(**how, generator=torch.Generator().manual_seed(4))
    parts = [
        SDLModel(
            **how,
            generator=torch.Generator().manual_seed(4),
            world=World(shard=shard, shards=shards),
        )
        for shard in range(shards)
    ]
    assert torch.equal(torch.cat([part.W_E for part in parts]), whole.W_E)
    assert torch.equal(torch.cat([part.W_D for part in parts], 1), whole.W_D)
    assert [part.n_q for part in parts] == [90 // shards] * shards
    assert all(part.settings == whole.settings and part.k == 40 for part in parts)


@pytest.mark.parametrize("shards", [1, 2, 4, 8])
def test_the_bytes_of_a_process_at_the_size_of_a_language_model(shards):
    """n_p = 4096, n_q = 131,072, TopK, 4096 samples: 16 p / P and the batch, p = 2^30."""
    need = training_bytes(n_p=4096, n_q=131_072, batch=4096, shards=shards)
    assert need.total == 16 * 2**30 // shards + 2**28
    assert need.weights == need.gradients == need.adam // 2 == 2**32 // shards
    assert need == training_bytes(n_p=4096, n_q=131_072 // shards, batch=4096)


def test_a_model_knows_its_own_bytes():
    part = SDLModel(30, 64, k=4, world=World(shard=1, shards=2))
    assert training_bytes(part, 128) == training_bytes(n_p=30, n_q=64, batch=128, shards=2)
    with pytest.raises(ValueError, match="n_q = 64 latents cannot be cut evenly among 3 processes"):
        training_bytes(n_p=30, n_q=64, shards=3)
