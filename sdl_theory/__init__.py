"""The theory of sparse dictionary learning, exact and certified. Constructors build, `certify` verifies."""

from .absorption import Absorption, Rung, absorb, loss_ladder
from .activations import BatchTopK, JumpReLU, ReLU, TopK
from .anchoring import Anchors
from .bench import LinearRepresentationBench, Samples
from .biconvexity import gradients, hessian
from .certify import Certificate, CertificateError, certify
from .checkpoint import CheckpointError
from .codes import Batch
from .diagnose import Diagnosis, diagnose
from .directions import Directions, GroupDiagnosis, diagnose_groups, imagenet_directions, load_directions, trap_share
from .features import Hierarchy, InterferenceNotReached, feature_matrix, gram, hierarchy, interference, levenshtein_bound, rankin_bound
from .fit import fit
from .global_minimum import IdealLoss, ideal_loss, ideal_weights, mirrored_weights, pseudo_inverse_weights
from .groups import GroupMinimum, group_minimum
from .history import History
from .loss import Estimate, GapBound, approximate_loss, exact_loss, loss_gap_bound, sampled_loss
from .metrics import Report, activation_f1, evaluate
from .models import SDLModel
from .partial_minimum import PartialMinimum, partial_minimum, printed_recipe
from .patterns import Farkas, Realization, activation_pattern, partitions, pattern, realize
from .problem import Problem, Weights
from .recovery import best_matches, gt_recovery, interval, max_inner_product, mcc, mirrored_share, null_baseline, recovery_curve
from .reproduce import setup, table_1, train_row
from .saelens_format import read_saelens, write_saelens
from .sampling import Constant, ShiftedExponential, SparseFeatures, Uniform
from .scale import TrainingBytes, training_bytes
from .search import PartitionRow, SearchResult, alternating_convex_search, best_partition, survey_partitions
from .train import Config, Trainer, TrainingError
from .verdict import Verdict

__all__ = [name for name in dir() if not name.startswith("_") and (isinstance(globals()[name], type) or callable(globals()[name]))]
