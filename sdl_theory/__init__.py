"""The theory of sparse dictionary learning, exact and certified. Constructors build, `certify`
verifies.
"""

from .activations import BatchTopK, JumpReLU, ReLU, TopK
from .experiments.tables import setup, table_1, train_row
from .files import CheckpointError
from .measure.diagnose import Diagnosis, diagnose
from .measure.recovery import (
    best_matches,
    gt_recovery,
    interval,
    max_inner_product,
    mcc,
    mirrored_share,
    null_baseline,
    recovery_curve,
)
from .measure.report import Report, activation_f1, evaluate
from .problem import Problem, Weights
from .theory.absorption import Absorption, Rung, absorb, loss_ladder
from .theory.biconvexity import gradients, hessian
from .theory.certify import Certificate, CertificateError, certify
from .theory.convex_search import (
    PartitionRow,
    SearchResult,
    alternating_convex_search,
    best_partition,
    survey_partitions,
)
from .theory.global_minimum import (
    IdealLoss,
    ideal_loss,
    ideal_weights,
    mirrored_weights,
    pseudo_inverse_weights,
)
from .theory.groups import GroupMinimum, group_minimum
from .theory.loss import (
    Estimate,
    GapBound,
    approximate_loss,
    exact_loss,
    loss_gap_bound,
    sampled_loss,
)
from .theory.partial_minimum import PartialMinimum, partial_minimum, printed_recipe
from .theory.patterns import Farkas, Realization, activation_pattern, partitions, pattern, realize
from .theory.verdict import Verdict
from .training.anchors import Anchors
from .training.fit import fit
from .training.history import History
from .training.memory import TrainingBytes, training_bytes
from .training.model import SDLModel
from .training.saelens import read_saelens, write_saelens
from .training.trainer import Config, Trainer, TrainingError
from .truth.bench import LinearRepresentationBench, Samples
from .truth.directions import (
    Directions,
    GroupDiagnosis,
    diagnose_groups,
    imagenet_directions,
    load_directions,
    trap_share,
)
from .truth.features import (
    Hierarchy,
    InterferenceNotReached,
    feature_matrix,
    gram,
    hierarchy,
    interference,
    levenshtein_bound,
    rankin_bound,
)
from .truth.sampling import Constant, ShiftedExponential, SparseFeatures, Uniform
from .truth.streams import Batch

__all__ = [
    name
    for name in dir()
    if not name.startswith("_") and (isinstance(globals()[name], type) or callable(globals()[name]))
]


def __getattr__(name: str):
    """`sdl_theory.audit` and `sdl_theory.symbolic`, loaded when they are asked for (sympy is
    heavy).
    """
    if name in ("audit", "symbolic"):
        return __import__(
            f"sdl_theory.{'experiments' if name == 'audit' else 'theory'}.{name}", fromlist=["*"]
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
