"""The version of the program, which stands in pyproject.toml and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

NAME = "delta-arc"


def read_version() -> str:
    """The version in pyproject.toml beside the rooms, or, where they are installed, that of the package."""
    try:
        # tomllib is in Python from 3.11 on.
        text = (Path(__file__).resolve().parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = re.search(rf'^\[project\]\nname = "{NAME}"\nversion = "([^"\n]+)"$', text, re.MULTILINE)
    return found.group(1) if found else _installed_version()


def _installed_version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # slow, and hardly ever needed

    try:
        return version(NAME)
    except PackageNotFoundError:
        return "unknown"
