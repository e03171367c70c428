"""What the lessons' pictures show, against the library, enumeration or brute force."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdl_theory import (
    SparseFeatures,
    Uniform,
    Verdict,
    Weights,
    activation_pattern,
    approximate_loss,
    group_minimum,
    imagenet_directions,
    interference,
)
from widgets import rows
from widgets.explorers import pair_explorer
from widgets.kinds import Exact, Layer, Linear, Regions
from widgets.rows import common, exact, features, pairs, regions, start


@given(st.floats(-3.1, 3.1), st.sampled_from([0.1, 0.5, 0.9]))
@settings(max_examples=15)
def test_true_landscape_is_what_samples_say(angle, S):
    problem = common.pair_problem(0.6)
    x = (
        SparseFeatures(2, S, Uniform(0.5, 1.5))
        .sample(200_000, torch.Generator().manual_seed(0))
        .double()
        @ problem.W_p.mT
    )
    z = torch.relu(x @ torch.tensor([np.sin(angle), np.cos(angle)], dtype=torch.float64))
    # the best decoder, by least squares
    column = (z[:, None] * x).mean(0) / z.square().mean().clamp(min=1e-12)
    left = (x - z[:, None] * column).square().sum() / x.square().sum()
    true, approximate = start.two_landscapes(problem, S, np.array([angle]))
    assert true[0] == pytest.approx(left.item(), abs=0.02)
    W_D = (
        problem.W_r * torch.relu(torch.tensor([[np.sin(angle), np.cos(angle)]]) @ problem.W_p)
    ).sum(1, keepdim=True)
    fired = (
        torch.relu(torch.tensor([[np.sin(angle), np.cos(angle)]]) @ problem.W_p)
        .square()
        .sum()
        .clamp(min=1e-15)
    )
    lt = approximate_loss(
        problem, Weights(torch.tensor([[np.sin(angle), np.cos(angle)]]), W_D / fired)
    ).item()
    assert approximate[0] == pytest.approx(lt / 2, abs=1e-9)


def test_sparser_data_bring_the_losses_together():
    apart = [rows.start_rows(S)[1]["apart"] for S in (0.5, 0.9, 0.99)]
    assert apart[0] > 0.2 > apart[1] > 5 * apart[2] > 0
    data, _ = rows.start_rows(0.9)
    # the trap: loss 1 - .6 out of 2
    assert data["y"][data["kind"] == Layer.POINT][0] == pytest.approx(0.2)


def test_confusion_is_the_share_of_wrongly_ordered_pairs():
    silent, active = np.array([0.1, 0.5, 0.5, 2.0]), np.array([0.5, 1.0, 3.0])
    brute = np.mean([(s > a) + 0.5 * (s == a) for s, a in itertools.product(silent, active)])
    assert features.confusion(silent, active) == pytest.approx(brute)


@given(
    st.integers(2, 40),
    st.integers(2, 20),
    st.sampled_from([-0.2, 0.0, 0.2, 0.5, 0.8]),
    st.sampled_from([0.5, 0.9]),
)
@settings(max_examples=30)
def test_linear_rows_keep_their_promises(n, n_p, mu, S):
    data, seen = rows.linear_rows(n, n_p, mu, S)
    if seen["reached"] is None:
        assert mu < seen["bound"] and "bound" in seen["trouble"]
        return
    W = features.directions(n, n_p, mu)[0]
    assert seen["reached"] == pytest.approx(interference(W))
    assert seen["reached"] >= seen["bound"] - 1e-9
    assert seen["reached"] <= mu + 1e-12 or seen["trouble"]
    for kind in (Linear.SILENT, Linear.ACTIVE):
        assert data["y"][data["kind"] == kind].sum() == pytest.approx(1, abs=1e-5)


def test_no_interference_no_confusion():
    assert (
        rows.linear_rows(10, 20, 0.0, 0.8)[1]["confusion"]
        < 0.01
        < rows.linear_rows(60, 8, 0.6, 0.8)[1]["confusion"]
    )


def test_sectors_are_the_regions():
    problem = regions.plane_problem()
    sectors = regions.sectors(problem)
    for bearing in np.linspace(0.5, 359.5, 400):
        row = torch.tensor([[np.sin(np.radians(bearing)), np.cos(np.radians(bearing))]])
        fired = (
            activation_pattern(problem, Weights(row, torch.zeros(2, 1, dtype=torch.float64)))[0]
            .nonzero()[:, 0]
            .tolist()
        )
        here = [names for a, b, names in sectors if a < bearing < b or a < bearing + 360 < b]
        assert here == [fired] or not here  # on a wall


@given(st.integers(0, 5), st.floats(0.2, 2), st.floats(0.2, 2))
@settings(max_examples=40)
def test_slices_bend_as_theorem_3_2_says(region, a, b):
    problem, weights, (_, _, fired) = regions.point(region, a, b)
    data, seen = rows.region_rows(region, a, b)
    assert seen["fired"] == fired and seen["least"]["D"] > -1e-9 and seen["least"]["E"] > -1e-9
    assert seen["loss"] == pytest.approx(approximate_loss(problem, weights).item())
    assert regions.losses(problem, weights.W_E.numpy(), weights.W_D.mT.numpy())[0] == pytest.approx(
        seen["loss"]
    )
    bend = {
        kind: np.diff(data["y"][data["kind"] == kind].astype(float), 2)
        for kind in (Regions.SLICE_E, Regions.SLICE_D, Regions.SLICE_BOTH)
    }
    inside = np.abs(regions.STEPS[1:-1]) < a - 0.11  # along W_E the row turns round at -a
    assert (bend[Regions.SLICE_D] > -1e-5).all() and (bend[Regions.SLICE_E][inside] > -1e-5).all()
    # the steps beside the point stay in its region
    if (weights.W_E @ problem.W_p).abs().min() > 0.11:
        middle = (
            bend[Regions.SLICE_BOTH][len(regions.STEPS) // 2 - 1]
            / (regions.STEPS[1] - regions.STEPS[0]) ** 2
        )
        # a second difference of a quartic, step .1
        assert middle == pytest.approx(seen["least"]["joint"], abs=0.02)


@given(
    st.floats(-0.9, 0.9), st.floats(-0.9, 0.9), st.sampled_from(pairs.KINDS), st.floats(-1.5, 1.5)
)
@settings(max_examples=40)
def test_landscapes_of_all_machines_are_losses_with_the_best_decoder(mu, other, kind, angle):
    problem = pairs.machine(kind, mu, other)
    u, v = rows.minima.plane(problem)
    row = torch.tensor(np.cos(angle) * u + np.sin(angle) * v)[None]
    z = torch.relu(row @ problem.W_p)
    column = (problem.W_r * problem.M_d) @ z.mT / (z.square() @ problem.M_d).clamp(min=1e-15)
    assert rows.pair_landscape(problem, np.array([angle]))[0] == pytest.approx(
        approximate_loss(problem, Weights(row, column)).item(), abs=1e-9
    )


@given(st.floats(-0.9, 0.9), st.floats(-0.9, 0.9))
@settings(max_examples=40)
def test_the_targets_decide(mu, other):
    for kind, decides in (("SAE", mu), ("transcoder", other), ("crosscoder", mu + other)):
        if abs(decides) > 1e-3:
            data, minimum = rows.machine_rows(kind, mu, other)
            assert minimum.verdict is (Verdict.TRAP if decides > 0 else Verdict.SADDLE)
            point = data["kind"] == Layer.POINT
            # equal weights: on the bisector
            assert data["x"][point][0] == pytest.approx(0, abs=0.05)
            assert data["y"][point][0] == pytest.approx(minimum.loss, rel=1e-5)


@given(st.integers(-9, 9), st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=40)
def test_exact_and_floating_point_agree(tenths, m_1, m_2):
    data, here = exact.exact_rows(tenths, m_1, m_2)
    curve = {name: column[data["kind"] == Exact.POSITIVE] for name, column in data.items()}
    for rho, loss, branch in zip(curve["x"][::13], curve["y"][::13], curve["value"][::13]):
        expected = group_minimum(common.pair_problem(float(rho), m_2 / m_1), [0, 1])
        assert m_1 * expected.loss == pytest.approx(loss, rel=1e-4)
        assert common.VERDICTS[int(branch)] is expected.verdict
    rounded = group_minimum(common.pair_problem(tenths / 10, m_2 / m_1), [0, 1])
    assert here.verdict == str(rounded.verdict)
    point = data["kind"] == Layer.POINT
    assert point.sum() == rounded.exists
    if rounded.exists:
        assert float(here.loss) == pytest.approx(m_1 * rounded.loss, abs=1e-9)
        y = data["y"][data["kind"] == Layer.BAR]
        assert tenths == 0 or y == pytest.approx((rounded.y / rounded.y.norm()).numpy(), abs=1e-5)


def test_exact_numbers_are_spelled_out():
    assert exact.spoken(exact.exact_point(6, 1, 2).loss) == "3/2 - √97/10"


def test_the_preset_of_two_collies_is_real():
    d = imagenet_directions()
    cosine = (d.W_p[:, d.index("Border Collie")] @ d.W_p[:, d.index("collie")]).item()
    pair = pair_explorer()
    pair.presets["two collies"].click()
    assert pair.state["rho"] == pytest.approx(cosine, abs=0.005) and pair.headline == "trap"


def test_pictures_count_from_one():
    from widgets.explorers.minima import from_one

    assert (
        from_one("group [0, 2]: no row fires for [11] alone")
        == "group {1,3}: no row fires for {12} alone"
    )
