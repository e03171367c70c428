"""Training as a web page plays it: recorded runs of all the explorer's presets.

`python -m widgets.explorers.recorded` trains and keeps them (half a minute).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..charts import race_chart
from ..rows import race_rows
from ..rows.training import EVERY, Curves, Race, first_curves
from .base import Explorer, choice, count
from .race import race_of, spoken, verdict

RACES = Path(__file__).resolve().parents[1] / "races.json"
OPENS = "as it opens"  # the preset "reset", by a name for a choice


class RecordedExplorer(Explorer):
    """Recorded runs to choose from, and the steps of training that a page plays."""

    note = (
        "Recorded runs of training, five seeds each, plain and anchored. To train what other "
        "sliders say, open the notebook: that needs a kernel."
    )
    plays = "step"


def recorded_races(presets: dict[str, dict], short: Callable[[Race], str]) -> RecordedExplorer:
    """The runs of all presets, checkpoint by checkpoint.

    short : a race as code writes it.
    """
    kept = {curves.race: curves for curves in (first_curves(), *stored_races())}
    if missing := [label for label, values in presets.items() if race_of(**values) not in kept]:
        raise ValueError(
            f"no recorded run of {', '.join(missing)}: run python -m widgets.explorers.recorded"
        )
    races = {
        OPENS if label == "reset" else label: race_of(**values) for label, values in presets.items()
    }
    steps = first_curves().race.steps

    def story(run: str, step: int) -> tuple[dict, str, str]:
        curves = at_step(kept[races[run]], int(step))
        headline, words = verdict(curves)
        return race_rows(curves), headline, f"Recorded: {spoken(curves.race)}. {words}"

    return RecordedExplorer(
        {
            "run": choice("recorded run", OPENS, list(races), 14),
            "step": count("steps of training", steps, 0, steps, step=EVERY),
        },
        story,
        race_chart,
        code=lambda run, step: (
            "from widgets.rows import Race\n"
            f"curves = {short(races[run])}.train(upto={int(step)})\n"
            "print(curves.figures[-1][0, 0].mean(-1))    # held-out features found: plain, anchored"
        ),
        name="training",
        presets={label: {"run": label, "step": steps} for label in races if label != OPENS},
    )


def at_step(curves: Curves, step: int) -> Curves:
    """The curves as they were after so many steps, the last checkpoint before if it is none."""
    number = sum(one <= step for one in curves.steps)
    return replace(
        curves,
        steps=curves.steps[:number],
        figures=curves.figures[:number],
        steps_done=curves.steps[number - 1],
    )


def stored_races() -> list[Curves]:
    """The runs that `main` wrote."""
    if not RACES.is_file():
        return []
    stored = json.loads(RACES.read_text(encoding="utf-8"))
    return [Curves.from_json(one) for one in stored]


def main() -> None:
    """Train every preset and keep it; the run that opens is kept by `widgets.rows.survey`."""
    from .training import training_explorer

    races = {race_of(**values) for values in training_explorer().preset_values.values()}
    wanted = sorted(races - {first_curves().race}, key=str)
    lines = [json.dumps(race.train().to_json()) for race in wanted]
    RACES.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
