"""Whatever runs others and writes results: the audit, Table 1 of arXiv:2512.05534, the gain of
anchoring.
"""
