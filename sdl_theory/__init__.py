"""The theory of sparse dictionary learning, exact and certified. Constructors build, `certify` verifies."""

from .absorption import Absorption, Rung, absorb, loss_ladder
from .activations import BatchTopK, JumpReLU, ReLU, TopK
from .biconvexity import gradients, hessian
from .certify import Certificate, CertificateError, certify
from .directions import Directions, GroupDiagnosis, diagnose_groups, imagenet_directions, load_directions, trap_share
from .features import Hierarchy, InterferenceNotReached, feature_matrix, gram, hierarchy, interference, levenshtein_bound, rankin_bound
from .global_minimum import IdealLoss, ideal_loss, ideal_weights, mirrored_weights, pseudo_inverse_weights
from .groups import GroupMinimum, group_minimum
from .loss import Estimate, GapBound, approximate_loss, exact_loss, loss_gap_bound, sampled_loss
from .partial_minimum import PartialMinimum, partial_minimum, printed_recipe
from .patterns import Farkas, Realization, activation_pattern, partitions, pattern, realize
from .problem import Problem, Weights
from .sampling import Constant, ShiftedExponential, SparseFeatures, Uniform
from .search import PartitionRow, SearchResult, alternating_convex_search, best_partition, survey_partitions
from .verdict import Verdict

__all__ = [name for name in dir() if not name.startswith("_") and (isinstance(globals()[name], type) or callable(globals()[name]))]
