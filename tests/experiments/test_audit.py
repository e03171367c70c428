"""The audit: verdicts are computed and are the expected ones, and the command says so.

The page of results carries the same two tables, figures included.
"""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from sdl_theory import ideal_weights, mirrored_weights
from sdl_theory.__main__ import main
from sdl_theory.experiments import audit
from sdl_theory.experiments.audit import (
    paper_absorption,
    paper_anchoring,
    paper_losses,
    paper_minima,
)

PAGE = (Path(__file__).parents[2] / "notebooks/results/README.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"-?(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?|-?\.\d+")
# Claims that stood among the paper's and that it does not make: they may be findings of ours only.
NOT_THE_PAPERS = ("benchmark", "siblings", "every group", "superposition", "nearly all", "ladder")


@pytest.fixture(scope="module")
def rows():
    return list(audit.run())


def numbers_and_words(text):
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)], NUMBER.sub(
        "#", text
    )


def table(heading):
    """The rows of the page's table below a heading."""
    part = PAGE.split(f"### {heading}\n")[1].split("\n#")[0]
    return [line for line in part.splitlines() if line.startswith("| ")][1:]


def missing(rows):
    """The rows of the audit that the page does not carry: words equal, numbers to 1e-3 (rounded
    figures move no farther than their last digit).
    """
    out = []
    for ours, heading in ((False, "The paper's claims"), (True, "Our findings")):
        stored = {words: numbers for numbers, words in map(numbers_and_words, table(heading))}
        for line in audit.as_markdown(rows, ours=ours).splitlines()[2:]:
            numbers, words = numbers_and_words(line)
            if words not in stored or numbers != pytest.approx(stored[words], rel=1e-3, abs=1e-9):
                out.append(line)
    return out


def test_every_verdict_is_the_expected_one(rows):
    assert [row for row in rows if not row.ok] == []
    assert sum(not row.ours for row in rows) >= 16 and sum(row.ours for row in rows) >= 11


def test_both_numberings_and_all_three_verdicts(rows):
    assert {"3.1", "3.7 (v6: 3.6)", "3.10 (v6: 3.8)", "Example 3.5", "Figure 4", "abstract"} <= {
        row.theorem for row in rows
    }
    assert {row.verdict for row in rows if not row.ours} == {
        audit.HOLDS,
        audit.HYPOTHESIS,
        audit.FAILS,
    }


def test_what_the_paper_does_not_claim_is_ours():
    for claim in audit.CLAIMS:
        assert claim.theorem and (
            claim.ours or not any(phrase in claim.claim for phrase in NOT_THE_PAPERS)
        ), claim.claim
        assert not claim.ours or claim.expected == audit.HOLDS, (
            f"a finding of ours is said so that it holds: {claim.claim}"
        )


@pytest.mark.parametrize(
    "holds, refuted, verdict",
    [
        (True, False, audit.HOLDS),
        (True, True, audit.HYPOTHESIS),
        (False, True, audit.FAILS),
        (False, False, audit.OPEN),
    ],
)
def test_the_rule(holds, refuted, verdict):
    assert audit.Seen("", holds, refuted).verdict == verdict


def verdicts(checks):
    return [
        next(claim for claim in audit.CLAIMS if claim.check is check).check().verdict
        for check in checks
    ]


def test_a_verdict_follows_from_what_is_seen(monkeypatch):
    """Were the mathematics otherwise, the audit would say so: each world below is one in which a
    claim of the paper comes out differently.
    """
    first_order = [paper_losses._gap, paper_losses._jumprelu]
    assert verdicts(first_order) == [audit.HYPOTHESIS, audit.FAILS]
    monkeypatch.setattr(paper_losses, "_jumprelu_gap", lambda q: q * q)  # second order
    assert verdicts(first_order) == [audit.HOLDS, audit.OPEN]

    # a recipe whose gradients vanish
    stationary = lambda problem, P, W_E: mirrored_weights(problem, 4)
    monkeypatch.setattr(paper_minima, "printed_recipe", stationary)
    assert verdicts([paper_minima._printed]) == [audit.OPEN]

    found = lambda problem, n_q, A=None: ideal_weights(problem, n_q)
    monkeypatch.setattr(paper_anchoring, "mirrored_weights", found)
    assert verdicts([paper_anchoring._anchored]) == [audit.OPEN]  # loss 0, and everything found

    yes = SimpleNamespace(check=lambda: SimpleNamespace(feasible=True, certificate=None))
    monkeypatch.setattr(paper_absorption, "realize", lambda problem, P, *sigma: yes)
    # every child can leave
    assert verdicts([paper_absorption._absorb, paper_absorption._any]) == [audit.HOLDS, audit.OPEN]


def test_the_unexpected_is_an_error_and_says_what_was_seen(monkeypatch, capsys):
    line = lambda figure, seen: audit.Claim(
        "0", "0", "one is one", "none", audit.HOLDS, "none", lambda: audit.Seen(figure, *seen)
    )
    monkeypatch.setattr(audit, "CLAIMS", [line("1", (True,))])
    assert main(["verify"]) == 0 and main(["verify", "--markdown"]) == 0
    monkeypatch.setattr(audit, "CLAIMS", [line("1", (True,)), line("2", (False, True))])
    assert main(["verify"]) == 1 and f"UNEXPECTED: {audit.FAILS}" in capsys.readouterr().out


def test_no_figure_is_noise(rows):
    """6e-28 on one machine is 3e-27 on the next.

    M_d and probabilities may be small; nothing below 1e-9 is a figure.
    """
    small = [row.figure for row in rows if re.search(r"e-(?:0[9]|[1-9]\d)", row.figure)]
    assert small == [] and not any("-0 " in row.figure or "nan" in row.figure for row in rows)


def test_the_page_carries_both_tables(rows):
    assert missing(rows) == []
    assert len(table("The paper's claims")) + len(table("Our findings")) == len(audit.CLAIMS)


def test_real():
    rows = list(audit.run(real=True))
    assert len(rows) == 5 and [row for row in rows if not row.ok] == [] and missing(rows) == []
