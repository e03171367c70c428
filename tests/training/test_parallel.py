"""Two processes train what one trains: the same global batches, the same weights to rounding."""

import functools

import pytest
import torch
from processes_for_tests import two_processes

from sdl_theory import Anchors, Config, LinearRepresentationBench, SDLModel, Trainer
from sdl_theory.training import objective as objectives
from sdl_theory.training import trainer as train
from sdl_theory.training.methods import METHODS, WITH_K
from sdl_theory.training.world import World

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
    """A run in float64 with every figure that processes must share.

    AuxK's dead, the target L0, resampling, thresholds, anchors.
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
    """All tensors after the last step, and counts.

    The counts are of dead latents that were there to be woken, and of resampled ones.
    """
    method, path, biases, instances = case
    run, seen = trainer(method, biases, instances, world), dict(dead=0, resampled=0)
    sparse, resample = PATHS[path][world.rank], train.resample
    below = objectives.SPARSE_BELOW

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
        train.resample, objectives.SPARSE_BELOW = resample, below
    return {name: value.detach().clone() for name, value in run.tensors().items()} | {
        name: torch.tensor(count) for name, count in seen.items()
    }


def collinear(method: str, sparse: bool, world: World) -> dict:
    """Sparse samples in few dimensions, many of them multiples of one another.

    TopK's family with AuxK, and resampling every sixth step. Tensors at the end.
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


def all_cases(folder, world: World) -> dict:
    return {case: train_case(case, world) for case in CASES} | {
        case: collinear(*case[1:], world) for case in COLLINEAR
    }


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """What each of the two processes held at the end of every case."""
    return two_processes(all_cases, tmp_path_factory.mktemp("two"))


def assert_as_one(ours, first, second):
    """Two processes hold the same bits, and one process the same numbers."""
    assert [name for name in first if not torch.equal(first[name], second[name])] == [], (
        "the processes differ"
    )
    for name, value in ours.items():
        tolerance = 1e-6 if name == "run/sums" else 1e-10
        torch.testing.assert_close(
            first[name], value, rtol=tolerance, atol=tolerance, msg=lambda text: f"{name}: {text}"
        )


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_two_processes_are_one(case, both):
    """In float64: sums in another order differ by 1e-16 of their size, and 16 steps of Adam do not
    blow that up to 1e-10. Logged figures are float32.
    """
    ours = train_case(case, World())
    assert_as_one(ours, *(results[case] for results in both))
    if case[0] in WITH_K:
        assert ours["dead"] > 5, "AuxK had nothing to wake"
    assert case[3] or ours["resampled"] > 0, "nothing was resampled"


@pytest.mark.parametrize("case", COLLINEAR, ids=lambda case: "-".join(map(str, case)))
def test_two_processes_are_one_where_many_samples_are_multiples_of_one_another(case, both):
    """Equal latents would be told apart by rounding alone, unlike in one process and in two."""
    ours = collinear(*case[1:], World())
    assert_as_one(ours, *(results[case] for results in both))


def test_a_batch_that_cannot_be_shared_out_is_refused():
    with pytest.raises(
        ValueError,
        match="batch size 63 cannot be shared out evenly over 2 processes; make it a multiple of 2",
    ):
        LinearRepresentationBench(40, 30, 0.9, 0.3).batch(0, 63, rank=0, world=2)
