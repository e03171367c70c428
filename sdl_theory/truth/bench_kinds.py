"""What a bench of each kind takes: directions of your own, blocks of rows.

And figures that tell one truth from another.
"""

from __future__ import annotations

import torch

from ..checks import Tensor, as_matrix, check_count, own, refuse

KINDS = ("sae", "transcoder", "crosscoder")


def check_kind(kind: str, W_p: Tensor | None, W_r: Tensor | None) -> None:
    """ValueError unless there is such a kind, and it takes the directions given."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
    if W_p is None and W_r is not None:
        raise ValueError(
            "W_r without W_p: directions of your own are W_p alone, or for a transcoder both"
        )
    if W_p is not None and W_r is None and kind == "transcoder":
        raise ValueError("kind='transcoder' with W_p and no W_r: pass W_r too, or say kind='sae'")
    if W_r is not None and kind != "transcoder":
        raise ValueError(f"kind={kind!r} has W_r = W_p: leave W_r out, or say kind='transcoder'")


def read_directions(
    W_p: Tensor, W_r: Tensor | None, n_r: int | None
) -> tuple[Tensor, Tensor | None]:
    """Both as copies in float64 on the CPU; ValueError if `n_r` is said, and is another."""
    W_p = own(as_matrix("W_p", W_p, "(n_p, n)").detach().double().cpu())
    if W_r is not None:
        W_r = own(as_matrix("W_r", W_r, "(n_r, n)").detach().double().cpu())
    rows = len(W_p if W_r is None else W_r)
    if n_r is not None and n_r != rows:
        raise ValueError(f"n_r = {n_r}, but the directions given have {rows} rows; leave n_r out")
    return W_p, W_r


def row_counts(kind: str, n_p: int, blocks: int | tuple[int, ...]) -> tuple[int, ...]:
    """The rows of each block: as equal as can be, or as said; one block but for a crosscoder."""
    if kind != "crosscoder":
        return (n_p,)
    if isinstance(blocks, int):
        if blocks > n_p:
            must = f"a whole number <= n_p = {n_p}: every block has a row at least"
            refuse("blocks", must, blocks)
        count = check_count("blocks", blocks)
        blocks = tuple(n_p // count + (b < n_p % count) for b in range(count))
    blocks = tuple(check_count("a row count in blocks", rows) for rows in blocks)
    if sum(blocks) != n_p:
        raise ValueError(f"blocks must sum to n_p = {n_p}; got {blocks}")
    return blocks


def fingerprint(truth: tuple[Tensor, Tensor | None]) -> list[str]:
    """A figure for each matrix that tells it apart, to six digits: sum_ij i j W_ij."""
    ramp = lambda count: torch.arange(1, count + 1, dtype=torch.float64)
    return [f"{ramp(len(W)) @ W @ ramp(W.shape[1]):.6g}" for W in truth if W is not None]


def same_figures(stored: list[str], here: list[str]) -> bool:
    """The same six digits, or a rounding apart."""
    return len(stored) == len(here) and all(
        abs(float(a) - float(b)) <= 2e-5 * max(1.0, abs(float(b))) for a, b in zip(stored, here)
    )
