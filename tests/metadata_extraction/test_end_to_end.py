"""The whole way: a database is extracted, uploaded and published, and the pipeline draws lineage between the results."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from postgres_world import outside_folder
from snowflake_world import connect, needs_fakesnow, snowflake_server
from world import Run, World

import main
from metadata_extraction import __main__ as extraction
from metadata_extraction import sample

ROOT = Path(__file__).resolve().parents[2]
BUCKET = ROOT / "sandbox/buckets/atlan-tech-challenge/2025/csa-tech-challenge-ary"
# The sample's tables, as its files in the bucket name them and their columns.
COLUMNS = {path.stem: path.read_text().splitlines()[0].split(",") for path in sorted(BUCKET.glob("*.csv"))}


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A folder to run in, with the components that ship; the embedded database in it is stopped at the end."""
    with outside_folder() as folder:
        shutil.copytree(ROOT / "components", folder / "components")
        yield folder
        with contextlib.suppress(FileNotFoundError):
            pid = int((folder / ".sandbox/postgres/postmaster.pid").read_text().split()[0])
            os.kill(pid, 2)


def run(home: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the project in a folder, with no settings but these."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return subprocess.run(
        [sys.executable, *command],
        cwd=home,
        env={**kept, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_sample_is_extracted_with_nothing_configured(home: Path) -> None:
    done = run(home, "-m", "metadata_extraction", "run", "--workflow-id", "local", "--run-id", "1")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "Atlan upload skipped for workflow (disabled)" in done.stdout
    assert "Done: all data is local" in done.stdout
    prefix = home / "local/dapr/objectstore/artifacts/apps/delta-arc/workflows/local/1"
    assert sorted(files_below(prefix)) == sorted(
        [f"raw/{name}/chunk-0-part0.parquet" for name in ("database", "schema", "table", "column", "procedure")]
        + [
            f"transformed/{name}/local_transformed_{name}_0.json"
            for name in ("database", "schema", "table", "column", "procedure")
        ]
    )
    entities = [
        json.loads(line) for path in prefix.glob("transformed/*/*.json") for line in path.read_text().splitlines()
    ]
    names = {(entity["typeName"], entity["attributes"]["qualifiedName"]) for entity in entities}
    schema = "default/postgres/1763700000/FOOD_BEVERAGE/SALES_ORDERS"
    assert {("Table", f"{schema}/{name}") for name in COLUMNS} < names
    assert ("View", f"{schema}/OPEN_ORDERS") in names
    assert ("MaterialisedView", f"{schema}/SALES_BY_PRODUCT") in names
    assert ("Procedure", f"{schema}/_procedures_/RESTOCK") in names
    assert ("Function", f"{schema}/_functions_/ORDER_TOTAL") in names
    assert ("Column", f"{schema}/PRODUCTS/PRICE") in names


def test_a_run_reads_its_settings_once_and_writes_nothing_to_the_environment(home: Path) -> None:
    """The whole of it: from the sample to the sandbox's storage."""
    program = (
        "import os, sys\n"
        "opened = []\n"
        "sys.addaudithook(lambda event, given: event == 'open' and str(given[0]).endswith('.env') and opened.append(given[0]))\n"
        "before = dict(os.environ)\n"
        "from metadata_extraction.__main__ import main\n"
        "assert main(['run', '--workflow-id', 'once', '--run-id', '1']) == 0\n"
        "assert main(['upload', 'artifacts/apps/delta-arc/workflows/once/1']) == 0\n"
        "print('READ', len(opened), 'SAME', dict(os.environ) == before)\n"
    )
    (home / ".env").write_text("ENABLE_ATLAN_UPLOAD=true\nATLAN_AUTH_CLIENT_ID=\n")
    try:
        done = run(home, "-c", program)
    finally:
        (home / ".env").unlink()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "READ 2 SAME True" in done.stdout  # once for each command
    assert "10 of 10 files moved" in done.stdout or "there already, 0 failed" in done.stdout


@pytest.mark.parametrize("filters", [{"INCLUDE_SCHEMAS": "nope"}, {"EXCLUDE_SCHEMAS": ".*"}])
def test_filters_that_leave_no_schema_are_told(home: Path, filters: dict[str, str]) -> None:
    done = run(home, "-m", "metadata_extraction", "run", "--workflow-id", "none", LOG_LEVEL="WARNING", **filters)
    assert (done.returncode, done.stdout.splitlines()) == (
        0, ["⚠️ Schemas: 0, so nothing is below the databases: check INCLUDE_SCHEMAS and EXCLUDE_SCHEMAS"],
    )  # fmt: skip


@pytest.mark.parametrize("command", [["upload", "a/1"], ["restore", "a/1"], ["clean", "--older-than", "1"]])
def test_without_the_sandboxs_packages_a_command_tells_how_to_name_another_store(
    home: Path, command: list[str]
) -> None:
    program = (
        "import sys\n"
        "sys.modules['orjson'] = None\n"  # as where only the extraction's requirements are installed
        "from metadata_extraction.__main__ import main\n"
        f"sys.exit(main({command}))\n"
    )
    done = run(home, "-c", program, ENABLE_ATLAN_UPLOAD="true")
    assert done.returncode == 2
    assert "(orjson)" in done.stderr
    assert "Or name Atlan's own storage: UPSTREAM_OBJECT_STORE_NAME=atlan-objectstore." in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_a_second_run_writes_the_same_bytes(home: Path) -> None:
    for run_id in ("1", "2"):
        assert (
            run(home, "-m", "metadata_extraction", "run", "--workflow-id", "twice", "--run-id", run_id).returncode == 0
        )
    workflow = home / "local/dapr/objectstore/artifacts/apps/delta-arc/workflows/twice"
    assert files_below(workflow / "1") == files_below(workflow / "2")


def test_extract_upload_publish_and_draw_lineage(home: Path) -> None:
    """Nobody typed in the PostgreSQL side: it comes out of the database, through the storage, into the tenant."""
    done = run(home, "-m", "metadata_extraction", "run", "--run-id", "1", ENABLE_ATLAN_UPLOAD="true")
    assert done.returncode == 0, done.stdout + done.stderr
    told = re.search(
        r"Atlan upload to atlan-storage: (\d+) of (\d+) files moved \(.*\), (\d+) there already, 0 failed",
        done.stdout,
    )
    assert told
    assert int(told[1]) + int(told[3]) == int(told[2]) == 10
    # 60, and their connection, which a run before this one in the same tenant may have made.
    assert re.search(r"has published 6[01] assets from 5 files", done.stdout)
    below = "artifacts/apps/delta-arc/workflows/extraction/1"
    arrived = files_below(home / ".sandbox/atlan-storage/objectstore" / below)
    arrived.pop("_manifest.json")
    assert arrived == files_below(home / ".sandbox/objectstore" / below)

    lineage = run(home, str(ROOT / "main.py"), POSTGRES_CONNECTION_NAME="postgres-sample")
    assert lineage.returncode == 0, lineage.stdout + lineage.stderr
    assert "8 created" in next(line for line in lineage.stdout.splitlines() if "Load processes" in line)
    assert "41 created" in next(line for line in lineage.stdout.splitlines() if "Column processes" in line)
    assert "CATEGORIES (Table) → CATEGORIES.csv (S3Object) → CATEGORIES (Table)" in lineage.stdout


@pytest.fixture(scope="module")
def sample_url() -> Iterator[str]:
    """The sample database, running in this process's care."""
    with outside_folder() as folder, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield sample.start_database()
        sample.start_database.cache_clear()


@pytest.fixture
def extract(
    world: World, sample_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Run]:
    """Runs the extraction's command line in this process, from the sample database to the tenant's storage."""

    def run_main(*arguments: str, **environment: str) -> Run:
        monkeypatch.setenv("SOURCE_URL", sample_url)
        monkeypatch.setenv("ATLAN_CONNECTION_NAME", "postgres-crawled")
        monkeypatch.setenv("ATLAN_CONNECTION_QUALIFIED_NAME", "default/postgres/1763799999")
        monkeypatch.setenv("ENABLE_ATLAN_UPLOAD", "true")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        code = extraction.main(arguments)
        return Run(code, *capsys.readouterr())

    return run_main


def test_a_wrong_secret_completes_the_run_and_lists_what_failed(world: World, extract: Callable[..., Run]) -> None:
    done = extract("run", "--run-id", "2", ATLAN_AUTH_CLIENT_SECRET="not-the-secret")
    assert done.code == 3
    assert "60 entities transformed" in done.out
    assert "0 of 10 files moved (0 bytes), 0 there already, 10 failed" in done.out
    assert "refuses the access key or its secret (SignatureDoesNotMatch)" in done.out
    assert len(re.findall(r"Not uploaded: artifacts/\S+ \(", done.out)) == 10
    assert "not-the-secret" not in done.out + done.err
    again = extract(
        "upload",
        "artifacts/apps/delta-arc/workflows/extraction/2",
        ATLAN_AUTH_CLIENT_SECRET=world.tenant.storage_key[1],
    )
    assert again.code == 0
    assert "10 of 10 files moved" in again.out


@needs_fakesnow
def test_both_sides_come_out_of_databases_and_end_in_one_lineage(
    world: World, extract: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Into a tenant without a connection: nothing in its lineage was typed in."""
    assert extract("run").code == 0
    with snowflake_server() as port:
        fill_snowflake(port)
        done = extract(
            "run",
            SOURCE_URL=f"snowflake://fake:snow@127.0.0.1:{port}/FOOD_BEVERAGE?account=fakesnow&protocol=http",
            ATLAN_CONNECTION_NAME="snowflake-crawled",
            ATLAN_CONNECTION_QUALIFIED_NAME="default/snowflake/1763799998",
        )
    assert done.code == 0, done.out + done.err
    published = world.http.post("/_sandbox/publish").json()
    assert published["refused"] == []
    monkeypatch.setenv("POSTGRES_CONNECTION_NAME", "postgres-crawled")
    monkeypatch.setenv("SNOWFLAKE_CONNECTION_NAME", "snowflake-crawled")
    report = main.run_pipeline(force_refresh=True)
    assert not report.failed
    assert len(world.assets("Process")) == 16
    schema = "FOOD_BEVERAGE/SALES_ORDERS"
    assert {
        (
            asset["attributes"]["inputs"][0]["uniqueAttributes"]["qualifiedName"],
            asset["attributes"]["outputs"][0]["uniqueAttributes"]["qualifiedName"],
        )
        for asset in world.assets("ColumnProcess")
    } == {
        (
            f"default/postgres/1763799999/{schema}/{name}/{column}",
            f"default/snowflake/1763799998/{schema}/{name}/{column}",
        )
        for name, columns in COLUMNS.items()
        for column in columns
    }


def fill_snowflake(port: int) -> None:
    """The sample's tables, as a load from the bucket would have made them."""
    with connect(port) as connection, connection.cursor() as cursor:
        for statement in ("create database FOOD_BEVERAGE", "use database FOOD_BEVERAGE", "create schema SALES_ORDERS"):
            cursor.execute(statement)
        for name, columns in COLUMNS.items():
            cursor.execute(f"create table SALES_ORDERS.{name} ({', '.join(f'{column} varchar' for column in columns)})")


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "said"),
    [
        (["run", "--workflow-id", "../../etc"], {}, 2, "--workflow-id is ../../etc: use letters, digits"),
        (
            ["run"],
            {"SOURCE_URL": "postgresql://u:pass-word@127.0.0.1:1/db"},
            2,
            "ATLAN_CONNECTION_QUALIFIED_NAME is not set",
        ),
        (
            ["run"],
            {
                "SOURCE_URL": "postgresql://u:pass-word@127.0.0.1:1/db",
                "ATLAN_CONNECTION_QUALIFIED_NAME": "default/postgres/1",
            },
            1,
            "PostgreSQL 127.0.0.1:1/db cannot be reached: check host and port in SOURCE_URL",
        ),
        (["run"], {"ENABLE_ATLAN_UPLOAD": "perhaps"}, 2, "ENABLE_ATLAN_UPLOAD is perhaps: use true or false."),
        (["run"], {"INCLUDE_SCHEMAS": "a("}, 2, "INCLUDE_SCHEMAS is no regular expression"),
        (["start"], {"TEMPORAL_ADDRESS": "127.0.0.1:1"}, 1, "Temporal does not answer at 127.0.0.1:1"),
    ],
    ids=["workflow id", "no connection", "unreachable", "no boolean", "no pattern", "no temporal"],
)
def test_a_mistake_is_one_sentence_and_an_exit_code(
    home: Path, arguments: list[str], environment: dict[str, str], code: int, said: str
) -> None:
    done = run(home, "-m", "metadata_extraction", *arguments, **environment)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "pass-word" not in done.stdout + done.stderr
