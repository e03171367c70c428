"""How much memory a training process needs, from a formula."""

from __future__ import annotations

from dataclasses import dataclass

from ..checks import check_count
from ..machine import check_fits, readable
from ..signature import checked
from .methods import Method, method_of
from .model import SDLModel
from .world import World


@dataclass(frozen=True)
class TrainingBytes:
    """Bytes of a training process by purpose; `.total` is the peak.

    weights, gradients : of W_E and W_D.
    adam : its two moments.
    batch : input, output, error.
    latents : batch x n_q.
    apart : latents and gradients never meet (the sparse step is done with z when it goes back): the
        larger counts.
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
        parts = ("weights", "gradients", "adam", "batch", "latents")
        inner = ", ".join(f"{name} {readable(getattr(self, name))}" for name in parts)
        return f"{readable(self.total)} ({inner})"


@checked
def training_bytes(
    model: SDLModel | None = None,
    batch: int = 1024,
    *,
    n_p: int = 0,
    n_q: int = 0,
    n_r: int = 0,
    method: str = "topk",
    shards: int = 1,
) -> TrainingBytes:
    """Peak bytes of one process that trains in float32 (in float64 all is twice that).

    model : the model, or in its place the dimensions n_p, n_q, n_r (and the method).
    batch : samples of this process's own.
    shards : processes that the latents are cut over (World.start); a model knows its own.

    W_E and W_D hold p = n_q (n_p + n_r) numbers; every data-parallel process holds all of them. Of
    latents cut over P processes each holds n_q / P, for which n_q stands here, and the whole batch.

    * Weights 4 p, gradients 4 p, Adam 8 p.
    * Input, output and error: 4 batch (n_p + 3 n_r).
    * Latents: 4 batch n_q, times 1.1 (topk) or 1.75 (batchtopk, matryoshka) in the sparse step,
      times 1.2 (relu, jumprelu) in blocks, times 6.3 (gated) in the literal one. relu and jumprelu
      go sparse when fewer than 1 in 10 preactivations count (on other devices than processors 1 in
      50), and at 1 in 10 take 2.6, but without gradients: what is more is counted. With instances
      all but these two are literal. Matryoshka with m `ks` (give the model): 1.1, or with instances
      5.2 + 1.5 (m - 1); measured for m = 2, 3, 5: 6.4, 7.9, 10.9.

    Not counted: PyTorch itself, the bench's own samples, AuxK (another 4 batch times dead latents,
    at most), anchors' gradients, metrics, a compiler's workspace, what processes send each other.
    Tested to 25% against the resident memory of CPU processes; see tests/training/test_scale.py.
    bfloat16 halves the latents.
    """
    kind: Method | type[Method]
    if model is None:
        kind, many, size = method_of(method), 1, 4
    else:
        n_p, n_q, n_r, kind = model.n_p, model.n_q, model.n_r, model.way
        many, size = model.instances or 1, model.W_E.element_size()
    n_p, n_q, n_r = check_count("n_p", n_p), check_count("n_q", n_q), check_count("n_r", n_r or n_p)
    held = World(shards=check_count("shards", shards) if model is None else 1).part(n_q)
    n_q = held.stop - held.start
    weights, z = size * many * n_q * (n_p + n_r), size * many * batch * n_q
    sparse = kind.sparse_copies if model is None or model.instances is None else None
    apart = sparse is not None and (kind.takes_k or (sparse - kind.dense_copies) * z > weights)
    copies = sparse if sparse is not None and apart else kind.dense_copies
    return TrainingBytes(
        weights=weights,
        gradients=weights,
        adam=2 * weights,
        batch=size * many * batch * (n_p + 3 * n_r),
        latents=int(copies * z),
        apart=apart,
    )


def check_training_fits(model: SDLModel, batch: int) -> None:
    """ValueError, before anything is allocated, for a batch that no step could hold.

    Counted are weights, gradients, Adam, the batch and its preactivations alone.
    """
    size, many, need = model.W_E.element_size(), model.instances or 1, training_bytes(model, batch)
    latents = min(size, 2) * many * batch * model.n_q
    least = need.weights + need.adam + need.batch + max(need.gradients, latents)
    what = f"training with n_q = {model.n_q:,} latents"
    check_fits("batch", batch, least, device=model.W_E.device, what=what)
