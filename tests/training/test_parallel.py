"""Two processes train what one trains: the same global batches, the same weights to rounding, files
by the first alone.
"""

import errno
import functools
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from sdl_theory import (
    Anchors,
    Config,
    LinearRepresentationBench,
    SDLModel,
    Trainer,
    fit,
    setup,
    train_row,
)
from sdl_theory.__main__ import main
from sdl_theory.files import read_tensors
from sdl_theory.lock import locked
from sdl_theory.training import objective as objectives
from sdl_theory.training import trainer as train
from sdl_theory.training.model import METHODS, WITH_K
from sdl_theory.training.world import World

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["torch._dynamo", "torch.distributed", "sdl_theory", "safetensors.torch", "tqdm.auto", "pytest"]
)
STEPS = 16
# what each process does
PATHS = {"dense": (False, False), "sparse": (True, True), "mixed": (True, False)}
# method, path, biases, instances
CASES = [
    (method, path, path != "dense", None)
    for method in METHODS
    for path in PATHS
    if method != "gated"
]
CASES += [("gated", "dense", biases, None) for biases in (False, True)] + [
    (method, "dense", True, 2) for method in METHODS
]


def trainer(method: str, biases: bool, instances: int | None, world: World) -> Trainer:
    """A run in float64 with every figure that processes must share: AuxK's dead, the target L0,
    resampling, thresholds, anchors.
    """
    bench = LinearRepresentationBench(40, 30, 0.9, 0.3, seed=2, samples=500, dtype=torch.float64)
    model = SDLModel(
        30,
        64,
        method=method,
        k=4 if method in WITH_K else None,
        theta=0.3 if method == "jumprelu" else None,
        biases=biases,
        instances=instances,
        generator=torch.Generator().manual_seed(1),
        dtype=torch.float64,
    )
    with torch.no_grad():
        # dead until they are resampled; AuxK can wake the small ones
        model.W_E[..., -4:, :] *= 0.01 if method in WITH_K else 0
    config = Config(
        steps=STEPS,
        batch=64,
        lr=1e-2,
        warmup=5,
        seed=3,
        dead_after=256,
        resample_every=0 if instances else 8,
        resample_until=1,
        aux_coef=0.3,
        aux_k=4,
        target_l0=2.0,
        gain=0.05,
        lam_anchor=0.2,
    )
    return Trainer(model, bench, config, [Anchors.of_truth(bench, 4)] * (instances or 1), world)


def train_case(case, world: World) -> dict:
    """All tensors after the last step, and how often dead latents were there to be woken and to be
    resampled.
    """
    method, path, biases, instances = case
    run, seen = trainer(method, biases, instances, world), dict(dead=0, resampled=0)
    sparse, resample = PATHS[path][world.rank], train.resample

    def counted(*args):
        begun = resample(*args)
        seen["resampled"] += len(begun)
        return begun

    train.resample, objectives.SPARSE_BELOW = counted, 2 if sparse else 0
    run.objective = functools.partial(objectives.objective, sparse=sparse)
    try:
        for _ in range(STEPS):
            seen["dead"] += int((run.asleep >= run.config.dead_after).sum())
            run.step()
    finally:
        train.resample = resample
    return {name: value.detach().clone() for name, value in run.tensors().items()} | {
        name: torch.tensor(count) for name, count in seen.items()
    }


def collinear(method: str, sparse: bool, world: World) -> dict:
    """Sparse samples in few dimensions, many of them multiples of one another; TopK's family with
    AuxK, and resampling every sixth step. Tensors at the end.
    """
    bench = LinearRepresentationBench(12, 8, 0.9, 0.5, seed=0, samples=300, dtype=torch.float64)
    model = SDLModel(
        8, 48, method=method, k=3, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    run = Trainer(
        model,
        bench,
        Config(
            steps=120,
            batch=32,
            lr=1e-2,
            warmup=5,
            seed=3,
            dead_after=96,
            resample_every=6,
            resample_until=1,
            aux_coef=0.3,
            aux_k=4,
        ),
        None,
        world,
    )
    run.objective = functools.partial(objectives.objective, sparse=sparse)
    for _ in range(120):
        run.step()
    return {name: value.detach().clone() for name, value in run.tensors().items()}


COLLINEAR = [("collinear", method, sparse) for method in WITH_K for sparse in (False, True)]


def small(folder, world: World, *, bench=None, steps: int = 20, **how):
    """A run in float32 with files."""
    bench = bench or LinearRepresentationBench(40, 30, 0.9, 0.3, seed=2)
    model = SDLModel(30, 64, method="batchtopk", k=4, generator=torch.Generator().manual_seed(1))
    config = Config(steps=steps, batch=64, warmup=5, log_every=4, checkpoint_every=5)
    return fit(model, bench, config, out=folder, progress=False, world=world, **how)


class Poisoned:
    """A bench that gives one process NaN in batch 6."""

    def __init__(self, rank: int):
        self.bench, self.rank = LinearRepresentationBench(40, 30, 0.9, 0.3, seed=2), rank

    def batch(self, t, size, *, rank, world):
        batch = self.bench.batch(t, size, rank=rank, world=world)
        batch.x_p[:] = torch.nan if (t, rank) == (6, self.rank) else batch.x_p
        return batch


def said(call, *arguments, **how) -> str:
    """The error that a call ends with."""
    try:
        call(*arguments, **how)
    except (ValueError, RuntimeError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def no_space(_):
    raise OSError(errno.ENOSPC, "No space left on device")


def with_files(folder: Path, world: World) -> dict:
    """What fit does that processes must agree on."""
    answers, batch, descend = {}, Trainer.batch, Trainer._descend
    small(folder / f"own{world.rank}", world)

    def pressed(self, t):
        if (t, self.world.rank) == (5, 1):
            signal.raise_signal(signal.SIGINT)
        return batch(self, t)

    Trainer.batch = pressed
    stopped = small(folder / "shared", world)
    Trainer.batch = batch
    answers["stopped"] = (
        stopped.interrupted,
        stopped.signal,
        stopped.last[0]["step"],
        read_tensors(folder / "shared/checkpoint.safetensors")[1]["step"],
    )
    small(folder / "shared", world, resume=True)
    with locked(folder / "held", folder=True) if world.rank == 0 else nullcontext():
        answers["held"] = said(small, folder / "held", world)
    answers["not shared"] = said(small, folder / f"own{world.rank}", world, resume=True)
    fsync = os.fsync
    answers["full"] = said(
        small,
        folder / "full",
        world,
        callback=lambda row: setattr(os, "fsync", no_space) if world.rank == 0 else None,
    )
    answers["still full"] = said(small, folder / "still full", world)
    os.fsync = fsync
    answers["nan"] = said(small, folder / "nan", world, bench=Poisoned(1))
    Trainer._descend = lambda self: (
        descend(self),
        self.model.W_E.data.fill_(torch.inf) if self.steps_done == 9 else None,
    )
    answers["overflow"] = said(small, folder / "overflow", world)
    Trainer._descend = descend
    return answers


def _processes(rank: int, port: int, folder: Path) -> None:
    """One of two processes, begun as torchrun begins them."""
    torch.set_num_threads(1)
    os.environ |= dict(
        RANK=str(rank),
        WORLD_SIZE="2",
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        GLOO_SOCKET_IFNAME="lo",
    )
    world = World.start(torch.device("cpu"))
    assert (world.rank, world.size) == (rank, 2)
    results = {case: train_case(case, world) for case in CASES} | {
        case: collinear(*case[1:], world) for case in COLLINEAR
    }
    torch.save(results | with_files(folder, world), folder / f"results{rank}")
    world.stop()


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """What each of the two processes held at the end of every case, and their files."""
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [FORKS.Process(target=_processes, args=(rank, port, folder)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(90)
        process.kill()
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    return [torch.load(folder / f"results{rank}") for rank in range(2)], folder


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_two_processes_are_one(case, both):
    """In float64: sums in another order differ by 1e-16 of their size, and 16 steps of Adam do not
    blow that up to 1e-10. Logged figures are float32.
    """
    ours, (first, second) = train_case(case, World()), (results[case] for results in both[0])
    assert [name for name in first if not torch.equal(first[name], second[name])] == [], (
        "the processes differ"
    )
    for name, value in ours.items():
        tolerance = 1e-6 if name == "run/sums" else 1e-10
        torch.testing.assert_close(
            first[name], value, rtol=tolerance, atol=tolerance, msg=lambda text: f"{name}: {text}"
        )
    if case[0] in WITH_K:
        assert ours["dead"] > 5, "AuxK had nothing to wake"
    assert case[3] or ours["resampled"] > 0, "nothing was resampled"


@pytest.mark.parametrize("case", COLLINEAR, ids=lambda case: "-".join(map(str, case)))
def test_two_processes_are_one_where_many_samples_are_multiples_of_one_another(case, both):
    """Equal latents would be told apart by rounding alone, unlike in one process and in two."""
    ours, (first, second) = collinear(*case[1:], World()), (results[case] for results in both[0])
    assert [name for name in first if not torch.equal(first[name], second[name])] == [], (
        "the processes differ"
    )
    for name, value in ours.items():
        tolerance = 1e-6 if name == "run/sums" else 1e-10
        torch.testing.assert_close(
            first[name], value, rtol=tolerance, atol=tolerance, msg=lambda text: f"{name}: {text}"
        )


def test_processes_write_the_files_of_one(both, tmp_path):
    """Float32, 20 steps: sums in another order differ by 1e-7 of their size, and Adam's first steps
    magnify that of a tiny gradient.
    """
    small(tmp_path, World())
    folder = both[1]
    assert not (folder / "own1").exists() and sorted(
        path.name for path in (folder / "own0").iterdir()
    ) == ["checkpoint.safetensors", "history.jsonl"]
    wanted, _ = read_tensors(tmp_path / "checkpoint.safetensors")
    rows = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    for run in ("own0", "shared"):
        tensors, metadata = read_tensors(folder / run / "checkpoint.safetensors")
        assert metadata == read_tensors(tmp_path / "checkpoint.safetensors")[1]
        for name, value in wanted.items():
            torch.testing.assert_close(
                tensors[name],
                value,
                rtol=1e-4,
                atol=1e-5,
                msg=lambda text: f"{run}, {name}: {text}",
            )
        for ours, theirs in zip(
            [
                json.loads(line)
                for line in (folder / run / "history.jsonl").read_text().splitlines()
            ],
            rows,
            strict=True,
        ):
            assert ours == pytest.approx(
                theirs | dict(samples_per_s=ours["samples_per_s"]), rel=1e-5
            )


def test_a_ctrl_c_that_one_process_hears_stops_both_at_the_next_log(both):
    assert [results["stopped"] for results in both[0]] == [(True, signal.SIGINT, 8, 8)] * 2


def test_a_folder_that_another_run_holds_is_refused_by_both(both):
    first, second = (results["held"] for results in both[0])
    assert (
        first.startswith("InUse: ") and "held is in use: another run of this very process" in first
    )
    assert second.startswith("OSError: the first process could not write") and not list(
        (both[1] / "held").iterdir()
    )


def test_processes_that_begin_apart_are_told(both):
    """One sees a checkpoint, the other a folder of its own that is empty."""
    for results in both[0]:
        error = results["not shared"]
        assert (
            error.startswith("ValueError: the processes begin from different weights")
            and "a folder `out` that all see" in error
        )


def test_what_stops_one_process_stops_both(both):
    assert not (both[1] / "full/checkpoint.safetensors").exists()
    for results in both[0]:
        assert results["full"].startswith("OSError: ") and results["still full"].startswith(
            "OSError: "
        )
        assert results["nan"].startswith("TrainingError: the loss is not finite at step 7 ")
        assert results["overflow"].startswith(
            "TrainingError: a weight is not finite at step 10: nothing was written"
        )
    for run in ("nan", "overflow"):
        tensors, metadata = read_tensors(both[1] / run / "checkpoint.safetensors")
        assert metadata["step"] == 5 and all(
            torch.isfinite(value).all() for value in tensors.values()
        )


def test_a_batch_that_cannot_be_shared_out_is_refused():
    with pytest.raises(
        ValueError,
        match="batch size 63 cannot be shared out evenly over 2 processes; make it a multiple of 2",
    ):
        LinearRepresentationBench(40, 30, 0.9, 0.3).batch(0, 63, rank=0, world=2)


SETTINGS = ["steps=60", "batch=128", "checkpoint_every=20", "log_every=10", "eval_every=0"]


def test_torchrun_goes_on_with_a_run_and_ends_where_one_process_does(tmp_path, capsys):
    command = [
        "train",
        "--preset",
        "demo",
        "--method",
        "batchtopk",
        "--anchors",
        "5",
        "--set",
        *SETTINGS,
        "--out",
    ]
    assert main([*command, str(tmp_path / "one")]) == 0
    row = setup(
        "demo",
        "batchtopk",
        anchors=5,
        seeds=[0],
        instances=False,
        **{name: int(value) for name, value in (s.split("=") for s in SETTINGS)},
    )
    train_row(row, out=tmp_path / "two", callback=lambda row: row["step"] < 30, progress=False)
    begun = (tmp_path / "two/history.jsonl").read_text()
    torchrun = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--standalone",
        "-m",
        "sdl_theory",
    ]
    done = subprocess.run(
        [*torchrun, *command, str(tmp_path / "two"), "--resume"],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | dict(OMP_NUM_THREADS="1", GLOO_SOCKET_IFNAME="lo"),
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("recovery") == capsys.readouterr().out.count("recovery"), (
        "one report, by the first process"
    )
    assert (tmp_path / "two/history.jsonl").read_text().startswith(begun) and begun.count("\n") == 3
    one, two = (
        json.loads((tmp_path / name / "report.json").read_text())["reports"][0]
        for name in ("one", "two")
    )
    assert two == pytest.approx(one, rel=1e-3, abs=1e-3)


def test_torchrun_told_to_end_leaves_a_checkpoint_that_goes_on(tmp_path):
    """torchrun hands SIGTERM on to its processes, which stop together at the next log."""
    command = [
        "train",
        "--preset",
        "demo",
        "--method",
        "topk",
        "--device",
        "cpu",
        "--set",
        "steps=100000",
        "batch=128",
        "log_every=10",
        "checkpoint_every=50",
        "n_q=80",
        "eval_every=0",
        "--out",
        str(tmp_path / "run"),
    ]
    torchrun = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--standalone",
        "-m",
        "sdl_theory",
    ]
    process = subprocess.Popen(
        [*torchrun, *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ | dict(OMP_NUM_THREADS="1", GLOO_SOCKET_IFNAME="lo"),
    )
    checkpoint, deadline = tmp_path / "run/checkpoint.safetensors", time.monotonic() + 90
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    process.terminate()
    _, words = process.communicate(timeout=60)
    assert checkpoint.exists(), words
    step = read_tensors(checkpoint)[1]["step"]
    report = json.loads((tmp_path / "run/report.json").read_text())
    assert (
        step >= 50 and step % 10 == 0 and report["interrupted"] is True and report["processes"] == 2
    )
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "checkpoint.safetensors",
        "history.jsonl",
        "report.json",
    ]
    assert json.loads((tmp_path / "run/history.jsonl").read_text().splitlines()[-1])["step"] == step
    assert process.returncode != 0 and "exitcode" in words or "Signal" in words
