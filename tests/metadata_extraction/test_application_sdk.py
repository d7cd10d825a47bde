"""The names of Atlan's application SDK do what its documentation of the upload says."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from upload_world import LOCAL

from metadata_extraction.application_sdk import (
    AtlanStorage,
    ObjectStore,
    get_activities,
    get_object_store_prefix,
    run_exit_activities,
)
from metadata_extraction.components import ComponentError
from metadata_extraction.models import Filters, MigrationSummary, Run
from metadata_extraction.stores import PART_BYTES, StoreError
from metadata_extraction.workflow import UPLOAD_SKIPPED

T = TypeVar("T")


def wait(awaitable: Awaitable[T]) -> T:
    async def run() -> T:
        return await awaitable

    return asyncio.run(run())


@pytest.fixture(autouse=True)
def stores(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_folder / "components").mkdir()
    for name, folder in (("objectstore", "o"), ("atlan-objectstore", "a")):
        (empty_folder / "components" / f"{name}.yaml").write_text(LOCAL.format(name=name, root=folder))
    monkeypatch.setenv("UPSTREAM_OBJECT_STORE_NAME", "atlan-objectstore")


def test_the_activities_are_in_the_order_of_the_workflow() -> None:
    assert [activity.__name__ for activity in get_activities()] == [
        "preflight_check", "fetch_databases", "fetch_schemas", "fetch_tables", "fetch_columns", "fetch_procedures",
        "fetch_load_history", "transform_data", "upload_to_atlan",
    ]  # fmt: skip


@pytest.mark.parametrize("store", ["", "objectstore", "atlan-objectstore"])
@pytest.mark.parametrize("size", [0, 3, 2 * PART_BYTES + 1])
def test_a_file_goes_up_and_comes_back(store: str, size: int) -> None:
    content = os.urandom(size)
    Path("here.bin").write_bytes(content)
    wait(ObjectStore.upload_file("here.bin", "a/b/there.bin", store, retain_local_copy=True))
    assert wait(ObjectStore.get_content("a/b/there.bin", store)) == content
    wait(ObjectStore.upload_file(source="here.bin", destination="top.bin", store_name=store))
    assert not Path("here.bin").exists()
    assert wait(ObjectStore.list_files(store_name=store)) == ["a/b/there.bin", "top.bin"]
    assert wait(ObjectStore.list_files("a/", store)) == ["a/b/there.bin"]
    assert wait(ObjectStore.get_content("top.bin", store)) == content


def test_what_is_not_there_is_told() -> None:
    with pytest.raises(FileNotFoundError):
        wait(ObjectStore.upload_file("nowhere", "key"))
    with pytest.raises(StoreError, match="a/b is not in local folder o"):
        wait(ObjectStore.get_content("a/b"))
    with pytest.raises(ComponentError, match="The object store another is not registered"):
        wait(ObjectStore.list_files("", "another"))
    Path("here.bin").write_bytes(b"x")
    with pytest.raises(StoreError, match="leads out of the store's folder"):
        wait(ObjectStore.upload_file("here.bin", "../there"))
    assert Path("here.bin").exists()


def test_a_run_is_migrated_by_its_prefix(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run("nightly", "1", "shop", "default/postgres/1", Filters(), True)
    Path("here.bin").write_bytes(b"rows")
    wait(ObjectStore.upload_file("here.bin", f"{run.output_path}/raw/table/chunk-0-part0.parquet"))
    summary = wait(
        AtlanStorage.migrate_from_objectstore_to_atlan(get_object_store_prefix(f"./local/tmp/{run.output_path}"))
    )
    assert (summary.total_files, summary.migrated_files, summary.failed_migrations) == (1, 1, 0)
    assert wait(run_exit_activities(run)).skipped_files == 1
    assert (
        "✅ Atlan upload to atlan-objectstore: 0 of 1 files moved (0 bytes), 1 there already" in capsys.readouterr().out
    )
    off = Run("nightly", "1", "shop", "default/postgres/1", Filters(), False)
    skipped = wait(run_exit_activities(off))
    assert skipped == MigrationSummary(run.output_path, "objectstore", "atlan-objectstore", enabled=False)
    assert capsys.readouterr().out == f"💾 {UPLOAD_SKIPPED}\n"


def test_all_that_is_there_is_migrated_without_a_prefix() -> None:
    Path("here.bin").write_bytes(b"rows")
    wait(ObjectStore.upload_file("here.bin", "x/y"))
    assert wait(AtlanStorage.migrate_from_objectstore_to_atlan()).complete
    assert wait(ObjectStore.list_files("", "atlan-objectstore")) == ["_manifest.json", "x/y"]
    assert wait(ObjectStore.list_files()) == ["x/y"]  # nothing is pending


@pytest.mark.parametrize(
    ("path", "prefix"),
    [
        (
            "./local/tmp/artifacts/apps/appName/workflows/wf-123/run-456",
            "artifacts/apps/appName/workflows/wf-123/run-456",
        ),
        ("local/tmp/a/b.json", "a/b.json"),
        ("./local/tmp/.hidden/a", ".hidden/a"),
        ("./local/tmp/", ""),
        ("datasets/sales/2024/", "datasets/sales/2024"),
        ("/data/test.parquet", "data/test.parquet"),
        ("local/tmp-2/a", "local/tmp-2/a"),
        ("", ""),
    ],
)
def test_the_prefix_of_a_path(path: str, prefix: str) -> None:
    assert get_object_store_prefix(path) == prefix
    assert get_object_store_prefix(str(Path("local/tmp").absolute() / "x/y")) == "x/y"


@given(st.lists(st.text("ab.-_=", min_size=1, max_size=4).filter(lambda part: part.strip(".")), min_size=1, max_size=4))
def test_a_key_has_itself_as_its_prefix_wherever_it_is(parts: list[str]) -> None:
    key = "/".join(parts)
    assert get_object_store_prefix(key) == key
    assert get_object_store_prefix(f"./local/tmp/{key}/") == key
