"""Every public call, one argument at a time replaced by what it should not be.

What comes back is an answer without NaN, or an error that names the argument.
"""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import math
import re
import signal
import warnings
from contextlib import contextmanager
from pathlib import Path

import fuzz_moments_for_tests as moments
import fuzz_theory_for_tests as theory
import fuzz_training_for_tests as training
import fuzz_ways_for_tests as ways
import pytest
import torch
from fuzz_values_for_tests import ALSO, ANSWERS, HOSTILE, NO_NAN, RIGHTLY

import sdl_theory as lib

GOOD = (
    theory.of_problems,
    theory.of_features,
    theory.of_data,
    theory.of_patterns,
    theory.of_losses,
    moments.of_moments,
    ways.of_ways,
    training.of_metrics,
    training.of_models,
    training.of_training,
    training.of_tables,
)


class Hangs(BaseException):
    """A call took too long. No Exception, so that no handler swallows it."""


@contextmanager
def bounded(seconds: float):
    def over(*_):
        raise Hangs

    usual = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, usual)


def has_nan(answer, depth: int = 0) -> bool:
    """A NaN anywhere in an answer, but where a loss is documented to be NaN."""
    if isinstance(answer, torch.Tensor):
        return not answer.is_meta and answer.dtype.is_floating_point and bool(answer.isnan().any())
    if isinstance(answer, float):
        return math.isnan(answer)
    if isinstance(answer, NO_NAN) or depth > 4:
        return False
    if isinstance(answer, torch.nn.Module):
        return has_nan(list(answer.state_dict().values()), depth + 1)
    if dataclasses.is_dataclass(answer) and not isinstance(answer, type):
        return has_nan([getattr(answer, f.name) for f in dataclasses.fields(answer)], depth + 1)
    return isinstance(answer, (list, tuple)) and any(has_nan(value, depth + 1) for value in answer)


def outcome(function, arguments: dict, name: str) -> str:
    """ "ok", or what was wrong with what this call did."""
    try:
        with bounded(20):
            answer = function(**arguments)
            if inspect.isgenerator(answer):
                answer = list(itertools.islice(answer, 3))
        return "NaN in the answer" if has_nan(answer) else "ok"
    except Hangs:
        return "hangs"
    except (*ANSWERS, *[KeyError] * (name in ("name", "instance"))) as error:
        # History.column, whose KeyError is documented
        told = str(error)
        wanted = [
            name,
            *ALSO.get(name, ()),
            *([str(arguments[name])] if isinstance(arguments.get(name), (str, Path)) else []),
        ]
        named = any(
            re.search(rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z])", told)
            for word in wanted
            if word
        )
        return "ok" if named else f"{type(error).__name__} without the name: {told[:150]}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:150]}"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    world = theory.World(tmp_path_factory.mktemp("fuzz"))
    return {name: call for some in GOOD for name, call in some(world).items()}


def fuzz(table: dict, names=None) -> tuple[int, dict[tuple[str, str, str], str]]:
    """The number of calls, and what was not ok, by (function, argument, hostile value)."""
    count, bad = 0, {}
    for call in names or table:
        function, arguments = table[call]
        for argument, (what, make) in itertools.product(arguments, HOSTILE.items()):
            if (call, argument, what) in RIGHTLY or (argument, what) in RIGHTLY:
                continue
            count += 1
            if (was := outcome(function, arguments | {argument: make()}, argument)) != "ok":
                bad[call, argument, what] = was
    return count, bad


def test_good_calls_are_good(table):
    assert {
        name: was
        for name, (function, arguments) in table.items()
        if (was := outcome(function, arguments, "")) != "ok"
    } == {}


def test_everything_public_is_attacked(table):
    """Functions, and the classes that users build.

    Records that functions return, and errors, are left out.
    """
    returned = {
        "Absorption",
        "Batch",
        "Certificate",
        "Diagnosis",
        "Escape",
        "Estimate",
        "Farkas",
        "GapBound",
        "GroupDiagnosis",
        "GroupMinimum",
        "IdealLoss",
        "PartialMinimum",
        "PartitionRow",
        "Prevalence",
        "Persistence",
        "Polished",
        "Realization",
        "Report",
        "Rung",
        "SearchResult",
        "SecondOrder",
        "TrainingBytes",
        "TrueCertificate",
        "ReLU",
        "Verdict",
        "Way",
    }
    errors = {
        name
        for name in lib.__all__
        if isinstance(getattr(lib, name), type) and issubclass(getattr(lib, name), Exception)
    }
    assert set(lib.__all__) - set(table) - returned - errors == set()
    for name, (function, arguments) in table.items():
        parameters = inspect.signature(function).parameters
        forgotten = (
            set(parameters)
            - set(arguments)
            - {"args", "kwargs", "override", "how", "world", "W_p", "W_r", "theta", "instances"}
        )
        assert not forgotten or "," in name, (name, forgotten)


def test_no_argument_breaks_a_call_in_silence_or_with_a_foreign_error(table, tmp_path, monkeypatch):
    """Some 15,800 calls in seconds.

    On the code before `checked`: 5,325 wrong outcomes over 232 arguments.
    """
    monkeypatch.chdir(tmp_path)  # "x" is a good path
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        count, bad = fuzz(table)
    assert count > 15_000 and bad == {}
