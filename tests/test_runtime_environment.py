"""Settings come from `.env` and the environment, which wins; what cannot be read is one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.environment import check_log_level, is_local, read_environment
from runtime.errors import SettingsError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("S3_PREFIX", raising=False)
    return tmp_path


def fault() -> str:
    """The one sentence that reading ends with."""
    before = dict(os.environ)
    with pytest.raises(SettingsError) as raised:
        read_environment()
    assert dict(os.environ) == before
    (told,) = raised.value.faults
    assert told.startswith(".env cannot be read (")
    assert "\n" not in told
    return told


def test_without_a_file_it_is_the_environment() -> None:
    assert read_environment() == dict(os.environ)


def test_the_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text(
        "# a comment\nS3_PREFIX=in/\nexport AWS_REGION='eu'\nEMPTY=\nNAME_ONLY\nODD=é日🎉\n", "utf-8"
    )
    before = dict(os.environ)
    found = read_environment()
    assert dict(os.environ) == before
    assert {name: found[name] for name in ("S3_PREFIX", "AWS_REGION", "EMPTY", "NAME_ONLY", "ODD")} == {
        "S3_PREFIX": "in/", "AWS_REGION": "eu", "EMPTY": "", "NAME_ONLY": "", "ODD": "é日🎉",
    }  # fmt: skip
    monkeypatch.setenv("S3_PREFIX", "")
    assert read_environment()["S3_PREFIX"] == ""


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    Path(".env").write_bytes(b"\xef\xbb\xbfS3_PREFIX=in/\r\nOTHER=1\r\n")
    assert read_environment()["S3_PREFIX"] == "in/"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_another_encoding_is_told(encoding: str) -> None:
    Path(".env").write_bytes("S3_PREFIX=é/\n".encode(encoding))
    assert fault().endswith("save it as UTF-8 text.")


def test_what_is_no_file_is_not_taken_for_an_empty_one() -> None:
    """With no settings at all the sandbox would be used."""
    Path(".env").mkdir()
    assert "let it be a file that you may read" in fault()
    Path(".env").rmdir()
    Path(".env").symlink_to("nowhere")
    assert "let it be a file that you may read" in fault()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="whoever runs this may read every file")
def test_a_file_that_may_not_be_read_is_told() -> None:
    Path(".env").write_text("S3_PREFIX=in/\n")
    Path(".env").chmod(0)
    assert "Permission denied" in fault()


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_file_ends_in_anything_but_variables_or_a_sentence(content: bytes) -> None:
    Path(".env").write_bytes(content)
    try:
        found = read_environment()
    except SettingsError:
        return
    assert all(isinstance(name, str) and isinstance(value, str) for name, value in found.items())


def test_a_line_that_is_no_setting_is_left_out_in_silence() -> None:
    Path(".env").write_text("this is no setting\nS3_PREFIX=in/\n")
    program = "from runtime.environment import read_environment\nprint(read_environment()['S3_PREFIX'])"
    ended = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert (ended.stdout, ended.stderr) == ("in/\n", "")


@pytest.mark.parametrize(("text", "level"), [("INFO", "INFO"), ("debug", "DEBUG"), ("Warning", "WARNING")])
def test_levels_are_known_in_any_case(text: str, level: str) -> None:
    faults: list[str] = []
    assert (check_log_level(text, faults), faults) == (level, [])


def test_another_level_is_a_fault() -> None:
    faults: list[str] = []
    check_log_level("loud", faults)
    assert faults == ["LOG_LEVEL is loud: use one of DEBUG, INFO, WARNING, ERROR."]


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:9000", True), ("http://127.0.0.1", True), ("http://127.9.9.9:1/x", True),
        ("http://[::1]:9000", True), ("http://LOCALHOST", True), ("", False), ("localhost", False),
        ("https://acme.atlan.com", False), ("http://10.0.0.1", False), ("http://127.0.0.1.evil.com", False),
        ("http://127.0.0.1@evil.com", False), ("http://[::1", False), ("http://localhost.evil.com", False),
    ],
)  # fmt: skip
def test_only_this_machine_is_local(url: str, local: bool) -> None:
    assert is_local(url) is local
