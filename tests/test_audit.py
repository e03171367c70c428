"""The audit: every verdict is the expected one, the command says so, and README carries the same table."""

from pathlib import Path

import pytest

from sdl_theory import audit
from sdl_theory.__main__ import main

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rows():
    return list(audit.run())


def test_every_verdict_is_the_expected_one(rows):
    assert len(rows) >= 17 and [row for row in rows if not row.ok] == []


def test_both_numberings_and_all_three_verdicts(rows):
    assert {"3.1", "3.7 (v6: 3.6)", "3.10 (v6: 3.8)"} <= {row.theorem for row in rows}
    assert {row.verdict for row in rows} == {audit.HOLDS, audit.HYPOTHESIS, audit.FAILS}


def test_readme_carries_the_table(rows):
    """All columns but the figure, whose last digits belong to the machine."""
    strip = lambda line: [cell for i, cell in enumerate(line.replace("\\|", "¦").split(" | ")) if i != 3]
    table = {tuple(strip(line)) for line in README.splitlines() if line.startswith("| 3.")}
    missing = [line for line in audit.as_markdown(rows).splitlines()[2:] if tuple(strip(line)) not in table]
    assert missing == []


def test_command_exits_nonzero_on_an_unexpected_verdict(monkeypatch, capsys):
    good = audit.Claim("0", "0", "one is one", "none", audit.HOLDS, "none", lambda: ("1", True))
    bad = audit.Claim("0", "0", "one is two", "none", audit.HOLDS, "none", lambda: ("1", False))
    monkeypatch.setattr(audit, "CLAIMS", [good])
    assert main(["verify"]) == 0 and main(["verify", "--markdown"]) == 0
    monkeypatch.setattr(audit, "CLAIMS", [good, bad])
    assert main(["verify"]) == 1 and "UNEXPECTED" in capsys.readouterr().out


def test_real():
    rows = list(audit.run(real=True))
    assert len(rows) == 4 and [row for row in rows if not row.ok] == []
