"""The plan of a harvest: texts as tokens, which rows are whose, and pieces of about equal work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..checks import Tensor

PIECE = 1 << 14  # tokens between two entries of the manifest


@dataclass(frozen=True)
class Plan:
    """Tokens and rows of every text.

    ids, keep : a text's tokens, and which of them have rows.
    starts : (texts + 1,), a text's first row; the last is how many rows there are.
    pieces : numbers of texts, short ones first, so that little is padded.
    """

    ids: list[np.ndarray]
    keep: list[np.ndarray]
    starts: np.ndarray
    pieces: list[np.ndarray]

    @classmethod
    def of(
        cls, tokenizer, texts: Sequence[str], max_length: int, *, skip_first: bool, pooled: bool
    ) -> Plan:
        """ValueError where no row would be left: of all texts, or, `pooled`, of one."""
        read = tokenizer(
            list(texts),
            truncation=True,
            max_length=max_length,
            return_special_tokens_mask=True,
            return_attention_mask=False,
        )
        ids = [np.array(one, dtype=np.int32) for one in read["input_ids"]]
        keep = [np.array(one) == 0 for one in read["special_tokens_mask"]]
        if skip_first:
            for one in keep:
                one[:1] = False
        counts = np.array([one.sum() for one in keep])
        if pooled:
            if not counts.all():
                bad = int(counts.argmin())
                raise ValueError(
                    f"texts[{bad}] = {texts[bad][:40]!r} has no token to take the mean of; leave "
                    f"it out"
                )
            counts = np.ones_like(counts)
        if not counts.any():
            raise ValueError("texts have no token that would be kept; give longer ones")
        lengths = np.array([len(one) for one in ids])
        order = lengths.argsort(kind="stable")
        cuts = np.flatnonzero(np.diff(lengths[order].cumsum() // PIECE)) + 1
        return cls(ids, keep, np.concatenate([[0], counts.cumsum()]), np.split(order, cuts))

    @property
    def rows(self) -> int:
        return int(self.starts[-1])

    def tokens(self, piece: int) -> int:
        """How many tokens the network reads for a piece."""
        return sum(len(self.ids[text]) for text in self.pieces[piece])

    def slices(self, piece: int) -> list[slice]:
        """The rows of a piece, text by text."""
        return [slice(*self.starts[[text, text + 1]].tolist()) for text in self.pieces[piece]]

    def batches(self, piece: int, size: int) -> Iterator[np.ndarray]:
        """The texts of a piece, `size` at a time."""
        texts = self.pieces[piece]
        return (texts[at : at + size] for at in range(0, len(texts), size))

    def text(self) -> np.ndarray:
        """Which text a row is of, (rows,)."""
        return np.repeat(np.arange(len(self.ids)), np.diff(self.starts))

    def token(self) -> np.ndarray:
        """Each row's token, (rows,), where a row is one."""
        return np.concatenate([ids[keep] for ids, keep in zip(self.ids, self.keep)])


def pooled_means(states: Tensor, keep: Tensor) -> Tensor:
    """Means over the tokens kept: states (texts, tokens, width), keep (texts, tokens)."""
    weights = keep.to(states) / keep.sum(1, keepdim=True)
    return (weights[:, None] @ states)[:, 0]
