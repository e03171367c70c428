"""Who takes Top-k's places: what is counted, and what the record of it says."""

from dataclasses import replace

import pytest
import torch

from sdl_theory.experiments import presets
from sdl_theory.experiments.paper import page, places
from sdl_theory.experiments.paper.record import RESULTS, load

ARMS = ("plain", "anchored")


@pytest.fixture
def tiny(monkeypatch):
    own = presets.PRESETS["demo"]
    config = replace(own.config, steps=20, batch=64, log_every=10, eval_every=0)
    monkeypatch.setitem(presets.PRESETS, "demo", replace(own, config=config))


def test_a_run_has_its_k_and_its_arm(tiny, tmp_path):
    plain, sham = (places.run(2, arm, 0, preset="demo") for arm in ("plain", "sham"))
    assert plain["k"] == 2 and 0 < plain["l0"] <= 2
    assert plain["loss"] != sham["loss"] and 0 <= plain["taken"] <= 1


def test_the_share_of_the_first_latents_by_hand():
    codes = torch.tensor([[1.0, 0.0, 2.0], [3.0, 1.0, 0.0]])
    assert places._share(codes != 0, 1) == 2 / 4
    assert places._share(codes.square(), 2) == pytest.approx(11 / 15)


def test_the_command_goes_on_and_refuses_another_preset(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(places.KS, "demo", (2,))
    monkeypatch.setattr(places, "SEEDS", (0, 1))
    out = tmp_path / "places.json"
    places.main(["--preset", "demo", "--out", str(out)])
    first, shown = out.read_text(), capsys.readouterr().out
    places.main(["--preset", "demo", "--out", str(out)])
    assert out.read_text() == first and "anchored_fire" in shown
    with pytest.raises(ValueError, match="holds other runs"):
        places.kept("half", out)


def test_held_latents_take_the_places_that_k_leaves():
    """The record, half size: at its k anchored latents, true or random, take most places of what
    fires, and plain runs of a smaller k find more than anchored ones there.
    """
    table = {(row.k, row.arm): row for row in places.summary(places.kept("half").rows)}
    most = max(k for k, _ in table)
    for arm in ("anchored", "sham"):
        assert table[most, arm].anchored_fire.low > 0.4 * table[most, arm].l0.value
        assert table[most, arm].found.low > table[most, "plain"].found.high
    assert table[most, "plain"].anchored_fire.high < 0.05 * most
    assert max(row.found.low for (k, arm), row in table.items() if arm == "plain") > (
        table[most, "anchored"].found.high
    )
    assert (RESULTS / "places_half.json").exists()


def test_sham_runs_stand_beside_their_own_seeds():
    shams = [load(path)["runs"] for path in sorted(RESULTS.glob("table_1_sham_paper*.json"))]
    shams, runs = [run for one in shams for run in one], load(RESULTS / "table_1_runs_paper.json")
    by = {(run["name"], run["arm"]): run["figures"] for run in runs["runs"]}
    head, rows = page.shams(RESULTS)
    for cells, run in zip(rows, shams, strict=True):
        places = [runs["seeds"].index(seed) for seed in run["seeds"]]
        mean = lambda values: sum(values) / len(values)
        found = [by[run["name"], arm]["encoder_raw_recovery_95"] for arm in ARMS]
        found = [mean([values[place] for place in places]) for values in found]
        found.append(mean(run["figures"]["encoder_raw_recovery_95"]))
        assert [cell.split(" ")[0] for cell in cells[2:5]] == [f"{100 * x:.1f}%" for x in found]
        assert cells[1] == str(len(places)) and len(cells) == len(head)
        assert cells[-1].startswith(f"{mean(run['figures']['loss']):.3f}")
        assert all((" [" in cell) == (len(places) > 1) for cell in cells[2:])
