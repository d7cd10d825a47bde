"""Settings, plans and overrides that no one should write, but someone does: one sentence each, as a process, in no time."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import ROOT, python

from delta_arc.plan import Plan
from delta_arc.report import Coverage
from delta_arc.saved_plan import PARTS, _digest_of, load_plan, save_plan, to_document
from delta_arc.settings import read_settings
from runtime.environment import SETTINGS
from runtime.errors import PipelineError, SettingsError

MAIN = str(ROOT / "main.py")
TENANT = {
    "ATLAN_BASE_URL": "http://127.0.0.1:9",
    "ATLAN_API_TOKEN": "the-token-of-atlan",
    "POSTGRES_CONNECTION_NAME": "pg",
    "SNOWFLAKE_CONNECTION_NAME": "sf",
    "S3_BUCKET_NAME": "landing",
}
posix = pytest.mark.skipif(os.name == "nt", reason="there are no such files and shells")
pytestmark = [posix, pytest.mark.usefixtures("empty_folder")]


@dataclass(frozen=True)
class Told:
    """How a process ended."""

    code: int
    out: str
    lines: list[str]


def run(*arguments: str, **environment: str) -> Told:
    """The command line as a process; no output has a traceback, a token or a raw control character."""
    ended = python([MAIN, *arguments], **environment)
    both = ended.stdout + ended.stderr
    assert "Traceback" not in both
    assert TENANT["ATLAN_API_TOKEN"] not in both
    assert not [line for line in both.split("\n") if line and not line.isprintable() and not line.startswith("⚠️")]
    return Told(ended.returncode, ended.stdout, ended.stderr.splitlines())


# .env


def make_folder(path: Path) -> None:
    path.mkdir()


def make_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def make_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_huge(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


def make_nul(path: Path) -> None:
    path.write_bytes(b"S3_PREFIX=a\0b\n")


def make_latin(path: Path) -> None:
    path.write_bytes("S3_PREFIX=é\n".encode("latin-1"))


ODD_FILES = [make_folder, make_dangling_link, make_link_to_itself, make_pipe, make_huge, make_latin]


@pytest.mark.parametrize("make", [*ODD_FILES, make_nul])
def test_a_file_of_settings_that_cannot_be_read_is_not_taken_for_none(make: object) -> None:
    assert callable(make)
    make(Path(".env"))
    told = run("--cache-status")
    assert (told.code, told.out, len(told.lines)) == (2, "", 1)
    assert told.lines[0].startswith("❌ .env cannot be read (")


@pytest.mark.parametrize(
    ("wrong", "secret"),
    [
        ({"ATLAN_BASE_URL": "http://user:p4ss@w0rd@acme.atlan.com"}, "p4ss"),
        ({"ATLAN_BASE_URL": "https://user:p4ss/w0rd@acme.atlan.com"}, "w0rd"),
        ({"S3_BUCKET_NAME": "the token-of p4ssw0rdp4ssw0rd1"}, "p4ss"),
        ({"CACHE_EXPIRY_HOURS": "AKIAIOSFODNN7EXAMPLE"}, "AKIA"),
        ({"LOG_LEVEL": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyb2JvdCJ9"}, "eyJ"),
        ({"AWS_SESSION_TOKEN": "p4ss w0rd"}, "p4ss"),
    ],
)
def test_no_secret_of_a_wrong_setting_is_shown(wrong: Mapping[str, str], secret: str) -> None:
    told = run("--dry-run", **{**TENANT, **wrong})
    assert (told.code, len(told.lines)) == (2, 1)
    assert secret not in told.out + told.lines[0]


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("AWS_ENDPOINT_URL_S3", "http://user:p4ss@w0rd@127.0.0.1:9", "p4ss"),
        ("AWS_ENDPOINT_URL_S3", "http://user:p4ss@w0rd@ho st", "w0rd"),
        ("AWS_ENDPOINT_URL_S3", "http://user:p4ss/w0rd@127.0.0.1:9", "w0rd"),
        ("AWS_ENDPOINT_URL", "http://user:p4ss@w0rd@127.0.0.1:9", "w0rd"),
        ("AWS_MAX_ATTEMPTS", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJal"),
    ],
)
def test_no_secret_of_a_wrong_aws_setting_is_shown(name: str, value: str, secret: str) -> None:
    program = """
import botocore.endpoint, main, types
from runtime.terminal import say_error
botocore.endpoint.time = types.SimpleNamespace(sleep=lambda seconds: None)
try:
    main.list_s3_bucket_objects()
except main.PipelineError as error:
    print(error)
    say_error(str(error))
"""
    ended = python(["-c", program], **{**TENANT, "LOG_LEVEL": "DEBUG", name: value})
    assert (len(ended.stdout.splitlines()), len(ended.stderr.splitlines())) == (1, 1), ended.stderr
    assert secret not in ended.stdout + ended.stderr


def test_a_lost_tenant_is_no_sandbox_where_one_is_required() -> None:
    told = run(REQUIRE_TENANT="true")
    assert (told.code, told.out, len(told.lines)) == (2, "", 1)
    assert not list(Path().iterdir())


def test_a_misspelled_setting_is_told() -> None:
    Path(".env").write_text("S3_PREFFIX=in/\n")
    told = run("--cache-status")
    assert told.code == 0
    assert told.out.startswith("⚠️ S3_PREFFIX in .env is no setting of Delta Arc: did you mean S3_PREFIX?\n")


# Paths of caches


@pytest.mark.parametrize("option", ["--cache-status", "--clear-cache", "--dry-run"])
@pytest.mark.parametrize("name", ["POSTGRES_CACHE_FILE", "SNOWFLAKE_CACHE_FILE"])
@pytest.mark.parametrize("path", ["x" * 300, "x/" * 5000, "itself", "itself/x"], ids=["name", "path", "link", "below"])
def test_a_path_that_can_be_no_file_is_told(option: str, name: str, path: str) -> None:
    Path("itself").symlink_to("itself")
    told = run(option, **{**TENANT, name: path})
    assert (told.code, told.out, len(told.lines)) == (2, "", 1)
    assert told.lines[0].startswith(f"❌ {name} cannot be used as a file (")


FILES_OF_SETTINGS = [*sorted(name for name in SETTINGS if name.endswith("_FILE")), "LINEAGE_PAGE"]
NO_FILES = [".", "./", "..", "/", "folder", "folder/", "file/below", "file/a/b"]


@pytest.mark.parametrize("name", FILES_OF_SETTINGS)
@pytest.mark.parametrize("path", NO_FILES)
def test_no_folder_and_nothing_below_a_file_is_a_file_of_a_setting(path: str, name: str) -> None:
    Path("folder").mkdir()
    Path("file").touch()
    with pytest.raises(SettingsError) as raised:
        read_settings({**TENANT, name: path})
    (fault,) = raised.value.faults
    assert fault.startswith(f"{name} ")


@pytest.mark.parametrize("option", ["--cache-status", "--clear-cache", "--check", "--dry-run"])
def test_a_folder_for_what_is_kept_is_told_whatever_is_done(option: str) -> None:
    told = run(option, **TENANT, STATE_CACHE_FILE=".")
    assert (told.code, told.out, told.lines) == (
        2, "", ["❌ STATE_CACHE_FILE cannot be used as a file (it is a folder): name one in a folder of yours."],
    )  # fmt: skip


@pytest.mark.parametrize("name", sorted({*FILES_OF_SETTINGS} - {"LINEAGE_PAGE"}))
def test_an_empty_file_of_a_setting_is_the_default(name: str) -> None:
    assert read_settings({**TENANT, name: ""}) == read_settings(TENANT)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="whoever runs this may enter every folder")
def test_a_folder_that_may_not_be_entered_is_told() -> None:
    Path("closed").mkdir(mode=0)
    told = run("--cache-status", POSTGRES_CACHE_FILE="closed/cache.json")
    assert (told.code, len(told.lines)) == (2, 1)
    assert "Permission denied" in told.lines[0]


# Plans and overrides

EMPTY = Plan({}, [], [], Coverage(), False, {})


@pytest.mark.parametrize("make", ODD_FILES)
def test_what_is_no_file_is_no_plan(make: object) -> None:
    assert callable(make)
    make(Path("plan.json"))
    told = run("--apply", "plan.json", **TENANT)
    is_read = "plan.json is no plan" in told.lines[0] or "it is larger than" in told.lines[0]
    assert (told.code, len(told.lines)) == (1 if is_read else 2, 1)
    assert is_read or "plan.json cannot be read (" in told.lines[0]


@pytest.mark.parametrize("name", ["x" * 300, "x/" * 5000, "itself"])
def test_a_plan_of_an_odd_name_is_told(name: str) -> None:
    Path("itself").symlink_to("itself")
    told = run("--apply", name, **TENANT)
    assert (told.code, len(told.lines)) == (2, 1)
    assert "cannot be read (" in told.lines[0]


@pytest.mark.parametrize("option", ["--plan", "--export-openlineage"])
@pytest.mark.parametrize(
    "name", ["x" * 300, "x/" * 5000, "itself/x", ".", "", "folder", "nowhere/p", "file/p", os.devnull]
)
def test_a_file_that_cannot_be_written_is_told_at_once(option: str, name: str) -> None:
    Path("itself").symlink_to("itself")
    Path("folder").mkdir()
    Path("file").touch()
    told = run(f"{option}={name}", **TENANT)
    assert (told.code, told.out, len(told.lines)) == (2, "", 1)
    assert told.lines[0].startswith(f"❌ {option} {Path(name)}"[:100])
    assert "cannot be written (" in told.lines[0]


@pytest.mark.parametrize("option", ["--plan", "--apply", "--export-openlineage"])
def test_only_the_report_goes_to_stdout(option: str) -> None:
    told = run(option, "-", **TENANT)
    assert (told.code, told.out) == (2, "")
    assert told.lines[-1].endswith(f"argument {option}: - is no file: only --json can be written to stdout")
    assert not Path("-").exists()


def test_wrong_settings_and_wrong_files_are_told_together() -> None:
    told = run("--plan", "nowhere/p.json", **{**TENANT, "S3_BUCKET_NAME": ""})
    assert (told.code, len(told.lines)) == (2, 2)


def with_digest(document: object) -> str:
    """A document as anyone can sign it."""
    assert isinstance(document, dict)
    unsigned = {name: value for name, value in document.items() if name != "digest"}
    return json.dumps({**unsigned, "digest": _digest_of(unsigned)})


WRONG_PARTS = [
    None,
    [],
    {},
    7,
    "text",
    {"a": None},
    [[]],
    [{"guid": 1}],
    [None],
    {"Setting": "x"},
    {"Setting": {"a": 1}},
    {"a": {"b": []}},
]


@pytest.mark.parametrize("part", PARTS)
def test_a_plan_with_a_right_digest_and_a_wrong_part_is_none(part: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    whole = to_document(EMPTY)
    del whole["digest"]
    path.write_text(with_digest({name: value for name, value in whole.items() if name != part}))
    with pytest.raises(PipelineError, match="is no plan: make one with --plan"):
        load_plan(path)
    right = type(whole[part])
    for wrong in WRONG_PARTS:
        if not isinstance(wrong, right) or (wrong and part in ("counts", "steps", "remove", "world")):
            path.write_text(with_digest({**whole, part: wrong}))
            if part == "steps" and wrong == [{"guid": 1}]:
                continue  # a step, as far as a plan is compared
            with pytest.raises(PipelineError, match="is no plan: make one with --plan"):
                load_plan(path)
    save_plan(EMPTY, path)
    assert load_plan(path) == whole


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.sampled_from([*PARTS]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(JSON, st.dictionaries(st.sampled_from([*PARTS]), JSON, max_size=2))
def test_no_document_ends_in_anything_but_a_plan_or_a_sentence(document: object, parts: dict[str, object]) -> None:
    whole = to_document(EMPTY)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.json"
        for text in (json.dumps(document), with_digest({**whole, **parts})):
            path.write_text(text)
            with contextlib.suppress(PipelineError):
                load_plan(path)


@pytest.mark.parametrize("content", [b"[" * 200_000, b'{"format": "Delta Arc plan 1", "a": ' + b"[" * 900 + b"]" * 900 + b"}",
                                     b'{"format": "Delta Arc plan 1", "a": ' + b"9" * 5000 + b"}", b"\xff\xfe", b""])  # fmt: skip
def test_a_plan_that_no_one_saved_is_told(content: bytes) -> None:
    Path("plan.json").write_bytes(content)
    told = run("--apply", "plan.json", **TENANT)
    assert (told.code, len(told.lines)) == (1, 1)
    assert "make" in told.lines[0]


@pytest.mark.parametrize("make", ODD_FILES)
def test_overrides_that_cannot_be_read_are_not_taken_for_none(make: object) -> None:
    assert callable(make)
    make(Path("overrides.txt"))
    ended = python(
        ["-c", "import sys\nfrom pathlib import Path\nfrom delta_arc.overrides_file import read_overrides\n"
         "from runtime.errors import SettingsError\ntry:\n    read_overrides(Path('overrides.txt'))\n"
         "except SettingsError as error:\n    print(*error.faults, sep='\\n')"]
    )  # fmt: skip
    assert ended.stderr == ""
    (told,) = ended.stdout.splitlines()
    assert told.startswith("overrides.txt cannot be read (")


# The log


@pytest.mark.parametrize("redirect", [">&-", "> /dev/full", "2>&-", ">&- 2>&-", "> /dev/full 2>&1", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("prefix", "code"), [("", 0), ("LOG_LEVEL=loud ", 2)])
def test_the_exit_code_is_that_of_the_run_wherever_the_log_goes(redirect: str, prefix: str, code: int) -> None:
    shell = shutil.which("bash")
    if not shell or not os.path.exists("/dev/full"):
        pytest.skip("there is no shell, or no full disk")
    command = f'{prefix}"$1" "$2" --sandbox --cache-status {redirect}'
    ended = subprocess.run(
        [shell, "-c", command, "bash", sys.executable, MAIN], capture_output=True, encoding="utf-8", timeout=60
    )
    assert ended.returncode == code
    assert "Traceback" not in ended.stdout + ended.stderr
    assert "Logging error" not in ended.stdout + ended.stderr
