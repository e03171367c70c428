"""One training loop for every method: from a slider's ten seconds to many GPUs; interrupted,
killed, resumed, the same run.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..checks import Tensor
from ..signature import checked, having
from ..truth.streams import seeded
from .anchors import AnchorLoss, Anchors
from .config import Config
from .memory import check_training_fits
from .model import WITH_K, SDLModel
from .objective import Knobs, objective
from .resampling import resample
from .world import World

# Training is called off when the loss is this many times the ceiling: the largest loss so far, on
# any batch, of a model that answers 0, or of the run's first step where the untrained model has
# more. On the demo bench, six methods and lr from 3e-3 to 1e9: peaks up to 900 come and go (relu at
# lr .3 peaks at 45 and ends at .9), whatever passed 1e3 never came back to the loss of answering 0,
# and lr = 1e9 passes it at its second step.
DIVERGED = 1e3
REACH = 100  # the target-L0 control keeps the coefficient within this factor of where it began
MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # Adam's state of a parameter


class TrainingError(RuntimeError):
    """Training cannot go on: the loss is not finite or far too large, or memory ran out. The last
    good checkpoint is untouched.
    """


class Trainer:
    """A training run between two steps: model, Adam, dead counts, sparsity coefficient. `step()`
    makes one; `fit` makes them all.
    """

    @checked(
        data=having(
            "batch",
            several=True,
            what="a LinearRepresentationBench, Samples, or what has their batch",
        )
    )
    def __init__(
        self,
        model: SDLModel,
        data,
        config: Config,
        anchors: Anchors | Sequence[Anchors | None] | None = None,
        world: World = World(),
    ):
        self.model, self.config, self.world = model, config, world
        self.data = list(data) if isinstance(data, Sequence) else [data]
        if len(self.data) > 1 and len(self.data) != model.instances:
            raise ValueError(
                f"{len(self.data)} benches for {model.instances or 1} models; pass one bench, or "
                f"one per instance"
            )
        if config.resample_every and model.instances is not None:
            raise ValueError(
                f"resampling works on single models; resample_every = {config.resample_every} "
                f"needs a model without instances"
            )
        check_training_fits(model, config.batch // world.size)
        self.anchor_loss = (
            AnchorLoss(anchors, config.lam_anchor, model) if anchors is not None else None
        )
        device = model.W_E.device
        fused = device.type in ("cpu", "cuda")
        # W_D lies column by column, and Adam's fused kernel copies what is not contiguous: it is
        # handed the same memory as columns
        self.leaves = dict(model.named_parameters()) | {
            "W_D": torch.nn.Parameter(model.W_D.detach().mT)
        }
        self.optimizer = torch.optim.Adam(
            self.leaves.values(), lr=config.lr, betas=config.betas, fused=fused
        )
        self._forget_gradients()
        lead = () if model.instances is None else (model.instances,)
        self.asleep = torch.zeros(*lead, model.n_q, dtype=torch.long, device=device)
        self.coef = torch.full(lead, config.sparsity, dtype=torch.float32, device=device)
        self.steps_done = 0
        self.sums = self._empty_sums()
        # (instances,): the largest loss so far of a model that answers 0, and of the first step
        self.ceiling: Tensor | None = None
        self.objective = torch.compile(objective) if config.compile else objective

    def _forget_gradients(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        self.model.W_D.grad = None

    def _empty_sums(self) -> Tensor:
        """Sums since the last log: mse, l0, steps, one column an instance."""
        return torch.zeros(
            3, self.model.instances or 1, dtype=torch.float64, device=self.model.W_E.device
        )

    def batch(self, t: int) -> tuple[Tensor, Tensor]:
        """This process's share of batch t: x_p, x_r, with a leading instance axis when there are
        several benches.
        """
        pairs = [
            self._pair(d.batch(t, self.config.batch, rank=self.world.rank, world=self.world.size))
            for d in self.data
        ]
        if len(pairs) == 1:
            return pairs[0]
        return torch.stack([x_p for x_p, _ in pairs]), torch.stack([x_r for _, x_r in pairs])

    def _pair(self, batch) -> tuple[Tensor, Tensor]:
        """x_p and x_r in the model's dtype, on its device."""
        model = self.model
        if (batch.x_p.shape[-1], batch.x_r.shape[-1]) != (model.n_p, model.n_r):
            raise ValueError(
                f"the data have n_p = {batch.x_p.shape[-1]}, n_r = {batch.x_r.shape[-1]}; the "
                f"model has {model.n_p}, {model.n_r}"
            )
        return batch.x_p.to(model.W_E), batch.x_r.to(model.W_E)

    def knobs(self) -> Knobs:
        c, warm = self.config, min(1.0, (self.steps_done + 1) / max(1, self.config.warmup))
        aux = c.aux_coef if self.model.method in WITH_K else 0.0
        dead = self.asleep >= c.dead_after if aux else None
        return Knobs(
            c.batch,
            self.coef * warm,
            c.bandwidth,
            aux,
            c.aux_k or max(1, self.model.n_p // 2),
            dead,
            c.aux_target,
            c.level_loss,
            c.unit_norm,
            c.precision == "bf16",
            self.world,
        )

    def step(self) -> None:
        """One step on the next batch."""
        model, c = self.model, self.config
        x_p, x_r = self.batch(self.steps_done)
        terms = self.objective(model, x_p, x_r, self.knobs())
        loss = (
            terms.loss
            if self.anchor_loss is None
            else terms.loss + self.anchor_loss(model) / self.world.size
        )
        loss.backward()
        # NaN also where x_p is and no latent fired: nothing else would tell
        mse = terms.mse + 0 * x_p.sum((-1, -2))
        zero = x_r.detach().square().sum((-1, -2)) / c.batch
        figures = self.world.add(
            torch.stack(
                [one.reshape(-1).double().expand(mse.numel()) for one in (mse, terms.l0, zero)]
            )
        )
        fired = self.world.add(terms.fired.float()) > 0
        self._descend()
        self.asleep.add_(c.batch).masked_fill_(fired, 0)
        self.sums += torch.cat([figures[:2], torch.ones_like(figures[:1])])
        self.ceiling = torch.maximum(
            figures[2], self.sums[0] / self.sums[2] if self.ceiling is None else self.ceiling
        )
        if c.target_l0 is not None and model.method not in WITH_K:
            off = (figures[1].view(self.coef.shape) / c.target_l0 - 1).clamp(-1, 1)
            self.coef.mul_(torch.exp(c.gain * off).float()).clamp_(
                c.sparsity / REACH, c.sparsity * REACH
            )
        if terms.threshold is not None:
            self._follow_threshold(terms.threshold)
        self.steps_done += 1
        if (
            c.resample_every
            and self.steps_done % c.resample_every == 0
            and self.steps_done <= c.resample_until * c.steps
        ):
            self._resample()

    @torch.no_grad()
    def loss_now(self) -> Tensor:
        """The loss of the weights as they are now, after the last step, on that step's batch, over
        all processes: (instances,).
        """
        x_p, x_r = self.batch(max(self.steps_done - 1, 0))
        return self.world.add(
            objective(self.model, x_p, x_r, self.knobs()).mse.reshape(-1).double()
        )

    def diverged(self, loss: Tensor) -> Tensor:
        """Which instances' `loss` is beyond DIVERGED times the ceiling: (instances,). None where
        all samples so far were 0, and no loss says anything.
        """
        return (
            torch.zeros_like(loss, dtype=torch.bool)
            if self.ceiling is None
            else (self.ceiling > 0) & ~(loss <= DIVERGED * self.ceiling)
        )

    @torch.no_grad()
    def _descend(self) -> None:
        model, c = self.model, self.config
        columns = self.leaves["W_D"]
        columns.grad = model.W_D.grad.mT
        leaves = [leaf for leaf in self.leaves.values() if leaf.grad is not None]
        for leaf in leaves:
            self.world.add(leaf.grad)
        if c.unit_norm:
            # vecdot: slower, and a copy
            along = torch.einsum("...j,...j->...", columns, columns.grad) / model.decoder_norm**2
            columns.grad.addcmul_(columns, along.unsqueeze(-1), value=-1)
        lead = 0 if model.instances is None else 1
        norms = [
            leaf.grad.flatten(lead).norm(dim=-1) if lead else torch.linalg.vector_norm(leaf.grad)
            for leaf in leaves
        ]
        scale = (c.clip / torch.stack(norms).norm(dim=0).clamp(min=1e-30)).clamp(max=1.0)
        for leaf in leaves:
            leaf.grad.mul_(scale.view(*scale.shape, *[1] * (leaf.ndim - scale.ndim)))
        for group in self.optimizer.param_groups:
            group["lr"] = c.rate(self.steps_done)
        self.optimizer.step()
        self._forget_gradients()  # now, so that the next step's z finds their memory free
        if c.unit_norm:
            # a zero column stays zero
            columns.mul_(model.decoder_norm / columns.norm(dim=-1, keepdim=True).clamp(min=1e-30))
        if model.method == "jumprelu":
            model.theta.clamp_(min=0)

    @torch.no_grad()
    def _follow_threshold(self, threshold: Tensor) -> None:
        """The inference threshold is a running mean of the batches' thresholds, as BatchTopK has
        it.
        """
        theta = self.model.theta
        weight = max(0.01, 1 / (self.steps_done + 1))
        theta.lerp_(threshold.to(theta), weight)

    def _resample(self) -> None:
        dead = self.asleep >= self.config.dead_after
        if self.anchor_loss is not None:
            dead = dead.clone()
            dead[: self.anchor_loss.k] = False
        # every process looks at the same samples
        x_p, x_r = self._pair(self.data[0].batch(self.steps_done, self.config.batch))
        moments = [
            self.optimizer.state[leaf][moment]
            for name, leaf in self.leaves.items()
            if name != "b_D"
            for moment in MOMENTS[1:]
        ]
        self.asleep[
            resample(
                self.model,
                moments,
                x_p,
                x_r,
                dead,
                seeded("cpu", self.config.seed, self.steps_done, 99),
            )
        ] = 0

    def tensors(self) -> dict[str, Tensor]:
        """All that the next step depends on, by name."""
        state = dict(self.model.state_dict())
        for name, leaf in self.leaves.items():
            for moment, value in self.optimizer.state.get(leaf, {}).items():
                state[f"adam/{moment}/{name}"] = value
        return state | {"run/asleep": self.asleep, "run/coef": self.coef, "run/sums": self.sums}

    def load(self, tensors: dict[str, Tensor], steps_done: int) -> None:
        """Go back to where `tensors` was written. ValueError, and nothing changes, if one is
        missing, of another shape or dtype, or not finite.
        """
        wanted = {
            name: value for name, value in self.tensors().items() if not name.startswith("adam/")
        }
        if steps_done:
            wanted |= {
                f"adam/{moment}/{name}": value if moment != "step" else torch.zeros(())
                for name, value in self.leaves.items()
                for moment in MOMENTS
            }
        for name, value in wanted.items():
            if name not in tensors:
                raise ValueError(f"it has no tensor {name}")
            if (theirs := (tuple(tensors[name].shape), tensors[name].dtype)) != (
                ours := (tuple(value.shape), value.dtype)
            ):
                raise ValueError(f"its {name} is {theirs}, not {ours}")
            if not torch.isfinite(tensors[name]).all():
                raise ValueError(f"its {name} is not finite")
        self.model.load_state_dict(
            {name: value for name, value in tensors.items() if "/" not in name}
        )
        for name, leaf in self.leaves.items() if steps_done else ():
            state = {
                moment: torch.empty_like(leaf).copy_(tensors[f"adam/{moment}/{name}"])
                for moment in MOMENTS[1:]
            }
            self.optimizer.state[leaf] = state | dict(
                step=tensors[f"adam/step/{name}"].clone().to(leaf.device if leaf.is_cuda else "cpu")
            )
        self.asleep.copy_(tensors["run/asleep"])
        self.coef.copy_(tensors["run/coef"])
        self.sums.copy_(tensors["run/sums"])
        self.steps_done = steps_done
