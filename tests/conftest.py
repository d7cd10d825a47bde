"""Parts that the tests share: one sandbox tenant per session, a pyatlan client for it, and fresh tenants."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import signal
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import SimpleNamespace

import botocore.session
import hypothesis
import pytest
from world import Run, World, settings_of, start_world

import main
import sandbox
from runtime import atlan as runtime_atlan
from runtime import embedded, terminal, transport

SETTINGS = [
    "ATLAN_BASE_URL", "ATLAN_API_TOKEN", "ATLAN_API_KEY", "POSTGRES_CONNECTION_NAME", "SNOWFLAKE_CONNECTION_NAME",
    "S3_BUCKET_NAME", "S3_BUCKET_ARN", "S3_CONNECTION_NAME", "S3_INVENTORY", "S3_PREFIX", "CACHE_EXPIRY_HOURS", "POSTGRES_CACHE_FILE",
    "SNOWFLAKE_CACHE_FILE", "STATE_CACHE_FILE", "OVERRIDES_FILE", "LINEAGE_EVENTS", "LINEAGE_NAMESPACES", "READ_FILE_HEADERS", "ATLAN_MAX_REQUESTS_PER_MINUTE", "LINEAGE_PAGE", "LOG_LEVEL", "LOG_FILE",
    "REQUIRE_TENANT", "POSTGRES_SCOPE", "SNOWFLAKE_SCOPE",
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy",
    "https_proxy", "all_proxy", "SOURCE_URL", "ATLAN_CONNECTION_NAME", "ATLAN_CONNECTION_QUALIFIED_NAME",
    "INCLUDE_DATABASES", "EXCLUDE_DATABASES", "INCLUDE_SCHEMAS", "EXCLUDE_SCHEMAS", "ENABLE_ATLAN_UPLOAD",
    "STATEMENT_TIMEOUT_SECONDS", "COMPONENTS_PATH", "DEPLOYMENT_OBJECT_STORE_NAME", "UPSTREAM_OBJECT_STORE_NAME",
    "ATLAN_AUTH_CLIENT_ID", "ATLAN_AUTH_CLIENT_SECRET", "ATLAN_DEPLOYMENT_NAME", "TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_TLS", "TEMPORAL_API_KEY", "TEMPORAL_TLS_CA", "TEMPORAL_TLS_CERT",
    "TEMPORAL_TLS_KEY", "PGOPTIONS", "PGPASSWORD",
    "TEMPORAL_TASK_QUEUE",
]  # fmt: skip

# A test takes as long as the machine is busy.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")
# botocore reads its files anew for each session, which is a tenth of the time of many tests.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)
# A shell gives what it starts in the background no SIGINT, and what the tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """The types of the sandbox and of pyatlan stay to the end; looking through them again and again takes long."""
    gc.disable()
    collected = yield
    gc.freeze()
    gc.enable()
    return collected


@pytest.fixture(scope="session")
def tenant() -> Iterator[sandbox.Tenant]:
    with sandbox.start() as running:
        yield running


@pytest.fixture(scope="session")
def atlan(tenant: sandbox.Tenant):
    from pyatlan.client.atlan import AtlanClient

    return AtlanClient(base_url=tenant.base_url, api_key=tenant.api_token, proxy=None)


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder, and an environment without settings, AWS credentials or proxies."""
    folder = tmp_path / "run"
    folder.mkdir()
    _isolate(folder, monkeypatch)
    yield folder
    _forget_clients()


def _isolate(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.chdir(folder)
    for name in SETTINGS:
        # Set first, so that what .env brings in during the test is taken away after it, too.
        patch.setenv(name, "")
        patch.delenv(name)
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    patch.setenv("AWS_CONFIG_FILE", str(folder.parent / "no-config"))
    patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder.parent / "no-credentials"))
    _forget_clients()
    terminal.configure_logging("INFO", "")


def _forget_clients() -> None:
    runtime_atlan._make_atlan_client.cache_clear()
    runtime_atlan._pace_of.cache_clear()
    embedded._start_once.cache_clear()


@pytest.fixture
def connect(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[World], None]:
    """Sets the environment to a tenant."""

    def set_environment(world: World) -> None:
        for name, value in settings_of(world).items():
            monkeypatch.setenv(name, value)

    return set_environment


@pytest.fixture
def fresh_world(tmp_path: Path, connect: Callable[[World], None]) -> Iterator[Callable[..., World]]:
    """Starts a tenant of its own, filled from the given inventories, and sets the environment to it."""
    with contextlib.ExitStack() as running:

        def start(*inventories: Path) -> World:
            world = running.enter_context(start_world(tmp_path / "tenant", inventories or None))
            connect(world)
            return world

        yield start


@pytest.fixture(scope="session")
def _world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with start_world(tmp_path_factory.mktemp("tenant")) as world:
        yield world


@pytest.fixture
def world(_world: World, connect: Callable[[World], None]) -> World:
    """A tenant as it is when it is new, with the sample's assets and files."""
    _world.renew()
    connect(_world)
    return _world


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict]:
    """What a run that nothing disturbs leaves in a new tenant."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with start_world(folder / "tenant") as world, pytest.MonkeyPatch.context() as patch:
        _isolate(folder, patch)
        for name, value in settings_of(world).items():
            patch.setenv(name, value)
        assert main.main([]) == 0
        return world.state()


@pytest.fixture
def run(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """Runs the command line in this process. No output may ever hold the token or a traceback."""

    def run_main(*arguments: str) -> Run:
        capsys.readouterr()
        code = main.main(arguments)
        out, err = capsys.readouterr()
        token = os.environ.get("ATLAN_API_TOKEN")
        assert not token or token not in out + err
        assert "Traceback" not in out + err
        return Run(code, out, err)

    return run_main


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between retries, which are noted instead of waited for: the clock is put forward."""
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        if seconds > 0.1:  # less is only another look at what somebody else waits for
            pauses.append(seconds)
        else:
            time.sleep(0.001)

    clock = SimpleNamespace(sleep=sleep, monotonic=lambda: time.monotonic() + sum(pauses))
    monkeypatch.setattr(transport, "time", clock)
    return pauses


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are no part of a test's id: those of a packed file have its time in them, and each worker another one."""
    return argname if isinstance(val, bytes) else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test has logged may hold half a character, which a worker cannot hand on."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report
