"""Whatever runs others and writes results.

These are the audit, Table 1 of arXiv:2512.05534, and the gain of anchoring.
"""
