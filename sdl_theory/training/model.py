"""Trainable dictionaries: plain W_E and W_D in the paper's orientation, six ways to be sparse.
Training is in `train.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from os import PathLike

import torch
from torch import nn

from ..activations import Activation, JumpReLU, ReLU, TopK
from ..checks import Tensor, check_count
from ..signature import between, checked, place, rows
from ..weights import Weights
from .pairs import top_k

METHODS = ("relu", "jumprelu", "topk", "batchtopk", "matryoshka", "gated")
WITH_K = ("topk", "batchtopk", "matryoshka")


class SDLModel(nn.Module):
    r"""Eqs. 1 to 3 of arXiv:2512.05534 as a module: x_r is modelled by W_D sigma(W_E x_p); any pair
    (x_p, x_r), so SAE, transcoder or crosscoder.

    Parameters
    ----------
    n_p, n_q, n_r : dimensions of input, latents, target (n_r = n_p by default).
    method : "relu"; "jumprelu" (a threshold theta per latent, learned); "topk"; "batchtopk";
        "matryoshka" (two kinds, see `levels` and `ks`); "gated" (Rajamanoharan et al. 2024: a gate
        z + b_gate > 0 and a magnitude). All but the last have sigma(z)_i in {0, z_i}, which is Eq.
        10.
    k : latents that fire per sample, for topk, batchtopk, matryoshka (on average for batchtopk and
        for matryoshka with `levels`). Default 32, at most n_q.
    levels : Matryoshka as Bussmann et al. (2025) have it, the default: nested prefixes of the
        dictionary, increasing, the last is n_q; BatchTopK picks the codes, and the first n_q/16,
        n_q/8, n_q/4, n_q/2, n_q (default) latents must each reconstruct by themselves.
    ks : Matryoshka as Eq. 9 of arXiv:2512.05534 has it, k_1 < ... < k_m: no prefixes; for each k
        the Top-k of *all* n_q latents, sample by sample, must reconstruct. At inference the
        largest, which is `k`. How a loss weighs the levels or ks: Config.level_loss.
    plain : Top-k without a ReLU, as Eq. 7 of arXiv:2512.05534 has it: the k largest z are the
        codes, negative ones too (topk; matryoshka with ks). Off: with a ReLU after it, as it is
        usually trained (Gao et al. 2024), so that fewer than k may fire.
    theta : JumpReLU's first threshold. Default 0.1.
    biases : add b_E before sigma and b_D to the output. Off by default: section 2.3 of
        arXiv:2512.05534 leaves them out of its theory "for mathematical simplicity"; whether its
        experiments have them we did not find.
    decoder_norm : norm of W_D's columns at the start, and during training with `unit_norm`. A
        crosscoder of m blocks wants sqrt(m).
    instances : a leading axis I on every parameter: I models in one batched loop. None: one model,
        no such axis.

    W_E (n_q, n_p) and W_D (n_r, n_q) are parameters; W_D is stored column by column. Where the
    target has the input's size the start is tied, W_E = W_D^T / decoder_norm^2 (a column and its
    row then have inner product 1); else W_E has random unit rows.
    """

    @checked(decoder_norm=between(1e-9, 1e9), theta=between(0, 1e30, closed=True, none=True))
    def __init__(
        self,
        n_p: int,
        n_q: int,
        n_r: int | None = None,
        method: str = "topk",
        *,
        k: int | None = None,
        levels: Sequence[int] | None = None,
        ks: Sequence[int] | None = None,
        plain: bool = False,
        theta: float | None = None,
        biases: bool = False,
        decoder_norm: float = 1.0,
        instances: int | None = None,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ):
        super().__init__()
        self.n_p, self.n_q = check_count("n_p", n_p), check_count("n_q", n_q)
        self.n_r = self.n_p if n_r is None else check_count("n_r", n_r)
        if method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}")
        if not 0 < decoder_norm < math.inf:
            raise ValueError(f"decoder_norm must be positive and finite; got {decoder_norm}")
        self.method, self.decoder_norm, self.biases = method, float(decoder_norm), bool(biases)
        self.instances = None if instances is None else check_count("instances", instances)
        self.ks = self._check_ks(ks, k, levels)
        self.k = self._check_k(k if self.ks is None else self.ks[-1])
        self.levels = self._check_levels(levels)
        # a Top-k of each sample; no threshold to learn
        self.by_sample = method == "topk" or self.ks is not None
        if not isinstance(plain, bool) or plain and not self.by_sample:
            raise ValueError(
                f"plain=True is Top-k without a ReLU: for topk, and matryoshka with ks; got "
                f"{plain!r} for method={method!r}"
            )
        self.plain = plain
        lead = () if self.instances is None else (self.instances,)
        # drawn on the CPU, so that a seed gives the same start on every device
        columns = torch.randn(*lead, self.n_q, self.n_r, generator=generator, dtype=dtype)
        columns = decoder_norm * columns / columns.norm(dim=-1, keepdim=True)
        rows = columns / decoder_norm**2
        if self.n_r != self.n_p:
            rows = torch.randn(*lead, self.n_q, self.n_p, generator=generator, dtype=dtype)
            rows = rows / rows.norm(dim=-1, keepdim=True)
        self.W_E = nn.Parameter(rows.clone().to(device))
        self.W_D = nn.Parameter(columns.to(device).mT)
        vector = lambda size, value: nn.Parameter(
            torch.full((*lead, size), float(value), dtype=dtype, device=device)
        )
        self.b_E, self.b_D = (vector(self.n_q, 0), vector(self.n_r, 0)) if biases else (None, None)
        if theta is not None and method != "jumprelu":
            raise ValueError(f"theta is JumpReLU's threshold; method={method!r} has none to set")
        if method == "jumprelu":
            theta = 0.1 if theta is None else theta
            if not 0 <= theta < math.inf:
                raise ValueError(f"theta must be finite and >= 0; got {theta}")
            self.theta = vector(self.n_q, theta)
        if method in ("batchtopk", "matryoshka") and not self.by_sample:
            self.register_buffer("theta", torch.zeros(lead, dtype=dtype, device=device))
        if method == "gated":
            self.r_mag, self.b_gate, self.b_mag = (
                vector(self.n_q, 0),
                vector(self.n_q, 0),
                vector(self.n_q, 0),
            )

    def _check_ks(self, ks, k, levels) -> tuple[int, ...] | None:
        if ks is None:
            return None
        if self.method != "matryoshka" or levels is not None:
            raise ValueError(
                f"ks are Matryoshka's, of Eq. 9, in place of levels; got method={self.method!r}, "
                f"levels={levels}"
            )
        if isinstance(ks, str) or not isinstance(ks, Sequence):
            raise ValueError(
                f"ks must list the numbers k_1 < ... < k_m, such as (8, 16, 32); got {ks!r}"
            )
        ks = tuple(check_count("a k of ks", one) for one in ks)
        if not ks or list(ks) != sorted(set(ks)) or k not in (None, ks[-1]):
            raise ValueError(
                f"ks must increase, and k, if given, be the last of them; got ks = {ks}, k = {k}"
            )
        return ks

    def _check_k(self, k) -> int | None:
        if self.method not in WITH_K:
            if k is not None:
                raise ValueError(
                    f"k is for {', '.join(WITH_K)}; method={self.method!r} has none. For a target "
                    f"number of active latents use Config(target_l0=...)"
                )
            return None
        k = min(32, self.n_q) if k is None else check_count("k", k)
        if k > self.n_q:
            raise ValueError(f"k = {k} latents cannot fire of n_q = {self.n_q}")
        return k

    def _check_levels(self, levels) -> tuple[int, ...] | None:
        if self.method != "matryoshka" or self.ks is not None:
            if levels is not None:
                raise ValueError(f"levels are Matryoshka's; method={self.method!r} has none")
            return None
        levels = levels or sorted({max(1, self.n_q >> shift) for shift in range(5)})
        levels = tuple(check_count("a level", level) for level in levels)
        if list(levels) != sorted(set(levels)) or levels[-1] != self.n_q:
            raise ValueError(f"levels must increase and end with n_q = {self.n_q}; got {levels}")
        return levels

    def preactivations(self, x_p: Tensor) -> Tensor:
        """z = W_E x_p (+ b_E), (batch, n_q)."""
        z = x_p @ self.W_E.mT
        return z if self.b_E is None else z + self.b_E.unsqueeze(-2)

    def rectify(self, z: Tensor) -> Tensor:
        """ReLU, which Top-k has after it unless it is `plain`."""
        return z if self.plain else z.relu()

    def activate(self, z: Tensor) -> Tensor:
        """sigma at inference, elementwise or along the last axis: (batch, n_q) -> (batch, n_q)."""
        if self.method == "relu":
            return z.relu()
        if self.by_sample:
            values, latents = top_k(z.reshape(-1, self.n_q), self.k)
            return (
                torch.zeros_like(z)
                .view(-1, self.n_q)
                .scatter_(1, latents, self.rectify(values))
                .view(z.shape)
            )
        if self.method == "gated":
            magnitude = (z * self.r_mag.exp().unsqueeze(-2) + self.b_mag.unsqueeze(-2)).relu()
            return magnitude * (z + self.b_gate.unsqueeze(-2) > 0)
        theta = (
            self.theta.unsqueeze(-2) if self.method == "jumprelu" else self.theta[..., None, None]
        )
        return z * (z > theta)

    @checked(x_p=rows("n_p"))
    def encode(self, x_p: Tensor) -> Tensor:
        """Codes (batch, n_q) at inference: batchtopk and matryoshka with levels use their
        threshold, so a sample's codes do not depend on its batch.
        """
        return self.activate(self.preactivations(self._check_input(x_p)))

    @checked(codes=rows("n_q", nan=True))
    def decode(self, codes: Tensor) -> Tensor:
        """W_D codes (+ b_D), (batch, n_r)."""
        out = codes @ self.W_D.mT
        return out if self.b_D is None else out + self.b_D.unsqueeze(-2)

    def forward(self, x_p: Tensor) -> Tensor:
        """The model of x_r, (batch, n_r)."""
        return self.decode(self.encode(x_p))

    def _check_input(self, x_p: Tensor) -> Tensor:
        if x_p.shape[-1] != self.n_p:
            raise ValueError(f"x_p has {x_p.shape[-1]} columns; this model's n_p is {self.n_p}")
        return x_p

    @property
    def weights(self) -> Weights:
        """W_E and W_D as the theory's `Weights` (float64 on the CPU). ValueError with biases or
        instances, which the theory has not.
        """
        if self.instances is not None:
            raise ValueError(
                f"this holds {self.instances} models; take one: model.instance(0).weights"
            )
        if self.biases or self.method == "gated":
            raise ValueError(
                "the theory is bias-free (section 2.3): a model with biases or gates is no point "
                "of its landscape. Train with biases=False"
            )
        return Weights(self.W_E.detach().double().cpu(), self.W_D.detach().double().cpu())

    @property
    def sigma(self) -> Activation:
        """The activation as the theory writes it. BatchTopK and Matryoshka with levels at inference
        are JumpReLU at their threshold.
        """
        if self.method == "relu":
            return ReLU()
        if self.by_sample:
            return TopK(self.k, theta=-math.inf if self.plain else 0.0)
        if self.method == "gated":
            raise ValueError(
                "a gated activation is not of the form sigma(z)_i in {0, z_i} (Eq. 10)"
            )
        return JumpReLU(self.theta.detach().double().cpu().clamp(min=0))

    @checked(i=place("instances"))
    def instance(self, i: int) -> SDLModel:
        """Model i of the leading axis, as a model of its own (a copy)."""
        if self.instances is None:
            raise ValueError("this is a single model; it has no instances")
        one = SDLModel(
            **self.settings | dict(instances=None),
            generator=torch.Generator(),
            dtype=self.W_E.dtype,
            device=self.W_E.device,
        )
        one.load_state_dict({name: value[i] for name, value in self.state_dict().items()})
        return one

    @property
    def settings(self) -> dict:
        """The constructor's arguments, ready for JSON."""
        # absent: as in files from before they were
        own = ({"ks": list(self.ks)} if self.ks else {}) | ({"plain": True} if self.plain else {})
        return (
            dict(
                n_p=self.n_p,
                n_q=self.n_q,
                n_r=self.n_r,
                method=self.method,
                k=self.k,
                levels=self.levels and list(self.levels),
                biases=self.biases,
                decoder_norm=self.decoder_norm,
                instances=self.instances,
            )
            | own
        )

    @checked(path=PathLike)
    def save(self, path) -> None:
        """Write the model to one safetensors file."""
        from ..files import write_tensors

        write_tensors(path, self.state_dict(), {"model": self.settings})

    @classmethod
    @checked(path=PathLike)
    def load(cls, path, device: torch.device | str = "cpu") -> SDLModel:
        """The model that `save` wrote, or a training run: its checkpoint.safetensors, or the folder
        that holds it.
        """
        from pathlib import Path

        from ..files import read_tensors
        from .stored import stored_model

        path = Path(path) / "checkpoint.safetensors" if Path(path).is_dir() else path
        return stored_model(cls, path, *read_tensors(path, device), device)

    def __repr__(self):
        many = "" if self.instances is None else f"{self.instances} x "
        kind = (
            "plain " * self.plain
            + self.method
            + ("" if self.k is None else f", ks={self.ks}" if self.ks else f", k={self.k}")
        )
        return f"SDLModel({many}{kind}: n_p={self.n_p}, n_q={self.n_q}, n_r={self.n_r})"
