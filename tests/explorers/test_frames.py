"""Explorers on web pages without a browser: which states are kept, how, and that words are true."""

import itertools
import json
import random
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.verdicts_for_tests import DISAGREE
from widgets import explorers
from widgets.explorers.base import address_text
from widgets.explorers.race import race_of, spoken, verdict
from widgets.explorers.recorded import OPENS, stored_races
from widgets.frames import control_values, grid, lengthen, pack, record, shorten, unpack
from widgets.rows.training import first_curves

MAKERS = [name for name in dir(explorers) if name.endswith("_explorer")]
CHECKED = [name for name in MAKERS if name.removesuffix("_explorer") in DISAGREE]
SAMPLED = 30  # states of each explorer, at random; the browser's test takes others


@pytest.fixture(scope="module")
def shown():
    """Every explorer, as its page shows it."""
    return {name: getattr(explorers, name)().recorded() for name in MAKERS}


floats = st.floats(-1e6, 1e6, width=32)
tables = st.lists(
    st.integers(0, 5).flatmap(lambda n: st.lists(floats, min_size=2 * n, max_size=2 * n)),
    min_size=1,
    max_size=5,
)


@given(tables)
@settings(max_examples=200)
def test_frames_come_back_to_a_part_in_a_hundred_thousand(values):
    frames = [np.array(one, dtype="<f4").reshape(2, -1) for one in values]
    ends = np.cumsum([frame.shape[1] for frame in frames]).tolist()
    for before, after in zip(frames, unpack(pack(frames), 2, ends)):
        assert np.array_equal(after, lengthen(shorten(before)))
        close = np.abs(after - before) <= 2.0**-16 * np.abs(before) + 1e-38
        assert close.all()


def test_codes_and_zero_are_kept_exactly():
    numbers = np.array([[0, *range(-500, 501), 0.5, -1.25, 64_000]], dtype="<f4")
    assert np.array_equal(unpack(pack([numbers]), 1, [numbers.shape[1]])[0], numbers)


@pytest.mark.parametrize("maker", MAKERS)
def test_the_first_state_presets_zero_and_both_ends_are_kept(shown, maker):
    explorer = shown[maker]
    for states in (60, explorer.states):
        kept = grid(explorer, states)
        for state in (explorer.state, *explorer.preset_values.values()):
            for name, value in state.items():
                assert value in kept[name] or min(abs(value - v) for v in kept[name]) < 1e-9
        for name, values in kept.items():
            every = control_values(explorer.controls[name])
            assert len(set(map(address_text, values))) == len(values)
            if name not in explorer.grid and not isinstance(values[0], str):
                assert (values[0], values[-1]) == (every[0], every[-1])
                assert (0 in values) == (0 in every) and values == sorted(values)
                assert isinstance(values[0], float) or len(every) > 16 or values == every
    assert np.prod([len(values) for values in kept.values()]) <= 5000
    assert np.prod([len(values) for values in kept.values()]) <= explorer.states or explorer.grid


@pytest.mark.parametrize("maker", MAKERS)
def test_a_page_is_told_what_the_notebook_would_say(shown, maker):
    """Every state of a coarse grid: rows, words and code, unpacked as page.js unpacks them."""
    explorer = shown[maker]
    about, packed = record(explorer, 20)
    whole = zlib.decompress(packed, wbits=-15)
    told = 4 + int.from_bytes(whole[:4], "little")
    lines = json.loads(whole[4:told])
    frames = unpack(whole[told:], len(about["columns"]), about["ends"])
    dials = grid(explorer, 20)
    states = [dict(zip(dials, values)) for values in itertools.product(*dials.values())]
    assert len(states) == len(lines) == len(frames)
    for i in random.Random(0).sample(range(len(states)), 12):
        columns, headline, words = explorer.tell(states[i])
        assert np.array_equal(frames[i], lengthen(shorten(np.stack(list(columns.values())))))
        assert lines[i] == [headline, words, explorer.code_of(states[i])]
        assert lines[i][2].endswith(f"#{explorer.address(states[i])}")
    assert about["start"] == about["presets"].get("reset", about["start"])
    assert list(about["columns"]) == list(columns)


@pytest.mark.parametrize("maker", CHECKED)
def test_words_say_what_the_picture_shows(shown, maker):
    explorer, draw = shown[maker], random.Random(maker)
    dials = grid(explorer, explorer.states)
    states = [{name: draw.choice(values) for name, values in dials.items()} for _ in range(SAMPLED)]
    for state in [*explorer.preset_values.values(), *states]:
        columns, headline, words = explorer.tell(state)
        drawn = {name: lengthen(shorten(column)) for name, column in columns.items()}
        assert list(DISAGREE[explorer.name](drawn, headline, words)) == [], state


def test_a_wrong_word_is_seen(shown):
    """The check itself can fail: every explorer's words, put to another state's picture."""
    for maker in CHECKED:
        explorer = shown[maker]
        dials, draw = grid(explorer, explorer.states), random.Random(1)
        caught = 0
        for _ in range(12):
            one, other = ({k: draw.choice(v) for k, v in dials.items()} for _ in range(2))
            columns, own, own_words = explorer.tell(one)
            _, headline, words = explorer.tell(other)
            if (headline, words) != (own, own_words):
                try:
                    caught += bool(list(DISAGREE[explorer.name](columns, headline, words)))
                except (AttributeError, IndexError, KeyError, ValueError):
                    caught += 1  # the words speak of what is not drawn
        assert caught >= 3, maker


@pytest.mark.parametrize("maker", MAKERS)
def test_the_name_in_the_address_is_that_of_the_function(maker):
    explorer = getattr(explorers, maker)().recorded()
    assert f"{explorer.name}_explorer" == maker
    state = ",".join(f"{name}={address_text(v)}" for name, v in explorer.state.items())
    assert explorer.code.value.endswith(f"#{explorer.name}:{state}")
    assert address_text(-0.0) == "0" and address_text("a b,c") == "a%20b%2Cc"


def test_every_preset_that_trains_is_recorded():
    """All presets, each with all its seeds and checkpoints; what is not recorded is an error."""
    trains, plays = explorers.training_explorer(), explorers.training_explorer().recorded()
    assert plays.plays == "step" and "Recorded" in plays.note
    for label, values in trains.preset_values.items():
        plays.set(run=OPENS if label == "reset" else label, step=500)
        race = race_of(**values)
        assert spoken(race) in plays.words and plays.words.startswith("Recorded: ")
        (kept,) = [one for one in (first_curves(), *stored_races()) if one.race == race]
        assert kept.done and len(kept.race.seeds) == 5 and len(kept.steps) == 21
        assert plays.headline == verdict(kept)[0]
    with pytest.raises(ValueError, match="no recorded run of reset"):
        explorers.training_explorer(anchors=3).recorded()


def test_recorded_runs_are_what_training_gives():
    """The first fifty steps, again: another processor rounds otherwise, and training magnifies."""
    for kept in stored_races():
        again = kept.race.train(upto=50)
        for one, other in zip(kept.figures, again.figures):
            assert one == pytest.approx(other, abs=0.05)
