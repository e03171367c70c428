"""What `python -m sdl_theory traps` kept, as curves: shares of runs with their intervals."""

from __future__ import annotations

import json
from collections.abc import Callable

from sdl_theory.estimate import interval, wilson
from sdl_theory.experiments.paper.record import RESULTS

SEEDS = 10  # of every value tried; twice as many for absorption
METHODS = {"topk": "Top-k", "relu": "ReLU", "relu_l1": "ReLU with L1"}


def load_traps(name: str) -> list[dict]:
    """The rows of traps_NAME.json: pairs, shared or correlated."""
    return json.loads((RESULTS / f"traps_{name}.json").read_text(encoding="utf-8"))["rows"]


def merged_rows(
    rows: list[dict], series: Callable[[dict], str | None], ended: str = "merged"
) -> list[dict]:
    """Shares of runs that ended merged, by their distance from the law's line, series by series.

    rows : of pairs, or of correlated's `together` and `implied`.
    series : a row's series, whose counts are added up; None leaves it out.
    ended : or another of a row's counts, of pairs "shared" or "lost".
    """
    counts: dict[tuple[str, float], list[int]] = {}
    for row in rows:
        name = series(row)
        if name is not None:
            for at, merged in zip(row["rho"] if "law" in row else row["at"], row[ended]):
                hits = counts.setdefault((name, round(at - row["line"], 3)), [0, 0])
                hits[0] += merged
                hits[1] += SEEDS
    return [_share(name, x, *hits) for (name, x), hits in counts.items()]


def absorbed_rows(rows: list[dict], children: int) -> list[dict]:
    """Of runs that end with a neuron for the child, how many absorbed the parent."""
    counts: dict[tuple[str, float], list[int]] = {}
    for row in rows:
        if row["what"] == "absorption" and row["children"] == children:
            name = {"relu": "ReLU", "top1": "Top-1", "top2": "Top-2"}[row["sigma"]]
            name += f", L1 (shrink {row['shrink']:g})" if row["shrink"] else ""
            name += ", from the truth" if row["start"] == "truth" else ""
            for given, absorbed, apart in zip(row["given"], row["absorbed"], row["apart"]):
                hits = counts.setdefault((name, given), [0, 0])
                hits[0] += absorbed
                hits[1] += absorbed + apart
    return [_share(name, x, *hits) for (name, x), hits in counts.items() if hits[1]]


def chosen_rows(rows: list[dict], n_p: int, reading: str = "fires") -> list[dict]:
    """Shared neurons of trained models that are traps, beside random groups and the start."""
    curves = []
    for row in rows:
        if row["n_p"] == n_p:
            read, at = row[reading], {"panel": METHODS[row["method"]]}
            x = round(1 - row["S"], 6)
            hits, draws = sum(read["traps"]), sum(read["shared"])
            if draws:
                curves.append(_share("trained", x, hits, draws) | at)
            before, groups = (sum(counts) for counts in read["untrained"])
            if groups:
                curves.append(_share("before training", x, before, groups) | at)
            drawn = [one for one, some in zip(read["random"], read["shared"]) if some]
            if drawn:
                mean = interval(drawn).within(0, 1)
                low, high = mean.low or mean.value, mean.high or mean.value
                random = {"series": "random groups of these sizes", "x": x, "share": mean.value}
                curves.append(random | {"low": low, "high": high} | at)
    return curves


def _share(series: str, x: float, hits: int, draws: int) -> dict:
    low, high = wilson(hits, draws)
    return {"series": series, "x": x, "share": hits / draws, "low": low, "high": high}
