"""The lines of Tables 1 and 4 to 7 of arXiv:2512.05534, what is trained for them, and verdicts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdl_theory import SDLModel, setup
from sdl_theory.estimate import Estimate
from sdl_theory.experiments.paper.compare import NONE_PRINTED, NOT, REPRODUCED, UNDECIDED, verdict
from sdl_theory.experiments.paper.lines import TABLES, chosen, lines, overrides
from sdl_theory.experiments.presets import PRESETS, TABLE_1


def test_printed_figures_are_the_paper_s():
    """Some of each table, typed again from the tables themselves."""
    printed = {(line.table, line.method, line.value): line for line in sum(map(lines, TABLES), [])}
    known = {
        (1, "topk", None): (0.849, 0.983, 0.8763, 0.986),
        (1, "crosscoder", None): (0.5642, 0.940, 0.5771, 0.941),
        (4, "relu", 800): (0.0, 0.361, 1.0, 0.436),
        (4, "relu", 1400): (0.0, 0.181, 0.0857, 0.207),
        (5, "batchtopk", 0.2): (0.847, 0.981, 0.907, 0.989),
        (6, "jumprelu", 0.005): (0.118, 0.890, 0.748, 0.970),
        (7, "topk", 64): (0.939, 0.992, 0.934, 0.991),
    }
    for key, figures in known.items():
        assert printed[key].plain + printed[key].anchored == figures, key
    assert [len(lines(table)) for table in TABLES] == [7, 7, 15, 15, 3]
    assert [line.method for line in lines(1)] == list(TABLE_1)
    for line in printed.values():
        assert all(0 <= value <= 1 for value in line.plain + line.anchored)


def test_table_6_s_second_block_is_table_1():
    """Of five methods: printed twice in arXiv:2512.05534, Table 6 at 1 - S = .01 and Table 1."""
    one = {line.method: line for line in lines(1)}
    for line in lines(6)[5:10]:
        assert line.value == 0.01 and line.plain == one[line.method].plain
        assert line.anchored == one[line.method].anchored


def test_at_the_paper_s_size_the_settings_are_the_printed_ones():
    assert [overrides(line, "paper")["bench"]["n"] for line in lines(4)] == [
        800, 900, 1000, 1100, 1200, 1300, 1400
    ]  # fmt: skip
    assert [overrides(line, "paper")["k"] for line in lines(7)] == [32, 64, 128]
    assert {overrides(line, "paper")["bench"]["mu"] for line in lines(5)} == {0.05, 0.2, 0.5}
    assert {overrides(line, "paper")["bench"]["S"] for line in lines(6)} == {0.995, 0.99, 0.9}
    assert all(overrides(line, "paper") == {} for line in lines(1))


@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_varied_keeps_its_ratio(preset):
    own = PRESETS[preset].bench
    for line in lines(4):
        n = overrides(line, preset)["bench"]["n"]
        assert n / own["n_p"] == pytest.approx(line.value / 768, rel=0.02)
    for line in lines(6):
        changes = overrides(line, preset)
        active = own["n"] * line.value
        if "k" in changes:
            assert max(1, active * 0.9) <= changes["k"] <= 4 * active
        if "target_l0" in changes:
            assert changes["target_l0"] == pytest.approx(active)


@pytest.mark.parametrize("line", sum(map(lines, TABLES), []), ids=lambda line: line.name)
def test_every_line_can_be_set_up_at_the_demo_size(line):
    row = setup("demo", line.method, anchors=None, seeds=[0], **overrides(line, "demo"))
    assert isinstance(row.model, SDLModel) and 0 < row.anchors[0].k < row.data[0].n
    assert row.data[0].problem.mu <= row.data[0].mu + 1e-9


def test_lines_are_chosen_by_number():
    assert [line.number for line in chosen(7, [3, 1])] == [1, 3] and len(chosen(5, None)) == 15
    with pytest.raises(ValueError, match="--rows 4: Table 7 has lines 1 to 3"):
        chosen(7, [4])
    with pytest.raises(ValueError, match="table must be one of 1, 4, 5, 6, 7; got 2"):
        lines(2)


@given(printed=st.floats(-1, 1), value=st.floats(-1, 1), half=st.floats(0, 1), sign=st.booleans())
def test_a_verdict_is_what_the_interval_says(printed, value, half, sign):
    ours = Estimate(value, value - half, value + half)
    found = verdict(printed, ours)
    assert found == verdict(-printed, Estimate(-value, -value - half, -value + half))
    if printed == 0:
        assert found == NONE_PRINTED
    else:
        same_side = (ours.low > 0) if printed > 0 else (ours.high < 0)
        none_of_it = (ours.high <= 0) if printed > 0 else (ours.low >= 0)
        assert found == (REPRODUCED if same_side else NOT if none_of_it else UNDECIDED)


def test_one_seed_decides_nothing():
    assert verdict(0.03, Estimate(0.5, None, None)) == UNDECIDED
    assert not math.isnan(lines(1)[0].plain[1])
