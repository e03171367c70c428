"""Processes that cut the latents between them train what one trains, to rounding."""

import functools

import pytest
import torch
from processes_for_tests import processes

from sdl_theory import Anchors, Config, LinearRepresentationBench, SDLModel, Trainer
from sdl_theory.training import objective as objectives
from sdl_theory.training import trainer as train
from sdl_theory.training.resampling import resample
from sdl_theory.training.sharded.files import pieces, whole_model, whole_shapes
from sdl_theory.training.sharded.methods import KINDS
from sdl_theory.training.world import World

STEPS = 16
METHODS = [kind.name for kind in KINDS]
WITH_K = ("topk", "batchtopk")
# the step of each process: sparse or not; in "mixed" not the same in both, as it comes where one
# has fewer active latents
PATHS = {
    "dense": (False, False),
    "sparse": (True, True),
    "mixed": (True, False),
    "blocks": (True, True),
}
CASES = [
    (method, path, path != "dense", {})
    for method in METHODS
    for path in PATHS
    if path != "blocks" or method not in WITH_K
]
CASES += [
    ("topk", path, True, dict(aux_target="input", unit_norm=False)) for path in ("dense", "sparse")
]
# more than a process has: k, and anchors
CASES += [("topk", "sparse", False, more) for more in (dict(plain=True), dict(k=40))]
CASES += [("topk", "dense", False, dict(anchors=35))]
CASES = [(*case[:3], tuple(case[3].items())) for case in CASES]


def trainer(method: str, biases: bool, more: dict, world: World) -> Trainer:
    """A run in float64 in which all that processes must share matters."""
    bench = LinearRepresentationBench(40, 30, 0.9, 0.3, seed=2, samples=500, dtype=torch.float64)
    more, with_k = dict(more), method in WITH_K
    anchors = more.pop("anchors", 5)
    model = SDLModel(
        30,
        64,
        method=method,
        k=more.pop("k", 4) if with_k else None,
        plain=more.pop("plain", False),
        theta=0.3 if method == "jumprelu" else None,
        biases=biases,
        generator=torch.Generator().manual_seed(1),
        dtype=torch.float64,
        world=world,
    )
    with torch.no_grad():
        # dead until they are resampled, 3 in the first half and 5 in the second; AuxK can wake them
        dead = torch.isin(torch.arange(64)[model.part], torch.tensor([9, 20, 31, *range(59, 64)]))
        model.W_E[dead] *= 0.01 if with_k else 0
    config = Config(
        **dict(
            steps=STEPS,
            batch=64,
            lr=1e-2,
            clip=0.3,
            warmup=5,
            seed=3,
            dead_after=256,
            resample_every=8,
            resample_until=1,
            aux_coef=0.3,
            aux_k=4,
            target_l0=2.0,
            gain=0.05,
            lam_anchor=0.2,
        )
        | more
    )
    return Trainer(model, bench, config, Anchors.of_truth(bench, anchors), world)


def whole(run: Trainer) -> dict:
    """All that the next step depends on, as a checkpoint holds it."""
    tensors, found = run.tensors(), {}
    stream = pieces(tensors, run.world)
    shapes = whole_shapes(tensors, run.world)
    for name in sorted(shapes, key=lambda one: (-shapes[one].element_size(), one)):
        parts, done = [], 0
        while done < shapes[name].numel():
            parts.append(next(stream).reshape(-1))
            done += len(parts[-1])
        found[name] = torch.cat(parts).view(shapes[name].shape).clone()
    return found


def train_case(case, world: World) -> dict:
    method, path, biases, more = case
    run, seen = trainer(method, biases, more, world), dict(dead=0, resampled=0)
    sparse = PATHS[path][world.shard]
    below = objectives.SPARSE_BELOW

    def counted(*args):
        begun = resample(*args)
        seen["resampled"] += len(begun)
        return begun

    train.resample, objectives.SPARSE_BELOW = counted, 2 if sparse and path != "blocks" else 0
    run.objective = functools.partial(objectives.objective, sparse=sparse)
    try:
        for _ in range(STEPS):
            seen["dead"] += int((run.asleep >= run.config.dead_after).sum())
            run.step()
    finally:
        train.resample, objectives.SPARSE_BELOW = resample, below
    x_p = run.data[0].batch(STEPS, 64).x_p
    answer, gathered = run.model(x_p).detach(), whole_model(run.model)
    assert (gathered is None) == (not world.first)
    if gathered is not None:
        torch.testing.assert_close(gathered(x_p), answer, rtol=1e-10, atol=1e-10)
    return dict(tensors=whole(run) | dict(answer=answer), seen=seen)


def alike(world: World) -> dict:
    """Half of the latents begun anew at 30 samples, of which one is a live row of the other half.

    The first process has all the dead, the second the live row.
    """
    run = trainer("relu", False, {}, world)
    x_p = run.data[0].batch(0, 30).x_p
    numbers = torch.arange(64)[run.model.part]
    with torch.no_grad():
        run.model.W_E[numbers == 40] = 3 * x_p[(x_p != 0).any(1)][5]
    begun = resample(run.descent, (x_p, x_p), numbers < 32, torch.Generator().manual_seed(0))
    return dict(tensors=whole(run), seen=dict(resampled=len(begun)))


def all_cases(folder, world: World) -> dict:
    return {case: train_case(case, world) for case in CASES} | {"alike": alike(world)}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """What each of the two processes held at the end of every case."""
    return processes(all_cases, tmp_path_factory.mktemp("two"), shards=2)


def assert_as_one(ours, group):
    """The processes of a group hold the same bits, and one process the same numbers."""
    first = group[0]["tensors"]
    for name, value in ours["tensors"].items():
        for other in group:
            assert torch.equal(first[name], other["tensors"][name]), f"{name}: they differ"
        tolerance = 1e-6 if name == "run/sums" else 1e-10
        torch.testing.assert_close(
            first[name], value, rtol=tolerance, atol=tolerance, msg=lambda text: f"{name}: {text}"
        )
    for what, count in ours["seen"].items():
        assert count == sum(other["seen"][what] for other in group), what


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case[:3])))
def test_two_halves_are_one(case, both):
    """In float64: sums in another order differ by 1e-16 of their size, and 16 steps of Adam do not
    blow that up to 1e-10. Logged figures are float32.
    """
    ours = train_case(case, World())
    assert_as_one(ours, [results[case] for results in both])
    counts = ours["seen"].values()
    assert min(counts) > 0 or dict(case[3]).get("k"), "nothing was dead, or resampled"


def test_new_rows_are_no_live_rows_of_another_process(both):
    ours = alike(World())
    assert_as_one(ours, [results["alike"] for results in both])
    rows = torch.nn.functional.normalize(ours["tensors"]["W_E"])
    row = rows[40]
    assert ours["seen"]["resampled"] >= 20 and (rows @ row > 1 - 1e-9).sum() == 1


def some_cases(folder, world: World) -> dict:
    return {case: train_case(case, world) for case in SOME}


SOME = [("topk", "sparse", True, ()), ("batchtopk", "dense", False, ())]


def test_halves_of_the_latents_and_of_the_batch_are_one(tmp_path):
    """Four processes: two share out the latents, and twice that the batch."""
    four = processes(some_cases, tmp_path, shards=2, exits=(0, 0, 0, 0))
    for case in SOME:
        ours = train_case(case, World())
        for group in (four[:2], four[2:]):
            assert_as_one(ours, [results[case] for results in group])
