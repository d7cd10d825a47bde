"""The version: one place for it, and everywhere the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from world import ROOT, python

import main
from runtime import version
from runtime.version import read_version

VERSION = next(
    line.split('"')[1] for line in (ROOT / "pyproject.toml").read_text().splitlines() if line.startswith("version = ")
)


def test_the_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"Delta Arc {VERSION}\n"


def test_the_version_is_shown_from_any_folder_and_with_wrong_settings(empty_folder: Path) -> None:
    shown = python([str(ROOT / "main.py"), "--version"], ATLAN_BASE_URL="nonsense")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, f"Delta Arc {VERSION}\n", "")


def test_without_the_projects_file_it_is_that_of_the_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "runtime", tmp_path / "runtime")
    monkeypatch.setattr(version, "__file__", str(tmp_path / "runtime" / "version.py"))
    assert read_version() == "unknown"
    info = tmp_path / f"delta_arc-{VERSION}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: delta-arc\nVersion: 7.8.9\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert read_version() == "7.8.9"
    # Another project's file beside it says nothing of this one.
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\nversion = "2"\n')
    assert read_version() == "7.8.9"
