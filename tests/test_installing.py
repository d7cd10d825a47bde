"""Installing: what the wheel brings along, and what the locks pin."""

from __future__ import annotations

import itertools
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from world import ROOT, python

ROOMS = ("delta_arc", "metadata_extraction", "runtime", "sandbox", "lineage_page")
LOCKS = {
    "requirements.lock": ("requirements.txt",),
    "sandbox/requirements.lock": ("requirements.txt", "sandbox/requirements.txt"),
    "metadata_extraction/requirements.lock": ("metadata_extraction/requirements.txt",),
    "requirements-dev.lock": ("requirements-dev.txt",),
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked as pip does it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    unwanted = shutil.ignore_patterns("__pycache__")
    for room in ROOMS:
        shutil.copytree(ROOT / room, source / room, ignore=unwanted)
    for name in ("main.py", "pyproject.toml", "requirements.txt", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    build = "import os, sys; os.chdir(sys.argv[1]); from setuptools.build_meta import build_wheel; build_wheel('..')"
    built = python(["-c", build, str(source)])
    assert built.returncode == 0, built.stderr
    (packed,) = folder.glob("delta_arc-*.whl")
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def test_the_wheel_has_every_file_that_a_program_opens(wheel: Path) -> None:
    unneeded = {"README.md", "requirements.lock"}
    wanted = {
        path.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and path.name not in unneeded and path.suffix != ".pyc"
    }
    there = {path.relative_to(wheel).as_posix() for path in wheel.rglob("*") if path.is_file()}
    assert {path for path in there if ".dist-info/" not in path} == wanted | {"main.py"}


def test_the_command_of_the_wheel_is_the_program(wheel: Path, empty_folder: Path) -> None:
    """Called as the script that pip writes does it."""
    call = (
        "from importlib.metadata import entry_points as all; c, = all(name='delta-arc'); raise SystemExit(c.load()())"
    )
    shown = python(["-c", call, "--version"], PYTHONPATH=str(wheel))
    version = re.findall(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[0]
    assert (shown.returncode, shown.stdout) == (0, f"Delta Arc {version}\n")
    refused = python(["-c", call, "--require-tenant"], PYTHONPATH=str(wheel))
    assert (refused.returncode, refused.stderr.count("there is no tenant")) == (2, 1)


def requirements(file: str) -> list[Requirement]:
    """What a file of requirements asks for, and what the files do that it names."""
    found = []
    for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            found += requirements((Path(file).parent / line[3:]).as_posix())
        elif line and not line.startswith("#"):
            found.append(Requirement(line))
    return found


def test_the_wheel_asks_for_what_the_requirements_do(wheel: Path) -> None:
    (metadata,) = wheel.glob("*.dist-info/METADATA")
    asked: dict[str, set[str]] = {}
    for line in re.findall(r"^Requires-Dist: (.*)$", metadata.read_text(encoding="utf-8"), re.MULTILINE):
        text, _, extra = line.partition("; extra == ")
        asked.setdefault(extra.strip('"'), set()).add(str(Requirement(text)))
    files = {
        "": "requirements.txt",
        "sandbox": "sandbox/requirements.txt",
        "extraction": "metadata_extraction/requirements.txt",
        "snowflake": "metadata_extraction/requirements-snowflake.txt",
    }
    assert asked == {extra: {str(wanted) for wanted in requirements(file)} for extra, file in files.items()}


def pinned(lock: str) -> dict[str, set[str]]:
    """The versions by package: more than one where an old Python needs another."""
    found: dict[str, set[str]] = {}
    for entry in re.split(r"\n(?=\S)", (ROOT / lock).read_text(encoding="utf-8").strip()):
        if not entry.startswith("#"):
            assert "--hash=sha256:" in entry, entry
            ((name, version),) = re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==(\S+)", entry)
            found.setdefault(name, set()).add(version)
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_what_its_requirements_ask_for(lock: str) -> None:
    versions = pinned(lock)
    for wanted in itertools.chain(*(requirements(file) for file in LOCKS[lock])):
        assert all(version in wanted.specifier for version in versions[canonicalize_name(wanted.name)]), wanted
    everything = pinned("requirements-dev.lock")
    assert {name: everything[name] for name in versions} == versions, "what is installed is not what is tested"


def test_each_lock_is_made_by_the_tool() -> None:
    made = re.findall(
        r'^pin (\S+) "\$@" (?:"\$\{tested\[@\]\}" )?(.+)$', (ROOT / "tools" / "lock").read_text(), re.MULTILINE
    )
    assert {lock: tuple(files.split()) for lock, files in made} == LOCKS
    there = [path.relative_to(ROOT) for path in (*ROOT.glob("*.lock"), *ROOT.glob("*/*.lock"))]
    assert {path.as_posix() for path in there if path.parts[0] != ".venv"} == {*LOCKS}
