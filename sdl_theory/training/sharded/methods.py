"""The methods that latents cut over processes can have: what they must ask the others for.

A ReLU, a threshold, and BatchTopK's (which `World.gather` finds) need nobody; Top-k does. The sum
over processes that reconstructs is `SDLModel.complete`.
"""

from __future__ import annotations

from ...checks import Tensor
from ..methods import BatchTopK, JumpReLU, Method, ReLU, TopK
from ..methods.base import Coded
from ..pairs import Pairs
from ..step import Step
from ..world import World
from .choice import largest_of_all, pairs_of_largest


class ShardedTopK(TopK):
    name = "topk"

    def activate(self, model, z):
        flat = z.reshape(-1, z.shape[-1])
        latents, keep = largest_of_all(flat, self.k, model.world)
        values = self.rectify(flat.gather(1, latents)).where(keep, 0)
        return flat.new_zeros(flat.shape).scatter(1, latents, values).view(z.shape)

    def codes(self, step: Step) -> Coded:
        return Coded(self.activate(step.model, step.z))

    def pairs(self, step: Step, most: float):
        rows, latents = pairs_of_largest(step.z, self.k, step.model.world)
        return Pairs(rows, latents, *step.z.shape), None


class ShardedJumpReLU(JumpReLU):
    name = "jumprelu"

    def begin_anew(self, model, which: Tensor, alive: Tensor, own: Tensor):
        """As alone, with the mean of all processes' live latents."""
        theta, world = model.theta, model.world
        some = world.over_latents(alive.sum()) > 0
        usual = world.mean_over_latents(theta[alive] if some else theta)
        theta[which] = usual.expand_as(own).minimum(own / 2)


KINDS: dict[type[Method], type[Method]] = {
    ReLU: ReLU,
    JumpReLU: ShardedJumpReLU,
    TopK: ShardedTopK,
    BatchTopK: BatchTopK,
}


def over_processes(kind: type[Method], instances: int | None, world: World) -> type[Method]:
    """That method where latents are cut over processes; itself where they are not.

    ValueError for a method that cannot be cut, and for instances.
    """
    if world.shards == 1:
        return kind
    if instances is not None:
        raise ValueError(
            f"latents are cut over processes in single models; got instances = {instances}"
        )
    if kind not in KINDS:
        raise ValueError(
            f"the latents of method={kind.name!r} are not cut over processes; "
            f"those of {', '.join(one.name for one in KINDS)} are"
        )
    return KINDS[kind]
