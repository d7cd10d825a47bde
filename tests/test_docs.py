"""The README says what is so: its settings, options and commands are those of the program."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import main
from metadata_extraction import __main__ as extraction

PROJECT = Path(__file__).resolve().parent.parent
README = (PROJECT / "README.md").read_text(encoding="utf-8")


def test_every_setting_is_in_the_readme_and_in_the_example() -> None:
    read = set()
    for package in ("delta_arc", "metadata_extraction"):
        source = (PROJECT / package / "settings.py").read_text(encoding="utf-8")
        read |= {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}
    settings = {value for value in read if isinstance(value, str) and re.fullmatch(r"[A-Z0-9]+(_[A-Z0-9]+)+", value)}
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    assert len(settings) >= 28
    for name in settings:
        assert f"`{name}`" in README, name
        assert name in example or name == "ATLAN_API_KEY", name


def test_every_option_is_in_the_readme_and_the_other_way_round() -> None:
    options = {option for action in main.build_parser()._actions for option in action.option_strings}
    table = README.partition("## Settings")[0]
    assert options - {"-h", "--help"} == set(re.findall(r"^\| `(--[a-z0-9-]+)`", table, re.MULTILINE))


def test_every_public_function_is_in_the_readme() -> None:
    for name in main.__all__:
        assert name in README, name


def test_the_gate_runs_the_readmes_test_command() -> None:
    commands = re.findall(r"```sh\n(python3 -m venv .*)\n```", README)
    assert len(commands) == 3
    assert commands[2].endswith("-m pytest")
    assert commands[2] in (PROJECT / ".ci" / "run").read_text(encoding="utf-8")


def test_every_command_of_the_extraction_is_in_the_readme() -> None:
    (commands,) = (action.choices for action in extraction.build_parser()._actions if action.dest == "command")
    chapter = README.partition("## Metadata extraction")[2]
    for name in commands:
        assert f"python -m metadata_extraction {name}" in chapter, name


def test_nothing_that_the_program_needs_is_ignored_by_git() -> None:
    """A file that is only here, and in no clone, makes every test pass here, and the program fail elsewhere."""
    if not shutil.which("git") or not (PROJECT / ".git").exists():
        pytest.skip("this is no git repository")
    parts = ["delta_arc", "sandbox", "metadata_extraction", "components", "main.py", "matching.py"]
    command = ["git", "ls-files", "--others", "--ignored", "--exclude-standard", "--", *parts]
    ignored = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [name for name in ignored if "__pycache__" not in name] == []
