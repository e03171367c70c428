"""How much memory a training process needs, from a formula."""

from __future__ import annotations

from dataclasses import dataclass

from ..checks import check_count
from ..machine import check_fits, readable
from ..signature import checked
from .model import WITH_K, SDLModel

# z, and what finding its largest takes, in units of z
SPARSE = {"topk": 1.1, "batchtopk": 1.75, "matryoshka": 1.75}
# z, codes, masks, and the gradients of all that
DENSE = {"relu": 4, "jumprelu": 5.4, "gated": 6.3, "topk": 5.2, "batchtopk": 5.2, "matryoshka": 6}


@dataclass(frozen=True)
class TrainingBytes:
    """Bytes of a training process by purpose: `weights`, `gradients`, `adam` (two moments), `batch`
    (input, output, error), `latents` (batch x n_q).

    `.total` is the peak. With `apart`, latents and gradients never meet (the sparse step is done
    with z when it goes back): the larger counts.
    """

    weights: int
    gradients: int
    adam: int
    batch: int
    latents: int
    apart: bool

    @property
    def total(self) -> int:
        step = max(self.gradients, self.latents) if self.apart else self.gradients + self.latents
        return self.weights + self.adam + self.batch + step

    def __str__(self):
        return ", ".join(
            f"{name} {readable(getattr(self, name))}"
            for name in ("weights", "gradients", "adam", "batch", "latents")
        )


@checked
def training_bytes(
    model: SDLModel | None = None,
    batch: int = 1024,
    *,
    n_p: int = 0,
    n_q: int = 0,
    n_r: int = 0,
    method: str = "topk",
) -> TrainingBytes:
    """Peak bytes of one process that trains in float32 with `batch` samples of its own (in float64
    all is twice that). Give a model, or its dimensions (and method).

    W_E and W_D hold p = n_q (n_p + n_r) numbers: weights 4 p, gradients 4 p, Adam 8 p; every
    data-parallel process holds all of them. Input, output and error: 4 batch (n_p + 3 n_r).
    Latents: 4 batch n_q, times 1.1 (topk) or 1.75 (batchtopk, matryoshka) in the sparse step, times
    4 (relu), 5.4 (jumprelu), 6.3 (gated) in the dense one, which relu and jumprelu leave when fewer
    than 1 in 50 preactivations count; with instances all are dense. Matryoshka with m `ks` (give
    the model): 1.1, or with instances 5.2 + 1.5 (m - 1); measured for m = 2, 3, 5: 6.4, 7.9, 10.9.

    Not counted: PyTorch itself, the bench's own samples, AuxK (another 4 batch times dead latents,
    at most), anchors' gradients, metrics, a compiler's workspace. Tested to 25% against the
    resident memory of CPU processes; see tests/training/test_scale.py. bfloat16 halves the latents.
    """
    many = 1
    if model is not None:
        n_p, n_q, n_r, method, many = (
            model.n_p,
            model.n_q,
            model.n_r,
            model.method,
            model.instances or 1,
        )
    n_p, n_q, n_r = check_count("n_p", n_p), check_count("n_q", n_q), check_count("n_r", n_r or n_p)
    if method not in DENSE:
        raise ValueError(f"method must be one of {', '.join(DENSE)}; got {method!r}")
    apart = method in WITH_K and (model is None or model.instances is None)
    p, copies = many * n_q * (n_p + n_r), SPARSE[method] if apart else DENSE[method]
    if model is not None and model.ks:
        copies = SPARSE["topk"] if apart else DENSE["topk"] + 1.5 * (len(model.ks) - 1)
    size = 4 if model is None else model.W_E.element_size()
    return TrainingBytes(
        size * p,
        size * p,
        2 * size * p,
        size * many * batch * (n_p + 3 * n_r),
        int(size * many * batch * n_q * copies),
        apart,
    )


def check_training_fits(model: SDLModel, batch: int) -> None:
    """ValueError, before anything is allocated, for a batch that no step could hold: weights,
    gradients, Adam, the batch and its preactivations alone.
    """
    size, many, need = model.W_E.element_size(), model.instances or 1, training_bytes(model, batch)
    least = (
        need.weights
        + need.adam
        + need.batch
        + max(need.gradients, min(size, 2) * many * batch * model.n_q)
    )
    check_fits(
        "batch", batch, least, model.W_E.device, f"training with n_q = {model.n_q:,} latents"
    )
