"""A real JupyterLab and a real Chromium, offline.

Every request to another host is refused and counted.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from widgets.site import build

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = (
    os.environ.get("CHROMIUM")
    or shutil.which("chromium")
    or shutil.which("google-chrome")
    or shutil.which("chromium-browser")
)
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
}
LAB = [
    "--no-browser",
    "--allow-root",
    "--ServerApp.ip=127.0.0.1",
    "--ServerApp.port_retries=0",
    "--LabApp.news_url=",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
    "--LabApp.expose_app_in_browser=True",
    "--ServerApp.terminals_enabled=False",
]
KERNEL_READY = """() => { const w = window.jupyterapp?.shell?.currentWidget, sc = w?.sessionContext;
    return !!(sc?.isReady && sc.session?.kernel?.status === 'idle'); }"""
# run-all's promise has no timeout and resolves even when a cell raised: so it is polled, and then
# the notebook's model is asked
RUN_ALL = """() => { window.__runall = 'pending';
    window.jupyterapp.commands.execute('notebook:run-all-cells')
    .then(() => { window.__runall = 'done' }, e => { window.__runall = 'error: ' + e }); }"""
BAD_CELLS = """() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells
    .map((c, i) => [i, c]).filter(([i, c]) => c.cell_type === 'code' && String(c.source).trim()
        && (c.execution_count === null || c.outputs.some(o => o.output_type === 'error')))
    .map(([i, c]) => [i, c.outputs.filter(o => o.output_type === 'error')])
    .map(([i, errors]) => [i, errors.map(o => o.ename + ': ' + o.evalue)[0]])
    .map(([i, error]) => `cell ${i}: ` + (error || 'not run'))"""


def pytest_configure(config):
    # a run that is killed (CI's limit, `timeout`) must still end the JupyterLab that it started
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("SIGTERM", returncode=143))


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="session")
def notebook_folder(tmp_path_factory):
    """A copy of notebooks/, where tests may add their own."""
    folder = tmp_path_factory.mktemp("copy") / "notebooks"
    shutil.copytree(ROOT / "notebooks", folder)
    return folder


@pytest.fixture(scope="session")
def lab(tmp_path_factory, notebook_folder):
    """JupyterLab on 127.0.0.1, random port and token, its own configuration.

    It serves a copy of notebooks/.
    """
    tmp = tmp_path_factory.mktemp("lab")
    (tmp / "app-settings").mkdir()
    (tmp / "app-settings" / "overrides.json").write_text(json.dumps(SETTINGS))
    own = {f"JUPYTER_{name}": str(tmp / name) for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")}
    env = dict(
        os.environ,
        JUPYTER_PLATFORM_DIRS="1",
        OMP_NUM_THREADS="1",
        IPYTHONDIR=str(tmp / "ipython"),
        JUPYTERLAB_SETTINGS_DIR=str(tmp / "settings"),
        JUPYTERLAB_WORKSPACES_DIR=str(tmp / "workspaces"),
        **own,
    )
    port, token = _free_port(), secrets.token_hex(16)
    log = open(tmp / "lab.log", "wb")
    own_words = [
        f"--ServerApp.port={port}",
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={notebook_folder}",
        f"--LabApp.app_settings_dir={tmp / 'app-settings'}",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *LAB, *own_words],
        cwd=notebook_folder,
        env=env,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 90
        while True:
            assert process.poll() is None, (tmp / "lab.log").read_text()[-3000:]
            try:
                urllib.request.urlopen(f"{url}/api/status?token={token}", timeout=2).close()
                break
            except OSError:
                assert time.monotonic() < deadline, (tmp / "lab.log").read_text()[-3000:]
                time.sleep(0.1)
        yield url, token
    finally:
        process.terminate()  # the server shuts its kernels down itself
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # its own session, so only its own children
            process.wait()
        log.close()


@contextmanager
def chromium(profile: Path, **settings):
    """A page of a Chromium of its own; requests to other hosts are refused and kept."""
    if not CHROMIUM:
        if os.environ.get("CI"):
            pytest.fail("CI must have Chromium: apt-get install chromium")
        pytest.skip("no Chromium found; install it, or set CHROMIUM to its path")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile), executable_path=CHROMIUM, headless=True, args=CHROMIUM_ARGS, **settings
        )
        context.set_default_timeout(30_000)
        page = context.pages[0]
        page.external = []

        def guard(route):
            if urlsplit(route.request.url).hostname in ("127.0.0.1", None):
                route.continue_()
            else:
                page.external.append(route.request.url)
                route.abort()

        context.route("**/*", guard)
        yield page
        context.close()


@pytest.fixture
def page(tmp_path):
    """A page of Chromium in a wide window."""
    with chromium(tmp_path / "profile", viewport={"width": 1280, "height": 1400}) as page:
        yield page


@pytest.fixture(scope="session")
def site(tmp_path_factory, worker_id):
    """All pages of the site by their stems, with all states of all explorers: written once.

    Whichever of pytest's processes asks second waits for the first.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "site"
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (whole := folder / "whole").exists():
            pages = build(folder)
            whole.write_text("\n".join(path.name for path in pages))
    return {Path(name).stem: folder / name for name in whole.read_text().splitlines()}


@pytest.fixture
def run_notebook(lab, page):
    """Open a notebook, run it to the end, and return the page.

    Fails on any cell that raised or did not run.
    """

    def run(name: str, timeout_s: float = 180):
        url, token = lab
        page.goto(f"{url}/lab/tree/{name}?token={token}&reset")
        page.wait_for_selector(".jp-NotebookPanel .jp-CodeCell", timeout=60_000)
        # before, run-all would open the "Select Kernel" dialog
        page.wait_for_function(KERNEL_READY, timeout=90_000)
        page.evaluate(RUN_ALL)
        page.wait_for_function("() => window.__runall !== 'pending'", timeout=timeout_s * 1000)
        assert page.evaluate("window.__runall") == "done"
        assert page.evaluate(BAD_CELLS) == []
        return page

    return run


def taught(tmp_path_factory, *stems: str) -> dict[str, Path]:
    """The pages of these lessons and the one for teachers, by their first two letters."""
    source, folder = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("site")
    for name in ("teaching.md", *(f"{stem}.ipynb" for stem in stems)):
        shutil.copy(ROOT / "notebooks" / name, source)
    return {path.stem[:2]: path for path in build(folder, source, states=20)}


@pytest.fixture
def reader(page):
    """The page at a laptop's size; no error and no request outside may have come of it."""
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.set_viewport_size({"width": 1280, "height": 720})
    yield page
    assert page.errors == [] and page.external == []
