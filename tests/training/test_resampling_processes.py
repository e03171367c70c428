"""Sign rows and clones where processes share out the batch, or the latents."""

import pytest
import torch
from processes_for_tests import processes, two_processes

from sdl_theory import Config, LinearRepresentationBench, SDLModel, Trainer, fit
from sdl_theory.training import trainer as train
from sdl_theory.training.methods import METHODS, WITH_K
from sdl_theory.training.world import World

CASES = [("sign", method) for method in METHODS]
CASES += [("split", method) for method in METHODS if method not in WITH_K]
RULES = ("bricken", "sign", "split")
STEPS, EVERY = 24, 6


def made(method: str, world: World) -> SDLModel:
    model = SDLModel(
        30,
        64,
        method=method,
        k=4 if method in WITH_K else None,
        theta=0.3 if method == "jumprelu" else None,
        biases=True,
        generator=torch.Generator().manual_seed(1),
        dtype=torch.float64,
        world=world,
    )
    if world.shards == 1:
        with torch.no_grad():
            model.W_E[-12:] = 0  # dead until they are begun anew
    return model


def settings(rule: str) -> Config:
    return Config(
        steps=STEPS, batch=64, lr=1e-2, warmup=5, seed=3, dead_after=256, resample=rule,
        resample_every=EVERY, resample_until=1, log_every=1,
    )  # fmt: skip


def bench() -> LinearRepresentationBench:
    return LinearRepresentationBench(40, 30, 0.9, 0.3, seed=2, samples=2000, dtype=torch.float64)


def trained(rule: str, method: str, world: World) -> dict:
    """All tensors at the end; and of every pass whom it began anew, with rows and columns."""
    model, resample, passes = made(method, world), train.resample, {}
    run = Trainer(model, bench(), settings(rule), world=world)

    def noted(*args):
        begun = resample(*args)
        at = run.steps_done
        passes[f"begun/{at}"] = begun.clone()
        passes[f"rows/{at}"] = model.W_E[begun].detach().clone()
        passes[f"columns/{at}"] = model.W_D[:, begun].detach().clone()
        return begun

    train.resample = noted
    try:
        for _ in range(STEPS):
            run.step()
    finally:
        train.resample = resample
    return {name: value.detach().clone() for name, value in run.tensors().items()} | passes


def all_cases(folder, world: World) -> dict:
    return {case: trained(*case, world) for case in CASES}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    return two_processes(all_cases, tmp_path_factory.mktemp("two"))


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_two_processes_begin_the_same_latents_anew_as_one(case, both):
    """In each the same bits; beside one process, in float64, the same numbers to rounding."""
    first, second = (results[case] for results in both)
    assert [name for name in first if not torch.equal(first[name], second[name])] == []
    alone = trained(*case, World())
    assert alone.keys() == first.keys()
    passes = [len(value) for name, value in alone.items() if name.startswith("begun")]
    assert len(passes) == STEPS // EVERY and sum(passes) >= 10, "too little was begun anew"
    for name, value in alone.items():
        far = 1e-6 if name == "run/sums" else 1e-8
        torch.testing.assert_close(first[name], value, rtol=far, atol=far, msg=name)


def refusals(folder, world: World) -> dict:
    """What each rule says where the latents are cut: and whether a run left anything behind."""
    found = {}
    for rule in RULES:
        out, said = folder / f"{rule}{world.shard}", "trained"
        try:
            fit(made("relu", world), bench(), settings(rule), out=out, progress=False, world=world)
        except ValueError as error:
            said = str(error)
        found[rule] = said, out.exists()
    return found


def test_latents_cut_over_processes_refuse_both_rules_before_training(tmp_path):
    ours = processes(refusals, tmp_path, shards=2)
    for rule in ("sign", "split"):
        for said, left in (one[rule] for one in ours):
            assert f"resample = '{rule}' looks at all latents" in said and not left
            assert "cut over 2 processes; use resample='bricken'" in said
    assert [one["bricken"][0] for one in ours] == ["trained"] * 2
