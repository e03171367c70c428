"""The theory of sparse dictionary learning, exact and certified.

Constructors build, `certify` verifies.
"""

from .activations import BatchTopK, JumpReLU, ReLU, TopK
from .estimate import Estimate, interval
from .experiments.rows import setup, train_row
from .experiments.tables import table_1
from .files import CheckpointError
from .measure.diagnose import Diagnosis, diagnose
from .measure.firing import activation_f1
from .measure.latents import mirrored_share
from .measure.matching import best_matches, gt_recovery, max_inner_product, mcc, recovery_curve
from .measure.recovery import null_baseline
from .measure.report import Report, evaluate
from .problem import Problem
from .theory.absorption import Absorption, absorb
from .theory.biconvexity import gradients, hessian
from .theory.certificate import Certificate, CertificateError
from .theory.certify import certify
from .theory.clone import Escape, escape, split
from .theory.convex_search import SearchResult, alternating_convex_search
from .theory.gap_bound import GapBound, loss_gap_bound
from .theory.global_minimum import (
    IdealLoss,
    ideal_loss,
    ideal_weights,
    mirrored_weights,
    pseudo_inverse_weights,
)
from .theory.groups import GroupMinimum, group_minimum
from .theory.ladder import Rung, loss_ladder
from .theory.loss import approximate_loss, exact_loss, sampled_loss
from .theory.named_groups import GroupDiagnosis, diagnose_groups, trap_share
from .theory.over_the_wall import wall_path
from .theory.pair_law import pair_law
from .theory.partial_minimum import PartialMinimum, partial_minimum, printed_recipe
from .theory.partitions import PartitionRow, best_partition, survey_partitions
from .theory.paths import Path
from .theory.patterns import activation_pattern, partitions, pattern
from .theory.persist import Persistence, persist
from .theory.polish import Polished, polish
from .theory.prevalence import Prevalence, prevalence
from .theory.realization import Farkas, Realization
from .theory.realize import realize
from .theory.second_order import SecondOrder, second_order
from .theory.true_loss import TrueCertificate, true_certificate
from .theory.verdict import Verdict
from .theory.ways_out import Way, best_split, sign_row
from .training.anchors import Anchors
from .training.config import Config
from .training.fit import fit
from .training.history import History
from .training.memory import TrainingBytes, training_bytes
from .training.model import SDLModel
from .training.saelens import read_saelens, write_saelens
from .training.trainer import Trainer, TrainingError
from .truth.bench import LinearRepresentationBench
from .truth.directions import Directions, imagenet_directions, load_directions
from .truth.features import (
    InterferenceNotReached,
    feature_matrix,
    gram,
    interference,
    levenshtein_bound,
    rankin_bound,
)
from .truth.hierarchy import Hierarchy, hierarchy
from .truth.moments import Moments
from .truth.samples import Samples
from .truth.sampling import Constant, ShiftedExponential, SparseFeatures, Uniform
from .truth.streams import Batch
from .weights import Weights

__all__ = [
    "Absorption",
    "Anchors",
    "Batch",
    "BatchTopK",
    "Certificate",
    "CertificateError",
    "CheckpointError",
    "Config",
    "Constant",
    "Diagnosis",
    "Directions",
    "Escape",
    "Estimate",
    "Farkas",
    "GapBound",
    "GroupDiagnosis",
    "GroupMinimum",
    "Hierarchy",
    "History",
    "IdealLoss",
    "InterferenceNotReached",
    "JumpReLU",
    "LinearRepresentationBench",
    "Moments",
    "PartialMinimum",
    "PartitionRow",
    "Path",
    "Persistence",
    "Polished",
    "Prevalence",
    "Problem",
    "ReLU",
    "Realization",
    "Report",
    "Rung",
    "SDLModel",
    "Samples",
    "SearchResult",
    "SecondOrder",
    "ShiftedExponential",
    "SparseFeatures",
    "TopK",
    "Trainer",
    "TrainingBytes",
    "TrainingError",
    "TrueCertificate",
    "Uniform",
    "Verdict",
    "Way",
    "Weights",
    "absorb",
    "activation_f1",
    "activation_pattern",
    "alternating_convex_search",
    "approximate_loss",
    "best_matches",
    "best_partition",
    "best_split",
    "certify",
    "diagnose",
    "diagnose_groups",
    "escape",
    "evaluate",
    "exact_loss",
    "feature_matrix",
    "fit",
    "gradients",
    "gram",
    "group_minimum",
    "gt_recovery",
    "hessian",
    "hierarchy",
    "ideal_loss",
    "ideal_weights",
    "imagenet_directions",
    "interference",
    "interval",
    "levenshtein_bound",
    "load_directions",
    "loss_gap_bound",
    "loss_ladder",
    "max_inner_product",
    "mcc",
    "mirrored_share",
    "mirrored_weights",
    "null_baseline",
    "pair_law",
    "partial_minimum",
    "partitions",
    "pattern",
    "persist",
    "polish",
    "prevalence",
    "printed_recipe",
    "pseudo_inverse_weights",
    "rankin_bound",
    "read_saelens",
    "realize",
    "recovery_curve",
    "sampled_loss",
    "second_order",
    "setup",
    "sign_row",
    "split",
    "survey_partitions",
    "table_1",
    "train_row",
    "training_bytes",
    "trap_share",
    "true_certificate",
    "wall_path",
    "write_saelens",
]


def __getattr__(name: str):
    """`sdl_theory.audit` and `sdl_theory.symbolic`, loaded when asked for (sympy is heavy)."""
    if name in ("audit", "symbolic"):
        wing = "experiments" if name == "audit" else "theory"
        return __import__(f"sdl_theory.{wing}.{name}", fromlist=["*"])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
