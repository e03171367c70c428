"""The memory formula against the memory of real training processes, as the kernel counts it."""

import ctypes
import multiprocessing
import os

import pytest
import torch

from sdl_theory import Config, LinearRepresentationBench, SDLModel, Trainer, training_bytes
from sdl_theory.training.methods import METHODS
from sdl_theory.training.methods.in_blocks import InBlocks

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["torch._dynamo", "sdl_theory", "pytest"])
# in the last, gradients need more than latents
SIZES = [(16_384, 256, 256, 1024), (8_192, 256, 256, 2048), (32_768, 128, 256, 128)]


def resident(field: str) -> int:
    """Bytes of this process in memory, now (VmRSS) or at most since the last reset (VmHWM)."""
    return (
        int(next(line for line in open("/proc/self/status") if line.startswith(field)).split()[1])
        * 1024
    )


def train_steps(model, n_p, n_r, batch):
    """Two steps; where not all of them are sparse, a third in which nearly a tenth of z counts."""
    bench = LinearRepresentationBench(
        300, n_p, 0.98, 0.4, n_r=n_r, kind="sae" if n_r == n_p else "transcoder", samples=None
    )
    trainer = Trainer(model(), bench, Config(steps=9, batch=batch, bandwidth=0.01))
    for _ in range(2):
        trainer.step()
    if isinstance(trainer.model.way, InBlocks):
        made = trainer.model
        with torch.no_grad():
            z = trainer.batch(2)[0][:50] @ made.W_E.mT
            counts = (z > made.firing_level.unsqueeze(-2)).float().mean()
            made.W_E[..., : int((1 - 0.093 / counts) * made.n_q), :] = 0
        trainer.step()


def _peak(pipe, method, n_q, n_p, n_r, batch, instances):
    """The peak of two steps over what the same process held after two tiny ones.

    (The second holds Adam's moments from its start.)
    """
    torch.set_num_threads(1)
    # M_MMAP_THRESHOLD: freed memory goes back at once, so what is counted is what is held
    ctypes.CDLL(None).mallopt(-3, 65_536)
    train_steps(lambda: SDLModel(n_p, 32, n_r, method, instances=instances), n_p, n_r, 16)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = resident("VmRSS")
    train_steps(lambda: SDLModel(n_p, n_q, n_r, method, instances=instances), n_p, n_r, batch)
    pipe.send(resident("VmHWM") - before)


@pytest.mark.skipif(
    not os.path.exists("/proc/self/clear_refs"), reason="resets the peak as Linux lets it"
)
@pytest.mark.parametrize(
    "method, size, instances",
    [(method, size, None) for method in ("topk", "batchtopk", "relu", "jumprelu") for size in SIZES]
    + [(method, (8_192, 256, 256, 1024), None) for method in ("matryoshka", "gated")]
    + [(method, (2_048, 256, 256, 1024), 4) for method in ("topk", "relu", "jumprelu")],
)
def test_the_formula_is_within_a_quarter_of_the_peak(method, size, instances):
    n_q, n_p, n_r, batch = size
    ours, theirs = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=_peak, args=(theirs, method, n_q, n_p, n_r, batch, instances))
    process.start()
    theirs.close()
    peak = ours.recv() if ours.poll(120) else 0
    process.kill()
    process.join()
    model = SDLModel(n_p, n_q, n_r, method, instances=instances)
    assert training_bytes(model, batch).total == pytest.approx(peak, rel=0.25), (
        f"{peak / 2**20:.0f} MiB; the formula says {training_bytes(model, batch)}"
    )


def test_the_formula_is_its_docstring():
    n_p, n_q, n_r, batch = 7, 40, 5, 6
    p, z = n_q * (n_p + n_r), 4 * batch * n_q
    parts = dict(weights=4 * p, gradients=4 * p, adam=8 * p, batch=4 * batch * (n_p + 3 * n_r))
    for method, copies in dict(
        topk=1.1, batchtopk=1.75, matryoshka=1.75, relu=1.2, jumprelu=1.2, gated=6.3
    ).items():
        need = training_bytes(n_p=n_p, n_q=n_q, n_r=n_r, batch=batch, method=method)
        assert {name: getattr(need, name) for name in parts} == parts
        assert need.latents == pytest.approx(copies * z, abs=1)
        assert need.total == 12 * p + parts["batch"] + (
            max(need.latents, 4 * p) if "k" in method else need.latents + 4 * p
        )
        assert training_bytes(SDLModel(n_p, n_q, n_r, method), batch) == need
    many = training_bytes(n_p=7, n_q=40, n_r=5, batch=60, method="relu")  # pairs need more
    assert many.latents == pytest.approx(2.6 * 10 * z, abs=1)
    assert many.total == 12 * p + 10 * parts["batch"] + many.latents
    assert training_bytes(n_p=7, n_q=40) == training_bytes(
        n_p=7, n_r=7, n_q=40, batch=1024, method="topk"
    )
    three = training_bytes(SDLModel(n_p, n_q, n_r, "relu", instances=3), batch)
    assert (
        three.total
        == 3 * training_bytes(n_p=n_p, n_q=n_q, n_r=n_r, batch=batch, method="relu").total
    )


def test_a_large_run_in_words():
    """131,072 latents, 4,096 wide, 4,096 samples a process: 16 p and the batch, p = 2^30."""
    need = training_bytes(n_p=4096, n_q=131_072, batch=4096)
    assert need.total == 16 * 2**30 + 2**28
    assert str(need) == (
        "16.2 GiB (weights 4 GiB, gradients 4 GiB, adam 8 GiB, batch 256 MiB, latents 2.2 GiB)"
    )


@pytest.mark.parametrize(
    "given, words",
    [
        (dict(n_p=3), "n_q must be a whole number >= 1; got 0"),
        (dict(n_q=3), "n_p must be"),
        (dict(n_p=3, n_q=3, method="l1"), "method must be one of relu, .*got 'l1'"),
    ],
)
def test_bad_sizes_are_refused(given, words):
    with pytest.raises(ValueError, match=words):
        training_bytes(**given)


def test_every_method_has_its_figure():
    for kind in METHODS.values():
        fast = kind.takes_k or issubclass(kind, InBlocks)
        assert kind.dense_copies >= 1.1 and (kind.sparse_copies is None) is not fast


def test_no_gradient_outlives_its_step():
    """The next step's latents take their memory."""
    trainer = Trainer(
        SDLModel(30, 64), LinearRepresentationBench(40, 30, 0.9, 0.3), Config(steps=9, batch=64)
    )
    trainer.step()
    assert [
        name
        for name, leaf in [*trainer.model.named_parameters(), *trainer.leaves.items()]
        if leaf.grad is not None
    ] == []
