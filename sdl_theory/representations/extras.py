"""Packages that not everybody has: asked for by name where one is missing."""

from __future__ import annotations

from importlib.util import find_spec


def need(module: str, what: str, install: str) -> None:
    """ValueError that says what to install, unless `module` is there."""
    if find_spec(module) is None:
        raise ValueError(f"{what} needs the package {module}: pip install {install}, or make real")
