"""The same steps on Temporal: durable, and taken over by another worker where one is lost.

A worker's own settings say where the source and the stores are, and what may be read and uploaded; a run brings none
of the first, and one that differs in the second is refused. What Temporal keeps of an activity that fails is its
sentence, without secrets, chained errors and tracebacks.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, get_type_hints

from temporalio import activity, workflow
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, WorkflowAlreadyStartedError
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig
from temporalio.service import RPCError, RPCStatusCode, TLSConfig
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from metadata_extraction.models import MigrationSummary, Preflight, Result, Run, Transformed, Written, check_id
    from metadata_extraction.settings import ExtractionSettings
    from metadata_extraction.stores import ENDING
    from metadata_extraction.workflow import ACTIVITIES, FETCHES, StepResult, describe
    from runtime.errors import PipelineError
    from runtime.terminal import logger, mask

AT_ONCE = 4  # activities in a worker
BEAT_SECONDS = 2.0
# How a server that is not there, or that takes a request and never answers it, comes out of the library.
UNANSWERED = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)
CONNECT_SECONDS = 40.0  # above the 30 that the library gives to an answer; for a connection it has no limit
LOOK_SECONDS = 5.0  # between two looks at whether the server answers, and before a run without a worker is told
# A lost worker is noticed after this long; its step then starts anew elsewhere ("Detecting activity failures" in
# Temporal's documentation).
HEARTBEAT_TIMEOUT = timedelta(seconds=10)
UNTOUCHED = 2  # events in the history of a run that no worker has seen: it was started, and its first task was queued
STEP_TIMEOUT = timedelta(hours=6)
ACTIVITY_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(minutes=1),
    maximum_attempts=5,
    non_retryable_error_types=["SettingsError", "ComponentError", "RefusedRunError"],
)


class RefusedRunError(PipelineError):
    """A run that is not what this worker's settings are for."""


@workflow.defn(name="MetadataExtraction")
class MetadataExtraction:
    """The steps of `workflow.run_in_process`. Only counts and keys pass through Temporal."""

    @workflow.run
    async def run(self, run: Run) -> Result:
        """The run under Temporal's own run id; faults of the preflight end it, and are not tried again."""
        run = replace(run, run_id=workflow.info().run_id)
        preflight: Preflight = await _execute("preflight_check", run, Preflight)
        if preflight.faults:
            raise ApplicationError("\n".join(preflight.faults), type="PreflightError", non_retryable=True)
        written: list[Written] = [await _execute(fetch.__name__, run, Written) for fetch in FETCHES.values()]
        # A step that was put in later: a run that an older worker has begun goes on as it was ("Patching" in Temporal's
        # documentation of its Python SDK). The line goes when no such run can be left.
        if workflow.patched("fetch_load_history"):
            history: Written = await _execute("fetch_load_history", run, Written)
            written += [history] if history.rows else []
        transformed: Transformed = await _execute("transform_data", run, Transformed)
        migration: MigrationSummary = await _execute("upload_to_atlan", run, MigrationSummary)
        return Result(run.output_path, [*written, *transformed.written], migration)


async def _execute(name: str, run: Run, result_type: type) -> Any:
    return await workflow.execute_activity(
        name,
        run,
        result_type=result_type,
        start_to_close_timeout=STEP_TIMEOUT,
        heartbeat_timeout=HEARTBEAT_TIMEOUT,
        retry_policy=ACTIVITY_RETRY,
    )


def as_activity(function: Callable[..., Any], settings: ExtractionSettings) -> Callable[[Run], Any]:
    """The function as Temporal calls it: with the worker's settings, and its progress sent as heartbeats."""

    def execute(run: Run) -> Any:
        try:
            settings.apply_to_log()  # a secret may be another one than when the worker began
            with _heartbeats() as heartbeat:
                result: StepResult = function(take_run(run, settings), settings, heartbeat)
            for line in describe(result):
                logger.info("%s (%s, run %s)", line, run.workflow_id, run.run_id)
            return result
        except (CancelledError, *ENDING):
            raise
        except BaseException as error:
            logger.debug("%s failed", function.__name__, exc_info=True)
            said = str(error) if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}"
            logger.warning("⚠️ %s failed: %s (%s, run %s)", function.__name__, said, run.workflow_id, run.run_id)
            # By its type Temporal knows what not to try again. Its traceback and causes stay in this worker's log.
            raise ApplicationError(mask(said), type=type(error).__name__) from None

    execute.__annotations__ = {"run": Run, "return": get_type_hints(function)["return"]}
    return activity.defn(name=function.__name__)(execute)


def take_run(run: Run, settings: ExtractionSettings) -> Run:
    """The run as this worker does it. Raises `RefusedRunError` where it asks for what its settings do not say.

    Anybody who reaches the task queue can start one.
    """
    if not (check_id(run.workflow_id) and check_id(run.run_id)):
        raise RefusedRunError("The run is refused, as its ids cannot be parts of a key.")
    asked = {
        "ATLAN_CONNECTION_QUALIFIED_NAME": run.connection_qualified_name == settings.connection_qualified_name,
        "INCLUDE_ and EXCLUDE_…": run.filters == settings.filters,
        "ATLAN_DEPLOYMENT_NAME": run.deployment == settings.deployment,
        "ENABLE_ATLAN_UPLOAD": settings.enable_atlan_upload or not run.upload,
    }
    different = [name for name, same in asked.items() if not same]
    if different:
        raise RefusedRunError(
            f"The run is refused, as the worker that took it has another {' and another '.join(different)}: give the "
            "starter and the workers of a task queue the same settings."
        )
    return replace(run, connection_name=settings.connection_name)


class _Heartbeat:
    """A step's progress: what Temporal is told with each heartbeat."""

    def __init__(self) -> None:
        self.total: float | None = None
        self.done = self.size = 0

    def advance(self, count: int = 1, size: int = 0) -> None:
        self.done += count
        self.size += size


@contextmanager
def _heartbeats() -> Iterator[_Heartbeat]:
    """Beat from a thread of its own, so that a slow answer of the source does not look like a lost worker."""
    heartbeat = _Heartbeat()
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_SECONDS):
            activity.heartbeat({"items": heartbeat.done, "bytes": heartbeat.size, "total": heartbeat.total})

    thread = threading.Thread(target=contextvars.copy_context().run, args=(beat,), daemon=True, name="heartbeat")
    thread.start()
    try:
        yield heartbeat
    finally:
        ended.set()
        thread.join()


def _tls_of(settings: ExtractionSettings) -> TLSConfig:
    """What the client needs for TLS; without a CA's file, the system's CAs count."""
    contents: dict[str, bytes] = {}
    for name, path in settings.temporal_tls_files.items():
        try:
            contents[name] = path.read_bytes()
        except OSError as error:
            raise PipelineError(f"{name} cannot be read ({path}): {error.strerror}.") from None
    return TLSConfig(
        server_root_ca_cert=contents.get("TEMPORAL_TLS_CA"),
        client_cert=contents.get("TEMPORAL_TLS_CERT"),
        client_private_key=contents.get("TEMPORAL_TLS_KEY"),
    )


@functools.cache
def _runtime(verbose: bool) -> Runtime:
    """The library's part in Rust, of which there is one in a process.

    Of each call that it tries again it would tell several lines; what they come to is told here in one.
    """
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig.default if verbose else LoggingConfig(filter="off")))


async def connect_temporal(settings: ExtractionSettings) -> Client:
    """A client of the server and namespace that the settings name. Raises `PipelineError` where it does not answer."""
    verbose = settings.log_level == "DEBUG"
    # That an activity failed is told where it is caught.
    logging.getLogger("temporalio.activity").setLevel(logging.DEBUG if verbose else logging.CRITICAL)
    try:
        connecting = Client.connect(
            settings.temporal_address,
            namespace=settings.temporal_namespace,
            tls=_tls_of(settings) if settings.temporal_tls else False,
            api_key=settings.temporal_api_key or None,
            runtime=_runtime(verbose),
        )
        return await asyncio.wait_for(connecting, CONNECT_SECONDS)
    except (RuntimeError, ValueError, RPCError, asyncio.TimeoutError):
        raise PipelineError(
            f"Temporal does not answer at {settings.temporal_address}: start one with `temporal server start-dev`, or check "
            "TEMPORAL_ADDRESS and TEMPORAL_TLS."
        ) from None


async def _answers(client: Client) -> bool:
    """Whether the server answers in time; one that refuses does."""
    try:
        # The library's limit begins when there is a connection: for that it waits as long as nobody refuses it.
        looking = client.service_client.check_health(timeout=timedelta(seconds=LOOK_SECONDS))
        return await asyncio.wait_for(looking, 2 * LOOK_SECONDS)
    except asyncio.TimeoutError:
        return False
    except RPCError as error:
        return error.status not in UNANSWERED


async def _watch(client: Client, address: str, alive_file: Path | None) -> None:
    """Tell that the server has stopped answering, once, and that it answers again; what waits for it goes on by itself.

    The file is touched at each look, whether it answers or not: a worker that waits need not be started anew.
    """
    missed = 0
    while True:
        if alive_file:
            with contextlib.suppress(OSError):  # without it, whoever looks for it starts the worker anew
                alive_file.touch()
        reached = await _answers(client)
        if reached and missed > 1:
            logger.info("✅ Temporal answers again at %s", address)
        missed = 0 if reached else missed + 1
        if missed == 2:  # a single one may be a busy machine
            logger.warning("⚠️ Temporal does not answer any more at %s; this goes on when it does", address)
        await asyncio.sleep(LOOK_SECONDS)


@contextlib.asynccontextmanager
async def _watched(client: Client, address: str, alive_file: Path | None) -> AsyncIterator[None]:
    watching = asyncio.create_task(_watch(client, address, alive_file))
    try:
        yield
    finally:
        watching.cancel()


@contextmanager
def _telling_why_it_ends() -> Iterator[None]:
    """Turn what a worker dies of (its namespace does not exist, its key is refused) into one sentence."""
    try:
        yield
    except (RuntimeError, RPCError) as error:
        logger.debug("the worker broke off", exc_info=True)
        said = " ".join(str(error).split())
        raise PipelineError(
            f"The worker has ended: {said}: check TEMPORAL_NAMESPACE and the key or certificate."
        ) from None


async def work_on_queue(settings: ExtractionSettings, alive_file: Path | None = None) -> None:
    """Work on the task queue until the process is told to stop (SIGINT, SIGTERM). Raises `PipelineError`.

    A file that is named is touched every few seconds, for those who look whether the worker is alive.
    """
    client = await connect_temporal(settings)
    stop = asyncio.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    with ThreadPoolExecutor(AT_ONCE) as executor, _telling_why_it_ends():
        # The worker asks this, too, but only when it is under way, and nobody works on what is not there.
        await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=settings.temporal_namespace)
        )
        worker = Worker(
            client,
            task_queue=settings.temporal_task_queue,
            workflows=[MetadataExtraction],
            activities=[as_activity(function, settings) for function in ACTIVITIES],
            activity_executor=executor,
            max_concurrent_activities=AT_ONCE,
        )
        async with worker, _watched(client, settings.temporal_address, alive_file):
            logger.info(
                "✅ Working on %s at %s (Ctrl-C stops it)", settings.temporal_task_queue, settings.temporal_address
            )
            await stop.wait()


async def run_on_temporal(settings: ExtractionSettings, run: Run) -> Result:
    """Start a run on Temporal, and wait for its result. Raises `PipelineError` where it fails."""
    client = await connect_temporal(settings)
    try:
        handle = await client.start_workflow(
            MetadataExtraction.run, run, id=run.workflow_id, task_queue=settings.temporal_task_queue
        )
        logger.info("🔗 Started %s, run %s", handle.id, handle.result_run_id)
        waiting = asyncio.ensure_future(handle.result())
        await asyncio.wait([waiting], timeout=LOOK_SECONDS)
        if not waiting.done() and (await handle.describe()).history_length <= UNTOUCHED:
            logger.warning(
                "⚠️ No worker has taken the run yet: start one with `python -m metadata_extraction worker` (task queue %s, "
                "namespace %s); this waits for it", settings.temporal_task_queue, settings.temporal_namespace,
            )  # fmt: skip
        return await waiting
    except WorkflowAlreadyStartedError as error:
        raise PipelineError(
            f"{run.workflow_id} is under way already, as run {error.run_id}: wait for its end, or give this one another "
            "--workflow-id."
        ) from None
    except RPCError as error:
        if error.status in UNANSWERED:
            raise PipelineError(
                f"Temporal does not answer any more at {settings.temporal_address}: {run.workflow_id} goes on when it "
                "does, but is not waited for here."
            ) from None
        raise PipelineError(f"Temporal refuses {run.workflow_id}: {error.message.rstrip('.')}.") from None
    except WorkflowFailureError as error:
        cause: BaseException = error.cause
        if isinstance(cause, ActivityError) and cause.cause:
            cause = cause.cause
        raise PipelineError(str(getattr(cause, "message", cause))) from None
