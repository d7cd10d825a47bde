"""What `--check` finds: each thing that a run needs is broken for real, all else is still looked at, and nothing is written."""

from __future__ import annotations

import base64
import contextlib
import http.client
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_s3 import answering, listing
from world import BUCKET, POSTGRES, PREFIX, ROOT, SNOWFLAKE, Run, World, python

from delta_arc.check import _first_objects, check_clock, check_token, expiry_of
from delta_arc.run_report import RunRecord, describe_check
from delta_arc.settings import read_settings
from runtime import version
from runtime.clocks import time_of
from runtime.files import why_not_writable
from runtime.findings import Finding, State, tell_findings
from runtime.s3 import connect_keyed_s3
from runtime.version import fits, unmet_requirements
from sandbox import storage

Check = Callable[..., dict[str, list[tuple[str, str]]]]
EVALUATOR = "/api/meta/entity/evaluator"
NOW = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)


@pytest.fixture
def check(world: World, run: Callable[..., Run], tmp_path: Path) -> Check:
    """Runs a check; its findings by their names, as state and sentence. The report has them all, in the order shown."""

    def run_check(*arguments: str, code: int = 0) -> dict[str, list[tuple[str, str]]]:
        path = tmp_path / "check.json"
        ended = run("--check", "--json", str(path), *arguments)
        document = json.loads(path.read_text(encoding="utf-8"))
        assert (ended.code, document["exit_code"]) == (code, code), ended.out + ended.err
        sentences = [finding["sentence"] for finding in document["findings"]]
        shown = [line.partition(" ")[2] for line in ended.out.splitlines()]
        assert shown[:-1] == sentences
        found: dict[str, list[tuple[str, str]]] = {}
        for finding in document["findings"]:
            found.setdefault(finding["check"], []).append((finding["state"], finding["sentence"]))
        return found

    return run_check


def states(found: dict[str, list[tuple[str, str]]], state: str) -> set[str]:
    """The checks with a finding of a state."""
    return {name for name, findings in found.items() for given, _ in findings if given == state}


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


@contextlib.contextmanager
def proxy(target: str, ahead: float = 0, deny: str = "", code: str = "AccessDenied") -> Iterator[str]:
    """A server in front of another one whose clock is ahead by so many seconds, and that refuses some paths (a pattern)."""
    host = urlsplit(target).netloc

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, content = 403, [], f"<Error><Code>{code}</Code></Error>".encode()
            if not (deny and re.search(deny, f"{self.command} {self.path}")):
                connection = http.client.HTTPConnection(host, timeout=60)
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    connection.putheader(name, value)
                connection.endheaders(body)
                given = connection.getresponse()
                status, headers, content = given.status, given.getheaders(), given.read()
                connection.close()
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in ("date", "connection", "transfer-encoding", "content-length"):
                    self.send_header(name, value)
            now = datetime.now(timezone.utc) + timedelta(seconds=ahead)
            self.send_header("Date", format_datetime(now, usegmt=True))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else content)

        do_GET = do_HEAD = do_POST = answer

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


# All of it


def test_all_is_fine_and_nothing_is_written(
    world: World, check: Check, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATLAN_MAX_REQUESTS_PER_MINUTE", "400")
    before, state = contents(world.files), world.state()
    world.forget()
    found = check()
    assert states(found, "wrong") == states(found, "doubtful") == set()
    assert states(found, "unknown") == {"token"}, "the sandbox's is no JWT"
    assert found["postgres connection"] == [
        ("fine", f"PostgreSQL: the connection postgres-ary is {POSTGRES}, with 51 assets")
    ]
    assert re.fullmatch(rf"File headers: {PREFIX}\w+\.csv can be read, \d+ columns", found["file header"][0][1])
    (told,) = found["bucket in atlan"]
    assert "a run makes both, the connection as default/s3/" in told[1]
    assert "(Process, ColumnProcess, Connection, S3Bucket, S3Object)" in found["rights"][0][1]
    asked = world.requests()
    assert asked["writes"] == 0
    assert set(asked["by_endpoint"]) == {
        "GET /api/service/users/current", "GET /api/service/roles", "POST /api/meta/search/indexsearch",
        f"POST {EVALUATOR}",
    }  # fmt: skip
    assert asked["total"] <= 12
    assert contents(world.files) == before
    assert world.state() == state
    assert list(empty_folder.iterdir()) == []


def test_after_a_run_it_finds_what_that_has_made(world: World, check: Check, run: Callable[..., Run]) -> None:
    assert run().code == 0
    found = check()
    assert found["bucket in atlan"][0][1].startswith("S3 in Atlan: the bucket is default/s3/")
    assert found["rights"] == [
        ("fine", "Rights: the token may create what a run makes (Process, ColumnProcess, S3Object)")
    ]
    assert "it is valid, and a run uses it" in found["postgres cache"][0][1]


def test_quiet_shows_what_is_not_fine_and_the_last_line(world: World, run: Callable[..., Run]) -> None:
    lines = run("--check", "--quiet").out.splitlines()
    assert [line.split()[0] for line in lines] == ["⚠️", "➖", "⚠️"]
    assert re.fullmatch(
        "⚠️ Checked, and nothing was written: 1[0-9] fine, 1 to look at, 0 wrong, 1 not checked", lines[-1]
    )


def test_wrong_settings_are_told_all_at_once(
    run: Callable[..., Run], empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATLAN_BASE_URL", "nonsense")
    ended = run("--check", "--json", "-")
    assert ended.code == 2
    document = json.loads(ended.out)
    assert (document["outcome"], document["findings"], document["tenant"]) == ("wrong setting", [], None)
    assert len(document["errors"]) == len(ended.err.splitlines()) == 5


@pytest.mark.parametrize(
    "option", ["--dry-run", "--plan=p", "--prune", "--min-coverage=0", "--force-refresh", "--remove-lineage"]
)
def test_what_says_what_a_run_does_does_not_go_with_it(option: str, world: World, run: Callable[..., Run]) -> None:
    ended = run("--check", option)
    assert (ended.code, ended.out, len(ended.err.splitlines())) == (2, "", 1)
    assert option.partition("=")[0] in ended.err
    assert "--check" in ended.err


def test_the_page_lists_the_fields_of_the_report(empty_folder: Path) -> None:
    record = RunRecord(settings=read_settings({}), findings=[Finding("token", State.FINE, "s")])
    document = describe_check(record, 0, "1")
    page = (ROOT / "docs/report.md").read_text(encoding="utf-8")
    table = page.partition("| field of a check |")[2].partition("\n\n")[0]
    told = {
        name
        for line in table.splitlines()
        for name in re.findall(r"`([^`]+)`", line.split("|")[1:2][0] if "|" in line else "")
    }
    below = {f"flow.{name}" for name in document["flow"]} | {f"findings.{name}" for name in document["findings"][0]}
    assert told == {*document} | below
    assert f"`{document['format']}`" in table


def test_no_secret_is_in_a_finding(capsys: pytest.CaptureFixture[str], empty_folder: Path) -> None:
    from runtime.terminal import configure_logging

    configure_logging("INFO", "opensesame")
    findings = [Finding("atlan", State.WRONG, "a server said opensesame\nand more")]
    assert not tell_findings(findings)
    assert capsys.readouterr().out.splitlines()[0] == r"❌ a server said ***\nand more"
    assert "opensesame" not in json.dumps(describe_check(RunRecord(findings=findings), 1, "1"))


# Atlan


def test_a_refused_token_leaves_the_rest_to_be_looked_at(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATLAN_API_TOKEN", token_of({"exp": 1_700_000_000}))
    found = check(code=1)
    assert found["token"] == [
        ("wrong", "Token: it has expired, on 2023-11-14: make a new one under Admin > API tokens")
    ]
    assert found["atlan"][0][0] == "wrong"
    assert "(401)" in found["atlan"][0][1]
    assert found["connections"][0][0] == "unknown"
    assert states(found, "wrong") == {"token", "atlan"}
    assert found["s3"][0][0] == found["file header"][0][0] == "fine"


def token_of(claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiJ9.{payload}.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("claims", "state", "told"),
    [
        ({"exp": (NOW + timedelta(days=14, minutes=1)).timestamp()}, State.FINE, "in 14 days, on 2026-12-05"),
        ({"exp": (NOW + timedelta(days=14, minutes=-1)).timestamp()}, State.DOUBTFUL, "in 13 days, on 2026-12-05"),
        ({"exp": NOW.timestamp()}, State.WRONG, "it has expired, on 2026-11-21"),
        ({"exp": 1e300}, State.UNKNOWN, "does not say"),
        ({"exp": "soon"}, State.UNKNOWN, "does not say"),
        ({"exp": None}, State.UNKNOWN, "does not say"),
        ([], State.UNKNOWN, "does not say"),
        ({}, State.UNKNOWN, "does not say"),
    ],
)
def test_how_long_a_token_is_valid(claims: object, state: State, told: str) -> None:
    found = check_token(token_of(claims), NOW)
    assert found.state is state
    assert told in found.sentence


@given(st.text() | st.builds(lambda body: f"a.{base64.urlsafe_b64encode(body).decode()}.b", st.binary()))
def test_whatever_is_set_as_a_token_is_no_error(token: str) -> None:
    assert expiry_of(token) is None or expiry_of(token).tzinfo


def test_missing_connections_are_told_with_those_that_there_are(
    check: Check, monkeypatch: pytest.MonkeyPatch, empty_folder: Path
) -> None:
    monkeypatch.setenv("POSTGRES_CONNECTION_NAME", "shop")
    Path("overrides.txt").write_text("never ORDERS goes to ORDERS\n", encoding="utf-8")
    found = check(code=1)
    assert found["postgres connection"] == [
        (
            "wrong",
            "There is no postgres connection named shop. The tenant's postgres connections: "
            f"postgres-ary ({POSTGRES}).",
        )
    ]
    assert found["snowflake connection"][0][0] == "fine"
    assert found["rights"][0] == (
        "fine",
        "Rights: the token may create what a run makes (Process, ColumnProcess, Connection, S3Bucket, S3Object)",
    )
    assert found["overrides"] == [("unknown", "Scope and overrides were not looked at, as a connection is missing")]


def test_a_connection_without_assets_is_told(world: World, check: Check) -> None:
    world.archive(
        *[
            one
            for one in world.assets("Database", "Schema", "Table", "Column")
            if one["attributes"]["qualifiedName"].startswith(SNOWFLAKE)
        ]
    )
    found = check(code=1)
    assert states(found, "wrong") == {"snowflake connection"}
    assert "without any asset that the token may see" in found["snowflake connection"][0][1]


def test_what_the_token_may_not_create_is_told(world: World, check: Check) -> None:
    answers = [{"allowed": number != 1} for number in range(6)]
    world.fail(200, EVALUATOR, body=answers)
    found = check(code=1)
    assert found["rights"] == [
        ("wrong", f"Rights: the token may not create a Process in {SNOWFLAKE}: give it a persona with write access")
    ]


@pytest.mark.parametrize(
    "body", [{"status": 404}, {"status": 200, "body": [{"allowed": "yes"}]}, {"status": 200, "body": {}}]
)
def test_where_rights_cannot_be_asked_that_is_said(body: dict[str, Any], world: World, check: Check) -> None:
    world.fail(path=EVALUATOR, **body)
    ((state, told),) = check()["rights"]
    assert state == "unknown"
    assert told.startswith("Rights: what the token may write cannot be asked (")
    assert told.endswith("); the first run tells")


def test_a_tenant_that_fails_in_the_middle_is_told(world: World, check: Check, slept: list[float]) -> None:
    world.fail(503, "/api/meta/search/", 1000)
    found = check(code=1)
    assert states(found, "wrong") == {"postgres connection", "snowflake connection", "bucket in atlan"}
    assert found["rights"][0][0] == "unknown"
    assert found["s3"][0][0] == "fine"


# Clocks


@pytest.mark.parametrize(("seconds", "state"), [(200, "fine"), (420, "doubtful"), (-1200, "wrong")])
def test_a_clock_that_is_off_is_told(
    seconds: int, state: str, world: World, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy(world.tenant.base_url, seconds) as tenant, proxy(world.tenant.s3_endpoint_url, seconds) as s3:
        monkeypatch.setenv("ATLAN_BASE_URL", tenant)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3)
        found = check(code=int(state == "wrong"))
    assert [found[name][0][0] for name in ("atlan clock", "s3 clock")] == [state, state]
    if state == "doubtful":
        assert found["s3 clock"][0][1].startswith("Clock: this machine's is 7 minutes behind that of S3: set it")
    if state == "wrong":
        assert found["atlan clock"][0][1].startswith(
            "Clock: this machine's is 20 minutes ahead of that of Atlan: set it"
        )
    assert found["s3"][0][0] == found["atlan"][0][0] == "fine"


def test_s3_that_refuses_the_time_is_told_as_that(
    world: World, check: Check, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy(world.tenant.s3_endpoint_url, 1200, ".", "RequestTimeTooSkewed") as s3:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3)
        found = check(code=1)
        ended = run()
    told = "S3 refuses the time of this machine's clock (RequestTimeTooSkewed): set the clock, as S3 allows 15 minutes."
    assert found["s3"] == [("wrong", f"S3: {told}")]
    assert found["s3 clock"][0][0] == "wrong"
    assert found["file header"] == [("unknown", "File headers: none was read, as there is no object to read")]
    assert (ended.code, ended.err) == (1, f"❌ {told}\n")


def test_a_server_without_a_clock() -> None:
    assert check_clock("S3", time_of("")).state is State.UNKNOWN
    assert time_of("Sun, 06 Nov 1994 08:49:37 GMT") == datetime(1994, 11, 6, 8, 49, 37, tzinfo=timezone.utc)


@given(st.text())
def test_no_date_is_an_error(text: str) -> None:
    assert time_of(text) is None or time_of(text).tzinfo


# S3


def test_a_missing_bucket_is_told(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_BUCKET_NAME", "nobodys")
    found = check(code=1)
    assert states(found, "wrong") == {"s3"}
    assert found["s3"][0][1].startswith("S3: There is no bucket named nobodys")
    assert found["s3 clock"][0][0] == "fine"


def test_a_prefix_without_objects_is_told_with_what_there_is(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_PREFIX", "2025-/")
    found = check(code=1)
    assert found["s3"] == [
        (
            "wrong",
            f"S3: there are no objects in s3://{BUCKET}/2025-/: check S3_PREFIX, as the bucket has {PREFIX}CATEGORIES.csv, "
            f"{PREFIX}CUSTOMERS.csv, {PREFIX}EMPLOYEES.csv",
        )
    ]
    assert found["file header"][0][0] == "unknown"


def test_keys_that_a_server_refuses_are_told(world: World, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    process = subprocess.Popen(
        [storage._find_rclone(), "serve", "s3", str(world.tenant.buckets), "--addr", "127.0.0.1:0", "--config", "",
         "--auth-key", "reader,theRightSecret"],
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", storage._wait_for_address(process))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "reader")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "theWrongSecret")
        found = check(code=1)
        assert found["s3"] == [
            (
                "wrong",
                "S3: S3 does not accept the AWS credentials (SignatureDoesNotMatch): renew them, or check AWS_PROFILE.",
            )
        ]
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "theRightSecret")
        assert check()["s3"][0][0] == "fine"
    finally:
        process.kill()
        process.wait()


def test_an_object_that_may_not_be_read_is_told(world: World, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    with proxy(world.tenant.s3_endpoint_url, deny=r"GET .*\.csv") as s3:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3)
        found = check(code=1)
        assert states(found, "wrong") == {"file header"}
        assert re.fullmatch(
            rf"File headers: {PREFIX}\w+\.csv was not read, as reading it is denied: give the AWS credentials the right "
            "s3:GetObject on it, or set READ_FILE_HEADERS=false",
            found["file header"][0][1],
        )
        monkeypatch.setenv("READ_FILE_HEADERS", "false")
        assert check()["file header"] == [("fine", "File headers: none are read, as READ_FILE_HEADERS is false")]


def test_the_newest_file_that_has_anything_in_it_is_read(world: World, check: Check) -> None:
    shutil.rmtree(world.files)
    world.files.mkdir()
    for age, (name, content) in enumerate([("empty.csv", ""), ("b.csv", "1,2,3\n4,5,6\n"), ("c.csv", "ID,NAME\n")]):
        (world.files / name).write_text(content, encoding="utf-8")
        os.utime(world.files / name, (1_700_000_000 - age * 60,) * 2)
    ((state, told),) = check()["file header"]
    assert (state, told) == (
        "fine",
        f"File headers: {PREFIX}b.csv can be read, which tells no columns, as it has no header",
    )


def test_a_page_of_folders_alone_is_no_empty_bucket(empty_folder: Path) -> None:
    with answering(listing("a/", "b/", token="more"), listing("c/x.csv")) as endpoint:
        client = connect_keyed_s3(endpoint, ("id", "secret"))
        assert [item["Key"] for item in _first_objects(client, "bucket", "")] == ["c/x.csv"]


# Files


@pytest.mark.parametrize(
    ("text", "state", "told"),
    [
        ("table ORDERS goes to ORDERS\n", "fine", "Overrides: the 1 lines of overrides.txt can be used"),
        ("table ORDERS goes to NOWHERE\n", "wrong", "overrides.txt line 1: "),
        ("tble ORDERS goes to ORDERS\n", "wrong", "overrides.txt line 1: "),
    ],
)  # fmt: skip
def test_overrides_are_read_as_a_run_reads_them(
    text: str, state: str, told: str, check: Check, empty_folder: Path
) -> None:
    Path("overrides.txt").write_text(text, encoding="utf-8")
    found = check(code=int(state == "wrong"))
    assert found["overrides"][0][0] == state
    assert found["overrides"][0][1].startswith(told)
    assert [path.name for path in empty_folder.iterdir()] == ["overrides.txt"], "no cache is written"


def test_overrides_that_cannot_be_read_are_told(check: Check, empty_folder: Path) -> None:
    Path("overrides.txt").write_bytes(b"\xff\xfe")
    found = check(code=1)
    assert [state for state, _ in found["overrides"]] == ["wrong"]


def test_a_scope_that_fits_nothing_is_told(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_SCOPE", "SALES_ORDERS/*, nowhere/*")
    monkeypatch.setenv("SNOWFLAKE_SCOPE", "nowhere/*")
    found = check(code=1)
    assert found["postgres scope"] == [
        ("doubtful", "POSTGRES_SCOPE: nowhere/* fits no table"),
        ("fine", "POSTGRES_SCOPE: 8 tables are in scope"),
    ]
    assert found["snowflake scope"][1] == ("wrong", "SNOWFLAKE_SCOPE: 0 tables are in scope: let it fit some")


@pytest.mark.parametrize(("text", "state", "told"), [
    ("", "doubtful", "there is no event in events.jsonl"),
    ("{}\n", "doubtful", "has no event, as it has no eventTime"),
    ("nonsense\n", "doubtful", "has no event, as "),
])  # fmt: skip
def test_the_first_event_is_looked_at(
    text: str, state: str, told: str, check: Check, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("events.jsonl").write_text(text, encoding="utf-8")
    monkeypatch.setenv("LINEAGE_EVENTS", "events.jsonl")
    ((found, sentence),) = check()["events"]
    assert (found, told in sentence) == (state, True), sentence


def test_events_that_are_there_and_a_place_that_is_not(
    check: Check, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "tests/openlineage/airflow.jsonl", "events.jsonl")
    monkeypatch.setenv("LINEAGE_EVENTS", "events.jsonl")
    assert check()["events"][0][0] == "fine"
    monkeypatch.setenv("LINEAGE_EVENTS", "s3://nobodys/events/")
    assert check(code=1)["events"][0][0] == "wrong"


def test_caches_and_the_page_are_looked_at(check: Check, empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(timezone.utc).isoformat()
    Path("postgres_assets_cache.json").write_text("nonsense", encoding="utf-8")
    Path("other.json").write_text(
        json.dumps({"timestamp": now, "source": {"tenant": "x"}, "data": []}), encoding="utf-8"
    )
    monkeypatch.setenv("SNOWFLAKE_CACHE_FILE", "other.json")
    monkeypatch.setenv("LINEAGE_PAGE", "absent/lineage.html")
    before = contents(empty_folder)
    found = check()
    assert [found[name][0][0] for name in ("postgres cache", "snowflake cache", "page")] == ["doubtful"] * 3
    assert [told for _, told in found["postgres cache"]] == [
        "postgres_assets_cache.json is no usable cache (JSONDecodeError: Expecting value: line 1 column 1 (char 0)) and is not used",
        "PostgreSQL cache postgres_assets_cache.json: it is damaged; a run replaces it",
    ]
    assert "of another tenant" in found["snowflake cache"][0][1]
    assert found["page"][0][1] == (
        "Page: absent/lineage.html cannot be written (its folder is not there): check LINEAGE_PAGE"
    )
    assert contents(empty_folder) == before
    monkeypatch.setenv("SNOWFLAKE_CACHE_FILE", os.devnull)
    monkeypatch.setenv("LINEAGE_PAGE", "")
    found = check()
    assert "but it cannot be written (it is no regular file)" in found["snowflake cache"][1][1]
    assert found["page"] == [("fine", "Page: none is written, as LINEAGE_PAGE is empty")]


def test_what_is_kept_of_atlan_is_looked_at(
    check: Check, run: Callable[..., Run], empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check()["state"] == [("fine", "What Atlan holds: not kept, or of no use (atlan_state_cache.sqlite)")]
    assert run().code == 0
    before = contents(empty_folder)
    [(state, told)] = check()["state"]
    assert (state, told) == ("fine", "What Atlan holds: kept, read whole 0.0 hours ago (atlan_state_cache.sqlite)")
    assert contents(empty_folder) == before
    Path("atlan_state_cache.sqlite").write_text("nonsense")
    assert [state for state, _ in check()["state"]] == ["doubtful", "fine"], "it is told that it is not used"
    monkeypatch.setenv("STATE_CACHE_FILE", "other.sqlite")
    Path("file_columns_of_other.json").mkdir()
    [(state, told)] = check()["state"]
    assert state == "doubtful"
    assert "file_columns_of_other.json cannot be written (it is no regular file)" in told


def test_what_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert why_not_writable(tmp_path / "new") == ""
    assert why_not_writable(tmp_path / "a/b/new") == "its folder is not there"
    assert why_not_writable(tmp_path / "a/b/new", makes_folders=True) == ""
    assert why_not_writable(tmp_path) == "it is no regular file"
    (tmp_path / "file").touch()
    assert why_not_writable(tmp_path / "file/b/new", makes_folders=True) == "its folder is none"
    assert why_not_writable(Path(os.devnull)) == "it is no regular file"
    monkeypatch.setattr(os, "access", lambda folder, mode: folder != tmp_path)  # root may write everywhere
    assert why_not_writable(tmp_path / "new") == "its folder may not be written"


# Versions


@pytest.mark.parametrize(
    ("installed", "wanted", "fit"),
    [
        ("11.6.0", ">=11.6,<12", True),
        ("11.5.9", ">=11.6,<12", False),
        ("12.0", ">=11.6,<12", False),
        ("12.0.0", ">=11.6,<12", False),
        ("11.10", ">=11.6,<12", True),
        ("4.66", "==4.66.0", True),
        ("4.66.1", "==4.66", False),
        ("1.0rc1", ">=1.0", True),
        ("anything", "", True),
    ],
)
def test_versions_are_compared_by_their_numbers(installed: str, wanted: str, fit: bool) -> None:
    assert fits(installed, wanted) is fit


def test_packages_that_are_missing_or_wrong_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: Check
) -> None:
    assert unmet_requirements() == []
    text = "# What is needed.\npyatlan>=1,<2\nno-such-package-of-ours>=1\ntqdm>=4.66\n"
    (tmp_path / "requirements.txt").write_text(text, encoding="utf-8")
    monkeypatch.setattr(version, "__file__", str(tmp_path / "runtime" / "version.py"))
    unmet = unmet_requirements()
    assert unmet is not None
    assert re.fullmatch(
        r"pyatlan is 1\d\.[\d.]+ and not >=1,<2; no-such-package-of-ours is not installed", "; ".join(unmet)
    )
    assert states(check(code=1), "wrong") == {"versions"}


# Without a tenant


def test_the_sandbox_is_checked_like_a_tenant(empty_folder: Path, run: Callable[..., Run]) -> None:
    ended = run("--check")
    assert ended.code == 0
    assert "✅ Atlan: it answers, and knows the token as sandbox" in ended.out.splitlines()
    assert not list(empty_folder.glob(".sandbox/*_cache.json"))


def test_a_sandbox_that_cannot_start_is_told_once_as_by_a_run(empty_folder: Path) -> None:
    program = "import sys; sys.modules['orjson'] = None; import main; sys.exit(main.main(sys.argv[1:]))"
    (checked, ran) = (python(["-c", program, option]) for option in ("--check", "--dry-run"))
    assert (checked.returncode, ran.returncode) == (2, 2)
    assert checked.stderr == ran.stderr
    assert checked.stderr.startswith(
        "❌ The sandbox needs a package that is not installed (orjson): run `pip install -r"
    )
    assert (len(checked.stderr.splitlines()), "LINEAGE_EVENTS" in checked.stdout) == (1, False)
