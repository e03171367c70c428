"""`python -m sdl_theory traps`: what has an experiment's shape is run, kept, and gone on with."""

import json
from types import SimpleNamespace

import pytest

from sdl_theory.__main__ import main
from sdl_theory.experiments.commands import traps
from sdl_theory.experiments.paper.record import results_folder


class Toy(SimpleNamespace):
    """Three jobs; remembers what was run, and may be stopped."""

    def __init__(self, stop_at=None, size=3):
        super().__init__(ran=[], stop_at=stop_at, size=size)

    def head(self):
        return dict(experiment="toy", size=self.size)

    def jobs(self):
        return [dict(at=i) for i in range(self.size)]

    def run(self, job):
        if job["at"] == self.stop_at:
            raise KeyboardInterrupt
        self.ran.append(job["at"])
        return job | dict(square=job["at"] ** 2)

    def show(self, rows):
        print("sum", sum(row["square"] for row in rows))


def use(monkeypatch, toy):
    monkeypatch.setitem(traps.EXPERIMENTS, "pairs", toy)
    return toy


def test_what_is_kept_is_not_run_again(monkeypatch, tmp_path, capsys):
    out = str(tmp_path / "toy.json")
    toy = use(monkeypatch, Toy())
    assert main(["traps", "pairs", "--out", out, "--most", "0"]) == 0 and toy.ran == []
    assert main(["traps", "pairs", "--out", out, "--most", "2"]) == 0 and toy.ran == [0, 1]
    assert main(["traps", "pairs", "--out", out]) == 0 and toy.ran == [0, 1, 2]
    assert main(["traps", "pairs", "--out", out]) == 0 and toy.ran == [0, 1, 2]
    assert capsys.readouterr().out.split("\n") == ["sum 0", "sum 1", "sum 5", "sum 5", ""]


def test_one_that_is_stopped_keeps_what_it_did_and_goes_on(monkeypatch, tmp_path):
    out = tmp_path / "toy.json"
    words = ["traps", "pairs", "--out", str(out)]
    use(monkeypatch, Toy(stop_at=1))
    assert main(words) == 130
    assert [row["at"] for row in json.loads(out.read_text())["rows"]] == [0]
    toy = use(monkeypatch, Toy())
    assert main(words) == 0 and toy.ran == [1, 2]
    whole = json.loads(out.read_text())
    assert [row["at"] for row in whole["rows"]] == [0, 1, 2]
    assert whole["experiment"] == "toy" and whole["made_with"]["torch"]


def test_a_file_of_other_runs_is_refused_and_stays(monkeypatch, tmp_path, capsys):
    out = tmp_path / "toy.json"
    use(monkeypatch, Toy())
    assert main(["traps", "pairs", "--out", str(out)]) == 0
    before = out.read_text()
    use(monkeypatch, Toy(size=2))
    assert main(["traps", "pairs", "--out", str(out)]) == 1
    assert "holds other runs" in capsys.readouterr().err and out.read_text() == before
    out.write_text("[1, 2]")
    assert main(["traps", "pairs", "--out", str(out)]) == 1
    assert out.read_text() == "[1, 2]"


@pytest.mark.parametrize("name", traps.EXPERIMENTS)
def test_every_experiment_has_the_shape_and_its_committed_file_is_its_own(name, capsys):
    """What is stored is of jobs that there are, each once; and can be shown."""
    experiment = traps.EXPERIMENTS[name]
    jobs = json.loads(json.dumps(experiment.jobs()))
    path = results_folder() / f"traps_{name}.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert path.stat().st_size <= 60_000
    assert json.loads(json.dumps(experiment.head())).items() <= stored.items()
    for row in stored["rows"]:
        assert sum(job.items() <= row.items() for job in jobs) == 1
    for job in jobs:
        count = sum(job.items() <= row.items() for row in stored["rows"])
        assert count == 1 or count == 0 and name not in ("pairs", "shared", "correlated")
    experiment.show(stored["rows"])
    assert len(capsys.readouterr().out.splitlines()) > len(stored["rows"]) / 4
