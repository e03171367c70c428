"""Sliders over the theory. Each explorer has public `.controls` and `.chart`, a line that says what is now true, and code to copy."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as W

from sdl_theory import GroupMinimum, Verdict
from sdl_theory.audit import three_features

from .charts import live, pair_chart, three_chart
from .live import LiveChart
from .rows import pair_rows, three_rows, three_worlds

WHY = {
    Verdict.TRAP: "A trap: gradient descent from here stays. The positive eigenvector has the top eigenvalue.",
    Verdict.SADDLE: "A saddle: both gradients are zero, yet a way down exists. The positive eigenvector is not the top one.",
    Verdict.NONE: "No partial minimum at all: no eigenvector is positive, so no neuron can sit still on this whole group.",
    Verdict.DEGENERATE: "Degenerate: the top eigenvalue repeats, a flat valley of equal minima.",
    Verdict.GLOBAL: "Loss zero: nothing spurious here.",
}


class Explorer:
    """Controls, a persistent chart, and a line of words. `rows(**values)` gives the table and the group's answer."""

    def __init__(self, controls: dict[str, W.Widget], rows: Callable, chart: Callable, code: Callable[..., str], presets: dict[str, dict]):
        self.controls, self._rows, self._code = controls, rows, code
        data, minimum = rows(**self.state)
        self.line = W.HTML()
        self.line.add_class("sdl-line")
        self.code = W.Textarea(layout=W.Layout(width="auto", height="5.5em"), disabled=True)
        self.chart = LiveChart(chart(live()), data)
        self._say(minimum)
        for control in controls.values():
            control.observe(self._update, "value")
        self.presets = {name: W.Button(description=name, tooltip=f"set {values}") for name, values in presets.items()}
        for name, button in self.presets.items():
            button.on_click(lambda _, values=presets[name]: self.set(**values))
        fold = W.Accordion([self.code], titles=("copy as code",))
        row = W.Layout(flex_flow="row wrap")
        self.view = W.VBox([W.Box(list(controls.values()), layout=row), W.HBox(list(self.presets.values())), self.chart, self.line, fold])

    @property
    def state(self) -> dict[str, float]:
        """The controls' values by name."""
        return {name: control.value for name, control in self.controls.items()}

    def set(self, **values: float) -> None:
        """Move controls, by name; a value out of range goes to its end."""
        for name, value in values.items():
            control = self.controls[name]
            control.value = min(max(value, control.min), control.max)

    def _update(self, _change) -> None:
        data, minimum = self._rows(**self.state)
        self._say(minimum)
        self.chart.set_data(data, alt=self.words)

    def _say(self, minimum: GroupMinimum) -> None:
        loss = f" Loss {minimum.loss:.3f}." if minimum.exists else ""
        self.words = WHY[minimum.verdict] + loss
        self.line.value = f'<p aria-live="polite" style="font-size: 115%; margin: 0.3em 0"><b>{minimum.verdict}</b> &mdash; {self.words}</p>'
        self.chart.alt = self.words
        self.code.value = self._code(**self.state)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.view)


def _slider(name: str, value: float, low: float, high: float, step: float) -> W.FloatSlider:
    return W.FloatSlider(value=value, min=low, max=high, step=step, description=name, continuous_update=True,
                         style={"description_width": "initial"}, layout=W.Layout(width="24em", flex="0 0 auto"), readout_format=".2f")


def pair_explorer(rho: float = 0.6) -> Explorer:
    """Two features on one neuron: drag their cosine rho through zero and watch a trap become a saddle."""
    controls = {"rho": _slider("cosine rho", rho, -0.95, 0.95, 0.05), "m_2": _slider("weight m_2 (m_1 = 1)", 1.0, 0.2, 3.0, 0.1)}
    code = lambda rho, m_2: ("import torch\nfrom sdl_theory import Problem, group_minimum\nfrom widgets.rows import pair_problem\n"
                             f"print(group_minimum(pair_problem({rho:.2f}, {m_2:.2f}), [0, 1]))")
    rows = lambda rho, m_2: pair_rows(round(rho, 4), m_2)
    return Explorer(controls, rows, pair_chart, code, {"a trap": {"rho": 0.6, "m_2": 1.0}, "a saddle": {"rho": -0.6, "m_2": 1.0},
                                                       "flat": {"rho": 0.0, "m_2": 1.0}, "none at all": {"rho": 0.0, "m_2": 2.0}})


def three_explorer(t: float = 1.0) -> Explorer:
    """Three features on one neuron: one slider over M_d walks from a saddle through a trap to nothing at all."""
    controls = {"t": _slider("path of M_d", t, 0.0, 2.0, 0.02)}
    code = lambda t: ("from sdl_theory import group_minimum\nfrom sdl_theory.audit import three_features\n"
                      f"print(group_minimum(three_features({tuple(round(m, 3) for m in three_worlds(t))}), [0, 1, 2]))")
    rows = lambda t: three_rows(three_features(three_worlds(t)))
    return Explorer(controls, rows, three_chart, code, {"a saddle": {"t": 0.0}, "a trap": {"t": 1.0}, "none at all": {"t": 2.0}})
