"""One thread for small models: sharing their products out costs more than it saves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .model import SDLModel

# Multiplications in x_p W_E^T over a batch. On two cores that others used as well, two threads took
# 4 to 16 times as long as one at 3e6 and 4e6 of them, and 3 to 4 times at 3e7 and 1e8.
SMALL = 2**26


def is_small(model: SDLModel, batch: int) -> bool:
    """Whether a step on a CPU takes fewer than SMALL multiplications for each of its products."""
    return model.W_E.device.type == "cpu" and model.W_E.numel() * batch < SMALL


@contextmanager
def one_thread(where: bool = True) -> Iterator[None]:
    """Hold torch to one thread, `where` it is worth it, and give back the number from before."""
    before = torch.get_num_threads()
    if where:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if where:
            torch.set_num_threads(before)
