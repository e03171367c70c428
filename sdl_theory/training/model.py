"""Trainable dictionaries: plain W_E and W_D in the paper's orientation, six ways to be sparse.

What they differ in is in `methods/`; training is in `fit.py` and `trainer.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import torch
from torch import nn

from ..activations import Activation
from ..checks import Tensor, check_count
from ..files import read_tensors, write_tensors
from ..readers import between, place, rows
from ..signature import checked
from ..weights import Weights
from .methods import method_of
from .sharded.methods import over_processes
from .start import first_weights
from .stored import settings_of_model, stored_model
from .world import World


class SDLModel(nn.Module):
    r"""Eqs. 1 to 3 of arXiv:2512.05534 as a module: x_r is modelled by W_D sigma(W_E x_p).

    Any pair (x_p, x_r) will do, so it is an SAE, a transcoder or a crosscoder.

    Parameters
    ----------
    n_p, n_q, n_r : dimensions of input, latents, target (n_r = n_p by default).
    method : "relu"; "jumprelu" (a threshold theta per latent, learned); "topk"; "batchtopk";
        "matryoshka" (two kinds, see `levels` and `ks`); "gated" (Rajamanoharan et al. 2024: a gate
        z + b_gate > 0 and a magnitude). All but the last have sigma(z)_i in {0, z_i} (Eq. 10).
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
    world : the processes that its latents are cut over, if they are: see `training/sharded`. Each
        then holds `part` of the n_q, and `n_q` counts these.

    W_E (n_q, n_p) and W_D (n_r, n_q) are parameters; W_D is stored column by column. Where the
    target has the input's size the start is tied, W_E = W_D^T / decoder_norm^2 (a column and its
    row then have inner product 1); else W_E has random unit rows.

    >>> import torch
    >>> from sdl_theory import SDLModel
    >>> model = SDLModel(8, 24, k=3, generator=torch.Generator().manual_seed(0))
    >>> codes = model.encode(torch.eye(8))
    >>> codes.shape, int((codes != 0).sum(1).max())
    (torch.Size([8, 24]), 3)
    """

    b_E: nn.Parameter | None
    b_D: nn.Parameter | None
    theta: Tensor  # JumpReLU's, BatchTopK's
    r_mag: Tensor  # Gated's, with b_gate and b_mag
    b_gate: Tensor
    b_mag: Tensor

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
        world: World = World(),
    ):
        super().__init__()
        self.n_p, self.n_q = check_count("n_p", n_p), check_count("n_q", n_q)
        self.n_r = self.n_p if n_r is None else check_count("n_r", n_r)
        self.decoder_norm, self.biases = float(decoder_norm), bool(biases)
        self.instances = None if instances is None else check_count("instances", instances)
        kind = over_processes(method_of(method).variant(ks), self.instances, world)
        self.way = kind(self.n_q, k=k, levels=levels, ks=ks, plain=plain, theta=theta)
        self.world, self.part = world, world.part(self.n_q)
        self.n_q = self.way.n_q = self.n_q // world.shards
        rows, columns = first_weights(self, generator, dtype)
        self.W_E = nn.Parameter(rows.clone().to(device))
        self.W_D = nn.Parameter(columns.to(device).mT)
        lead = columns.shape[:-2]
        vector = lambda size, value: nn.Parameter(
            torch.full((*lead, size), float(value), dtype=dtype, device=device)
        )
        self.b_E, self.b_D = (vector(self.n_q, 0), vector(self.n_r, 0)) if biases else (None, None)
        for name, value in self.way.vectors.items():
            self.register_parameter(name, vector(self.n_q, value))
        for name in self.way.scalars:
            self.register_buffer(name, torch.zeros(lead, dtype=dtype, device=device))

    # what the method was given
    method = property(lambda self: self.way.name)
    k = property(lambda self: self.way.k)
    levels = property(lambda self: self.way.levels)
    ks = property(lambda self: self.way.ks)
    plain = property(lambda self: self.way.plain)
    by_sample = property(lambda self: self.way.by_sample)

    def preactivations(self, x_p: Tensor) -> Tensor:
        """z = W_E x_p (+ b_E), (batch, n_q)."""
        z = x_p @ self.W_E.mT
        return z if self.b_E is None else z + self.b_E.unsqueeze(-2)

    def rectify(self, z: Tensor) -> Tensor:
        """ReLU, which Top-k has after it unless it is `plain`."""
        return self.way.rectify(z)

    def activate(self, z: Tensor) -> Tensor:
        """sigma at inference, elementwise or along the last axis: (batch, n_q) -> (batch, n_q)."""
        return self.way.activate(self, z)

    @checked(x_p=rows("n_p"))
    def encode(self, x_p: Tensor) -> Tensor:
        """Codes (batch, n_q) at inference.

        batchtopk and matryoshka with levels use their threshold, so a sample's codes do not depend
        on its batch.
        """
        return self.activate(self.preactivations(x_p))

    @checked(codes=rows("n_q", nan=True))
    def decode(self, codes: Tensor) -> Tensor:
        """W_D codes (+ b_D), (batch, n_r)."""
        return self.complete(codes @ self.W_D.mT)

    def complete(self, out: Tensor) -> Tensor:
        """The model of x_r from what the latents held here give: over all processes, and b_D."""
        if self.world.shards > 1:  # of bfloat16 products, too, the sum is in full precision
            out = self.world.over_latents(out.to(self.W_D.dtype))
        return out if self.b_D is None else out + self.b_D.unsqueeze(-2)

    def forward(self, x_p: Tensor) -> Tensor:
        """The model of x_r, (batch, n_r)."""
        return self.decode(self.encode(x_p))

    @property
    def weights(self) -> Weights:
        """W_E and W_D as the theory's `Weights` (float64 on the CPU).

        ValueError with biases or instances, which the theory has not.
        """
        if self.instances is not None:
            raise ValueError(
                f"this holds {self.instances} models; take one: model.instance(0).weights"
            )
        self._check_whole("weights")
        if self.biases or not self.way.in_theory:
            raise ValueError(
                "the theory is bias-free (section 2.3): "
                "a model with biases or gates is no point of its landscape. Train with biases=False"
            )
        return Weights(self.W_E.detach().double().cpu(), self.W_D.detach().double().cpu())

    @property
    def sigma(self) -> Activation:
        """The activation as the theory writes it.

        BatchTopK and Matryoshka with levels at inference are JumpReLU at their threshold.
        """
        return self.way.sigma(self)

    @property
    def firing_level(self) -> Tensor:
        """What <w_E^i, x_p> must exceed for latent i to fire at inference, (n_q,) or (I, n_q).

        theta less the bias. Top-k: 0, its ReLU's; plain: -inf.
        """
        level = self.way.firing_level(self)
        return level if self.b_E is None else level - self.b_E

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
        """The constructor's arguments, ready for JSON; n_q is that of the whole model."""
        return settings_of_model(self)

    def _check_whole(self, what: str) -> None:
        if self.world.shards > 1:
            raise ValueError(
                f"this process holds {self.n_q} of {self.settings['n_q']} latents, "
                f"and {what} is of all: load what fit(..., out=folder) writes"
            )

    @checked(path=PathLike)
    def save(self, path) -> None:
        """Write the model to one safetensors file."""
        self._check_whole("save")
        write_tensors(path, self.state_dict(), {"model": self.settings})

    @classmethod
    @checked(path=PathLike)
    def load(cls, path, device: torch.device | str = "cpu") -> SDLModel:
        """The model that `save` wrote, or a training run's: its checkpoint, or the folder of it."""
        path = Path(path) / "checkpoint.safetensors" if Path(path).is_dir() else path
        return stored_model(cls, path, *read_tensors(path, device), device)

    def __repr__(self):
        many = "" if self.instances is None else f"{self.instances} x "
        kind = "plain " * self.plain + self.method
        if self.k is not None:
            kind += f", ks={self.ks}" if self.ks else f", k={self.k}"
        return f"SDLModel({many}{kind}: n_p={self.n_p}, n_q={self.n_q}, n_r={self.n_r})"
