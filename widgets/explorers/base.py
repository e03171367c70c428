"""The explorer: controls, a persistent chart, presets, a line of what is now true, code to copy."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import ipywidgets as W

from sdl_theory.checks import check_number, refuse

from ..charts import live
from ..live import LiveChart

RUN = "Run all cells, then drag"  # under the picture that a notebook keeps, until something runs


def _room(name: str) -> W.Layout:
    """Wide enough for the name, 300 pixels of a handle's way, and the number."""
    return W.Layout(width=f"{31 + 0.6 * len(name):.0f}em", max_width="100%", flex="0 0 auto")


def slider(name: str, value: float, low: float, high: float, step: float) -> W.FloatSlider:
    """A named real control."""
    return W.FloatSlider(
        value=check_number(name, value),
        min=low,
        max=high,
        step=step,
        description=name,
        continuous_update=True,
        style={"description_width": "initial"},
        layout=_room(name),
        readout_format=".2f",
    )


def count(name: str, value: int, low: int, high: int, step: int = 1) -> W.IntSlider:
    """A named whole-number control."""
    return W.IntSlider(
        value=int(check_number(name, value)),
        min=low,
        max=high,
        step=step,
        description=name,
        style={"description_width": "initial"},
        layout=_room(name),
    )


def choice(name: str, value: str, options: list[str], width: float | None = None) -> W.Dropdown:
    """A named choice."""
    if value not in options:
        refuse(name, f"one of {', '.join(map(str, options))}", value)
    return W.Dropdown(
        value=value,
        options=options,
        description=name,
        style={"description_width": "initial"},
        layout=W.Layout(
            width=f"{9 + 0.6 * len(name) if width is None else width:.0f}em", flex="0 0 auto"
        ),
    )


def figure(loss: float, places: int = 2) -> str:
    """A loss in words: two decimals, but never 0.00 for one that is not zero.

    Below 1e-12 it is rounding, and 0.
    """
    if abs(loss) < 1e-12:
        return f"{0:.{places}f}"
    return f"{loss:.{places}f}" if abs(loss) >= 0.5 * 10.0**-places else f"{loss:.1e}"


def ticks(control: W.FloatSlider | W.IntSlider) -> list[float]:
    """All values that the handle can take."""
    number = round((control.max - control.min) / control.step)
    return [
        type(control.value)(round(control.min + i * control.step, 9)) for i in range(number + 1)
    ]


def address_text(value: float | str) -> str:
    """A value as addresses and code write it, as in pair:rho=-0.6,m_2=1."""
    return quote(value, safe="") if isinstance(value, str) else f"{value + 0:.10g}"


class Explorer:
    """Controls, a persistent chart, presets, a line that says what is now true, and code to copy.

    story : story(**values) gives the chart's columns, a headline of one word or two, and a
        sentence.
    code : code(**values) gives the library calls for the state on screen.
    presets : values of the controls, by the names on the buttons.
    slow : a story takes more than 100 ms; the handle's release asks for it, and the picture fades
        until it comes.
    name : in the address of a state: that of the function that makes the explorer, without
        "_explorer".
    states : how many states a web page keeps, at most (`widgets.frames.grid`); by default 1500,
        200 of a slow one.
    grid : the values on which a handle moves there, where the usual ones will not do.

    With one control, the stories of all its values travel at once and the browser turns the pages:
    no kernel is asked.
    """

    # what a web page says beside the controls, and the control that it plays, if any
    note, plays = "", ""

    def __init__(
        self,
        controls: dict[str, W.Widget],
        story: Callable,
        chart: Callable,
        code: Callable[..., str],
        presets: dict[str, dict],
        *,
        slow: bool = False,
        name: str = "",
        states: int | None = None,
        grid: dict[str, list] | None = None,
    ):
        self.controls, self._story, self._code, self.slow = controls, story, code, slow
        self.name, self.grid = name, grid or {}
        self.states = states or (200 if slow else 1500)
        self._moving = False
        data, self.headline, self.words = self.tell(self.state)
        self.chart = LiveChart(
            chart(live()), data, self.headline, self.words, frames=self._frames()
        )
        if self.chart.ends:
            (control,) = controls.values()
            self.chart.value = control.value
            W.jsdlink((control, "value"), (self.chart, "value"))
        self.code = W.Textarea(
            self.code_of(self.state), layout=W.Layout(width="auto", height="6.8em")
        )
        pick = lambda change: self.set(**{change["new"]["name"]: change["new"]["value"]})
        self.chart.observe(pick, "picked")
        for control in controls.values():
            control.continuous_update = not slow
            control.observe(self._update, "value")
        self.preset_values = {
            name: self._read(values) for name, values in {**presets, "reset": self.state}.items()
        }
        self.presets = {
            name: self._button(name, values) for name, values in self.preset_values.items()
        }
        fold = W.Accordion([self.code], titles=("copy as code",))
        wrap = W.Layout(flex_flow="row wrap")
        self.view = W.VBox(
            [
                W.Box(list(controls.values()), layout=wrap),
                W.Box(list(self.presets.values()), layout=wrap),
                self.chart,
                fold,
            ]
        )

    def _frames(self) -> tuple[float, float, list] | None:
        """The stories of all values of the one control, for the browser to page through."""
        if self.slow or len(self.controls) > 1:
            return None
        ((name, control),) = self.controls.items()
        stories = [self.tell({name: value}) for value in ticks(control)]
        return control.min, control.step, stories

    def _button(self, name: str, values: dict[str, float]) -> W.Button:
        """A preset."""
        button = W.Button(description=name, tooltip=f"set {values}", layout=W.Layout(width="auto"))
        button.on_click(lambda _: self.set(**values))
        return button

    @property
    def state(self) -> dict[str, float]:
        """The controls' values by name."""
        return {name: control.value for name, control in self.controls.items()}

    def recorded(self) -> Explorer:
        """The explorer whose states a web page keeps: this one, where a state needs no training."""
        return self

    def tell(self, state: dict[str, float]) -> tuple[dict, str, str]:
        """The story of a state: the picture's columns, a headline, a sentence."""
        return self._story(**state)

    def address(self, state: dict[str, float]) -> str:
        """A state as the address of a web page ends with it, after the #."""
        values = (f"{name}={address_text(value)}" for name, value in state.items())
        return f"{self.name}:{','.join(values)}"

    def code_of(self, state: dict[str, float]) -> str:
        """Library calls for a state, and its address, which on the lesson's web page shows it."""
        code = self._code(**state)
        return f"{code}\n# on the lesson's web page: #{self.address(state)}" if self.name else code

    def set(self, **values: float) -> None:
        """Move controls, by name, all at once; a value out of range goes to its end.

        ValueError, and nothing moves, for no control's name, or no number.
        """
        values, self._moving = self._read(values), True
        try:
            for name, value in values.items():
                self.controls[name].value = value  # ipywidgets keeps it within its ends
        finally:
            self._moving = False
        if self.chart.ends:
            self.chart.value = float(next(iter(self.state.values())))
        self._update(None)

    def _read(self, values: dict[str, float]) -> dict[str, float]:
        """The values as their controls take them; or a ValueError that names the control."""
        if unknown := [name for name in values if name not in self.controls]:
            raise ValueError(
                f"there is no control {unknown[0]!r}; there are {', '.join(self.controls)}"
            )
        read = {}
        for name, value in values.items():
            control = self.controls[name]
            if not hasattr(control, "options"):
                within = min(max(check_number(name, value), control.min), control.max)
                read[name] = type(control.value)(within)
            elif value not in control.options:
                refuse(name, f"one of {', '.join(map(str, control.options))}", value)
            else:
                read[name] = value
        return read

    def _update(self, _change) -> None:
        if self._moving:
            return
        self.chart.busy = self.slow
        data, self.headline, self.words = self.tell(self.state)
        self.chart.set_data(data, self.headline, self.words)
        self.chart.busy = False
        self.code.value = self.code_of(self.state)

    def _repr_mimebundle_(self, **kwargs):
        """The live view, and beside it a picture for viewers that run nothing, which says so."""
        bundle = self.view._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {
            **data,
            "text/plain": f"{self.headline}: {self.words}\n({RUN})",
            "image/png": self.chart.png64(under=RUN),
        }, metadata
