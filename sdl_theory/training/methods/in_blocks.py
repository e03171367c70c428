"""What a method adds whose dense step goes in blocks of latents: see `blocks.py`."""

from __future__ import annotations

from typing import ClassVar

from ...checks import Tensor
from ..blocks import Block
from ..step import Step
from .base import Method


class InBlocks(Method):
    """A method whose codes are elementwise and >= 0, and its penalty a sum over latents.

    block_vector : the name of its vector that the codes depend on, if there is one.
    """

    block_vector: ClassVar[str | None] = None

    def block_codes(self, block: Block) -> Tensor:
        """The codes, (I, batch, width), in the memory of block.z or block.spare.

        Asked again on the way back, of the block as it was left.
        """
        raise NotImplementedError

    def block_sums(self, codes: Tensor, fired: Tensor) -> Tensor:
        """What the penalty is made of, of each latent: (I, width), summed over the batch.

        fired : on how many samples it did, (I, width).
        """
        raise NotImplementedError

    def block_pull(
        self, block: Block, pull: Tensor, pull_sums: Tensor, bandwidth: float
    ) -> Tensor | None:
        """Back through `block_codes` and `block_sums`: d loss / dz is written over `pull`.

        pull, pull_sums : d loss / d codes (I, batch, width) and d loss / d sums (I, 1, width).

        The answer is d loss / d vector, (I, width), or None.
        """
        raise NotImplementedError

    def block_penalty(self, step: Step, sums: Tensor) -> Tensor:
        """The sparsity term, () or (instances,), from the `block_sums` of all latents."""
        raise NotImplementedError
