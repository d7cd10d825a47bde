"""The files of a run: keys and bytes that depend on the rows alone, and memory that does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from metadata_extraction import activities, outputs
from metadata_extraction.models import Filters, Run, check_id
from metadata_extraction.outputs import FileSet, read_raw, write_raw, write_transformed
from metadata_extraction.progress import UNHEARD
from metadata_extraction.settings import check_extraction_settings
from metadata_extraction.stores import LocalFolder
from runtime.errors import SettingsError

RUN = Run("nightly", "1", "shop", "default/postgres/1", Filters(), False)


@pytest.fixture
def store(tmp_path: Path) -> LocalFolder:
    return LocalFolder(tmp_path / "objectstore")


def schemas(count: int) -> list[dict]:
    return [{"database_name": "d", "schema_name": f"s{number}", "table_count": number} for number in range(count)]


def write(store: LocalFolder, *chunks: list[dict]) -> dict[str, bytes]:
    files = FileSet(store, "schema", RUN.raw_prefix("schema"))
    for number, rows in enumerate(chunks):
        write_raw(files, number, rows, UNHEARD)
    files.finish()
    return {file.key.rpartition("/")[2]: b"".join(store.read(file)) for file in store.list(RUN.raw_prefix("schema"))}


def test_a_chunk_for_each_database_and_parts_of_bounded_size(
    store: LocalFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "ROWS_IN_GROUP", 10)
    monkeypatch.setattr(outputs, "ROWS_IN_FILE", 25)
    files = write(store, schemas(61), [], schemas(20))
    assert sorted(files) == [f"chunk-0-part{number}.parquet" for number in range(3)] + ["chunk-2-part0.parquet"]
    assert [row["schema_name"] for row in read_raw(store, RUN, "schema")] == [
        row["schema_name"] for row in [*schemas(61), *schemas(20)]
    ]
    first = pq.ParquetFile(store.root / RUN.raw_prefix("schema") / "chunk-0-part0.parquet")
    assert [first.metadata.row_group(number).num_rows for number in range(first.num_row_groups)] == [10, 10]


def test_parts_are_read_in_the_order_of_their_numbers(store: LocalFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "ROWS_IN_GROUP", 1)
    monkeypatch.setattr(outputs, "ROWS_IN_FILE", 1)
    write(store, schemas(12))
    assert [row["table_count"] for row in read_raw(store, RUN, "schema")] == list(range(12))


def test_the_same_rows_give_the_same_bytes_and_nothing_of_a_longer_try_is_left(store: LocalFolder) -> None:
    first = write(store, schemas(3), schemas(4))
    write(store, schemas(3), schemas(4), schemas(5))
    assert write(store, schemas(3), schemas(4)) == first


def test_long_definitions_make_groups_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "BYTES_IN_FILE", 1000)
    rows = [{"definition": "x" * 400} for _ in range(10)]
    assert [len(group) for group in outputs._groups(rows)] == [3, 3, 3, 1]


def test_entities_are_lines_of_bounded_files(store: LocalFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "ENTITIES_IN_FILE", 4)
    files = FileSet(store, "schema", RUN.transformed_prefix("schema"))
    write_transformed(files, "nightly", ({"number": number, "text": "ü\n"} for number in range(10)), UNHEARD)
    written = files.finish()
    assert (written.rows, written.files) == (10, 3)
    read = []
    for number in range(3):
        path = store.root / RUN.transformed_prefix("schema") / f"nightly_transformed_schema_{number}.json"
        read += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert read == [{"number": number, "text": "ü\n"} for number in range(10)]


def test_every_table_and_column_of_several_databases_is_written(
    empty_folder: Path, make_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = ", ".join(f"c{number} integer" for number in range(30))
    script = f"do $$ begin for i in 1..100 loop execute format('create table t%s ({columns})', i); end loop; end $$"
    make_database(script, "crawl_a")
    url = make_database(script + "; create schema hidden; create table hidden.t (a integer)", "crawl_b")
    make_database("create table t (a integer)", "crawl_hidden")
    (empty_folder / "c").mkdir()
    component = "kind: Component\nmetadata: {name: objectstore}\nspec:\n  type: bindings.localstorage\n  metadata: [{name: rootPath, value: o}]\n"
    (empty_folder / "c/objectstore.yaml").write_text(component)
    monkeypatch.setenv("COMPONENTS_PATH", "c")
    monkeypatch.setenv("SOURCE_URL", url)
    monkeypatch.setenv("INCLUDE_DATABASES", "crawl_.*")
    monkeypatch.setenv("ATLAN_CONNECTION_QUALIFIED_NAME", "default/postgres/1")
    filters = Filters("crawl_.*", "crawl_hidden", "", "hidden")
    run = Run("nightly", "1", "shop", "default/postgres/1", filters, False)
    assert activities.fetch_databases(run).rows == 2
    assert activities.fetch_tables(run).rows == 200
    written = activities.fetch_columns(run)
    assert (written.rows, written.files) == (6000, 2)
    activities.fetch_schemas(run)
    activities.fetch_procedures(run)
    store = LocalFolder(empty_folder / "o")
    places = {(row["database_name"], row["table_name"], row["column_name"]) for row in read_raw(store, run, "column")}
    assert places == {
        (database, f"t{table}", f"c{column}")
        for database in ("crawl_a", "crawl_b")
        for table in range(1, 101)
        for column in range(30)
    }
    assert {item.typename: item.rows for item in activities.transform_data(run).written} == {
        "database": 2, "schema": 2, "table": 200, "column": 6000, "procedure": 0,
    }  # fmt: skip


def test_files_are_bounded_in_bytes_too(store: LocalFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "ROWS_IN_GROUP", 5)
    monkeypatch.setattr(outputs, "BYTES_IN_FILE", 200)
    assert len(write(store, schemas(20))) > 1
    files = FileSet(store, "schema", RUN.transformed_prefix("schema"))
    write_transformed(files, "nightly", ({"text": "x" * 90} for _ in range(10)), UNHEARD)
    assert files.finish().files == 5


def test_each_file_is_staged_before_the_store_gets_it(store: LocalFolder) -> None:
    staged: list[tuple[str, bytes, int]] = []

    def stage(key: str, content: bytes) -> None:
        staged.append((key, content, len(list(store.list("")))))

    files = FileSet(store, "schema", "raw", stage)
    for number in range(2):
        files.put(f"{number}", b"%d" % number, 1)
    assert staged == [("raw/0", b"0", 0), ("raw/1", b"1", 1)]


def test_a_filter_is_for_whole_names_and_leaving_out_wins() -> None:
    filters = Filters(include_databases="sales|hr_.*", exclude_databases="hr_old", exclude_schemas="tmp")
    assert [name for name in ("sales", "sales_2", "hr_new", "hr_old", "other") if filters.keeps_database(name)] == [
        "sales",
        "hr_new",
    ]
    assert [name for name in ("tmp", "tmp_2", "public") if filters.keeps_schema(name)] == ["tmp_2", "public"]
    assert Filters(exclude_databases="hr").keeps_database("hr_old")
    assert not Filters(include_schemas="a").keeps_schema("ab")


@pytest.mark.parametrize("text", ["nightly", "2026-11-21T10:12:00Z", "a.b_c=d@e", "x" * 200])
def test_ids_that_can_be_part_of_a_key(text: str) -> None:
    assert check_id(text)


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "../x", "a b", "a\\b", "a\n", "x" * 201, "a%2Fb", "~"])
def test_ids_that_cannot(text: str) -> None:
    assert not check_id(text)


def test_all_wrong_settings_are_told_at_once(empty_folder: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        check_extraction_settings(
            {
                "SOURCE_URL": "postgresql://u:pass-word@h/d",
                "ATLAN_CONNECTION_QUALIFIED_NAME": "postgres/1",
                "EXCLUDE_SCHEMAS": "(",
                "ENABLE_ATLAN_UPLOAD": "maybe",
                "STATEMENT_TIMEOUT_SECONDS": "1.5",
                "COMPONENTS_PATH": "nowhere",
                "LOG_LEVEL": "LOUD",
            }
        )
    named = [fault.split()[0] for fault in caught.value.faults]
    assert named == [
        "ATLAN_CONNECTION_QUALIFIED_NAME", "EXCLUDE_SCHEMAS", "ENABLE_ATLAN_UPLOAD", "STATEMENT_TIMEOUT_SECONDS",
        "COMPONENTS_PATH", "LOG_LEVEL",
    ]  # fmt: skip
    assert "pass-word" not in str(caught.value)


def test_the_password_is_in_no_repr() -> None:
    settings = check_extraction_settings(
        {
            "SOURCE_URL": "postgresql://u:pass-word@h/d",
            "ATLAN_CONNECTION_QUALIFIED_NAME": "default/postgres/1",
            "COMPONENTS_PATH": ".",
        }
    )
    assert "pass-word" not in repr(settings)
