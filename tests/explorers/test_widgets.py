"""Rows, charts and explorers without a browser."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdl_theory import JumpReLU, Problem, Verdict, Weights, approximate_loss, imagenet_directions
from sdl_theory.theory.counterexamples import three_features
from widgets import charts, explorers, rows
from widgets.explorers import pair_explorer, solution_explorer, three_explorer
from widgets.explorers.base import Explorer, figure, slider, ticks
from widgets.explorers.start import _start_story
from widgets.live import LiveChart, png


@given(st.floats(-0.94, 0.94), st.floats(0.2, 3), st.floats(-3.1, 3.1))
def test_landscape_is_the_loss_with_the_best_decoder(rho, m_2, angle):
    problem = rows.pair_problem(rho, m_2)
    w = torch.tensor([[np.sin(angle), np.cos(angle)]], dtype=torch.float64)
    z = torch.relu(w @ problem.W_p)
    w_D = (problem.W_r * problem.M_d) @ z.mT / (z.square() @ problem.M_d).clamp(min=1e-15)
    assert rows.pair_landscape(problem, np.array([angle]))[0] == pytest.approx(
        approximate_loss(problem, Weights(w, w_D)).item(), abs=1e-9
    )


@given(st.floats(-0.94, 0.94), st.floats(0.2, 3))
def test_the_marker_sits_on_the_curve_and_says_the_verdict(rho, m_2):
    data, minimum = rows.pair_rows(rho, m_2)
    point = data["kind"] == rows.common.POINT
    assert point.sum() == minimum.exists and (~np.isnan(np.stack(list(data.values())))).all()
    if minimum.exists:
        on_curve = rows.pair_landscape(
            rows.pair_problem(rho, m_2), np.radians(data["x"][point].astype(float))
        )
        assert (
            on_curve[0] == pytest.approx(data["y"][point][0], abs=1e-4)
            and rows.VERDICTS[int(data["value"][point][0])] is minimum.verdict
        )


@given(st.integers(2, 7), st.floats(-5, -0.1), st.sampled_from([0.0, 0.3, 0.7]))
@settings(max_examples=20)
def test_gap_rows_are_the_two_losses(n, log_rate, theta):
    data, seen = rows.gap_rows(n, log_rate, theta)
    here = data["kind"] == rows.losses.HERE
    assert data["y"][here][0] == pytest.approx(max(abs(seen["L"] - seen["Lt"]), 1e-14), rel=1e-5)
    assert theta > 0 or -1e-12 <= seen["L"] - seen["Lt"] <= seen["tight"] * (1 + 1e-9)
    assert data["y"][data["kind"] == rows.losses.SHARE].sum() == pytest.approx(1, abs=1e-5)


@given(st.floats(0, 2))
def test_triangle_is_the_loss_over_positive_y(t):
    problem = three_features(rows.three_worlds(t))
    data, minimum = rows.three_rows(problem)
    curve = data["kind"] == rows.common.CURVE
    assert curve.sum() == 231 and (data["kind"] == rows.common.POINT).sum() == minimum.exists
    # only feature 1... corner (0, 0)
    corner = np.argmin(np.hypot(data["x"][curve], data["y"][curve]))
    M = problem.M_d.numpy()
    assert data["value"][curve][corner] == pytest.approx(1 - M[0] / M.sum(), rel=1e-5)
    if minimum.verdict is Verdict.TRAP:
        assert minimum.loss / M.sum() <= data["value"][curve].min() + 1e-5


def test_solutions_are_what_the_theorems_say():
    for mu, theta, zero in (
        (0.5, 0, [False, True, True]),
        (0.5, 0.5, [True, True, False]),
        (-0.3, 0, [True, True, True]),
    ):
        _, figures = rows.solution_rows(mu, theta, 20.0)
        assert [loss < 1e-20 for loss, *_ in figures] == zero
        assert (
            figures[0][1] == pytest.approx(1)
            and figures[1][1] == pytest.approx((1 - mu * mu) ** 0.5)
            and figures[1][2] == pytest.approx(1)
        )


@given(st.floats(0.1, 0.95), st.integers(0, 3), st.sampled_from([0.0, 1e-6, 0.05, 0.3, 1.0]))
@settings(max_examples=25)
def test_absorption_rows_tell_one_story(strength, child, theta):
    data, seen = rows.absorption_rows(strength, child, theta)
    bounds = data["y"][data["kind"] == rows.absorption.BOUND]
    assert len(bounds) == 4 and (np.diff(bounds) <= 1e-6).all() and seen["answer"].realizable
    after = data["kind"] == rows.absorption.AFTER
    fires = {
        (int(i), int(d))
        for i, d, v in zip(data["y"][after], data["x"][after], data["value"][after])
        if v
    }
    assert fires == {(1, d + 1) for d in range(4) if d != child} | {(3, child + 1)} | {
        (2, d) for d in range(5, 9)
    }
    chosen = data["kind"] == rows.absorption.CHOSEN
    assert chosen.sum() == seen["after"].exists and (data["y"][chosen] >= bounds[1] - 1e-6).all()


def test_descent_follows_autograd():
    problem = rows.pair_problem(0.6, 1.5)
    start = Weights(
        torch.tensor([[0.3, 0.9], [0.8, -0.1]], dtype=torch.float64),
        torch.tensor([[0.2, 0.5], [0.9, 0.1]], dtype=torch.float64),
    )
    losses = rows.descend(problem, start, theta=0.1, nudge=0.0, seeds=2, steps=30, rate=0.05)
    E, D = start.W_E.clone().requires_grad_(), start.W_D.clone().requires_grad_()
    steps = torch.optim.SGD([E, D], lr=0.05)
    for step in range(31):
        steps.zero_grad()
        loss = approximate_loss(problem, Weights(E, D), JumpReLU(0.1))
        assert losses[:, step] == pytest.approx(loss.item(), rel=1e-9)
        loss.backward()
        steps.step()


def test_dead_rows_wake_only_on_the_wall():
    for depth, theta, name, wakes in (
        (0, 0, "escapable_dead", True),
        (0.3, 0, "strictly_dead", False),
        (0, 0.2, "strictly_dead", False),
    ):
        _, seen = rows.dead_rows(depth, -2.0, theta)
        assert str(seen["certificate"].neurons[1]) == name and (seen["fell"] > 0) is wakes


def test_names_agree_between_rows_and_charts():
    assert [str(v) for v in rows.VERDICTS] == charts.style.VERDICT_NAMES and len(
        charts.style.ARROW_NAMES
    ) == 4


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
        assert (
            explorer.headline
            and len(explorer.words) > 20
            and explorer.chart.alt == explorer.words
            and explorer.chart.headline == explorer.headline
        )
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
        assert np.array_equal(page, np.stack(list(chart.data.values()))) and chart.lines[i] == [
            explorer.headline,
            explorer.words,
        ]
        assert round((chart.value - chart.grid[0]) / chart.grid[1]) == i  # what live.js computes


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


def test_live_chart_takes_new_data_in_one_message_and_refuses_wrong_columns():
    data, _ = rows.pair_rows(0.6)
    chart = LiveChart(charts.pair_chart(charts.live()), data)
    before = chart.revision
    chart.set_data(rows.pair_rows(0.1)[0], "a trap", "new")
    assert chart.revision == before + 1 and (chart.headline, chart.alt) == ("a trap", "new")
    sent = np.frombuffer(chart.buffer, "<f4").reshape(len(chart.columns), -1)
    assert np.array_equal(sent[1], rows.pair_rows(0.1)[0]["x"])
    with pytest.raises(ValueError, match="columns"):
        chart.set_data({"x": [1.0]})
    bundle, _ = chart._repr_mimebundle_()
    assert bundle["image/png"] and bundle["text/plain"] == "<LiveChart: new>"
    assert (
        "http" not in chart._esm[:2000]
        and "esm.sh" not in chart._esm
        and "jsdelivr.net/npm/vega@" not in chart._esm
    )


def test_pictures_have_titles_and_draw():
    d = imagenet_directions()
    share = rows.share_rows(
        Problem(d.W_p), d, ["spaniel"], [2, 3], 20, torch.Generator().manual_seed(0)
    )
    for chart in (
        charts.pair_chart(charts.inline(rows.pair_rows(0.3)[0])),
        charts.three_chart(charts.inline(rows.three_rows(three_features((1, 3, 1)))[0])),
        charts.share_chart(share),
    ):
        spec = chart.to_dict()
        text = json.dumps(spec)
        assert text.count('"title"') >= 3 and 2_000 < len(png(spec)) < 60_000
        assert "#0072B2" in text or "#D55E00" in text


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
    ] and figure(4e-4, 3) == "4.0e-04"
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
