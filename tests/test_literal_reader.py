"""What a reader types who has the two documents before him, step by step: the description of the lineage pipeline, and
the documentation of ENABLE_ATLAN_UPLOAD in Atlan's application SDK.

Each step does what the document says, or says in one sentence what is different. `docs/promises.md` has all of it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest
from world import PREFIX, ROOT, Run, World, downstream, settings_of

from sandbox.storage import serve_buckets

CACHES = ("postgres_assets_cache.json", "snowflake_assets_cache.json")
# As the first document has it: every line but the first two, and the prefix of a bucket of one's own.
ENV_FILE = f"""\
# Atlan Configuration
ATLAN_BASE_URL={{base_url}}
ATLAN_API_TOKEN={{token}}

# Database Connection Names
POSTGRES_CONNECTION_NAME=postgres-ary
SNOWFLAKE_CONNECTION_NAME=snowflake-ary

# S3 Configuration
S3_BUCKET_NAME=atlan-tech-challenge
S3_BUCKET_ARN=arn:aws:s3:::atlan-tech-challenge
S3_CONNECTION_NAME=aws-s3-connection-ary-test
S3_PREFIX={PREFIX}

# Cache Configuration
CACHE_EXPIRY_HOURS=24
POSTGRES_CACHE_FILE={CACHES[0]}
SNOWFLAKE_CACHE_FILE={CACHES[1]}
"""


def type_in(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the project in a folder, with no settings but those of `.env` there and these."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    ended = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={
            **kept,
            "PYTHONPATH": str(ROOT),
            "PYTHONIOENCODING": "utf-8",
            "AWS_EC2_METADATA_DISABLED": "true",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert "Traceback" not in ended.stdout + ended.stderr
    return ended


def sentences(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


# The lineage pipeline


def test_the_pipeline_from_its_description(
    world: World,
    empty_folder: Path,
    run: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The first runs are programs of their own; those that follow need not import pyatlan once more each."""
    folder = empty_folder
    # Beside what `.env` says, the environment has just these.
    pace = {"ATLAN_MAX_REQUESTS_PER_MINUTE": "100000"}
    aws = {name: value for name, value in settings_of(world).items() if name.startswith("AWS_")}
    for name in settings_of(world).keys() - aws.keys() - pace.keys():
        monkeypatch.delenv(name)

    # cp .env.example .env, and running it before it is filled in
    shutil.copy(ROOT / ".env.example", folder / ".env")
    ended = type_in(folder, str(ROOT / "main.py"))
    assert ended.returncode == 2
    assert all(
        re.fullmatch(r"❌ \w+ still has the placeholder of .env.example: .*\.", line)
        for line in sentences(ended.stderr)
    )
    (folder / ".env").write_text(ENV_FILE.format(base_url=world.tenant.base_url, token="your_api_token_here"))
    ended = type_in(folder, str(ROOT / "main.py"))
    assert "ATLAN_API_TOKEN still has the placeholder" in ended.stderr

    # .env with the variables of the document, then: python main.py
    (folder / ".env").write_text(ENV_FILE.format(base_url=world.tenant.base_url, token=world.tenant.api_token))
    ended = type_in(folder, str(ROOT / "main.py"), **aws, **pace)
    assert (ended.returncode, ended.stderr) == (0, "")
    cache_status, *_, summary = sentences(ended.stdout)
    assert cache_status == f"💾 PostgreSQL cache: absent ({CACHES[0]})"
    assert "67 created, 0 updated, 0 unchanged, 0 failed, 0 unmatched" in summary
    order = ["💾 PostgreSQL cache", "💾 Snowflake cache", "📊 PostgreSQL: 51", "📊 Snowflake: 51", "🪣 8 objects", "✅ S3 connection: 1",
             "✅ S3 bucket: 1", "✅ S3 objects: 8", "✅ Extract processes: 8", "✅ Load processes: 8", "✅ Column processes: 41"]  # fmt: skip
    places = [ended.stdout.index(part) for part in order]
    assert places == sorted(places)
    connections = {asset["attributes"]["name"] for asset in world.assets("Connection")}
    assert "aws-s3-connection-ary-test" in connections
    assert (world.count("Process"), world.count("ColumnProcess"), world.count("S3Object")) == (16, 41, 8)

    # The two cache files are made at the top level: JSON with a timestamp, and rows of three
    for name in CACHES:
        cache = json.loads((folder / name).read_text())
        assert len(cache["data"]) == 51
        assert "timestamp" in cache
        assert all(len(row) == 3 for row in cache["data"])

    # Running it again is safe, and reads the caches
    world.forget()
    again = run()
    assert again.code == 0
    assert f"📊 PostgreSQL: 51 assets from the cache {CACHES[0]}" in again.out
    assert "0 created, 0 updated, 66 unchanged, 0 failed" in again.out
    assert world.requests()["writes"] == 0

    # The session of the document, in a REPL
    session = (
        "from main import *\n"
        "get_cache_status()\n"
        "clear_all_cache()\n"
        "postgres_assets = find_postgres_assets(force_refresh=True)\n"
        "snowflake_assets = find_snowflake_assets(force_refresh=True)\n"
        "s3_result = integration_with_S3()\n"
        "print(len(postgres_assets), len(snowflake_assets), s3_result['object_count'])\n"
    )
    exec(session, {})
    out, err = capsys.readouterr()
    assert err == ""
    assert [f"💾 Deleted {name}" in out for name in CACHES] == [True, True]
    assert sentences(out)[-1] == "51 51 8"

    # A refresh by deleting the files, as its troubleshooting says. One as the document shows it has no source: it is shown,
    # and the run says why it reads anew
    for path in folder.glob("*_cache.json"):
        path.unlink()
    rows = [
        ["qualified_name", "asset_name", "asset_type"],
        ["default/postgres/1757530687/DEMO_DB", "DEMO_DB", "Database"],
    ]
    (folder / CACHES[0]).write_text(json.dumps({"timestamp": datetime.now().isoformat(), "data": rows}))
    shown = run("--dry-run").out
    assert "PostgreSQL cache: of another tenant or connection, or it does not say of which, 1 assets" in shown
    assert f"the cache {CACHES[0]} is of another tenant or connection and is not used" in shown
    assert "📊 PostgreSQL: 51 assets found in default/postgres/1757530687" in shown
    assert "📊 Snowflake: 51 assets found in default/snowflake/1757530705" in shown


def test_the_lineage_is_that_of_the_description(world: World, run: Callable[..., Run]) -> None:
    """PostgreSQL → S3 → Snowflake, 8 tables and 41 columns, with the object between the tables."""
    assert run().code == 0
    kinds = [
        asset.type_name for asset in downstream("default/postgres/1757530687/FOOD_BEVERAGE/SALES_ORDERS/CUSTOMERS")
    ]
    assert kinds == ["Process", "S3Object", "Process", "Table"]


# The upload

# Both forms of the document, but for the address, which is a server on this machine, and the key of the first.
WHOLE = """\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: atlan-objectstore  # Must match UPSTREAM_OBJECT_STORE_NAME
spec:
  type: bindings.aws.s3
  version: v1
  metadata:
    - name: bucket
      value: atlan-bucket
    - name: region
      value: us-east-1
    - name: endpoint
      value: {endpoint}
    - name: accessKey
      secretKeyRef:
        name: ATLAN_AUTH_CLIENT_ID
        key: ATLAN_AUTH_CLIENT_ID
    - name: secretKey
      secretKeyRef:
        name: ATLAN_AUTH_CLIENT_SECRET
        key: ATLAN_AUTH_CLIENT_SECRET
    - name: forcePathStyle
      value: "true"
auth:
  secretStore: deployment-secret-store
"""
SHORTEST = """\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: atlan-objectstore  # This becomes UPSTREAM_OBJECT_STORE_NAME
spec:
  type: bindings.aws.s3
  metadata:
    - name: bucket
      value: atlan-bucket
    - name: endpoint
      value: {endpoint}
    - name: accessKey
      secretKeyRef:
        name: ATLAN_AUTH_CLIENT_ID
    - name: secretKey
      secretKeyRef:
        name: ATLAN_AUTH_CLIENT_SECRET
"""
ADDRESS = "https://{{tenant}}.atlan.com/api/blobstorage"
KEYS = {"ATLAN_AUTH_CLIENT_ID": "client", "ATLAN_AUTH_CLIENT_SECRET": "very-secret"}
RUNS = "artifacts/apps/delta-arc/workflows/sql"
TYPENAMES = ("database", "schema", "table", "column", "procedure")


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A clone's folder to run in; the embedded database in it is stopped at the end."""
    # Outside of pytest's, on which another pytest may take the rights of the user that PostgreSQL runs as.
    with tempfile.TemporaryDirectory(prefix="extraction-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        shutil.copytree(ROOT / "components", folder / "components")
        yield folder
        with suppress(FileNotFoundError):
            os.kill(int((folder / ".sandbox/postgres/postmaster.pid").read_text().split()[0]), signal.SIGINT)


@pytest.fixture(scope="module")
def atlans(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Atlan's storage: a real S3 server that asks for the keys, and the folder of its bucket."""
    folder = tmp_path_factory.mktemp("storage")
    (folder / "atlan-bucket").mkdir()
    with serve_buckets(folder, 0, tuple(KEYS.values())) as endpoint:  # type: ignore[arg-type]
        yield endpoint, folder / "atlan-bucket"


def extract(home: Path, run_id: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return type_in(home, "-m", "metadata_extraction", "run", "--workflow-id", "sql", "--run-id", run_id, **environment)


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_upload_from_its_documentation(home: Path, atlans: tuple[str, Path]) -> None:
    endpoint, bucket = atlans
    store = home / "local/dapr/objectstore"
    component = home / "components/atlan-storage.yaml"

    # By default the upload is off: the workflow completes, and all data stays in the deployment's store
    ended = extract(home, "off")
    assert ended.returncode == 0
    assert "Atlan upload skipped for workflow (disabled)" in ended.stdout
    assert "✅ Done: all data is local" in ended.stdout
    assert sorted(files_below(store / RUNS / "off")) == sorted(
        [f"raw/{name}/chunk-0-part0.parquet" for name in TYPENAMES]
        + [
            f"transformed/{name}/sql_transformed_{name}_0.json" for name in TYPENAMES
        ]  # {workflow_id}_transformed_{type}_{i}
    )
    assert files_below(bucket) == {}
    steps = ["can be read", "Databases: ", "Schemas: ", "Tables: ", "Columns: ", "Procedures: ", "entities transformed",
             "upload skipped"]  # fmt: skip
    places = [ended.stdout.index(step) for step in steps]
    assert places == sorted(places)

    # export ENABLE_ATLAN_UPLOAD=true and UPSTREAM_OBJECT_STORE_NAME=atlan-objectstore, with the component as it stands there
    on = {"ENABLE_ATLAN_UPLOAD": "true", "UPSTREAM_OBJECT_STORE_NAME": "atlan-objectstore", **KEYS}
    for text in (WHOLE, SHORTEST):
        component.write_text(text.format(endpoint=ADDRESS))
        ended = extract(home, "placeholder", **on)
        assert ended.returncode == 3
        assert (
            "endpoint still has https://{{tenant}}.atlan.com/api/blobstorage: put the real value there." in ended.stdout
        )

    # … with an address; then everything is there, and Parquet files were staged before the upload came to them
    for run_id, text in (("whole", WHOLE), ("shortest", SHORTEST)):
        component.write_text(text.format(endpoint=endpoint))
        ended = extract(home, run_id, **on)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "✅ Atlan upload to atlan-objectstore: 5 of 10 files moved" in ended.stdout
        assert ", 5 there already, 0 failed" in ended.stdout
        arrived = files_below(bucket / RUNS / run_id)
        del arrived["_manifest.json"]
        assert arrived == files_below(store / RUNS / run_id)

    # In Python, with the SDK's names: the summary and its fields
    session = (
        "import asyncio\n"
        "from metadata_extraction.application_sdk import AtlanStorage, ObjectStore, get_object_store_prefix\n"
        f"prefix = get_object_store_prefix('./local/tmp/{RUNS}/whole')\n"
        "summary = asyncio.run(AtlanStorage.migrate_from_objectstore_to_atlan(prefix=prefix))\n"
        "print(summary.total_files, summary.failed_migrations, summary.failures, summary.source, summary.destination)\n"
        "print(len(asyncio.run(ObjectStore.list_files(prefix, store_name='atlan-objectstore'))))\n"
    )
    ended = type_in(home, "-c", session, **on)
    assert sentences(ended.stdout) == ["10 0 [] objectstore atlan-objectstore", "11"]

    # Its troubleshooting. Upload failures: the workflow completes, the summary has them, and one sentence says why
    ended = extract(home, "failing", **{**on, "ATLAN_AUTH_CLIENT_SECRET": "another"})
    assert ended.returncode == 3
    assert "60 entities transformed" in ended.stdout
    assert "0 of 10 files moved (0 bytes), 0 there already, 10 failed" in ended.stdout
    assert "the store refuses the access key or its secret (SignatureDoesNotMatch)" in ended.stdout
    ended = type_in(home, "-m", "metadata_extraction", "upload", f"{RUNS}/failing", **on)
    assert (ended.returncode, "10 of 10 files moved" in ended.stdout) == (0, True)
    # No files found
    ended = type_in(home, "-m", "metadata_extraction", "upload", f"{RUNS}/nothing", **on)
    assert ended.returncode == 3
    assert "0 of 0 files moved" in ended.stdout
    assert f"there are no files below {RUNS}/nothing" in ended.stdout
    # Component not available: a warning, and the workflow goes on
    component.unlink()
    ended = extract(home, "missing", **on)
    assert ended.returncode == 3
    assert (
        "⚠️ Atlan's storage atlan-objectstore cannot be written: The object store atlan-objectstore is not registered"
        in ended.stdout
    )
    assert "60 entities transformed" in ended.stdout
