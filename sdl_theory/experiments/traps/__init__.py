"""Does training know of traps? What the theory says of the true loss, a penalty and overlap, beside
how trainings end: a module an experiment, small, seeded, with intervals.
"""
