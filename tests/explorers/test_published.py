"""What stands here for those who run nothing: saved pictures, and the published pages."""

import base64
import re
from io import BytesIO
from pathlib import Path

import nbformat
import numpy as np
from PIL import Image

from widgets.explorers.base import RUN
from widgets.recordings import call_of

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "pages.yml"


def test_every_stored_explorer_says_how_to_bring_it_to_life():
    """Under its saved picture, which a viewer without a kernel shows; not on its page."""
    stored = [
        output.data
        for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code" and call_of(cell.source)
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    assert len(stored) >= 13
    for data in stored:
        assert data["text/plain"].endswith(f"\n({RUN})")
        picture = np.array(
            Image.open(BytesIO(base64.b64decode(data["image/png"]))).convert("L"), dtype=int
        )
        strip = picture[-34:] < 160  # dark on white: words, in the middle
        assert strip[8:24].any() and not strip[:2].any()
        assert not strip[:, : picture.shape[1] // 4].any()


def test_the_workflow_publishes_what_make_html_writes():
    text = WORKFLOW.read_text(encoding="utf-8")
    build, deploy = re.split(r"^  deploy:$", text, flags=re.M)
    order = ("make html", "tests/browser/test_site.py", "upload-pages-artifact", "path: build/html")
    places = [build.index(step) for step in order]
    assert places == sorted(places)
    assert "needs: build" in deploy and "pages: write" in deploy and "refs/heads/main" in deploy
    for path in re.findall(r"tests/[\w/]+\.py", text):
        assert (ROOT / path).is_file()
