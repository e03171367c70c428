"""The persistent chart: a Vega view that stays, and takes new columns in place. Works offline: the bundle ships inside the kernel."""

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
from PIL import Image

VEGA_LITE = "6.4"


@cache
def _bundle() -> str:
    """Vega and live.js in one module, 0.9 MB, made once a kernel (about 2 s)."""
    return vlc.javascript_bundle((Path(__file__).parent / "live.js").read_text(encoding="utf-8"), vl_version=VEGA_LITE)


def png(spec: dict, scale: float = 1.0, colours: int = 256) -> bytes:
    """The chart as a palette PNG: a fifth of the size, so that notebooks stay small."""
    picture = Image.open(io.BytesIO(vlc.vegalite_to_png(spec, vl_version=VEGA_LITE, scale=scale)))
    out = io.BytesIO()
    picture.convert("RGB").quantize(colours).save(out, "PNG", optimize=True)
    return out.getvalue()


def _png(spec: dict) -> str:
    return base64.b64encode(png(spec)).decode()


class LiveChart(anywidget.AnyWidget):
    """`chart` drawn over the data set named "live", whose rows `set_data` replaces without a new view.

    data : columns of equal length, sent as float32. alt : what the picture shows, for a screen reader; update it with the data.
    """

    _esm = ""                     # set on first use
    spec = traitlets.Dict().tag(sync=True)
    renderer = traitlets.Unicode("canvas").tag(sync=True)
    columns = traitlets.List(traitlets.Unicode()).tag(sync=True)
    buffer = traitlets.Bytes(b"").tag(sync=True)
    revision = traitlets.Int(0).tag(sync=True)
    alt = traitlets.Unicode("chart").tag(sync=True)

    def __init__(self, chart: alt.TopLevelMixin, data: dict[str, np.ndarray], **kwargs):
        if not type(self)._esm:
            type(self)._esm = _bundle()
        super().__init__(spec=chart.to_dict(), columns=list(data), **kwargs)
        self.set_data(data)

    def set_data(self, data: dict[str, np.ndarray], alt: str | None = None) -> None:
        """Replace all rows, in one message."""
        columns = {key: np.asarray(column, dtype="<f4") for key, column in data.items()}
        if list(columns) != self.columns or len({len(c) for c in columns.values()}) != 1:
            raise ValueError(f"data must have the columns {self.columns}, of one length; got {[(k, len(c)) for k, c in columns.items()]}")
        self.data = columns
        with self.hold_sync():
            self.buffer = np.concatenate(list(columns.values())).tobytes()
            self.alt = alt if alt is not None else self.alt
            self.revision += 1

    def static_spec(self) -> dict:
        """The chart with its present rows inside: the picture for viewers without a kernel."""
        rows = [dict(zip(self.data, map(float, row))) for row in zip(*self.data.values())]
        return {**self.spec, "datasets": {**self.spec.get("datasets", {}), "live": rows}}

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {**data, "text/plain": f"<LiveChart: {self.alt}>", "image/png": _png(self.static_spec())}, metadata


def enable_charts() -> None:
    """Make altair charts show in JupyterLab without a network, with a PNG beside them for viewers that run nothing.

    JupyterLab 4 bundles Vega-Lite 5 and knows its MIME type alone; the charts here keep to what both versions draw.
    """
    def renderer(spec: dict, **_):
        v5 = {**spec, "$schema": "https://vega.github.io/schema/vega-lite/v5.json"}
        mime = "application/vnd.vegalite.v5+json"
        return {mime: v5, "image/png": _png(spec), "text/plain": "<chart>"}, {mime: {"embed_options": {"actions": False}}}

    alt.renderers.register("sdl", renderer)
    alt.renderers.enable("sdl")
