"""Table 2 of the paper on real embeddings: raw and centred, anchored and not, and what no training
at all scores.
"""
