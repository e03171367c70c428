"""One training step beside the dense encoder product, and beside other libraries; bench data.

Other libraries are timed where they are installed; bench data in samples a second.

    pip install -e ".[peers]"      # optional, best in an environment of its own
    python -m tests.benchmarks.training

A GPU's: on_a_gpu.py.
"""

from __future__ import annotations

import os
import statistics
import time
from types import SimpleNamespace

import torch

from sdl_theory import Config, LinearRepresentationBench, SDLModel, Trainer

N_P, N_Q, BATCH, K = 768, 16000, 1024, 32
# method, share of the latents that is held active (None: k says how many), aim; the floor of a
# dense step is its five products
AIMS = [
    ("topk", None, 2),
    ("batchtopk", None, 2.5),
    ("matryoshka", None, 5),
    *[(method, share, 7) for method in ("relu", "jumprelu") for share in (0.4, 0.1, 0.02)],
]


class Cycle:
    """A few batches drawn beforehand: the step is timed, not the data."""

    def __init__(self, bench: LinearRepresentationBench, count: int = 4):
        self.batches = [bench.batch(t, BATCH) for t in range(count)]

    def batch(self, t: int, size: int, *, rank: int = 0, world: int = 1):
        return self.batches[t % len(self.batches)]


def in_turn(calls: dict, repeats: int, warm: int = 2) -> dict[str, float]:
    """Median seconds of each call, taken in turn so that all see the same machine."""
    times = {name: [] for name in calls}
    finish = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    for round_ in range(warm + repeats):
        for name, call in calls.items():
            finish()
            start = time.perf_counter()
            call()
            finish()
            if round_ >= warm:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken) for name, taken in times.items()}


def trainer(method: str, share: float | None, data: Cycle, device: str) -> Trainer:
    """A trainer whose steps cost what they cost: weights that hardly move, `share` of z active."""
    model = SDLModel(
        N_P,
        N_Q,
        method=method,
        k=K if share is None else None,
        biases=method == "relu",
        generator=torch.Generator().manual_seed(0),
        device=device,
    )
    if share is not None:
        with torch.no_grad():
            z = (data.batches[0].x_p[:64] @ model.W_E.mT).flatten()
            level = z.kthvalue(int((1 - share) * len(z))).values
            model.b_E.sub_(level) if method == "relu" else model.theta.copy_(level.clamp(min=0))
    return Trainer(
        model, data, Config(steps=10**6, batch=BATCH, lr=1e-9, sparsity=0.3, bandwidth=0.001)
    )


def peers(x: torch.Tensor) -> dict:
    """A TopK step (forward, backward, Adam) of every other library that can be imported."""
    found = {}
    for make in (_sparsify, _saelens, _dictionary_learning):
        try:
            found.update(make(x))
        except ImportError:
            print(f"  ({make.__name__[1:]} is not installed)")
    return found


def _sparsify(x):
    os.environ.setdefault("SPARSIFY_DISABLE_TRITON", "1")
    from sparsify import SparseCoder, SparseCoderConfig

    sae = SparseCoder(
        N_P, SparseCoderConfig(num_latents=N_Q, k=K), device="cpu", dtype=torch.float32
    )
    adam = torch.optim.Adam(sae.parameters(), lr=1e-3)

    def step():
        adam.zero_grad()
        sae(x).fvu.backward()
        sae.remove_gradient_parallel_to_decoder_directions()
        adam.step()
        sae.set_decoder_norm_to_unit_norm()

    return {"sparsify": step}


def _saelens(x):
    from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig

    sae = TopKTrainingSAE(
        TopKTrainingSAEConfig(
            d_in=N_P, d_sae=N_Q, k=K, aux_loss_coefficient=0, use_sparse_activations=False
        )
    )
    adam = torch.optim.Adam(sae.parameters(), lr=3e-4)
    from sae_lens.saes.sae import TrainStepInput

    arguments = dict(
        sae_in=x, coefficients={}, dead_neuron_mask=None, n_training_steps=1, is_logging_step=False
    )
    accepted = TrainStepInput.__dataclass_fields__
    inputs = TrainStepInput(
        **{name: value for name, value in arguments.items() if name in accepted}
    )

    def step():
        adam.zero_grad()
        sae.training_forward_pass(inputs).loss.backward()
        torch.nn.utils.clip_grad_norm_(sae.parameters(), 1.0)
        adam.step()

    return {"SAELens": step}


def _dictionary_learning(x):
    from dictionary_learning.trainers.top_k import TopKTrainer

    made = TopKTrainer(
        steps=10**6,
        activation_dim=N_P,
        dict_size=N_Q,
        k=K,
        layer=0,
        lm_name="none",
        device="cpu",
        seed=0,
    )
    count = iter(range(1, 10**6))
    return {"dictionary_learning": lambda: made.update(next(count), x)}


def steps(device: str, repeats: int = 7) -> None:
    data = Cycle(LinearRepresentationBench(samples=None, device=device))
    x = data.batches[0].x_p
    weight = torch.randn(N_Q, N_P, generator=torch.Generator().manual_seed(0)).to(device)
    out, big = torch.empty(BATCH, N_Q, device=device), torch.empty(1 << 27, device=device)
    product = lambda: torch.mm(x, weight.mT, out=out)
    print(
        f"one step, n_p={N_P}, n_q={N_Q}, batch={BATCH}, float32, {device}, "
        f"{torch.get_num_threads()} threads; share that fires; in units of x_p W_E^T, beside it"
    )
    for method, share, aim in AIMS:
        made = trainer(method, share, data, device)
        for _ in range(3):
            made.step()
        taken = in_turn(dict(product=product, step=made.step, touch=lambda: big.add_(1)), repeats)
        fires = float(made.sums[1] / made.sums[2]) / N_Q
        print(
            f"  {method:<12} {fires:8.2%}  {taken['step']:.4f} s = "
            f"{taken['step'] / taken['product']:5.2f} x ({taken['product']:.4f} s)   aim {aim}",
            flush=True,
        )
        if method == "topk":
            # W_E read once; z written and read; gradients written; Adam reads them, and reads and
            # writes weights and two moments
            matrix, z = 4 * N_Q * N_P, 4 * BATCH * N_Q
            memory = (
                (matrix + 2 * z + 2 * matrix + 14 * matrix) * taken["touch"] / (2 * 4 * big.numel())
            )
            print(
                f"  {'':<22} floors: arithmetic (the product) {taken['product']:.4f} s, memory "
                f"{memory:.4f} s; {taken['step'] / max(memory, taken['product']):.2f} x the larger"
            )
    for name, step in (peers(x) if device == "cpu" else {}).items():
        taken = in_turn(dict(product=product, step=step), max(3, repeats // 2), 1)
        print(
            f"  {name:<22} {taken['step']:.4f} s = {taken['step'] / taken['product']:5.2f} x "
            f"({taken['product']:.4f} s)",
            flush=True,
        )


def data(repeats: int = 9) -> None:
    n = 1000
    ours, fixed = LinearRepresentationBench(samples=None), LinearRepresentationBench()
    fixed.batch(0, BATCH)
    count = SimpleNamespace(t=0)

    def draw(bench):
        count.t += 1
        bench.batch(count.t, BATCH)

    calls = dict(endless=lambda: draw(ours), fixed=lambda: draw(fixed))
    try:
        from sae_lens.synthetic import ActivationGenerator, FeatureDictionary

        directions = FeatureDictionary(num_features=n, hidden_dim=N_P, bias=False, initializer=None)
        generator = ActivationGenerator(num_features=n, firing_probabilities=torch.full((n,), 0.01))
        with torch.no_grad():
            directions(generator.sample(8))
        calls["SAELens"] = lambda: directions(generator.sample(BATCH)).detach()
    except ImportError:
        print("  (SAELens is not installed)")
    taken = in_turn(calls, repeats)
    print(f"bench data, n={n}, n_p={N_P}, batch={BATCH}, samples a second")
    for name, seconds in taken.items():
        ratio = (
            f" = {taken['SAELens'] / seconds:.1f} x SAELens   aim 5"
            if "SAELens" in taken and name != "SAELens"
            else ""
        )
        print(f"  {name:<22} {BATCH / seconds:,.0f}{ratio}", flush=True)


def main() -> None:
    steps("cpu")
    data()


if __name__ == "__main__":
    print(f"torch {torch.__version__}")
    main()
