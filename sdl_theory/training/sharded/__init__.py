"""One dictionary whose latents are cut over several processes: tensor parallelism."""
