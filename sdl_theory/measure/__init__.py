"""How well a dictionary recovers the truth, and what the theory says of it.

A model is whatever has `encode`, `decode`, `W_E`, `W_D`. If it has `firing_level` too, that is what
<w_E, x_p> must exceed for a latent to fire; else 0, a ReLU's. `diagnose` needs besides `biases`,
`plain`, `instances` and `way.in_theory`, and `weights` and `sigma` where it certifies.
"""
