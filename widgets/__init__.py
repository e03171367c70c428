"""Pictures with handles: rows (parameters to numbers), charts (numbers to pictures), explorers
(controls).
"""
