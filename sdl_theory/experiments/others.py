"""The results page's tables of the runs beside the bench: what verdicts depend on, Table 2 on our
embeddings, Figure 7 on our language model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..estimate import Estimate
from ..table import Table
from .language import compare as language
from .paper import places, sensitivity, trials
from .paper.page import shams
from .real import compare as real
from .real.families import load_families
from .real.family_tables import summary
from .real.nonsense import gains
from .real.record import read

FOUND, MIP, COSINE = "encoder_raw_found_95", "encoder_raw_mip", "encoder_mip"
Named = dict[str, Callable[[Any], str]]  # a column's head: what it says of a row
Lines = tuple[list[str], list[list[str]]]  # the head, and the rows' cells


def cell(value: Any, digits: int = 3) -> str:
    """As it stands on the page: mean [low, high]; yes or no; "-" for none."""
    if isinstance(value, Estimate):
        ends = "" if value.low is None else f" [{value.low:.{digits}f}, {value.high:.{digits}f}]"
        return f"{value.value:.{digits}f}{ends}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    return "-" if value is None else str(value)


def lines(table: Sequence[Any], columns: Named) -> Lines:
    """Head and cells."""
    return list(columns), [[say(row) for say in columns.values()] for row in table]


def plainly(table: Table, first: str, **heads: str) -> Lines:
    """All columns of a table but those whose head is "", under their names or these heads.

    first : the head of the first column, the table's own name.
    """
    names = [field.name for field in fields(table[0]) if heads.get(field.name) != ""]
    said = [heads.get(name, name.replace("_", " ")) for name in names]
    return [first, *said[1:]], [[cell(getattr(row, name)) for name in names] for row in table]


def moved(folder: Path) -> Lines:
    """Table 1 with each of our choices moved: the least and the most found, and what turns."""
    kept = trials.Trials("demo", range(5), folder / "sensitivity_demo.json")
    return plainly(
        sensitivity.summary(kept),
        "Table 1, choices moved",
        recipes="recipes tried",
        least="M_GT plain, least",
        most="M_GT plain, most",
        printed="printed: M_GT, M_IP",
        nearest="nearest recipe: M_GT, M_IP",
        given_by="given by",
        found_verdict="M_GT direction",
        turned_by="turned by",
        mip_verdict="M_IP direction",
        mip_turned_by="turned by (M_IP)",
    )


def embeddings(folder: Path) -> Lines:
    """Table 2 on all 1000 classes by the paper's metric, beside controls."""
    return _compared(folder / "real_imagenet.json", "Table 2, 1000 classes")


def pictures(folder: Path) -> Lines:
    """Likewise on a network's features of Fashion-MNIST."""
    return _compared(folder / "real_fashion.json", "Table 2, Fashion-MNIST")


def nouns(folder: Path) -> Lines:
    """Likewise on the smallest disjoint subtrees of WordNet's nouns."""
    return _compared(folder / "real_wordnet.json", "Table 2, 590 groups of nouns")


def nonsense(folder: Path) -> Lines:
    """What anchors at means of shuffled classes add, beside true ones; classes not shown."""
    rows: list[tuple] = []
    for name in ("real_imagenet.json", "real_wordnet.json"):
        record = read(folder / name)
        rows += zip(*(gains(record, f"{figure}_others") for figure in (FOUND, MIP, COSINE)))
    said: Named = {
        "Table 2, anchors at nonsense": lambda of: f"{of[0].case}, {of[0].method}",
        "seeds": lambda of: str(of[0].seeds),
    }
    for place, word in enumerate(("M_GT", "M_IP", "cosine")):
        said |= _added(word, place)
    return lines(rows, said)


def _added(word: str, place: int) -> Named:
    """The columns of one figure, the `place`-th of a row."""
    return {
        f"{word}: true anchors add": lambda of: cell(of[place].classes),
        f"nonsense adds ({word})": lambda of: cell(of[place].nonsense),
        f"true ones more ({word})": lambda of: of[place].higher,
    }


def left_alone(folder: Path) -> Lines:
    """Children on real directions: the ladder's order against training's."""
    return plainly(
        summary(load_families(folder / "real_families.json")),
        "who leaves the parent",
        k="Top-k",
        runs="seeds with an order",
        end="still with the parent's latent at the end",
        ladder="ladder",
        shuffled="95% of shuffled ladders",
        follows="follows the ladder",
        over_cosine="ladder less cosine",
        start="ladder, before training",
        over_start="added by training",
        own="ladder, own latent (F1)",
    )


def _compared(path: Path, first: str) -> Lines:
    record = read(path)
    by = {
        figure: list(zip(real.compare(record, figure), real.controls(record, figure)))
        for figure in (FOUND, MIP, COSINE)
    }
    said: Named = {
        first: lambda of: f"{of[0][0].case}, {of[0][0].method}",
        "M_GT printed": lambda of: of[0][0].printed,
        "ours: plain": lambda of: cell(of[0][0].plain),
        "anchored": lambda of: cell(of[0][0].anchored),
        "M_IP printed": lambda of: of[1][0].printed,
        "ours: plain (M_IP)": lambda of: cell(of[1][0].plain),
        "anchored (M_IP)": lambda of: cell(of[1][0].anchored),
        "direction": lambda of: of[1][0].direction,
        "best untrained rows": lambda of: f"{cell(of[1][1].untrained)} ({of[1][1].control})",
        "above these": lambda of: of[1][1].higher,
        "gain with shuffled labels": lambda of: cell(of[1][1].nonsense),
        "gain above that": lambda of: of[1][1].of_classes,
        "encoder cosine: plain": lambda of: cell(of[2][0].plain),
        "anchored (cosine)": lambda of: cell(of[2][0].anchored),
        "above the best untrained (cosine)": lambda of: of[2][1].higher,
    }
    return lines(list(zip(by[FOUND], by[MIP], by[COSINE])), said)


def figure_7(folder: Path) -> Lines:
    """How runs end by arm, and whether resampled ones end lower."""
    rows = json.loads((folder / "language_model.json").read_text(encoding="utf-8"))["rows"]
    key = lambda one: (one.kind, one.mean, one.steps, one.arm)
    against = {key(one): one for one in language.against_nothing(rows)}
    minus: Callable[[Any, str], str] = lambda one, name: (
        cell(getattr(against[key(one)], name)) if key(one) in against else "-"
    )
    said: Named = {
        "Figure 7, SmolLM2": lambda one: f"{one.kind}, {one.steps} steps, mean {one.mean}",
        "arm": lambda one: one.arm,
        "seeds": lambda one: str(one.seeds),
        "final training loss": lambda one: cell(one.loss),
        "minus nothing": lambda one: minus(one, "loss"),
        "printed": lambda one: minus(one, "printed"),
        "ends lower": lambda one: minus(one, "lower"),
        "held-out loss, minus nothing": lambda one: minus(one, "held_out_loss"),
        "dead": lambda one: cell(one.dead),
    }
    return lines(language.ended(rows), said)


def steps(folder: Path) -> Lines:
    """A training step on a GPU."""
    stored = json.loads((folder / "steps_h100.json").read_text(encoding="utf-8"))
    head = [
        "A step on an H100",
        "n_p, n_q, batch",
        "fires",
        "encoder product, ms",
        "its kernels, ms",
        "the step, ms",
    ]
    ms = lambda seconds: "-" if seconds is None else f"{1000 * seconds:.1f}"
    rows = [
        [
            one["method"],
            f"{one['n_p']}, {one['n_q']:,}, {one['batch']}",
            f"{one['fires']:.2%}",
            *(ms(one[name]) for name in ("product", "kernels", "seconds")),
        ]
        for one in stored["steps"]
    ]
    return head, rows


def taken(folder: Path) -> Lines:
    """Who takes Top-k's places, at half size."""
    kept = places.kept("half", folder / "places_half.json")
    return plainly(
        places.summary(kept.rows),
        "TopK, half size: k",
        found="M_GT",
        mip="M_IP",
        l0="fire",
        anchored_fire="of them held",
    )


TABLES = (moved, embeddings, pictures, nouns, nonsense, left_alone, figure_7, steps, shams, taken)
