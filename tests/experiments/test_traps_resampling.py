"""Resampling measured: the tables say what their rows hold, and a small run holds what they ask."""

import json
import math

import pytest

from sdl_theory.estimate import Estimate
from sdl_theory.experiments.traps import resampled, resampling
from sdl_theory.experiments.traps.resampled import around, recovered, said, summary


def row(case, arm, seeds, loss, **more):
    """A row of these losses; all other figures .5, or as given."""
    names = (
        "dead raw raw_mip raw_null encoder encoder_mip decoder decoder_mip null_mip f1 l0 begun "
        "awake before at later jump"
    ).split()
    figures = {name: [0.5] * len(seeds) for name in names} | dict(loss=loss) | more
    return dict(case=case, arm=arm, seeds=seeds, **figures)


def test_differences_go_seed_by_seed_and_brickens_is_the_better_of_two():
    seeds = [1, 2, 3]
    rows = [
        row("a", "nothing", seeds, [1.0, 2.0, 3.0]),
        row("a", "bricken, .2", seeds, [0.9, 1.9, 2.9]),
        row("a", "bricken, 1", seeds, [2.0, 2.0, 2.0]),
        row("a", "sign", seeds[:2], [0.5, 1.49]),
        row("a", "sign", seeds[2:], [2.51]),
    ]
    table = {one.arm: one for one in summary(rows)}
    assert table["sign"].seeds == 3
    assert table["sign"].to_nothing.value == pytest.approx(-0.5)
    assert table["sign"].to_bricken.value == pytest.approx(-0.4)
    assert table["sign"].loss_is == table["sign"].than_bricken == "lower"
    assert table["bricken, 1"].loss_is == "undecided" and table["bricken, .2"].loss_is == "lower"
    assert table["nothing"].to_nothing is None and table["nothing"].loss_is == "-"
    assert table["bricken, .2"].to_bricken is None


def test_of_one_seed_nothing_is_said():
    rows = [row("a", arm, [1], [loss]) for arm, loss in (("nothing", 1.0), ("bricken, 1", 0.1))]
    assert [one.loss_is for one in summary(rows)] == ["-", "undecided"]
    assert [said(Estimate(1, low, 2)) for low in (0.5, -1, None)] == [
        "higher",
        "undecided",
        "undecided",
    ]


def test_moments_are_in_units_of_the_loss_before_and_of_runs_that_had_one():
    had = dict(before=[2.0, None], at=[1.0, None], later=[3.0, None], jump=[0.25, None])
    rows = [
        row("a", "sign", [1, 2], [1.0, 1.0], **had),
        row("a", "nothing", [1], [1.0], later=[None]),
    ]
    (one,) = around(rows)
    assert (one.runs, one.at.value, one.later.value, one.largest.value) == (1, -0.5, 0.5, 0.25)


def test_gains_in_recovery_are_by_the_papers_metric_first():
    rows = [
        row("a", "nothing", [1, 2], [1, 1], raw=[0.1, 0.2], decoder=[0.9, 0.9]),
        row("a", "sign", [1, 2], [1, 1], raw=[0.4, 0.5], decoder=[0.9, 0.8]),
    ]
    one = recovered(rows)[1]
    assert (one.raw_gain.value, one.raw_is, one.decoder_is) == (
        pytest.approx(0.3),
        "higher",
        "undecided",
    )


def test_jobs_are_all_arms_of_a_pair_of_seeds_before_the_next():
    jobs = resampling.jobs()
    assert len(jobs) == len({json.dumps(job) for job in jobs}) == 100
    assert len({tuple(job["seeds"]) for job in jobs[:20]}) == 1
    assert not [job for job in jobs if job["case"].startswith("top") and job["arm"] == "split"]


@pytest.mark.parametrize(
    "case, arm", [(0, "sign"), (0, "split"), (2, "bricken, 1"), (2, "sign"), (3, "auxk")]
)
def test_a_small_run_holds_all_that_the_tables_ask(case, arm, monkeypatch):
    recipe = dict(steps=40, batch=64, warmup=1, dead_after=320, resample_every=10)
    monkeypatch.setattr(resampling, "RECIPE", resampling.RECIPE | recipe)
    monkeypatch.setattr(resampling, "BENCH", dict(n=20, n_p=16, S=0.9, mu=0.3))
    monkeypatch.setattr(resampling, "LATER", 5)
    job = dict(case=list(resampling.CASES)[case], arm=arm, seeds=[1, 2])
    first = resampling.run(job)
    assert json.loads(json.dumps(first)) == resampling.run(job)
    assert job.items() <= first.items() and math.isfinite(sum(first["loss"]))
    rows = [first, resampling.run(job | dict(arm="nothing"))]
    assert len(summary(rows)) == len(recovered(rows)) == 2
    if arm in ("sign", "bricken, 1"):
        assert min(first["begun"]) > 0 and len(around(rows)) == 1
        # arms part at the first pass alone
        assert resampling.run(job | dict(arm="bricken, .2"))["before"] == first["before"]


def test_all_is_shown(capsys):
    rows = [row("a", arm, [1, 2], [1.0, 2.0]) for arm in ("nothing", "bricken, 1")]
    resampling.show(rows)
    said = capsys.readouterr().out
    assert said.count("bricken, 1") == 3 and resampled.NOTHING in said
