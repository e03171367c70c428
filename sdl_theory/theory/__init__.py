"""Theorems 3.1 to 3.10 of arXiv:2512.05534, corrected, and what we found beside them.

Knows no training: imports truth and the ground floor.
"""
