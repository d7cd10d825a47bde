"""Settings come from `.env` and the environment, which wins; what cannot be read is one sentence."""

from __future__ import annotations

import ast
import contextlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.environment import (
    HIDDEN_VALUE,
    SETTINGS,
    check_log_level,
    check_secrets,
    find_unknown_settings,
    is_local,
    read_environment,
    secrets_in,
    shown,
    without_passwords,
)
from runtime.errors import SettingsError
from runtime.terminal import configure_logging, mask

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
    Path(".env").write_text("# a comment\nS3_PREFIX=in/\nexport AWS_REGION='eu'\nEMPTY=\nODD=é日🎉\n", "utf-8")
    before = dict(os.environ)
    found = read_environment()
    assert dict(os.environ) == before
    assert {name: found[name] for name in ("S3_PREFIX", "AWS_REGION", "EMPTY", "ODD")} == {
        "S3_PREFIX": "in/", "AWS_REGION": "eu", "EMPTY": "", "ODD": "é日🎉",
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


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes")
def test_what_nobody_writes_is_not_waited_for() -> None:
    os.mkfifo(".env")
    assert "it is no regular file" in fault()
    Path(".env").unlink()
    Path(".env").symlink_to(os.devnull)
    assert "it is no regular file" in fault()


def test_a_huge_file_is_not_read() -> None:
    Path(".env").write_bytes(b"")
    os.truncate(".env", 1 << 40)
    assert "it is larger than 1,000,000 bytes" in fault()


def test_values_may_name_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTER", "o")
    monkeypatch.setenv("BOTH", "outer")
    Path(".env").write_text("BOTH=b\nA=${BOTH}/${OUTER}/${NONE}/${NONE:-d}\nB='${A}'\nC=$A\n")
    found = read_environment()
    assert (found["BOTH"], found["A"], found["B"], found["C"]) == ("outer", "b/o//d", "b/o//d", "$A")


@pytest.mark.parametrize("lines", [60, 2])
def test_values_that_grow_without_end_are_told(lines: int) -> None:
    """Each twice the one before, or one many times."""
    text = "A0=0123456789\n" + "".join(f"A{n}=${{A{n - 1}}}${{A{n - 1}}}\n" for n in range(1, lines))
    Path(".env").write_text(text if lines > 2 else f"A={'x' * 10_000}\nB={'${A}' * 100_000}\n")
    assert "its values are larger than 1,000,000 bytes" in fault()


def test_a_large_file_of_nonsense_takes_no_time() -> None:
    began = time.process_time()
    for content in (
        "x" * 200_000,
        "a='" * 60_000,
        "\\\n" * 400_000,
        "${" * 90_000,
        "A=" + "${" * 90_000,
        "\n" * 200_000,
    ):
        Path(".env").write_text(content)
        with contextlib.suppress(SettingsError):
            read_environment()
    assert time.process_time() - began < 30


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


def test_a_line_that_is_no_setting_is_told_by_its_number_alone() -> None:
    Path(".env").write_text("this is no setting\nS3_PREFIX=in/\n")
    program = "from runtime.environment import read_environment\nprint(read_environment()['S3_PREFIX'])"
    ended = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert ended.stdout == ""
    assert ".env cannot be read (line 1): write each as NAME=value, and close its quotes." in ended.stderr
    assert "this is no setting" not in ended.stderr


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


# Names that nobody knows


def test_the_known_names_are_those_that_both_programs_read() -> None:
    read = set()
    for package in ("delta_arc", "metadata_extraction"):
        tree = ast.parse((ROOT / package / "settings.py").read_text(encoding="utf-8"))
        texts = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        read |= {text for text in texts if re.fullmatch("[A-Z0-9]+(_[A-Z0-9]+)+", text)}
    for component in (ROOT / "components").glob("*.yaml"):
        read.update(re.findall(r"^ +key: (\w+)$", component.read_text(encoding="utf-8"), re.MULTILINE))
    assert read == SETTINGS


@pytest.mark.parametrize(
    ("in_file", "in_environment", "told"),
    [
        (["S3_PREFFIX"], [], ["S3_PREFFIX in .env is no setting of Delta Arc: did you mean S3_PREFIX?"]),
        ([], ["S3_PREFFIX"], ["S3_PREFFIX is no setting of Delta Arc: did you mean S3_PREFIX?"]),
        (["s3_prefix"], [], ["s3_prefix in .env is no setting of Delta Arc: did you mean S3_PREFIX?"]),
        (["OVERIDES_FILE"], [], ["OVERIDES_FILE in .env is no setting of Delta Arc: did you mean OVERRIDES_FILE?"]),
        (["REQUIRE_TENNANT"], [], ["REQUIRE_TENNANT in .env is no setting of Delta Arc: did you mean REQUIRE_TENANT?"]),
        (["POSTGRES_PASSWORD"], ["POSTGRES_PASSWORD", "S3_ACCESS_KEY", "ATLAN_READ_TIMEOUT"],
         ["POSTGRES_PASSWORD in .env is no setting of Delta Arc: it has no effect."]),
        ([*SETTINGS, "AWS_REGION", "HTTPS_PROXY", "PATH"], [*SETTINGS, "PATH", "LOGLEVEL"], []),
        (["S3_\x1b[31m"], [], ["S3_\\x1b[31m in .env is no setting of Delta Arc: it has no effect."]),
    ],
)  # fmt: skip
def test_a_name_that_no_program_knows_is_told(in_file: list[str], in_environment: list[str], told: list[str]) -> None:
    assert find_unknown_settings(in_file, in_environment) == told


def test_long_and_many_names_cost_little() -> None:
    (told,) = find_unknown_settings(["S3_" + "X" * 900_000], [])
    assert len(told) < 400
    assert len(find_unknown_settings((f"S3_X{number}" for number in range(100_000)), [])) == 1000


# Secrets


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("ATLAN_API_TOKEN", "the-token\n", "Bearer the-token"),
        ("ATLAN_API_KEY", "the-token", "the-token"),
        ("ATLAN_AUTH_CLIENT_SECRET", "the-secret", "the-secret"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI/K7MDENG and wJalrXUtnFEMI%2FK7MDENG"),
        ("AWS_SESSION_TOKEN", "FwoGZXIvYXdzE", "x-amz-security-token: FwoGZXIvYXdzE"),
        ("AWS_SECURITY_TOKEN", "FwoGZXIvYXdzE", "FwoGZXIvYXdzE"),
        ("AWS_ENDPOINT_URL_S3", "http://user:p4ss@w0rd@host:9000", "at http://user:p4ss@w0rd@host w0rd@host p4ss"),
        ("AWS_ENDPOINT_URL", "http://user:p4ss%40w0rd@host", "p4ss%40w0rd p4ss@w0rd"),
        ("HTTPS_PROXY", "http://user:p4ss/w0rd#x@host", "host='user', port='p4ss', path='/w0rd'"),
        ("AWS_ENDPOINT_URL_S3", "user:p4ss@w0rd@host", "p4ss@w0rd"),
        ("https_proxy", "http://user:p4ssw0rd@host", "p4ssw0rd"),
        ("SOURCE_URL", "postgresql://user:p4ssw0rd@host/db", "p4ssw0rd"),
        ("ATLAN_BASE_URL", "https://user:p4ss@w0rd@acme.atlan.com", "w0rd@acme p4ss"),
    ],
)  # fmt: skip
def test_secrets_of_settings_are_masked(name: str, value: str, text: str) -> None:
    configure_logging("INFO", *secrets_in({name: value}))
    try:
        told = mask(text)
    finally:
        configure_logging("INFO")
    assert "***" in told
    for part in ("the-", "wJal", "K7MD", "FwoG", "p4ss", "w0rd"):
        assert part not in told


def test_what_is_no_secret_is_not_masked() -> None:
    others = {
        "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token", "AWS_PROFILE": "p",
        "GITHUB_TOKEN": "true", "S3_PREFIX": "in/", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000/path", "ATLAN_API_TOKEN": " ",
    }  # fmt: skip
    assert secrets_in(others) == []


@pytest.mark.parametrize(
    "value", ["landing", "a day", "maybe", "arn:aws:ec2:::landing", "in/2025/", "missing.txt", "-1"]
)
def test_a_wrong_value_is_told(value: str) -> None:
    assert shown(value) == value


@pytest.mark.parametrize(
    "value",
    ["eyJhbGciOi.the-token", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AKIAIOSFODNN7EXAMPLE", "user:p@host", "x" * 101,
     "0123456789abcdef0123456789abcdef", "http://u:p@h", "x" * 1_000_000],
)  # fmt: skip
def test_what_could_be_a_secret_is_not(value: str) -> None:
    assert shown(value) == HIDDEN_VALUE


def test_a_wrong_value_is_shown_as_what_others_wrote() -> None:
    assert shown("a\n\x1b[2J") == "a\\n\\x1b[2J"


def test_addresses_are_told_without_what_is_before_the_host() -> None:
    assert without_passwords('Invalid: "http://u:p@ss@host:9/b?x" or u:p@h  or http://h/') == (
        'Invalid: ***@host:9/b?x" or ***@h  or http://h/'
    )


def test_keys_that_cannot_be_sent_and_tokens_in_other_settings_are_told() -> None:
    token = "eyJhbGciOi.eyJzdWIi.c2ln"
    faults: list[str] = []
    check_secrets({"AWS_SESSION_TOKEN": "a\nb", "AWS_SECRET_ACCESS_KEY": "a/b+c=", "AWS_PROFILE": "my profile"}, faults)
    check_secrets(
        {"S3_PREFIX": token, "ATLAN_API_TOKEN": token, "OTHER": token, "S3_BUCKET_NAME": "eyJ-reports"}, faults
    )
    assert [fault.split(" has ")[0] for fault in faults] == ["AWS_SESSION_TOKEN", "S3_PREFIX"]
    assert not [fault for fault in faults if token in fault or "a\n" in fault]
