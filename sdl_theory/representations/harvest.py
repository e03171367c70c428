"""Harvesting: what a network's blocks answer to texts, token by token or a mean a text, on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from ..checks import Tensor, check_count
from ..lock import locked
from ..signature import checked
from .anatomy import PARTS, anatomy, cut, taps
from .cache import Cache, opened
from .plan import PIECE, Plan, pooled_means
from .store import Representations

MASSIVE = 10  # times the median norm


@dataclass(frozen=True)
class Norms:
    """Norms of a part's rows: their median, the largest, how many exceed ten times the median
    (massive activations), and the median over the texts' first rows."""

    median: float
    largest: float
    massive: int
    first: float

    def __str__(self) -> str:
        return (
            f"median norm {self.median:.4g} ({self.first:.4g} at the first token kept of a text), "
            f"largest {self.largest:.4g}, {self.massive} rows beyond {MASSIVE} medians"
        )


class Harvest(dict[str, Representations]):
    """Representations by part; `norms`, of each part; `text` and `token` of each row.

    text : (rows,) which text a row is of.  token : (rows,) its token's number; None where pooled.
    """

    def __init__(self, parts: dict, norms: dict[str, Norms], *, text, token):
        super().__init__(parts)
        self.norms, self.text, self.token = norms, text, token


@checked
def harvest(
    model,
    tokenizer,
    texts: Sequence[str],
    out: str | Path,
    *,
    layer: int | Sequence[int],
    parts: Sequence[str] = ("residual",),
    pool: str | None = None,
    batch: int = 32,
    max_length: int = 64,
    skip_first: bool = False,
    dtype: str = "float16",
    progress: bool = True,
) -> Harvest:
    """What blocks of `model` answer to `texts`, kept in the folder `out` and memory-mapped.

    layer : which block, from 1; several for a crosscoder. The parts are then called
        "residual_6", "residual_12", ...
    parts : "residual", the stream after the block; "mlp_in", what its MLP reads, and "mlp_out",
        what it answers before that is added to the stream (a transcoder's x_p and x_r; see
        `anatomy.anatomy` for what that means in a Llama and in a BERT).
    pool : None, a row a token; "mean", a row a text, the mean of its tokens' (sentence-transformers
        takes special tokens in, too).
    max_length : tokens of a text that are read, special ones counted.
    skip_first : leave out position 0, which in Llamas holds massive activations whatever it says.

    Rows stand in the texts' order, tokens in reading order; special tokens and padding are left
    out. Blocks above the highest wanted are cut away meanwhile. What is done is kept every 16,384
    tokens; killed and called again it goes on, and a whole harvest is only opened.

    ValueError for settings other than those of the harvest in `out`, a block that there is not, a
    text without tokens where they are pooled, and numbers that are not finite, or not in `dtype`.
    """
    skeleton = anatomy(model)
    layers = _layers(layer, len(skeleton.blocks))
    _check(texts, parts, pool=pool, dtype=dtype)
    _check_lengths(model, batch, max_length)
    names = [f"{part}_{one}" for one in layers for part in parts]
    plan = Plan.of(tokenizer, texts, max_length, skip_first=skip_first, pooled=pool is not None)
    with locked(out, folder=True), cut(skeleton, max(layers)):
        settings = dict(
            texts=_hash(text.encode() for text in texts),
            tokens=_hash(one.tobytes() for one in plan.ids),
            layer=layers,
            parts=list(parts),
            pool=pool,
            max_length=max_length,
            skip_first=skip_first,
            dtype=dtype,
            model=_fingerprint(model),
        )
        shape = (plan.rows, model.config.hidden_size)
        cache = Cache(Path(out), settings, dict.fromkeys(names, shape), dtype)
        left = cache.begin([plan.slices(i) for i in range(len(plan.pieces))])
        with taps(skeleton, layers, parts) as seen:
            for i in _shown(left, plan, progress):
                made = _run(model, plan, i, batch=batch, seen=seen, pooled=pool is not None)
                cache.keep(i, plan.slices(i), _as(dtype, made))
        arrays = cache.arrays()
        norms = cache.norms or {name: _norms(arrays[name], plan) for name in names}
        text, token = plan.text(), plan.token() if pool is None else None
        cache.finish(norms, text, token)
    wanted = parts if isinstance(layer, int) else names
    return _made({short: (arrays[n], norms[n]) for short, n in zip(wanted, names)}, text, token)


@checked
def open_harvest(out: str | Path) -> Harvest:
    """A finished harvest from its folder alone, its parts under the names of their files.

    ValueError where there is none, or one that is not finished.
    """
    arrays, norms = opened(Path(out))
    return _made({n: (arrays[n], norms[n]) for n in norms}, arrays["text"], arrays.get("token"))


def _made(parts: dict[str, tuple], text, token) -> Harvest:
    return Harvest(
        {name: Representations(array, text) for name, (array, _) in parts.items()},
        {name: Norms(**norms) for name, (_, norms) in parts.items()},
        text=text,
        token=token,
    )


def _layers(layer: int | Sequence[int], count: int) -> list[int]:
    layers = [layer] if isinstance(layer, int) else list(layer)
    if not layers or len(set(layers)) < len(layers):
        raise ValueError(f"layer must name blocks, each once; got {layer}")
    for one in layers:
        if check_count("layer", one) > count:
            raise ValueError(f"layer must be at most the {count} blocks there are; got {one}")
    return layers


def _check(texts: Sequence[str], parts: Sequence[str], *, pool: str | None, dtype: str) -> None:
    if not texts:
        raise ValueError("texts must be a list of at least one text; got none")
    if not parts or not set(parts) <= set(PARTS):
        raise ValueError(f"parts must be some of {', '.join(PARTS)}; got {parts!r}")
    if pool not in (None, "mean"):
        raise ValueError(f"pool must be None, a row a token, or 'mean', a row a text; got {pool!r}")
    if dtype not in ("float16", "float32"):
        raise ValueError(f"dtype must be 'float16' or 'float32'; got {dtype!r}")


def _check_lengths(model, batch: int, max_length: int) -> None:
    check_count("batch", batch)
    most = getattr(model.config, "max_position_embeddings", max_length)
    if check_count("max_length", max_length) > most:
        raise ValueError(
            f"max_length must be at most the {most} positions of this network; got {max_length}"
        )


def _hash(parts) -> str:
    found = hashlib.sha256()
    for one in parts:
        found.update(len(one).to_bytes(8, "little") + one)
    return found.hexdigest()[:16]


def _fingerprint(model) -> str:
    """The network as it is cut now: its configuration, and 64 numbers of each parameter."""
    config = {
        name: value
        for name, value in model.config.to_dict().items()
        if name not in ("num_hidden_layers", "transformers_version", "dtype", "_name_or_path")
    }
    parts = [json.dumps(config, sort_keys=True, default=str).encode()]
    for name, value in model.base_model.named_parameters():
        some = value.detach().reshape(-1)[:64].float().cpu().numpy().tobytes()
        parts.append(f"{name} {tuple(value.shape)} {value.dtype}".encode() + some)
    return f"{type(model.base_model).__name__} {_hash(parts)}"


def _shown(left: Sequence[int], plan: Plan, progress: bool) -> Iterator[int]:
    """The pieces that are left, under a bar that counts tokens."""
    from tqdm import tqdm

    total = sum(len(one) for one in plan.ids)
    done = total - sum(map(plan.tokens, left))
    unit = dict(unit="token", unit_scale=True, disable=not progress or not left)
    with tqdm(total=total, initial=done, desc="harvest", **unit) as bar:
        for i in left:
            yield i
            bar.update(plan.tokens(i))


@torch.inference_mode()
def _run(
    model, plan: Plan, piece: int, *, batch: int, seen: dict[str, Tensor], pooled: bool
) -> dict[str, Tensor]:
    """The rows of a piece, by name, in the order of its texts."""
    device = next(model.parameters()).device
    padded = lambda parts: pad_sequence([torch.from_numpy(one) for one in parts], batch_first=True)
    made: dict[str, list[Tensor]] = {}
    for texts in plan.batches(piece, batch):
        ids = padded([plan.ids[text] for text in texts]).long().to(device)
        mask = padded([np.ones_like(plan.ids[text]) for text in texts]).to(device)
        keep = padded([plan.keep[text] for text in texts]).to(device)
        model.base_model(input_ids=ids, attention_mask=mask, use_cache=False)
        for name, states in seen.items():
            rows = pooled_means(states, keep) if pooled else states[keep]
            made.setdefault(name, []).append(rows.float().cpu())
    return {name: torch.cat(rows) for name, rows in made.items()}


def _as(dtype: str, made: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """In `dtype`; ValueError for what is not finite, or not in it."""
    found = {}
    for name, rows in made.items():
        if not rows.isfinite().all():
            raise ValueError(f"{name} of this network is not finite: are its weights?")
        largest = rows.abs().max().item()
        if largest > float(np.finfo(dtype).max):
            raise ValueError(
                f"{name} reaches {largest:.3g}, which {dtype} cannot hold; take dtype='float32'"
            )
        found[name] = rows.numpy().astype(dtype)
    return found


def _norms(rows: np.ndarray, plan: Plan) -> dict:
    """The fields of Norms, read part by part."""
    parts = (rows[at : at + PIECE].astype(np.float32) for at in range(0, len(rows), PIECE))
    norms = np.concatenate([np.linalg.norm(part, axis=1) for part in parts])
    starts = plan.starts[:-1][np.diff(plan.starts) > 0]
    median = float(np.median(norms))
    return dict(
        median=median,
        largest=float(norms.max()),
        massive=int((norms > MASSIVE * median).sum()),
        first=float(np.median(norms[starts])),
    )
