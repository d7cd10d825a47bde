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


def unmet_requirements() -> list[str] | None:
    """A sentence for each package that is missing, or of another version than requirements.txt allows.

    None where neither that file is beside the rooms, nor the program is installed as a package.
    """
    from importlib.metadata import PackageNotFoundError, requires, version

    try:
        text = (Path(__file__).resolve().parent.parent / "requirements.txt").read_text(encoding="utf-8")
        lines: list[str] | None = text.splitlines()
    except OSError:
        try:
            lines = requires(NAME)
        except PackageNotFoundError:
            lines = None
    if lines is None:
        return None
    told = []
    for line in lines:
        found = re.fullmatch(r"([A-Za-z0-9._-]+) *([<>=!~,. 0-9]*)", line.strip())
        if not found:
            continue  # a comment, or only of an extra
        package, wanted = found.group(1), found.group(2)
        try:
            installed = version(package)
        except PackageNotFoundError:
            told.append(f"{package} is not installed")
            continue
        if not fits(installed, wanted):
            told.append(f"{package} is {installed} and not {wanted}")
    return told


def fits(installed: str, wanted: str) -> bool:
    """Whether a version like 11.6.0 is at least (>=), below (<) or just (==) what is wanted, like `>=11.6,<12`."""
    own = _numbers(installed)
    for sign, bound in re.findall(r"(>=|<|==) *([0-9.]+)", wanted):
        other = _numbers(bound)
        if not {">=": own >= other, "<": own < other, "==": own == other}[sign]:
            return False
    return True


def _numbers(text: str) -> tuple[int, ...]:
    """The numbers of a version, without zeros at its end, so that 1.0 is 1."""
    found = re.match(r"\d+(\.\d+)*", text)
    numbers = [int(part) for part in found.group().split(".")] if found else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def _installed_version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # slow, and hardly ever needed

    try:
        return version(NAME)
    except PackageNotFoundError:
        return "unknown"
