"""An explorer on a web page: the stories of a grid of states, told beforehand, in one script.

The script is a classic one, since a page from file:// may load nothing else. It calls `sdlFrames`
of page.js with what the page needs to know and with everything else deflated.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import zlib
from functools import cache
from math import prod
from pathlib import Path

import numpy as np

from .explorers.base import Explorer, address_text, ticks

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / "build" / "frames"
COARSE = "Here handles move in coarser steps than in the notebook."
FEW = 16  # whole numbers that are no more than these are a choice: none is left out


def grid(explorer: Explorer, states: int) -> dict[str, list]:
    """The values on which each handle moves on a page: at most `states` of them all together.

    Choices, whole numbers with few values, and what the explorer's `grid` lists stay whole; the
    longest of the other controls is thinned until all fit. 0, the first state and those of the
    presets are always there. (With fewer states than the explorer asks for, its `grid` is thinned,
    too.)
    """
    full = {name: control_values(control) for name, control in explorer.controls.items()}
    full |= {name: list(values) for name, values in explorer.grid.items()}
    asked = [explorer.state, *explorer.preset_values.values()]
    strides = {
        name: 1
        for name, values in full.items()
        if not _is_choice(explorer.controls[name], values)
        and (name not in explorer.grid or states < explorer.states)
    }
    thinned = lambda name: _with(
        [*full[name][:: strides.get(name, 1)], *full[name][-1:]],
        [one[name] for one in asked] + [value for value in full[name] if value == 0],
    )
    kept = {name: thinned(name) for name in full}
    while prod(map(len, kept.values())) > states:
        wide = [name for name, stride in strides.items() if stride < len(full[name])]
        if not wide:
            break
        longest = max(wide, key=lambda name: len(kept[name]))
        strides[longest] += 1
        kept[longest] = thinned(longest)
    return kept


def control_values(control) -> list:
    """All values that a hand can give a control."""
    return list(control.options) if hasattr(control, "options") else ticks(control)


def _is_choice(control, values: list) -> bool:
    whole = isinstance(control.value, int) and len(values) <= FEW
    return hasattr(control, "options") or whole


def _with(values: list, asked: list) -> list:
    """The values, each once, and what was asked for among them; numbers in order."""
    if isinstance(values[0], str):
        return list(dict.fromkeys(values))
    same = lambda a, b: abs(a - b) < 1e-9
    ordered = sorted([*values, *asked])
    return [
        v for v, before in zip(ordered, [None, *ordered]) if before is None or not same(v, before)
    ]


def shorten(columns: np.ndarray) -> np.ndarray:
    """Float32 without its last byte, rounded: 16 bits of the number, as whole numbers of 24."""
    bits = np.ascontiguousarray(columns, dtype="<f4").view("<u4").astype(np.int64)
    return (bits + 0x80) >> 8


def lengthen(bits: np.ndarray) -> np.ndarray:
    """The numbers that `shorten` kept."""
    return (bits << 8).astype("<u4").view("<f4")


def pack(frames: list[np.ndarray]) -> bytes:
    """Frames (columns, rows) as differences to the frame before, byte by byte.

    First the highest bytes of all, then the middle, then the lowest: so they deflate best.
    """
    steps, before = [], np.zeros((len(frames[0]), 0), dtype=np.int64)
    for frame in frames:
        now, shared = shorten(frame), min(before.shape[1], frame.shape[1])
        step = now.copy()
        step[:, :shared] -= before[:, :shared]
        steps.append(step.ravel() & 0xFFFFFF)
        before = now
    every = np.concatenate(steps)
    return b"".join((every >> shift & 0xFF).astype(np.uint8).tobytes() for shift in (16, 8, 0))


def unpack(packed: bytes, columns: int, ends: list[int]) -> list[np.ndarray]:
    """What `pack` packed, as page.js reads it."""
    high, middle, low = np.frombuffer(packed, np.uint8).reshape(3, -1).astype(np.int64)
    steps, frames = high << 16 | middle << 8 | low, []
    before = np.zeros((columns, 0), dtype=np.int64)
    for start, end in zip([0, *ends], ends):
        now = steps[start * columns : end * columns].reshape(columns, -1).copy()
        shared = min(before.shape[1], now.shape[1])
        now[:, :shared] = now[:, :shared] + before[:, :shared] & 0xFFFFFF
        frames.append(lengthen(now))
        before = now
    return frames


def record(explorer: Explorer, states: int | None = None) -> tuple[dict, bytes]:
    """What page.js must know of the explorer, and all its stories, deflated.

    The order of states is that of the controls, the last one fastest.
    """
    dials = grid(explorer, states or explorer.states)
    coarse = any(len(dials[k]) < len(control_values(c)) for k, c in explorer.controls.items())
    frames, lines = [], []
    for values in itertools.product(*dials.values()):
        state = dict(zip(dials, values))
        columns, headline, words = explorer.tell(state)
        frames.append(np.stack([np.asarray(column, dtype="<f4") for column in columns.values()]))
        lines.append([headline, words, explorer.code_of(state)])
    place = lambda state: [_place(dials[name], state[name]) for name in dials]
    about = {
        "dials": [
            {
                "name": name,
                "label": explorer.controls[name].description,
                "values": [address_text(value) for value in values],
                "digits": 2 if isinstance(values[0], float) else 0,
                "choice": isinstance(values[0], str),
            }
            for name, values in dials.items()
        ],
        "start": place(explorer.state),
        "presets": {label: place(values) for label, values in explorer.preset_values.items()},
        "note": explorer.note or (COARSE if coarse else ""),
        "plays": list(dials).index(explorer.plays) if explorer.plays else None,
        "spec": explorer.chart.spec,
        "columns": explorer.chart.columns,
        "ends": np.cumsum([frame.shape[1] for frame in frames]).tolist(),
    }
    told = json.dumps(lines, ensure_ascii=False).encode()
    whole = len(told).to_bytes(4, "little") + told + pack(frames)
    deflate = zlib.compressobj(9, wbits=-15)
    return about, deflate.compress(whole) + deflate.flush()


def _place(values: list, value) -> int:
    """Where a value stands among its control's."""
    if isinstance(value, str):
        return values.index(value)
    return min(range(len(values)), key=lambda i: abs(values[i] - value))


def script(about: dict, packed: bytes) -> str:
    """The script's text; for any page and any name that the explorer has there."""
    text = json.dumps(about, ensure_ascii=False)
    return f"sdlFrames({text},\n'{base64.b64encode(packed).decode()}');\n"


@cache
def sources() -> bytes:
    """A hash of all that stories are made of: the library, the explorers, stored results."""
    folders = [ROOT / "sdl_theory", ROOT / "notebooks" / "results"]
    folders += [ROOT / "widgets" / name for name in ("rows", "charts", "explorers")]
    files = [p for folder in folders for p in folder.rglob("*") if p.suffix in (".py", ".json")]
    files += [ROOT / "widgets" / name for name in ("frames.py", "kinds.py", "live.py")]
    files += (ROOT / "widgets").glob("*.json")
    together = hashlib.sha256()
    for path in sorted(files):
        together.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return together.digest()
