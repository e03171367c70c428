"""How well a dictionary recovers the truth, and what the theory says of it.

A model is whatever has `encode`, `decode`, `W_E`, `W_D`.
"""
