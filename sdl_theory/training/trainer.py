"""One training loop for every method, from a slider's ten seconds to many GPUs.

Interrupted, killed, resumed, it is the same run.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..checks import Tensor
from ..readers import having
from ..signature import checked
from ..truth.batches import Data
from ..truth.streams import Batch, seeded
from .anchor_loss import AnchorLoss
from .anchors import Anchors, listed_anchors
from .config import Config
from .descent import Descent
from .memory import check_training_fits
from .model import SDLModel
from .objective import objective
from .resampling import check_rule, resample, times
from .step import Knobs
from .stored import check_run_tensors
from .world import World

# Training is called off when the loss is this many times the ceiling: the largest loss so far, on
# any batch, of a model that answers 0, or of the run's first step where the untrained model has
# more. On the demo bench, six methods and lr from 3e-3 to 1e9: peaks up to 900 come and go (relu at
# lr .3 peaks at 45 and ends at .9), whatever passed 1e3 never came back to the loss of answering 0,
# and lr = 1e9 passes it at its second step.
DIVERGED = 1e3
REACH = 100  # the target-L0 control keeps the coefficient within this factor of where it began


class TrainingError(RuntimeError):
    """Training cannot go on: the loss is not finite or far too large, or memory ran out.

    The last good checkpoint is untouched.
    """


class Trainer:
    """A training run between two steps: model, Adam, dead counts, sparsity coefficient.

    `step()` makes one; `fit` makes them all.

    >>> import torch
    >>> from sdl_theory import Config, LinearRepresentationBench, SDLModel, Trainer
    >>> bench = LinearRepresentationBench(n=8, n_p=6, S=0.8, dtype=torch.float64)
    >>> model = SDLModel(6, 12, k=2, dtype=torch.float64)
    >>> trainer = Trainer(model, bench, Config(steps=10, batch=16))
    >>> trainer.step()
    >>> trainer.steps_done, trainer.asleep.shape
    (1, torch.Size([12]))
    >>> bool(((model.W_D.norm(dim=0) - 1).abs() < 1e-12).all())  # columns are held at norm 1
    True
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
        data: Data | Sequence[Data],
        config: Config,
        anchors: int | Anchors | Sequence[Anchors | None] | None = None,
        world: World = World(),
    ):
        self.model, self.config, self.world = model, config, world
        self.data: list[Data] = list(data) if isinstance(data, Sequence) else [data]
        if len(self.data) > 1 and len(self.data) != model.instances:
            raise ValueError(
                f"{len(self.data)} benches for {model.instances or 1} models; "
                f"pass one bench, or one per instance"
            )
        if world.shards != model.world.shards:
            raise ValueError(
                f"the model's latents are cut over {model.world.shards} processes, "
                f"this run's over {world.shards}: give SDLModel and the run the same world"
            )
        check_rule(config, model)
        check_training_fits(model, config.batch // world.size)
        self.anchors = listed_anchors(anchors, self.data, model.instances, config.seed)
        self.anchor_loss = (
            AnchorLoss(self.anchors, config.lam_anchor, model) if self.anchors else None
        )
        self.descent = Descent(model, config, world)
        self.descent.anchored = self.anchor_loss.k if self.anchor_loss else 0
        self.leaves, self.optimizer = self.descent.leaves, self.descent.optimizer
        device, lead = model.W_E.device, () if model.instances is None else (model.instances,)
        self.asleep = torch.zeros(*lead, model.n_q, dtype=torch.long, device=device)
        self.coef = torch.full(lead, config.sparsity, dtype=torch.float32, device=device)
        self.steps_done = 0
        # since the last log: mse, l0, steps, one column an instance
        self.sums = torch.zeros(3, model.instances or 1, dtype=torch.float64, device=device)
        # (instances,): the largest loss so far of a model that answers 0, and of the first step
        self.ceiling: Tensor | None = None
        self.objective = torch.compile(objective) if config.compile else objective

    def batch(self, t: int) -> tuple[Tensor, Tensor]:
        """This process's share of batch t: x_p and x_r.

        With a leading instance axis when there are several benches.
        """
        pairs = [
            self._pair(d.batch(t, self.config.batch, rank=self.world.rank, world=self.world.size))
            for d in self.data
        ]
        if len(pairs) == 1:
            return pairs[0]
        return torch.stack([x_p for x_p, _ in pairs]), torch.stack([x_r for _, x_r in pairs])

    def _pair(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """x_p and x_r in the model's dtype, on its device."""
        model = self.model
        if (batch.x_p.shape[-1], batch.x_r.shape[-1]) != (model.n_p, model.n_r):
            raise ValueError(
                f"the data have n_p = {batch.x_p.shape[-1]}, n_r = {batch.x_r.shape[-1]}; "
                f"the model has {model.n_p}, {model.n_r}"
            )
        return batch.x_p.to(model.W_E), batch.x_r.to(model.W_E)

    def knobs(self) -> Knobs:
        c, warm = self.config, min(1.0, (self.steps_done + 1) / max(1, self.config.warmup))
        aux = c.aux_coef if self.model.way.takes_k else 0.0
        return Knobs(
            total=c.batch,
            coef=self.coef * warm,
            bandwidth=c.bandwidth,
            aux_coef=aux,
            aux_k=c.aux_k or max(1, self.model.n_p // 2),
            dead=self.asleep >= c.dead_after if aux else None,
            aux_target=c.aux_target,
            level_loss=c.level_loss,
            unit_norm=c.unit_norm,
            bf16=c.precision == "bf16",
            world=self.world,
        )

    def step(self) -> None:
        """One step on the next batch."""
        model, c = self.model, self.config
        x_p, x_r = self.batch(self.steps_done)
        terms = self.objective(model, x_p, x_r, self.knobs())
        loss = terms.loss
        if self.anchor_loss is not None:
            loss = loss + self.anchor_loss(model) / self.world.size
        loss.backward()
        # NaN also where x_p is and no latent fired: nothing else would tell
        mse = terms.mse + 0 * x_p.sum((-1, -2))
        zero = x_r.detach().square().sum((-1, -2)) / c.batch
        # each counts its own latents, and knows the whole loss: in all of them the same bits
        three = (mse / self.world.shards, terms.l0, zero / self.world.shards)
        flat = [one.reshape(-1).double().expand(mse.numel()) for one in three]
        figures = self.world.add(self.world.over_latents(torch.stack(flat)))
        fired = self.world.add(terms.fired.float()) > 0
        self._descend()
        self.asleep.add_(c.batch).masked_fill_(fired, 0)
        self._count(figures)
        if terms.threshold is not None:
            with torch.no_grad():
                model.way.follow(model, terms.threshold, self.steps_done)
        self.steps_done += 1
        due = c.resample_every and self.steps_done % c.resample_every == 0
        if due and self.steps_done <= c.resample_until * c.steps:
            self._resample()

    def _count(self, figures: Tensor) -> None:
        """Take a step's figures into the sums, the ceiling and the target-L0 control.

        figures : mse, l0 and the loss of answering 0, (3, instances).
        """
        c = self.config
        self.sums += torch.cat([figures[:2], torch.ones_like(figures[:1])])
        ceiling = self.sums[0] / self.sums[2] if self.ceiling is None else self.ceiling
        self.ceiling = torch.maximum(figures[2], ceiling)
        if c.target_l0 is not None and not self.model.way.takes_k:
            off = (figures[1].view(self.coef.shape) / c.target_l0 - 1).clamp(-1, 1)
            self.coef.mul_(torch.exp(c.gain * off).float())
            self.coef.clamp_(c.sparsity / REACH, c.sparsity * REACH)

    @torch.no_grad()
    def loss_now(self) -> Tensor:
        """The loss, (instances,), of the weights as they are now, after the last step.

        On that step's batch, over all processes.
        """
        x_p, x_r = self.batch(max(self.steps_done - 1, 0))
        return self.world.add(
            objective(self.model, x_p, x_r, self.knobs()).mse.reshape(-1).double()
        )

    def diverged(self, loss: Tensor) -> Tensor:
        """Which instances' `loss` is beyond DIVERGED times the ceiling: (instances,).

        None of them while all samples were 0, and no loss says anything.
        """
        if self.ceiling is None:
            return torch.zeros_like(loss, dtype=torch.bool)
        return (self.ceiling > 0) & ~(loss <= DIVERGED * self.ceiling)

    def _descend(self) -> None:
        self.descent.step(self.config.rate(self.steps_done))

    def _resample(self) -> None:
        """Each model's dead latents begun anew, by the stream that it would have by itself."""
        c, t = self.config, self.steps_done
        for i, asleep in enumerate(self.asleep.view(-1, self.model.n_q)):
            dead, data = asleep >= c.dead_after, self.data[i % len(self.data)]
            dead[: self.descent.anchored] = False
            # every process looks at the same samples
            x_p, x_r = zip(*(self._pair(data.batch(u, c.batch)) for u in times(c, t)))
            pair, draw = (torch.cat(x_p), torch.cat(x_r)), seeded("cpu", c.seed, t, 99)
            asleep[resample(self.descent.single(i), pair, dead, draw)] = 0

    def tensors(self) -> dict[str, Tensor]:
        """All that the next step depends on, by name."""
        run = {"run/asleep": self.asleep, "run/coef": self.coef, "run/sums": self.sums}
        return self.model.state_dict() | self.descent.tensors() | run

    def load(self, tensors: dict[str, Tensor], steps_done: int) -> None:
        """Go back to where `tensors` was written.

        ValueError, and nothing changes, if one is missing, not finite, of another shape or dtype.
        """
        wanted = {
            name: value for name, value in self.tensors().items() if not name.startswith("adam/")
        }
        if steps_done:
            wanted |= self.descent.wanted()
        check_run_tensors(tensors, wanted)
        self.model.load_state_dict(
            {name: value for name, value in tensors.items() if "/" not in name}
        )
        if steps_done:
            self.descent.load(tensors)
        self.asleep.copy_(tensors["run/asleep"])
        self.coef.copy_(tensors["run/coef"])
        self.sums.copy_(tensors["run/sums"])
        self.steps_done = steps_done
