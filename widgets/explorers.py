"""Sliders over the theory. Each explorer has public `.controls` and `.chart`, a line that says what is now true, and code to copy."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as W

from sdl_theory import GroupMinimum, Verdict
from sdl_theory.audit import three_features

from .charts import absorption_chart, dead_chart, gap_chart, live, pair_chart, solution_chart, three_chart
from .live import LiveChart
from .rows import MAGNITUDE, absorption_rows, dead_rows, gap_rows, pair_rows, solution_rows, three_rows, three_worlds

WHY = {
    Verdict.TRAP: "A trap: gradient descent from here stays. The positive eigenvector has the top eigenvalue.",
    Verdict.SADDLE: "A saddle: both gradients are zero, yet a way down exists. The positive eigenvector is not the top one.",
    Verdict.NONE: "No partial minimum at all: no eigenvector is positive, so no neuron can sit still on this whole group.",
    Verdict.DEGENERATE: "Degenerate: the top eigenvalue repeats, a flat valley of equal minima.",
    Verdict.GLOBAL: "Loss zero: nothing spurious here.",
}


class Explorer:
    """Controls, a persistent chart, presets, a line that says what is now true, and the code for the state on screen.

    story(**values) gives the chart's columns, a headline of one word or two, and a sentence; `code(**values)` the library calls.
    """

    def __init__(self, controls: dict[str, W.Widget], story: Callable, chart: Callable, code: Callable[..., str], presets: dict[str, dict]):
        self.controls, self._story, self._code = controls, story, code
        data, headline, words = story(**self.state)
        presets = {**presets, "reset": self.state}
        self.line = W.HTML()
        self.line.add_class("sdl-line")
        self.code = W.Textarea(layout=W.Layout(width="auto", height="5.5em"))
        self.chart = LiveChart(chart(live()), data)
        self._say(headline, words)
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
        data, headline, words = self._story(**self.state)
        self._say(headline, words)
        self.chart.set_data(data, alt=self.words)

    def _say(self, headline: str, words: str) -> None:
        self.words = words
        self.line.value = f'<p aria-live="polite" style="font-size: 115%; margin: 0.3em 0"><b>{headline}</b> &mdash; {words}</p>'
        self.chart.alt = self.words
        self.code.value = self._code(**self.state)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.view)


def _verdict_story(answer: tuple[dict, GroupMinimum]) -> tuple[dict, str, str]:
    data, minimum = answer
    return data, str(minimum.verdict), WHY[minimum.verdict] + (f" Loss {minimum.loss:.3f}." if minimum.exists else "")


def _slider(name: str, value: float, low: float, high: float, step: float) -> W.FloatSlider:
    return W.FloatSlider(value=value, min=low, max=high, step=step, description=name, continuous_update=True,
                         style={"description_width": "initial"}, layout=W.Layout(width="24em", flex="0 0 auto"), readout_format=".2f")


def pair_explorer(rho: float = 0.6) -> Explorer:
    """Two features on one neuron: drag their cosine rho through zero and watch a trap become a saddle."""
    controls = {"rho": _slider("cosine rho", rho, -0.95, 0.95, 0.05), "m_2": _slider("weight m_2 (m_1 = 1)", 1.0, 0.2, 3.0, 0.1)}
    code = lambda rho, m_2: ("import torch\nfrom sdl_theory import Problem, group_minimum\nfrom widgets.rows import pair_problem\n"
                             f"print(group_minimum(pair_problem({rho:.2f}, {m_2:.2f}), [0, 1]))")
    story = lambda rho, m_2: _verdict_story(pair_rows(round(rho, 4), m_2))
    return Explorer(controls, story, pair_chart, code, {"a trap": {"rho": 0.6, "m_2": 1.0}, "a saddle": {"rho": -0.6, "m_2": 1.0},
                                                       "flat": {"rho": 0.0, "m_2": 1.0}, "none at all": {"rho": 0.0, "m_2": 2.0}})


def three_explorer(t: float = 1.0) -> Explorer:
    """Three features on one neuron: one slider over M_d walks from a saddle through nothing to a trap, and to nothing again."""
    controls = {"t": _slider("path of M_d", t, 0.0, 2.0, 0.02)}
    code = lambda t: ("from sdl_theory import group_minimum\nfrom sdl_theory.audit import three_features\n"
                      f"print(group_minimum(three_features({tuple(round(m, 3) for m in three_worlds(t))}), [0, 1, 2]))")
    story = lambda t: _verdict_story(three_rows(three_features(three_worlds(t))))
    return Explorer(controls, story, three_chart, code, {"a saddle": {"t": 0.0}, "a trap": {"t": 1.0}, "none at all": {"t": 2.0}})


def _gap_story(n: int, log_rate: float, theta: float) -> tuple[dict, str, str]:
    data, seen = gap_rows(int(n), round(log_rate, 3), round(theta, 3))
    gap, rate = seen["L"] - seen["Lt"], 10.0**log_rate
    if theta > 0:
        return data, "no theorem", (f"JumpReLU is not homogeneous: L - Lt = {gap:.2g} shrinks only like 1-S, of either sign. At S near 1 it crosses every bound of order two.")
    if n * rate > 1:
        return data, "vacuous", f"n(1-S) = {n * rate:.2g} > 1: two or more features are active {seen['more']:.0%} of the time, and the bound says little or nothing."
    return data, "holds", f"0 <= L - Lt = {gap:.2g} <= {seen['tight']:.2g}. A tenth of 1-S gives a hundredth of the gap: order two."


def gap_explorer(n: int = 6, log_rate: float = -2.0, theta: float = 0.0) -> Explorer:
    """Theorem 3.1: drag the sparsity, the number of features, and JumpReLU's threshold, and see when the bound speaks."""
    controls = {"n": W.IntSlider(value=n, min=2, max=9, description="features n", style={"description_width": "initial"}, layout=W.Layout(width="18em", flex="0 0 auto")),
                "log_rate": _slider("log10(1 - S)", log_rate, -5.0, -0.1, 0.1), "theta": _slider("threshold theta", theta, 0.0, 1.0, 0.05)}
    code = lambda n, log_rate, theta: ("from sdl_theory import Constant, SparseFeatures\n"
                                       f"features = SparseFeatures({n}, S={1 - 10.0**log_rate:.6g}, magnitudes=Constant({MAGNITUDE}))\n"
                                       f"print(features.count_probabilities(), features.M_d)")
    return Explorer(controls, _gap_story, gap_chart, code, {"sparse": {"n": 6, "log_rate": -3.0, "theta": 0.0}, "dense": {"n": 9, "log_rate": -0.5, "theta": 0.0},
                                                            "JumpReLU": {"n": 6, "log_rate": -3.0, "theta": 0.5}})


def _solution_story(mu: float, theta: float, angle: float) -> tuple[dict, str, str]:
    mu, theta = round(mu, 4), round(theta, 4)
    data, (star, dual, mirrored) = solution_rows(mu, theta, angle)
    first = f"W* has loss {star[0]:.2f}" + (f", since mu = {mu:.2f} > theta = {theta:.2f}" if mu > theta else f", since mu = {mu:.2f} <= theta = {theta:.2f}")
    second = f"the dual basis has loss {dual[0]:.2f} with rows at cosine {dual[1]:.2f} to the features"
    third = f"the mirrored pair has loss {mirrored[0]:.2f} and best cosines of {mirrored[1]:.2f}"
    zero = sum(loss < 1e-9 for loss, *_ in (star, dual, mirrored))
    return data, f"{zero} of 3 at zero loss", f"{first}; {second}; {third}."


def solution_explorer(mu: float = 0.5, theta: float = 0.0, angle: float = 20.0) -> Explorer:
    """Theorems 3.3 and 3.4: drag interference, threshold and rotation, and see which solutions reach zero loss and which recover anything."""
    controls = {"mu": _slider("interference mu", mu, -0.9, 0.9, 0.05), "theta": _slider("threshold theta", theta, 0.0, 0.95, 0.05),
                "angle": _slider("turn pair (degrees)", angle, 0.0, 90.0, 5.0)}
    code = lambda mu, theta, angle: ("from sdl_theory import JumpReLU, certify, ideal_weights\nfrom widgets.rows import pair_problem\n"
                                     f"problem = pair_problem({mu:.2f})\nprint(certify(problem, ideal_weights(problem, 4), JumpReLU({theta:.2f})))")
    return Explorer(controls, _solution_story, solution_chart, code, {"interference": {"mu": 0.5, "theta": 0.0, "angle": 20.0},
                                                                      "theta = mu": {"mu": 0.5, "theta": 0.5, "angle": 20.0}, "no interference": {"mu": -0.2, "theta": 0.0, "angle": 45.0}})


def _absorption_story(strength: float, child: int, theta: float) -> tuple[dict, str, str]:
    data, seen = absorption_rows(round(strength, 3), child - 1, round(theta, 3))
    parent, answer, after = seen["parent"], seen["answer"], seen["after"]
    if not parent.exists:
        return data, "no parent", f"There is no partial minimum with one neuron a parent: {parent.reason}."
    if not answer.realizable:
        return data, "not realizable", answer.reason + "."
    first = "It is" if seen["first"] == child - 1 else f"The ladder would take child {seen['first'] + 1} first; this is not"
    return data, f"absorbed, a {after.verdict}", (f"The family's loss falls from {parent.loss - seen['other']:.3f} to {after.loss - seen['other']:.3f}. "
                                                  f"{first} the child whose leaving helps most.")


def absorption_explorer(strength: float = 0.8, child: int = 3, theta: float = 0.1) -> Explorer:
    """Theorem 3.10: choose how close the children are to their parent, who leaves, and the threshold."""
    controls = {"strength": _slider("strength of the hierarchy", strength, 0.1, 0.95, 0.05),
                "child": W.IntSlider(value=child, min=1, max=4, description="child that leaves", style={"description_width": "initial"}, layout=W.Layout(width="20em", flex="0 0 auto")),
                "theta": _slider("threshold theta", theta, 0.0, 1.0, 0.05)}
    code = lambda strength, child, theta: ("from sdl_theory import JumpReLU, absorb, partial_minimum, pattern\nfrom widgets.rows import family\n"
                                           f"problem, sigma = family({strength:.2f}), JumpReLU({theta:.2f})\n"
                                           "parent = partial_minimum(problem, pattern([[0, 1, 2, 3], [4, 5, 6, 7]], 8, 3), sigma)\n"
                                           f"print(absorb(problem, parent.weights, sigma, neuron=0, child={child - 1}).reason)")
    return Explorer(controls, _absorption_story, absorption_chart, code, {"close family": {"strength": 0.9, "child": 3, "theta": 0.1}, "loose family": {"strength": 0.3, "child": 3, "theta": 0.1},
                                                                          "no threshold": {"strength": 0.8, "child": 1, "theta": 0.0}})


def _dead_story(depth: float, log_nudge: float, theta: float) -> tuple[dict, str, str]:
    data, seen = dead_rows(round(depth, 3), log_nudge, round(theta, 3))
    name = str(seen["certificate"].neurons[1]).replace("_", " ")
    where = "on the wall z = theta" if seen["margin"] == 0 else f"{seen['margin']:.2f} below the threshold"
    return data, name, f"The dead row sits {where}; nudges have size {10.0**log_nudge:.2g}. {seen['fell']} of 6 descents wake it and leave the trap."


def dead_explorer(depth: float = 0.0, log_nudge: float = -2.0, theta: float = 0.0) -> Explorer:
    """Section 6's dead neurons: how deep is the dead row, how large the nudge, how high the threshold; does descent wake it?"""
    controls = {"depth": _slider("depth of the dead row", depth, 0.0, 0.5, 0.02), "log_nudge": _slider("log10 of the nudge", log_nudge, -4.0, -0.5, 0.25),
                "theta": _slider("threshold theta", theta, 0.0, 0.5, 0.05)}
    code = lambda depth, log_nudge, theta: ("from widgets.rows import dead_rows\n"
                                            f"data, seen = dead_rows(depth={depth:.2f}, log_nudge={log_nudge:.2f}, theta={theta:.2f})\nprint(seen['certificate'])")
    return Explorer(controls, _dead_story, dead_chart, code, {"zero row, ReLU": {"depth": 0.0, "log_nudge": -2.0, "theta": 0.0},
                                                              "zero row, JumpReLU": {"depth": 0.0, "log_nudge": -2.0, "theta": 0.2}, "strictly dead": {"depth": 0.3, "log_nudge": -2.0, "theta": 0.0}})

