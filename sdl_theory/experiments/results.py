"""The results page, notebooks/results/README.md: its tables, from the stored runs and the audit.

The words around them are written by hand. `python -m sdl_theory.experiments.results` puts every
table in the place of the old one with the same head. About a minute, most of it for the audit on
the ImageNet directions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from ..estimate import Estimate
from ..files import write_atomically
from . import audit, others
from .arms import LINES, Arm
from .gain import difference, load_gain
from .paper import page
from .traps import page as traps

FOLDER = Path(__file__).resolve().parents[2] / "notebooks" / "results"
PAGE = FOLDER / "README.md"
# rows of `paper_size.json` that tell the course of a training, by samples seen
TOLD = (102_400, 204_800, 409_600, 1_024_000, 1_536_000)
# found at .95 and mean without anchors, from Table 1 of arXiv:2512.05534 unless another is named
THEIRS = dict(
    topk="Table 7, k = 32: 100%, .999",
    batchtopk="84.8%, .981",
    matryoshka="83.7%, .982",
    jumprelu="0%, .237",
    relu_biased="ReLU SAE: 0%, .205",
    transcoder="23.6%, .838",
    crosscoder="56.4%, .940",
)


def rounded(value: float, digits: int) -> str:
    """The stored figure rounded half up, without the zero before its point."""
    step = Decimal(1).scaleb(-digits)
    text = str(Decimal(str(value)).quantize(step, ROUND_HALF_UP))
    return text.removeprefix("0") if text.startswith("0.") else text


def percent(share: float) -> str:
    """68.0%, but 0% and 100%."""
    text = f"{100 * share:.1f}%"
    return {"0.0%": "0%", "100.0%": "100%"}.get(text, text)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def put(table: str, page: str) -> str:
    """The page with the table in the place of the one with the same head.

    ValueError unless there is exactly one.
    """
    head = table.splitlines()[0]
    old = re.compile(rf"^{re.escape(head)}$(\n\|.*)*", re.MULTILINE)
    if len(old.findall(page)) != 1:
        raise ValueError(f"the page should have one table with the head {head}")
    return old.sub(lambda _: table, page)


def _stored(name: str):
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def course() -> str:
    """How TopK learns at the paper's size."""
    stored = _stored("paper_size.json")
    run = next(one for one in stored["runs"] if one["method"] == "topk")
    history = [dict(zip(stored["columns"], row)) for row in run["rows"]]
    found = lambda row, side: (
        f"{percent(row[f'{side}_recovery_95'])}, {rounded(row[f'{side}_mip'], 3)}"
    )
    rows = [
        [
            f"{row['samples']:,}" + (" (learning rate at 0)" if row is history[-1] else ""),
            rounded(row["loss"], 2 if row["loss"] >= 1 else 3),
            found(row, "encoder"),
            found(row, "decoder"),
        ]
        for row in history
        if row["samples"] in TOLD
    ]
    matrices = [f"{side} cosine: found at .95, mean" for side in ("encoder", "decoder")]
    return markdown(["samples seen", "loss", *matrices], rows)


def paper_size() -> str:
    """All methods at the end of the paper's size, beside the figures of its Tables 1 and 7."""
    rows = []
    for run in _stored("paper_size.json")["runs"]:
        report = run["report"]
        found = lambda side: (
            f"{percent(report[f'{side}_recovery_95'])}, {rounded(report[f'{side}_mip'], 3)}"
        )
        null = [rounded(report[name], 3) for name in ("encoder_raw_null_mip", "null_mip")]
        rows.append(
            [
                run["method"],
                found("encoder_raw"),
                THEIRS[run["method"]],
                found("encoder"),
                found("decoder"),
                ", ".join(null),
                f"{report['l0']:.1f}",
                percent(report["explained_variance"]),
            ]
        )
    head = [
        "method",
        "the paper's metric (encoder, inner product)",
        "the paper's own figures",
        "encoder cosine",
        "decoder cosine",
        "random rows: inner product (rows of the learned norms), cosine",
        "L0",
        "variance explained",
    ]
    return markdown(head, rows)


def demo() -> str:
    """The rows of Table 1 at the demo preset."""
    share = lambda one: (
        f"{100 * one['value']:.0f}% [{100 * one['low']:.0f}, {100 * one['high']:.0f}]"
    )
    mean = lambda one: f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}]"
    rows = [
        [
            row["method"],
            str(row["anchored"]),
            f"{share(row['literal_recovery'])}, {mean(row['literal_mip'])}",
            f"{100 * row['encoder_recovery']['value']:.0f}%, {row['encoder_mip']['value']:.2f}",
            share(row["decoder_recovery"]),
            mean(row["decoder_mip"]),
            f"{row['l0']['value']:.1f}",
        ]
        for row in _stored("table_1_demo.json")["rows"]
    ]
    head = [
        "method",
        "anchors",
        "the paper's metric (encoder, inner product): found at .95, mean",
        "encoder cosine: found, mean",
        "decoder found at .95",
        "decoder mean cosine",
        "L0",
    ]
    return markdown(head, rows)


def _with_ends(one: Estimate, scale: float, form: str) -> str:
    assert one.low is not None and one.high is not None  # over many seeds
    mean, low, high = (f"{scale * value:{form}}" for value in (one.value, one.low, one.high))
    return f"{mean} [{low}, {high}]"


def gain() -> str:
    """TopK, anchored minus plain, by the paper's metric."""
    runs = load_gain()["rows"]
    ways = [(sham, clipped) for sham in (False, True) for clipped in (True, False)]
    rows = []
    for k, lam in LINES:
        found = [
            difference(runs, Arm("topk", k, lam, *way), "encoder_raw_recovery_95") for way in ways
        ]
        mean = difference(runs, Arm("topk", k, lam), "encoder_raw_mip")
        points = [_with_ends(one, 100, "+.1f") for one in found]
        rows.append([f"{k}, {lam:g}", *points, _with_ends(mean, 1, "+.4f")])
    head = [
        "anchors, lambda",
        "true anchors, gradients clipped at norm 1",
        "true, not clipped",
        "sham, clipped",
        "sham, not clipped",
        "mean inner product: true, clipped",
    ]
    return markdown(head, rows)


def from_stored_runs() -> list[str]:
    """The tables that need no computation."""
    records = [one for preset in page.SIZES for one in page.stored(preset)]
    ours_beside_theirs = [markdown(page.head(one), page.cells(one)) for one in records]
    large = [one for one in records if one.preset != "demo" and len(one.seeds) > 1]
    ours_beside_theirs += [markdown(*page.by_cosine(one)) for one in large]
    beside = [markdown(*table(FOLDER)) for table in (*others.TABLES, *traps.TABLES)]
    return [course(), paper_size(), demo(), gain(), *ours_beside_theirs, *beside]


def from_audit(rows: Sequence[audit.Row]) -> list[str]:
    """The paper's claims and our findings, as checked."""
    return [audit.as_markdown(rows, ours=ours) for ours in (False, True)]


def main() -> None:
    """Write the tables of now into the page."""
    text = PAGE.read_text(encoding="utf-8")
    rows = [*audit.run(), *audit.run(real=True)]
    for table in [*from_audit(rows), *from_stored_runs()]:
        text = put(table, text)
    write_atomically(PAGE, text.encode())
    print(f"{PAGE}: {len(rows)} lines of the audit, and the tables of the stored runs")


if __name__ == "__main__":
    main()
