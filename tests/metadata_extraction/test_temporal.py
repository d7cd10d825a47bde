"""The extraction on a real Temporal server: done by whichever worker there is, with the files of an undisturbed run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from postgres_world import postgres_server
from temporalio.api.failure.v1 import Failure
from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from upload_world import LOCAL

from metadata_extraction.models import Filters, Run, Written
from metadata_extraction.progress import StepProgress
from metadata_extraction.settings import ExtractionSettings, check_extraction_settings
from metadata_extraction.temporal import as_activity
from runtime.errors import PipelineError

ROOT = Path(__file__).resolve().parents[2]
TABLES, COLUMNS = 400, 60


@pytest.fixture(scope="module")
def temporal() -> Iterator[str]:
    """A Temporal development server; yields its address."""
    for _ in range(5):  # somebody else may take the port between the look and the start
        port = free_port()
        server = subprocess.Popen(
            [Path(sys.executable).with_name("temporal"), "server", "start-dev", "--headless", "--port", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(lambda port=port, server=server: answers(port) or server.poll() is not None, "Temporal to answer")
            if server.poll() is None:
                yield f"127.0.0.1:{port}"
                return
        finally:
            server.terminate()
            server.wait()
    raise AssertionError("Temporal did not start")


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """A PostgreSQL with enough columns that reading them takes a while; yields its URL."""
    columns = ", ".join(f"c{number} numeric(10, 2)" for number in range(COLUMNS))
    with postgres_server() as (server, _):
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(
                f"do $$ begin for i in 1..{TABLES} loop execute format('create table t%s ({columns})', i); end loop; end $$"
            )
        yield server.get_uri()


@pytest.fixture
def environment(tmp_path: Path, temporal: str, database: str) -> dict[str, str]:
    """What a worker and a starter have in common."""
    components = tmp_path / "components"
    components.mkdir()
    (components / "objectstore.yaml").write_text(LOCAL.format(name="objectstore", root=tmp_path / "objectstore"))
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "utf-8",
        "COMPONENTS_PATH": str(components),
        "SOURCE_URL": database,
        "ATLAN_CONNECTION_QUALIFIED_NAME": "default/postgres/1763700001",
        "TEMPORAL_ADDRESS": temporal,
        "TEMPORAL_TASK_QUEUE": tmp_path.name,
    }


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def start(command: str, tmp_path: Path, environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "metadata_extraction", command, *arguments],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_worker_that_is_killed_is_replaced_and_the_files_are_the_same(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    workflow = tmp_path / "objectstore/artifacts/apps/delta-arc/workflows/nightly"
    here = start("run", tmp_path, environment, "--workflow-id", "nightly", "--run-id", "in-process")
    said, _ = here.communicate(timeout=300)
    assert here.returncode == 0, said

    first = start("worker", tmp_path, environment)
    starter = start("start", tmp_path, environment, "--workflow-id", "nightly")
    second = None
    try:
        wait_for(lambda: any(workflow.glob("*-*-*/raw/table/*.parquet")), "the tables")
        os.kill(first.pid, signal.SIGKILL)
        first.communicate()
        assert not any(workflow.glob("*-*-*/transformed/column/*.json"))  # it was in the middle
        second = start("worker", tmp_path, environment)
        said, _ = starter.communicate(timeout=300)
        assert starter.returncode == 0, said
        assert re.search(rf"raw/column +{TABLES * COLUMNS} ", said)
    finally:
        for process in (first, second, starter):
            if process and process.poll() is None:
                process.terminate()
                process.communicate()
    assert second.returncode == 0  # told to stop, it ends in good order
    (run_id,) = (path.name for path in workflow.iterdir() if path.name != "in-process")
    assert files_below(workflow / run_id) == files_below(workflow / "in-process")


def test_a_source_that_cannot_be_read_ends_the_run_with_its_sentence(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    environment["SOURCE_URL"] = "postgresql://someone:pass-word@127.0.0.1:1/db"
    worker = start("worker", tmp_path, environment)
    try:
        starter = start("start", tmp_path, environment)
        said, _ = starter.communicate(timeout=300)
        assert starter.returncode == 1, said
        assert (
            "PostgreSQL 127.0.0.1:1/db cannot be reached: check host and port in SOURCE_URL, and the network." in said
        )
    finally:
        worker.terminate()
        worked, _ = worker.communicate()
    assert "pass-word" not in said + worked
    assert "Traceback" not in said
    assert "pass-word" not in history_of(environment, "extraction")


def history_of(environment: dict[str, str], workflow_id: str) -> str:
    """All that Temporal has kept of a workflow."""

    async def read() -> str:
        client = await Client.connect(environment["TEMPORAL_ADDRESS"])
        return (await client.get_workflow_handle(workflow_id).fetch_history()).to_json()

    return asyncio.run(read())


def test_a_worker_reads_its_settings_once_and_a_run_brings_none(tmp_path: Path, environment: dict[str, str]) -> None:
    """The worker's are in its `.env`, which is gone when it works; the starter's name a source that is not there."""
    here, there = tmp_path / "worker", tmp_path / "starter"
    here.mkdir()
    there.mkdir()
    of_worker = {name: environment.pop(name) for name in ("SOURCE_URL", "COMPONENTS_PATH")}
    (here / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in of_worker.items()))
    (there / "components").mkdir()
    worker = start("worker", here, environment)
    try:
        assert worker.stdout
        assert "Working on" in worker.stdout.readline()
        (here / ".env").unlink()
        environment["SOURCE_URL"] = "postgresql://someone:pass-word@127.0.0.1:1/db"
        starter = start("start", there, environment, "--workflow-id", "elsewhere")
        said, _ = starter.communicate(timeout=300)
        assert starter.returncode == 0, said
        assert re.search(rf"raw/column +{TABLES * COLUMNS} ", said)
    finally:
        worker.terminate()
        worker.communicate()
    history = history_of(environment, "elsewhere")
    assert "pass-word" not in history
    assert of_worker["SOURCE_URL"] not in history


class LeakError(PipelineError):
    """One whose sentence has a secret in it."""


@pytest.mark.parametrize("kind", [RuntimeError, LeakError])
def test_no_secret_of_an_error_gets_into_temporals_history(kind: type[Exception]) -> None:
    environment = {
        "SOURCE_URL": "postgresql://u:pass-word@h/d",
        "ATLAN_CONNECTION_QUALIFIED_NAME": "default/postgres/1",
        "ATLAN_AUTH_CLIENT_SECRET": "hush-hush",
        "COMPONENTS_PATH": ".",
    }
    settings = check_extraction_settings(environment)

    def fetch(run: Run, settings: ExtractionSettings, progress: StepProgress) -> Written:
        try:
            raise ValueError("caused by pass-word")
        except ValueError as error:
            raise kind(f"{settings.source_url} with hush-hush") from error

    with pytest.raises(ApplicationError) as caught:
        ActivityEnvironment().run(
            as_activity(fetch, settings), Run("w", "r", "c", "default/postgres/1", Filters(), False)
        )
    failure = Failure()
    DataConverter.default.failure_converter.to_failure(caught.value, DataConverter.default.payload_converter, failure)
    assert "postgresql://u:***@h/d with ***" in failure.message
    assert failure.application_failure_info.type == kind.__name__
    assert "pass-word" not in str(failure)
    assert "hush-hush" not in str(failure)
