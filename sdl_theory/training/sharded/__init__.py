"""One dictionary whose latents are cut over several processes: tensor parallelism.

Each of P processes holds n_q / P latents, `SDLModel(..., world=World.start(device, shards=P))`: its
rows of W_E, columns of W_D, thresholds, Adam's moments and dead counts are those of a model of that
size, 16 n_q (n_p + n_r) / P bytes in float32, and it takes every step on the whole batch. What the
processes must ask one another goes through `World`, and there through PyTorch's DTensor: a
reconstruction is a `Partial` that is summed, whose gradient is each process's own; candidates of a
Top-k, and the columns of a checkpoint, are a `Shard` that is joined.
"""
