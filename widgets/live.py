"""The persistent chart: a Vega view that stays, and takes new columns in place.

Works offline: the bundle ships inside the kernel.
"""

from __future__ import annotations

import base64
import io
from functools import cache
from pathlib import Path

import altair as alt
import anywidget
import numpy as np
import traitlets
import vl_convert as vlc
from PIL import Image, ImageDraw, ImageFont

from .charts.theme import NOTEBOOK, dark_rules

VEGA_LITE = "6.4"
HERE = Path(__file__).parent


@cache
def bundle(script: str) -> str:
    """Vega, core.js and one more script in one file, 0.9 MB, made once a process (about 2 s)."""
    return vlc.javascript_bundle(
        "".join((HERE / name).read_text(encoding="utf-8") for name in ("core.js", script)),
        vl_version=VEGA_LITE,
    )


def png(spec: dict, scale: float = 1.0, colours: int = 256, under: str = "") -> bytes:
    """The chart as a palette PNG: a fifth of the size, so that notebooks stay small.

    under : words under the picture.
    """
    drawn = vlc.vegalite_to_png(spec, vl_version=VEGA_LITE, scale=scale)
    picture, out = Image.open(io.BytesIO(drawn)).convert("RGB"), io.BytesIO()
    if under:
        picture = _captioned(picture, under)
    picture.quantize(colours).save(out, "PNG", optimize=True)
    return out.getvalue()


def _captioned(picture: Image.Image, words: str) -> Image.Image:
    """The picture on taller paper, with words in the middle under it."""
    paper = Image.new("RGB", (picture.width, picture.height + 34), "white")
    paper.paste(picture)
    place = (picture.width / 2, picture.height + 15)
    ImageDraw.Draw(paper).text(
        place, words, fill="#57606a", font=ImageFont.load_default(17), anchor="mm"
    )
    return paper


def pack(columns: dict[str, np.ndarray]) -> bytes:
    """Columns one after the other, as float32."""
    return np.concatenate(
        [np.asarray(column, dtype="<f4") for column in columns.values()]
    ).tobytes()


class LiveChart(anywidget.AnyWidget):
    """A chart drawn over the data set named "live", with a line of words under it.

    chart : the picture; `set_data` replaces data and words in place, without a new view.
    data : columns of equal length, sent as float32.
    headline, words : the line under it; to a screen reader the words are the picture's description.
    frames : for a picture that one slider drives, (low, step, stories): the slider's values, and
        (columns, headline, words) for each of them. They travel once; link the slider to `value` in
        the browser (ipywidgets.jslink), and no kernel is needed.
    """

    _esm = ""  # set on first use
    _css = (HERE / "live.css").read_text(encoding="utf-8") + dark_rules(NOTEBOOK)
    spec = traitlets.Dict().tag(sync=True)
    renderer = traitlets.Unicode("svg").tag(sync=True)
    columns = traitlets.List(traitlets.Unicode()).tag(sync=True)
    buffer = traitlets.Bytes(b"").tag(sync=True)
    revision = traitlets.Int(0).tag(sync=True)
    headline = traitlets.Unicode("").tag(sync=True)
    alt = traitlets.Unicode("chart").tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)  # a new picture is on its way
    stale = traitlets.Bool(False).tag(sync=True)  # the picture is not of what the controls say
    frames = traitlets.Bytes(b"").tag(sync=True)
    ends = traitlets.List(traitlets.Int()).tag(sync=True)
    lines = traitlets.List().tag(sync=True)
    grid = traitlets.List([0.0, 1.0]).tag(sync=True)
    value = traitlets.Float(0.0).tag(sync=True)
    picked = traitlets.Dict().tag(sync=True)  # a mark was clicked: a control's name, its new value

    def __init__(
        self,
        chart: alt.TopLevelMixin,
        data: dict[str, np.ndarray],
        headline: str = "",
        words: str = "chart",
        *,
        frames: tuple[float, float, list] | None = None,
        **kwargs,
    ):
        if not type(self)._esm:
            type(self)._esm = bundle("live.js")
        if frames:
            low, step, stories = frames
            kwargs |= {
                "frames": b"".join(pack(columns) for columns, *_ in stories),
                "ends": np.cumsum([len(columns["x"]) for columns, *_ in stories]).tolist(),
                "lines": [line for _, *line in stories],
                "grid": [low, step],
            }
        super().__init__(spec=chart.to_dict(), columns=list(data), **kwargs)
        self.set_data(data, headline, words)

    def set_data(
        self, data: dict[str, np.ndarray], headline: str = "", words: str | None = None
    ) -> None:
        """Replace all rows and the words, in one message."""
        columns = {key: np.asarray(column, dtype="<f4") for key, column in data.items()}
        if list(columns) != self.columns or len({len(c) for c in columns.values()}) != 1:
            raise ValueError(
                f"data must have the columns {self.columns}, of one length; "
                f"got {[(k, len(c)) for k, c in columns.items()]}"
            )
        self.data = columns
        with self.hold_sync():
            self.headline, self.alt = headline, words if words is not None else self.alt
            if not self.ends:
                self.buffer = pack(columns)
            self.revision += 1

    def static_spec(self) -> dict:
        """The chart with its present rows inside: the picture for viewers without a kernel."""
        rows = [dict(zip(self.data, map(float, row))) for row in zip(*self.data.values())]
        return {**self.spec, "datasets": {**self.spec.get("datasets", {}), "live": rows}}

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {
            **data,
            "text/plain": f"<LiveChart: {self.alt}>",
            "image/png": self.png64(),
        }, metadata

    def png64(self, under: str = "") -> str:
        """The present picture, and words under it, as a base64 PNG."""
        return base64.b64encode(png(self.static_spec(), under=under)).decode()


def enable_charts() -> None:
    """Make altair charts show in JupyterLab without a network.

    With a PNG beside them for viewers that run nothing. JupyterLab 4 bundles Vega-Lite 5 and knows
    its MIME type alone; the charts here keep to what both versions draw.
    """

    def renderer(spec: dict, **_):
        v5 = {**spec, "$schema": "https://vega.github.io/schema/vega-lite/v5.json"}
        mime = "application/vnd.vegalite.v5+json"
        return {
            mime: v5,
            "image/png": base64.b64encode(png(spec)).decode(),
            "text/plain": "<chart>",
        }, {mime: {"embed_options": {"actions": False, "renderer": "svg"}}}

    alt.renderers.register("sdl", renderer)
    alt.renderers.enable("sdl")
