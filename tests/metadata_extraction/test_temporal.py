"""The extraction on a real Temporal server: done by whichever worker there is, with the files of an undisturbed run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from postgres_world import postgres_server
from temporalio import activity, workflow
from temporalio.api.failure.v1 import Failure
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker
from upload_world import LOCAL

from metadata_extraction.models import Filters, MigrationSummary, Preflight, Result, Run, Transformed, Written
from metadata_extraction.progress import StepProgress
from metadata_extraction.settings import ExtractionSettings, check_extraction_settings
from metadata_extraction.temporal import (
    MetadataExtraction,
    RefusedRunError,
    _answers,
    _execute,
    as_activity,
    connect_temporal,
    take_run,
)
from runtime.errors import PipelineError, SettingsError

ROOT = Path(__file__).resolve().parents[2]
TABLES, COLUMNS = 400, 60


class Server:
    """A Temporal development server that can be killed and started again on the same port."""

    def __init__(self) -> None:
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start it, and return its address when it answers."""
        for _ in range(5):  # somebody else may take the port between the look and the start
            port = self.port or free_port()
            command = [
                Path(sys.executable).with_name("temporal"),
                "server",
                "start-dev",
                "--headless",
                "--port",
                str(port),
            ]
            process = self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_for(
                lambda port=port, process=process: answers(port) or process.poll() is not None, "Temporal to answer"
            )
            if process.poll() is None:
                self.port = port
                return f"127.0.0.1:{port}"
        raise AssertionError("Temporal did not start")

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def temporal() -> Iterator[str]:
    """A Temporal development server; yields its address."""
    server = Server()
    try:
        yield server.start()
    finally:
        server.kill()


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
    """One that the system gives to nobody who asks for any, as it stays that of a server while it is killed."""
    for port in random.sample(range(15_000, 32_000), 1_000):
        with contextlib.closing(socket.socket()) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


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


def read_until(process: subprocess.Popen[str], *wanted: str) -> str:
    """What a process prints, up to a line with one of these; fails where it ends before that."""
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if any(text in line for text in wanted):
            return said
    raise AssertionError(said)


def test_starter_and_worker_tell_what_happens(tmp_path: Path, environment: dict[str, str]) -> None:
    """Without a worker, the starter says so; then each step and count, and that the upload is off."""
    starter = start("start", tmp_path, environment, "--workflow-id", "told")
    worker = None
    try:
        waited = read_until(starter, "No worker has taken the run yet")
        assert f"(task queue {tmp_path.name}, namespace default)" in waited
        again = start("start", tmp_path, environment, "--workflow-id", "told")
        refused, _ = again.communicate(timeout=300)
        assert again.returncode == 1
        assert re.search(r"❌ told is under way already, as run [0-9a-f-]{36}: wait for its end", refused)
        worker = start("worker", tmp_path, environment)
        worked = read_until(worker, "Atlan upload skipped for workflow (disabled)")
        said, _ = starter.communicate(timeout=300)
        assert starter.returncode == 0, said
    finally:
        for process in (starter, worker):
            if process and process.poll() is None:
                process.terminate()
                process.communicate()
    (run_id,) = set(re.findall(r"\(told, run (\S+)\)", worked))
    assert f"🔗 Started told, run {run_id}" in waited
    steps = ["can be read", "Databases: 1", "Schemas: 1", f"Tables: {TABLES}", f"Columns: {TABLES * COLUMNS}", "Procedures: 0",
             "entities transformed", "Atlan upload skipped for workflow (disabled)"]  # fmt: skip
    lines = [line for line in worked.splitlines() if run_id in line]
    for step, line in zip(steps, lines, strict=True):
        assert f"{step} (told, run {run_id})" in line
    assert "💾 Atlan upload skipped for workflow (disabled)\n" in said
    assert "✅ Done: all data is local" in said


async def wait_for_pollers(address: str, queue: str) -> None:
    """Until a worker asks for work: before that, it has looked whether there is a server only once, and ends without one."""
    client = await Client.connect(address)
    asked = DescribeTaskQueueRequest(namespace="default", task_queue=TaskQueue(name=queue))
    while not (await client.workflow_service.describe_task_queue(asked)).pollers:
        await asyncio.sleep(0.1)


def test_a_server_that_is_lost_is_one_sentence_and_work_goes_on_when_it_is_back(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    own, worker, starter = Server(), None, None
    environment["TEMPORAL_ADDRESS"] = own.start()
    try:
        starter = start("start", tmp_path, {**environment, "TEMPORAL_TASK_QUEUE": "nobody"})
        read_until(starter, "Started extraction")
        alive = tmp_path / "alive"
        worker = start("worker", tmp_path, environment, "--alive-file", str(alive))
        read_until(worker, "Working on")
        wait_for(alive.exists, "the file that says that the worker lives")
        asyncio.run(wait_for_pollers(environment["TEMPORAL_ADDRESS"], environment["TEMPORAL_TASK_QUEUE"]))
        own.kill()
        assert read_until(worker, "Temporal").count("\n") == 1  # and no line of the library's
        alive.unlink()
        wait_for(lambda: alive.exists() or worker.poll() is not None, "the file of a worker that waits")
        assert worker.poll() is None, worker.communicate()
        ended, _ = starter.communicate(timeout=300)
        assert starter.returncode == 1
        assert ended.splitlines()[-1].endswith(": extraction goes on when it does, but is not waited for here.")
        assert len(ended.splitlines()) <= 2
        own.start()
        assert read_until(worker, "Temporal answers again").count("\n") == 1
        # What a new run asks for is done.
        again = start("start", tmp_path, environment)
        said, _ = again.communicate(timeout=300)
        assert again.returncode == 0, said
        worker.terminate()
        worker.communicate(timeout=300)
        assert worker.returncode == 0
    finally:
        own.kill()
        for process in (worker, starter):
            if process and process.poll() is None:
                process.kill()
                process.communicate()


@pytest.mark.parametrize("backlog", [50, 0], ids=["nobody answers", "nobody takes the connection"])
def test_a_server_that_is_silent_does_not_answer(backlog: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one behind a firewall that drops what comes, which the library waits for without an end."""
    monkeypatch.setattr("metadata_extraction.temporal.LOOK_SECONDS", 1.0)
    monkeypatch.setattr("metadata_extraction.temporal.CONNECT_SECONDS", 5.0)

    async def look() -> None:
        server = Server()
        address = server.start()
        client = await Client.connect(address)
        while not await _answers(client):  # on a busy machine
            pass
        server.kill()
        await _answers(client)  # which learns that the connection is broken
        with contextlib.ExitStack() as sockets:
            silent = sockets.enter_context(socket.socket())
            silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            silent.bind(("127.0.0.1", server.port))
            silent.listen(backlog)
            for _ in range(0 if backlog else 5):
                other = sockets.enter_context(socket.socket())
                other.setblocking(False)
                other.connect_ex(("127.0.0.1", server.port))
            assert not await _answers(client)
            settings = check_extraction_settings({**OWN, "TEMPORAL_ADDRESS": address})
            with pytest.raises(PipelineError, match=f"Temporal does not answer at {address}"):
                await connect_temporal(settings)

    asyncio.run(look())


def test_a_namespace_that_does_not_exist_is_one_sentence(tmp_path: Path, environment: dict[str, str]) -> None:
    environment["TEMPORAL_NAMESPACE"] = "nope"
    worker = start("worker", tmp_path, environment)
    worked, _ = worker.communicate(timeout=300)
    assert worker.returncode == 1
    assert re.search(r"❌ The worker has ended: .*nope.*: check TEMPORAL_NAMESPACE", worked)
    starter = start("start", tmp_path, environment)
    said, _ = starter.communicate(timeout=300)
    assert (starter.returncode, said) == (1, "❌ Temporal refuses extraction: Namespace nope is not found.\n")
    assert "Traceback" not in worked


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
    assert "postgresql://***@h/d with ***" in failure.message
    assert failure.application_failure_info.type == kind.__name__
    assert "pass-word" not in str(failure)
    assert "hush-hush" not in str(failure)


class Panic(BaseException):
    """As a panic of a library's Rust code, which is no Exception."""


def test_a_panic_fails_the_activity_and_not_the_worker() -> None:
    settings = check_extraction_settings({**OWN, "ATLAN_AUTH_CLIENT_SECRET": "hush-hush"})

    def fetch(run: Run, settings: ExtractionSettings, progress: StepProgress) -> Written:
        raise Panic("hush-hush")

    with pytest.raises(ApplicationError, match=r"Panic: \*\*\*"):
        ActivityEnvironment().run(as_activity(fetch, settings), ASKED)


# What a worker takes

OWN = {
    "SOURCE_URL": "postgresql://u:p@h/d",
    "ATLAN_CONNECTION_NAME": "shop",
    "ATLAN_CONNECTION_QUALIFIED_NAME": "default/postgres/1",
    "EXCLUDE_SCHEMAS": "hr",
    "COMPONENTS_PATH": ".",
}
ASKED = Run("w", "r", "another name", "default/postgres/1", Filters(exclude_schemas="hr"), False)


def test_a_worker_takes_its_own_name_of_the_connection() -> None:
    settings = check_extraction_settings(OWN)
    assert take_run(ASKED, settings) == replace(ASKED, connection_name="shop")
    assert take_run(ASKED, replace(settings, enable_atlan_upload=True)).upload is False


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (replace(ASKED, connection_qualified_name="default/postgres/2"), "has another ATLAN_CONNECTION_QUALIFIED_NAME: give"),
        (replace(ASKED, filters=Filters()), "has another INCLUDE_ and EXCLUDE_…: give the starter"),
        (replace(ASKED, filters=Filters(exclude_schemas="(a+)+$")), "has another INCLUDE_ and EXCLUDE_…"),
        (replace(ASKED, deployment="plant-7"), "has another ATLAN_DEPLOYMENT_NAME: give"),
        (replace(ASKED, upload=True), "has another ENABLE_ATLAN_UPLOAD: give"),
        (replace(ASKED, upload=True, filters=Filters()), "has another INCLUDE_ and EXCLUDE_… and another ENABLE_ATLAN_UPLOAD"),
        (replace(ASKED, workflow_id="../../x"), "its ids cannot be parts of a key"),
        (replace(ASKED, run_id="a/b"), "its ids cannot be parts of a key"),
    ],
    ids=["connection", "no filters", "slow filters", "deployment", "upload", "two", "workflow id", "run id"],
)  # fmt: skip
def test_a_worker_refuses_what_its_own_settings_do_not_say(asked: Run, said: str) -> None:
    settings, called = check_extraction_settings(OWN), []

    def fetch(run: Run, settings: ExtractionSettings, progress: StepProgress) -> Written:
        called.append(run)
        raise AssertionError

    with pytest.raises(ApplicationError, match=said) as caught:
        ActivityEnvironment().run(as_activity(fetch, settings), asked)
    assert caught.value.type == RefusedRunError.__name__
    assert called == []


def test_a_run_that_a_worker_refuses_ends_with_its_sentence(tmp_path: Path, environment: dict[str, str]) -> None:
    worker = start("worker", tmp_path, environment)
    try:
        environment["ATLAN_CONNECTION_QUALIFIED_NAME"] = "default/postgres/1763700002"
        starter = start("start", tmp_path, environment, "--workflow-id", "foreign")
        said, _ = starter.communicate(timeout=300)
    finally:
        worker.terminate()
        worker.communicate()
    assert starter.returncode == 1, said
    assert "The run is refused, as the worker that took it has another ATLAN_CONNECTION_QUALIFIED_NAME" in said
    assert not (tmp_path / "objectstore").exists()


# TLS


def write_certificates(folder: Path) -> None:
    """`ca.pem`, and with `cert.pem` and `key.pem` who is `localhost` by that CA."""
    now = datetime.now(timezone.utc)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("ca", "localhost")]
    for file, subject, key, is_ca in (("ca.pem", names[0], keys[0], True), ("cert.pem", names[1], keys[1], False)):
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(names[0])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .sign(keys[0], hashes.SHA256())
        )
        (folder / file).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    encryption = serialization.NoEncryption()
    text = keys[1].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    (folder / "key.pem").write_bytes(text)


@contextlib.contextmanager
def tls_before(address: str, folder: Path) -> Iterator[str]:
    """TLS before a server without it, which asks for a certificate of the CA in the folder; yields its address."""
    write_certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    host, _, port = address.rpartition(":")

    async def serve() -> None:
        async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
            writer.close()

        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there = await asyncio.open_connection(host, int(port))
            await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))

        server = await asyncio.start_server(forward, "127.0.0.1", 0, ssl=context)
        ports.append(server.sockets[0].getsockname()[1])
        started.set()
        await asyncio.to_thread(ended.wait)
        server.close()

    ports: list[int] = []
    started, ended = threading.Event(), threading.Event()
    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    started.wait()
    try:
        yield f"localhost:{ports[0]}"
    finally:
        ended.set()
        thread.join(10)


def test_temporal_over_tls_with_a_certificate(temporal: str, tmp_path: Path) -> None:
    async def connect(**given: str) -> str:
        settings = check_extraction_settings({**OWN, **given})
        return (await connect_temporal(settings)).namespace

    with tls_before(temporal, tmp_path) as address:
        files = {
            "TEMPORAL_ADDRESS": address,
            "TEMPORAL_TLS_CA": str(tmp_path / "ca.pem"),
            "TEMPORAL_TLS_CERT": str(tmp_path / "cert.pem"),
            "TEMPORAL_TLS_KEY": str(tmp_path / "key.pem"),
            "TEMPORAL_API_KEY": "hush-hush",
        }
        assert asyncio.run(connect(**files)) == "default"
        with pytest.raises(PipelineError, match="check TEMPORAL_ADDRESS and TEMPORAL_TLS"):
            asyncio.run(connect(TEMPORAL_ADDRESS=address, TEMPORAL_TLS="true"))
        with pytest.raises(PipelineError, match="Temporal does not answer at"):
            asyncio.run(connect(TEMPORAL_ADDRESS=address))
        (tmp_path / "key.pem").write_text("no key")
        with pytest.raises(PipelineError, match="Temporal does not answer at"):
            asyncio.run(connect(**files))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"TEMPORAL_TLS": "perhaps"}, "TEMPORAL_TLS is perhaps: use true or false"),
        (
            {"TEMPORAL_TLS": "false", "TEMPORAL_API_KEY": "hush-hush"},
            "TEMPORAL_TLS is off, but there is a TEMPORAL_API_KEY",
        ),
        ({"TEMPORAL_TLS_CA": "nowhere"}, r"TEMPORAL_TLS_CA is no file \(nowhere\): name a file in PEM"),
        ({"TEMPORAL_TLS_CERT": __file__}, "TEMPORAL_TLS_CERT and TEMPORAL_TLS_KEY belong together"),
    ],
)
def test_wrong_settings_for_temporal_are_told(given: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        check_extraction_settings({**OWN, **given})
    assert "hush-hush" not in str(caught.value)


def test_an_api_key_goes_over_tls_only() -> None:
    assert check_extraction_settings({**OWN, "TEMPORAL_API_KEY": "hush-hush"}).temporal_tls is True
    assert check_extraction_settings(OWN).temporal_tls is False


FETCHES = ("fetch_databases", "fetch_schemas", "fetch_tables", "fetch_columns", "fetch_procedures")
RESULTS = {
    "preflight_check": Preflight("PostgreSQL h:1/d", []),
    **{name: Written("table", 1, 1, 1, "prefix") for name in (*FETCHES, "fetch_load_history")},
    "transform_data": Transformed([]),
    "upload_to_atlan": MigrationSummary("prefix", "a", "b", enabled=False),
}


@workflow.defn(name="MetadataExtraction")
class BeforeTheLoadHistory:
    """The workflow as it was before it had `fetch_load_history`."""

    @workflow.run
    async def run(self, run: Run) -> Result:
        """Its steps."""
        await _execute("preflight_check", run, Preflight)
        written = [await _execute(name, run, Written) for name in FETCHES]
        await _execute("transform_data", run, Transformed)
        return Result("path", written, await _execute("upload_to_atlan", run, MigrationSummary))


def as_recorded(name: str) -> Callable[[Run], object]:
    @activity.defn(name=name)
    def execute(run: Run) -> object:
        return RESULTS[name]

    return execute


async def recorded_run(address: str, queue: str, kind: type) -> WorkflowHistory:
    """What Temporal has of a run of a workflow of this kind."""
    client = await Client.connect(address)
    with ThreadPoolExecutor(1) as executor:
        worker = Worker(
            client,
            task_queue=queue,
            workflows=[kind],
            activities=[as_recorded(name) for name in RESULTS],
            activity_executor=executor,
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        async with worker:
            run = Run("extraction", "by-temporal", "shop", "default/postgres/1763700001", Filters(), False)
            handle = await client.start_workflow("MetadataExtraction", run, id=queue, task_queue=queue)
            await handle.result()
    return await handle.fetch_history()


@pytest.mark.parametrize(("kind", "has_step"), [(BeforeTheLoadHistory, False), (MetadataExtraction, True)])
def test_a_run_that_an_older_worker_has_begun_goes_on(
    temporal: str, tmp_path: Path, kind: type, has_step: bool
) -> None:
    history = asyncio.run(recorded_run(temporal, tmp_path.name, kind))
    assert ("fetch_load_history" in history.to_json()) == has_step
    replayer = Replayer(workflows=[MetadataExtraction], workflow_runner=UnsandboxedWorkflowRunner())
    asyncio.run(replayer.replay_workflow(history))
