"""Tables 1 and 4 to 7 of arXiv:2512.05534, line by line: what is printed there, and our own runs,
with sham anchors beside the true ones.
"""
