"""Does training know of traps? What the theory says of the true loss, a penalty and overlap, beside
how trainings end: a module an experiment, small, seeded, with intervals.

An experiment has four functions, `head`, `jobs`, `run` and `show`: their shape is in `shape`.
`python -m sdl_theory traps NAME` runs what is missing of its jobs, into a file of one row a job.
What the rows hold beside their job's settings; lists run along `rho`, `at`, `given` or the seeds:

traps_pairs.json: `kappa`; `line`, the cosine above which `pair_law` says trap; `rho`, the cosines
tried; `law`, its verdicts there; of ten seeds at each cosine, how many ended `merged` (one neuron
fires for both and no other for either), `shared` (some neuron fires for both), `lost` (one of the
two fires nothing), `wall` (a neuron of one stands where its code for the other begins).

traps_shared.json: by seed `loss` (share of answering 0) and `slope`; under `fires` and `owns` (two
readings of a neuron's group), by seed: `shared` neurons, how many of them are `traps`, the share of
`random` groups of their sizes that are, their mean `size` and `cosine` with the theory's column;
`untrained`, [traps, shared] before training.

traps_correlated.json: `what` together or implied: `line`, where the law's line is in r or in rho;
`at`, the values tried; `trap`, the law there; how many of ten seeds ended `merged`. `what`
absorption, of twenty seeds at each P(child | parent) of `given`: how many `absorbed`, kept them
`apart`, `held` both in one neuron; `cosine`, [mean, mean square, count] of the child's column with
the parent.

traps_exits.json: of `traps` random ones, how many `left`, how many `foreseen` and `as_foreseen` by
`Traps.steps_to_wall`; the median `steps`; where those that left ended, `left_to`; spares that
`woke`.

traps_resampling.json: see the module `resampling`.
"""
