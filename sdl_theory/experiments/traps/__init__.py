"""Does training know of traps? Beside what the theory says: a module an experiment."""
