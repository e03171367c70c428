"""Models, methods, the training loop and its files.

Imports measure, theory, truth and the ground floor.
"""
