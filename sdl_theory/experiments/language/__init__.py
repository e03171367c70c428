"""Figure 7 of arXiv:2512.05534 on a language model: dead latents, resampled, woken or left alone.

On its residual stream, from an MLP's input to its output, and over two layers.
"""
