"""Without a tenant: the embedded sandbox is used, says so, and keeps everything to its own folder."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from world import ROOT, Run, python, start_world

from runtime import embedded

SAMPLES = [ROOT / "sandbox/sample/postgres.json", ROOT / "sandbox/sample/snowflake.json"]
CACHES = {
    "postgres_assets_cache.json",
    "snowflake_assets_cache.json",
    "file_columns_of_atlan_state_cache.json",
}


@pytest.fixture(autouse=True)
def stop_at_the_end(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An embedded sandbox ends with its test, not with the interpreter."""
    with contextlib.ExitStack() as running:
        monkeypatch.setattr(embedded, "atexit", SimpleNamespace(register=running.callback))
        yield


def test_without_a_tenant_the_sandbox_is_used(empty_folder: Path, run: Callable[..., Run]) -> None:
    samples = [path.read_bytes() for path in SAMPLES]
    ended = run()
    assert ended.code == 0
    assert ended.out.startswith("🏖️ No tenant is set: using the embedded sandbox")
    assert "67 created" in ended.out
    assert [path.name for path in empty_folder.iterdir()] == [".sandbox"]
    assert {path.name for path in Path(".sandbox").glob("*.json")} == CACHES
    assert "🔗 3 hops are told by 5 OpenLineage events in .sandbox/events" in ended.out
    again = run("--dry-run")
    assert "66 unchanged" in again.out
    grounds = dict(re.findall(r"^   ([A-Z]+): 1 object → SALES_ORDERS/[A-Z]+: (.*)$", again.out, re.MULTILINE))
    assert len(grounds) == 8
    assert re.fullmatch(r"export told by job nightly\.export_products .*, load told by job .*", grounds.pop("PRODUCTS"))
    assert grounds.pop("CUSTOMERS").startswith("load told by job copy into FOOD_BEVERAGE.SALES_ORDERS.CUSTOMERS ")
    assert all(ground.startswith("names and header of ") for ground in grounds.values())
    assert [path.read_bytes() for path in SAMPLES] == samples


def test_the_option_needs_nothing_of_the_tenants_settings(
    empty_folder: Path, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filled .env, and the sandbox for once: neither its names nor its cache files are the tenant's."""
    for name, value in {
        "ATLAN_BASE_URL": "https://acme.atlan.com",
        "ATLAN_API_TOKEN": "the-token-of-acme",
        "POSTGRES_CONNECTION_NAME": "acme-postgres",
        "SNOWFLAKE_CONNECTION_NAME": "acme-snowflake",
        "S3_BUCKET_NAME": "acme-landing",
        "S3_BUCKET_ARN": "arn:aws:s3:::acme-landing-2",
        "S3_PREFIX": "in/",
        "POSTGRES_CACHE_FILE": "postgres.json",
        "SNOWFLAKE_CACHE_FILE": "snowflake.json",
    }.items():
        monkeypatch.setenv(name, value)
    Path("postgres.json").write_text("the tenant's")
    monkeypatch.setenv("LINEAGE_EVENTS", "postgres.json")
    ended = run("--sandbox")
    assert ended.err == ""
    assert ended.code == 0
    assert "67 created" in ended.out
    assert "OpenLineage events in .sandbox/events" in ended.out
    assert Path("postgres.json").read_text() == "the tenant's"
    assert {path.name for path in empty_folder.iterdir()} == {".sandbox", "postgres.json"}


def test_a_proxy_is_not_asked_for_this_machine(run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    ended = run()
    assert ended.err == ""
    assert ended.code == 0


def test_credentials_and_endpoints_of_others_are_not_used(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "something",
        "AWS_CA_BUNDLE": "nowhere.pem",
    }.items():
        monkeypatch.setenv(name, value)
    ended = run()
    assert ended.err == ""
    assert ended.code == 0


def test_a_folder_in_use_is_told(empty_folder: Path, run: Callable[..., Run]) -> None:
    with start_world(Path(".sandbox")):
        ended = run()
    assert ended.code == 2
    assert ".sandbox is in use by another sandbox" in ended.err
    assert len(ended.err.splitlines()) == 1


def test_missing_packages_are_told_with_the_command(empty_folder: Path) -> None:
    program = """
import sys, main
for package in ("orjson", "starlette", "uvicorn"):
    sys.modules[package] = None
    assert main.main([]) == 2
    del sys.modules[package]
"""
    ended = python(["-c", program])
    assert ended.returncode == 0, ended.stderr
    told = ended.stderr.splitlines()
    assert len(told) == 3
    assert all("pip install -r sandbox/requirements.txt" in line for line in told)


def test_in_a_repl_it_starts_on_first_use_and_ends_with_the_interpreter(empty_folder: Path) -> None:
    program = """
from main import *
from pathlib import Path
assert not Path(".sandbox").exists()
print(len(find_postgres_assets()))
from runtime.embedded import start_sandbox
print(start_sandbox().base_url, start_sandbox().s3_endpoint_url)
"""
    ended = python(["-c", program])
    assert ended.returncode == 0, ended.stderr
    *_, count, addresses = ended.stdout.splitlines()
    assert count == "51"
    for address in addresses.split():
        host, _, port = address.removeprefix("http://").partition(":")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), timeout=5)


def test_a_job_that_nobody_watches_refuses_the_sandbox(run: Callable[..., Run]) -> None:
    ended = run("--require-tenant")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("❌ REQUIRE_TENANT is set, and there is no tenant: ")
    assert not Path(".sandbox").exists()


def test_the_last_line_says_where_it_ran(run: Callable[..., Run]) -> None:
    last = run("--dry-run").out.splitlines()[-1]
    assert last.startswith("✅ Dry run, nothing was written in the embedded sandbox: 67 to create")


@pytest.mark.parametrize("arguments", [["--dry"], ["--remove"], ["--max-rem", "5"]])
def test_options_are_not_abbreviated(arguments: list[str], run: Callable[..., Run]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
