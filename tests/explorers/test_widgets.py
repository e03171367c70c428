"""Explorers without a browser."""

import doctest
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from widgets import charts, explorers, rows
from widgets.explorers import pair_explorer, solution_explorer, three_explorer
from widgets.explorers.base import Explorer, figure, slider, ticks
from widgets.explorers.start import _start_story

EXPLORERS = [getattr(explorers, name) for name in dir(explorers) if name.endswith("_explorer")]


def values_of(control):
    """Everything a user's hand can set, and numbers beyond both ends, which go to the end."""
    if hasattr(control, "options"):
        return st.sampled_from(control.options)
    reach = control.max - control.min
    return (
        st.one_of(
            st.sampled_from(ticks(control)), st.floats(control.min - reach, control.max + reach)
        )
        if isinstance(control.value, float)
        else st.integers(control.min - 3, control.max + 3)
    )


@pytest.mark.parametrize("make", EXPLORERS, ids=lambda make: make.__name__)
def test_explorers_survive_any_sequence_of_moves(make):
    """85 sequences for each of thirteen explorers: more than 1,000 in all."""
    explorer = make()
    moves = st.one_of(
        [
            st.tuples(st.just(name), values_of(control))
            for name, control in explorer.controls.items()
        ]
    )

    @given(st.lists(moves, min_size=1, max_size=5))
    @settings(max_examples=85)
    def play(sequence):
        for name, value in sequence:
            explorer.set(**{name: value})
            control = explorer.controls[name]
            assert hasattr(control, "options") or control.min <= explorer.state[name] <= control.max
        assert explorer.headline
        assert len(explorer.words) > 20
        assert explorer.chart.alt == explorer.words
        assert explorer.chart.headline == explorer.headline
        columns = np.stack(list(explorer.chart.data.values()))
        # nothing undrawable, and few enough marks to drag
        assert np.isfinite(columns).all() and 2 <= columns.shape[1] <= 500
        assert "nan" not in explorer.words.replace("dominant", "")

    play()
    for button in explorer.presets.values():
        button.click()
    assert explorer.state == make().state  # reset is the last of them


def test_there_are_more_than_a_thousand_sequences():
    assert 85 * len(EXPLORERS) >= 1000


@pytest.mark.parametrize("make", EXPLORERS, ids=lambda make: make.__name__)
def test_code_to_copy_runs_for_every_preset(make):
    explorer = make()
    for button in explorer.presets.values():
        button.click()
        exec(explorer.code.value, {})


@pytest.mark.parametrize(
    "make", [m for m in EXPLORERS if len(m().controls) == 1], ids=lambda make: make.__name__
)
def test_frames_are_the_stories_of_all_slider_values(make):
    explorer = make()
    (name, control), chart = next(iter(explorer.controls.items())), explorer.chart
    all_rows, width = np.frombuffer(chart.frames, "<f4"), len(chart.columns)
    values = ticks(control)
    assert len(values) == len(chart.ends) == len(chart.lines)
    for i in (0, len(values) // 3, len(values) - 1):
        start = chart.ends[i - 1] if i else 0
        page = all_rows[start * width : chart.ends[i] * width].reshape(width, -1)
        explorer.set(**{name: values[i]})
        assert np.array_equal(page, np.stack(list(chart.data.values())))
        assert chart.lines[i] == [explorer.headline, explorer.words]
        assert round((chart.value - chart.grid[0]) / chart.grid[1]) == i  # what live.js computes


def test_the_example_of_the_docstring_runs():
    done = doctest.testmod(explorers.minima)
    assert done.attempted == 5 and done.failed == 0


def test_explorers_say_what_is_true_and_copy_as_code(capsys):
    pair = pair_explorer()
    for name, verdict in (
        ("a trap", "trap"),
        ("a saddle", "saddle"),
        ("Example 3.5, flat", "degenerate"),
        ("none at all", "none"),
    ):
        pair.presets[name].click()
        assert pair.headline == verdict
        exec(pair.code.value, {})
        assert f"Verdict.{verdict.upper()}" in capsys.readouterr().out
    three = three_explorer()
    for name, verdict in (("a saddle", "saddle"), ("a trap", "trap"), ("none at all", "none")):
        three.presets[name].click()
        exec(three.code.value, {})
        assert f"Verdict.{verdict.upper()}" in capsys.readouterr().out


def test_one_slider_walks_through_the_three_worlds():
    three, seen = three_explorer(0.0), []
    for t in np.arange(0, 2.01, 0.02):
        three.set(t=t)
        seen.append(three.headline)
    walk = [v for v, before in zip(seen, [None, *seen]) if v != before]
    assert walk == ["saddle", "none", "trap", "none"]


def test_slow_explorers_wait_for_release():
    busy = []
    slow = explorers.Explorer(
        {"rho": explorers.base.slider("rho", 0.5, -0.9, 0.9, 0.1)},
        lambda rho: (rows.pair_rows(rho)[0], "now", "a story that takes its time"),
        charts.pair_chart,
        lambda rho: "",
        {},
        slow=True,
    )
    # no pages made beforehand: they would take too long
    assert not slow.controls["rho"].continuous_update and slow.chart.ends == []
    slow.chart.observe(lambda change: busy.append(change["new"]), "busy")
    slow.set(rho=0.1)
    assert busy == [True, False] and pair_explorer().controls["rho"].continuous_update


@pytest.mark.parametrize("make", EXPLORERS, ids=lambda make: make.__name__)
def test_explorers_refuse_what_is_no_number_or_no_control(make):
    shown = make()
    before = shown.state
    name = next(iter(before))
    for values, words in (
        ({name: math.nan}, name),
        ({name: None}, name),
        ({name: "x"}, name),
        ({name: math.inf}, name),
        ({"nothing": 1}, "no control 'nothing'"),
        ({name: before[name], "rhoo": 1}, "rhoo"),
    ):
        with pytest.raises(ValueError, match=words):
            shown.set(**values)
        assert shown.state == before
    with pytest.raises(ValueError, match=r"must be (a (finite )?number|one of)"):
        make(**{name: math.nan})


def test_a_preset_of_no_control_is_refused():
    with pytest.raises(ValueError, match="no control 'c'; there are S"):
        Explorer(
            {"S": slider("S", 0.5, 0.1, 0.9, 0.1)},
            _start_story,
            charts.start_chart,
            lambda S: "",
            {"wrong": {"c": 1.0}},
        )
    with pytest.raises(ValueError, match="S must be a finite number; got nan"):
        Explorer(
            {"S": slider("S", 0.5, 0.1, 0.9, 0.1)},
            _start_story,
            charts.start_chart,
            lambda S: "",
            {"wrong": {"S": math.nan}},
        )


def test_a_loss_that_is_not_zero_is_not_called_zero():
    assert [figure(loss) for loss in (0.0, 1e-20, 3e-5, 0.0049, 0.005, 0.5, 2.0)] == [
        "0.00",
        "0.00",
        "3.0e-05",
        "4.9e-03",
        "0.01",
        "0.50",
        "2.00",
    ]
    assert figure(4e-4, 3) == "4.0e-04"
    shown = solution_explorer()
    shown.set(mu=0.05, theta=0.0)
    assert "W* has loss 5.0e-03" in shown.words or "W* has loss 0.01" in shown.words
    for mu in (0.05, 0.1, -0.05):
        for theta in (0.0, 0.05, 0.95):
            shown.set(mu=mu, theta=theta, angle=5.0)
            losses = [
                loss for loss, *_ in rows.solution_rows(round(mu, 4), round(theta, 4), 5.0)[1]
            ]
            assert all(
                ("loss 0.00" in part) == (loss < 1e-12)
                for part, loss in zip(shown.words.split(";"), losses)
            ), shown.words
