"""S3 Inventory: reports as S3 makes them (Amazon S3 User Guide), on a real S3 server, and what is refused of others."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from world import BUCKET, PREFIX, Run, World

import main
from runtime import s3_inventory
from runtime.s3 import S3Error, connect_s3, find_object
from runtime.s3_inventory import find_report, read_report
from sandbox import storage

NOW = datetime(2026, 2, 1, 8, 0, tzinfo=timezone.utc)
MOMENT = datetime(2026, 1, 31, 6, 0, tzinfo=timezone.utc)
WRITTEN = datetime(2026, 1, 30, 3, 4, 5, tzinfo=timezone.utc)
SCHEMA = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass"
CONFIGURATION = "s3://reports/inv/lake/daily/"


def row(key: str, size: int = 7, *, latest: bool = True, deleted: bool = False, bucket: str = "lake") -> list[str]:
    time = f"{WRITTEN:%Y-%m-%dT%H:%M:%S}.000Z"
    told = ["", "", "true"] if deleted else [str(size), time, "false"]
    return [
        bucket, quote_plus(key, safe="/"), "v1", str(latest).lower(), told[2], told[0], time, "" if deleted else "e" * 32,
        "STANDARD",
    ]  # fmt: skip


def packed(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return gzip.compress(text.getvalue().encode())


def put_report(
    folder: Path, *files: bytes, moment: datetime = MOMENT, checksum: str | None = None, **changed: Any
) -> str:
    """Put a report below the folder of a configuration as S3 does; returns the address of its manifest."""
    configuration = folder / "reports/inv/lake/daily"
    listed = []
    for number, content in enumerate(files):
        path = configuration / f"data/{moment:%d%H}-{number}.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        key = str(path.relative_to(folder / "reports"))
        listed.append({"key": key, "size": len(content), "MD5checksum": hashlib.md5(content).hexdigest()})
    manifest = {
        "sourceBucket": "lake",
        "destinationBucket": "arn:aws:s3:::reports",
        "version": "2016-11-30",
        "creationTimestamp": str(int(moment.timestamp() * 1000)),
        "fileFormat": "CSV",
        "fileSchema": SCHEMA,
        "files": listed,
        **changed,
    }
    text = json.dumps(manifest).encode()
    place = configuration / f"{moment:%Y-%m-%dT%H-%MZ}"
    place.mkdir(parents=True, exist_ok=True)
    (place / "manifest.json").write_bytes(text)
    if checksum != "":
        (place / "manifest.checksum").write_text(checksum or hashlib.md5(text).hexdigest())
    return f"{CONFIGURATION}{place.name}/manifest.json"


@pytest.fixture
def lake(tmp_path: Path, empty_folder: Path) -> Path:
    """A folder of buckets: lake, and reports."""
    folder = tmp_path / "buckets"
    for name in ("lake", "reports"):
        (folder / name).mkdir(parents=True)
    return folder


@pytest.fixture
def client(lake: Path) -> Iterator[Any]:
    with storage.serve_buckets(lake) as endpoint:
        yield connect_s3({"AWS_ENDPOINT_URL_S3": endpoint, "AWS_REGION": "us-east-1"})


def keys_of(client: Any, place: str, prefix: str = "") -> list[str]:
    return [
        item["Key"] for item in read_report(client, find_report(client, place, "lake", NOW), prefix, lambda item: item)
    ]


ODD_KEYS = ["a b.csv", "100%.csv", "a+b.csv", "a%2Bb.csv", "日本/表.csv", 'quo"te,comma.csv', "line\nbreak.csv", "z/"]


def test_the_objects_of_a_report_are_those_of_a_listing(client: Any, lake: Path) -> None:
    place = put_report(lake, packed([row(key) for key in ODD_KEYS]), packed([row("m/1"), row("m/0", 0)]))
    assert keys_of(client, place) == sorted([*ODD_KEYS[:-1], "m/0", "m/1"])
    assert keys_of(client, place, "m/") == ["m/0", "m/1"]
    report = find_report(client, place, "lake", NOW)
    assert report.moment == MOMENT
    first = read_report(client, report, "m/0", lambda item: item)
    assert first == [{"Key": "m/0", "Size": 0, "LastModified": WRITTEN, "ETag": "e" * 32}]


def test_of_versions_only_the_latest_counts(client: Any, lake: Path) -> None:
    rows = [row("a", 2), row("a", 1, latest=False), row("b", deleted=True), row("b", latest=False)]
    assert keys_of(client, put_report(lake, packed(rows))) == ["a"]


def test_the_newest_whole_report_of_a_configuration_is_found(client: Any, lake: Path) -> None:
    put_report(lake, packed([row("old")]), moment=MOMENT - timedelta(days=1))
    put_report(lake, packed([row("new")]))
    put_report(lake, packed([row("unfinished")]), moment=MOMENT + timedelta(days=1), checksum="")
    (lake / "reports/inv/lake/daily/hive/dt=2026-02-01-06-00").mkdir(parents=True)
    assert keys_of(client, CONFIGURATION) == ["new"]


def parquet_of(rows: list[dict[str, Any]], left_out: str = "") -> bytes:
    import pyarrow
    from pyarrow import parquet

    schema = [
        ("bucket", pyarrow.string()), ("key", pyarrow.string()), ("is_latest", pyarrow.bool_()),
        ("is_delete_marker", pyarrow.bool_()), ("size", pyarrow.int64()), ("last_modified_date", pyarrow.timestamp("ms")),
        ("e_tag", pyarrow.string()),
    ]  # fmt: skip
    table = pyarrow.Table.from_pylist(rows, schema=pyarrow.schema([one for one in schema if one[0] != left_out]))
    file = io.BytesIO()
    parquet.write_table(table, file, compression="snappy")
    return file.getvalue()


def parquet_row(key: str, **changed: Any) -> dict[str, Any]:
    return {
        "bucket": "lake", "key": key, "is_latest": True, "is_delete_marker": False, "size": 7,
        "last_modified_date": WRITTEN.replace(tzinfo=None), "e_tag": "e" * 32, **changed,
    }  # fmt: skip


def test_a_parquet_report_is_read_too(client: Any, lake: Path) -> None:
    rows = [parquet_row(key) for key in ODD_KEYS]
    rows += [parquet_row("old", is_latest=False), parquet_row("gone", is_delete_marker=True, size=None)]
    place = put_report(lake, parquet_of(rows), fileFormat="Parquet", fileSchema="message s3.inventory {}")
    assert keys_of(client, place) == sorted(ODD_KEYS[:-1])
    first = read_report(client, find_report(client, place, "lake", NOW), "100", lambda item: item)
    assert first == [{"Key": "100%.csv", "Size": 7, "LastModified": WRITTEN, "ETag": "e" * 32}]


WHOLE = packed([row("a"), row("b")])
HUGE_ROW = gzip.compress(b'"lake","' + b"a" * 50_000_000)
WRONG_MD5, WRONG_SIZE = (
    {"files": [{"key": "inv/lake/daily/data/3106-0.gz", "size": len(WHOLE) + more, "MD5checksum": md5}]}
    for more, md5 in ((0, "0" * 32), (1, hashlib.md5(WHOLE).hexdigest()))
)
PARQUET = {"fileFormat": "Parquet", "fileSchema": ""}


@pytest.mark.parametrize(
    ("files", "changed", "told"),
    [
        ([WHOLE], {"sourceBucket": "other"}, "it is of the bucket other, and S3_BUCKET_NAME is lake"),
        ([WHOLE], {"checksum": "0" * 32}, "it is not what manifest.checksum is the MD5 of"),
        ([WHOLE], {"checksum": ""}, "there is no manifest.checksum beside it"),
        ([WHOLE], {"moment": NOW - timedelta(days=9)}, "it is 9 days old"),
        ([WHOLE], {"moment": NOW + timedelta(days=1)}, "it is of the future, by this clock"),
        ([WHOLE], {"fileFormat": "ORC"}, "its files are ORC: set the format of the configuration to CSV or Parquet"),
        ([WHOLE], {"fileSchema": "Bucket, Key, Size, LastModifiedDate"}, "add the field ETag to the configuration"),
        ([WHOLE], {"fileSchema": "Bucket, Key, ETag, LastModifiedDate"}, "add the field Size to the configuration"),
        ([WHOLE], {"files": [{"key": "a", "size": -1, "MD5checksum": ""}]}, "or a size below 0"),
        ([WHOLE], {"files": [{"key": "a", "size": 1 << 40, "MD5checksum": ""}]}, "it names more than"),
        ([WHOLE], {"files": [{"key": "a", "size": 1, "MD5checksum": ""}] * 2}, "it names a file twice"),
        ([WHOLE], {"files": [{"key": "none", "size": 1, "MD5checksum": ""}]}, "S3 answered NoSuchKey"),
        ([WHOLE], {"files": [{"key": "a", "size": True, "MD5checksum": ""}]}, "it is no manifest of S3 Inventory"),
        ([WHOLE], {"files": None}, "it is no manifest of S3 Inventory"),
        ([WHOLE], {"creationTimestamp": "9" * 30}, "it is no manifest of S3 Inventory"),
        ([WHOLE], WRONG_MD5, "its MD5 is not that of the manifest"),
        ([WHOLE], WRONG_SIZE, f"it has {len(WHOLE)} bytes, and the manifest tells {len(WHOLE) + 1}"),
        ([WHOLE, WHOLE], {}, "it names a twice"),
        ([packed([row("a", bucket="other")])], {}, "it has an object of another bucket than lake"),
        ([packed([row("a")[:-1]])], {}, "row 1 cannot be read (8 columns, and the manifest tells 9)"),
        ([packed([row("a"), [*row("b")[:5], "x", *row("b")[6:]]])], {}, "row 2 cannot be read (its size is no number)"),
        ([packed([[*row("b")[:5], str(1 << 63), *row("b")[6:]]])], {}, "S3 does not tell the size of b"),
        ([packed([[*row("b")[:6], "2026", *row("b")[7:]]])], {}, "its time is none"),
        ([packed([["lake", "100%.csv", *row("b")[2:]]])], {}, "its key is not encoded as in a URL"),
        ([packed([["lake", "%FF", *row("b")[2:]]])], {}, "it is cut or damaged"),
        ([gzip.compress(b"\n" * 10_000_000)], {}, "0 columns"),
        ([HUGE_ROW], {}, "it has a row of more than 16,384 characters"),
        ([gzip.compress(b'"' + b"a\n" * 1_000_000)], {}, "it is cut or damaged"),
        ([WHOLE[:-9]], {}, "it is cut or damaged"),
        ([b"Bucket,Key\n"], {}, "it is cut or damaged"),
        ([b"PAR1"], PARQUET, "it is no Parquet file that can be read"),
        ([parquet_of([parquet_row("a")], left_out="e_tag")], PARQUET, "add the field ETag to the configuration"),
        ([parquet_of([parquet_row("a", size=None)])], PARQUET, "S3 does not tell the size of a"),
    ],
)  # fmt: skip
def test_what_is_no_report_is_refused(
    files: list[bytes], changed: dict[str, Any], told: str, client: Any, lake: Path
) -> None:
    with pytest.raises(S3Error) as refused:
        keys_of(client, put_report(lake, *files, **changed))
    assert told in str(refused.value)
    assert str(refused.value).startswith("The inventory at s3://reports/")
    assert "S3_INVENTORY" in str(refused.value)


def test_a_folder_without_a_young_whole_report_is_refused(client: Any, lake: Path) -> None:
    put_report(lake, WHOLE, moment=NOW - timedelta(days=9))
    put_report(lake, WHOLE, checksum="")
    with pytest.raises(S3Error, match="no report in it is whole and at most 8 days old"):
        keys_of(client, CONFIGURATION)
    with pytest.raises(S3Error, match="S3 answered NoSuchBucket: give the AWS credentials the right"):
        keys_of(client, "s3://nowhere/inv/")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), is_parquet=st.booleans())
def test_a_file_that_is_changed_is_refused_as_a_whole(
    data: st.DataObject, is_parquet: bool, client: Any, lake: Path
) -> None:
    names = [f"a/{number}" for number in range(20)]
    whole = parquet_of([parquet_row(name) for name in names]) if is_parquet else packed([row(name) for name in names])
    place = put_report(lake, whole, **(PARQUET if is_parquet else {}))
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = data.draw(
        st.sampled_from([
            whole[:at], whole + whole[at:], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], whole + b"\0" * (at + 1),
        ])
    )  # fmt: skip
    next((lake / "reports/inv/lake/daily/data").iterdir()).write_bytes(changed)
    made: list[Any] = []
    with pytest.raises(S3Error, match=r"The inventory at .* cannot be used"):
        made = read_report(client, find_report(client, place, "lake", NOW), "", lambda item: item)
    assert made == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys=st.sets(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)))
def test_any_key_is_read_as_it_is(keys: set[str], client: Any, lake: Path) -> None:
    place = put_report(lake, packed([row(key) for key in keys]))
    assert keys_of(client, place) == sorted(key for key in keys if not key.endswith("/"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    manifest=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["key", "size", "MD5checksum"]), inner, max_size=3)
        ),
    ),
    name=st.sampled_from(["sourceBucket", "creationTimestamp", "fileFormat", "fileSchema", "files"]),
)
def test_a_manifest_of_anything_is_refused(manifest: Any, name: str, client: Any, lake: Path) -> None:
    place = put_report(lake, WHOLE, **{name: manifest})
    if manifest == [] and name == "files":
        assert keys_of(client, place) == []
    else:
        with pytest.raises(S3Error, match=r"The inventory at .* cannot be used"):
            keys_of(client, place)


def test_a_manifest_that_is_too_large_is_not_read(client: Any, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = put_report(lake, WHOLE)
    monkeypatch.setattr(s3_inventory, "MOST_MANIFEST", 100)
    with pytest.raises(S3Error, match="it is larger than 100 bytes"):
        keys_of(client, place)


def test_one_object_is_found_as_it_is_now(client: Any, lake: Path) -> None:
    for name in ("ab", "abc"):
        (lake / "lake" / name).write_text(name)
    found = find_object(client, "lake", "ab")
    assert found
    assert (found["Key"], found["Size"]) == ("ab", 2)
    assert find_object(client, "lake", "a") is None
    assert find_object(client, "lake", "b") is None


# A run


def put_report_of(world: World, moment: datetime, left_out: str = "", **sizes: int) -> None:
    """A report of what the world's bucket has, as it was at a moment."""
    rows = []
    for path in sorted((world.tenant.buckets / BUCKET / PREFIX).iterdir()):
        if path.name != left_out:
            written = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
            etag = hashlib.md5(path.read_bytes()).hexdigest()
            one = row(f"{PREFIX}{path.name}", path.stat().st_size, bucket=BUCKET)
            one[6], one[7] = f"{written:%Y-%m-%dT%H:%M:%S}.{written.microsecond // 1000:03}Z", etag
            rows.append(one)
    put_report(world.tenant.buckets, packed(rows), moment=moment, sourceBucket=BUCKET)


@pytest.fixture
def by_inventory(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def put(**changed: Any) -> None:
        now = datetime.now(timezone.utc).replace(microsecond=0)
        put_report_of(world, now - timedelta(hours=26), **changed)
        monkeypatch.setenv("S3_INVENTORY", CONFIGURATION)

    return put


def test_a_run_by_inventory_writes_what_a_run_by_listing_writes(
    world: World, run: Callable[..., Run], by_inventory: Callable[..., None]
) -> None:
    by_inventory()
    done = run()
    assert done.code == 0
    assert "🪣 8 objects in" in done.out
    assert " UTC, 26 hours old" in done.out
    world_by_inventory = world.state()
    again = run("--dry-run", "--detailed-exitcode")
    assert again.code == 0
    assert world.state() == world_by_inventory


def test_what_a_report_does_not_have_is_only_gone_if_the_bucket_says_so(
    world: World, run: Callable[..., Run], by_inventory: Callable[..., None]
) -> None:
    assert run().code == 0
    folder = world.tenant.buckets / BUCKET / PREFIX
    by_inventory(left_out="ORDERS.csv")
    same = run("--prune", "--detailed-exitcode")
    assert "asked for 1 objects that Atlan knows" in same.out
    assert "1 are there, 0 are gone" in same.out
    assert same.code == 0
    (folder / "ORDERS.csv").unlink()
    gone = run("--prune", "--max-remove", "100")
    assert "0 are there, 1 are gone" in gone.out


def test_an_object_that_is_newer_in_atlan_stays_as_it_is(
    world: World, run: Callable[..., Run], by_inventory: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    by_inventory()
    monkeypatch.delenv("S3_INVENTORY")
    path = world.tenant.buckets / BUCKET / PREFIX / "ORDERS.csv"
    path.write_text(path.read_text() + "\n")
    later = path.stat().st_mtime + 3600
    os.utime(path, (later, later))
    assert run().code == 0
    monkeypatch.setenv("S3_INVENTORY", CONFIGURATION)
    same = run("--detailed-exitcode")
    assert "1 are there, 0 are gone" in same.out
    assert same.code == 0


def test_where_atlan_knows_too_many_others_the_bucket_is_listed(
    world: World, run: Callable[..., Run], by_inventory: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run().code == 0
    by_inventory(left_out="ORDERS.csv")
    monkeypatch.setattr("delta_arc.listing.MOST_ASKED", 0)
    listed = run("--detailed-exitcode")
    assert "Atlan knows 1 objects that the inventory does not have" in listed.out
    assert listed.code == 0


def test_a_saved_plan_is_of_one_report(
    world: World, run: Callable[..., Run], by_inventory: Callable[..., None]
) -> None:
    by_inventory()
    assert run("--plan", "plan.json").code == 0
    assert "manifest.json of 20" in json.loads(Path("plan.json").read_text())["world"]["Setting"]["S3 Inventory"]
    put_report_of(world, datetime.now(timezone.utc) - timedelta(hours=1))
    refused = run("--apply", "plan.json")
    assert refused.code == 1
    assert "Setting S3 Inventory was s3://reports/" in refused.out + refused.err


def test_a_check_tells_of_when_the_report_is(
    world: World, run: Callable[..., Run], by_inventory: Callable[..., None]
) -> None:
    by_inventory()
    told = run("--check")
    assert "✅ S3 Inventory: s3://reports/inv/lake/daily/" in told.out
    assert "26 hours old, with 1 files" in told.out
    next((world.tenant.buckets / "reports/inv/lake/daily").glob("*/manifest.checksum")).unlink()
    wrong = run("--check")
    assert wrong.code == 1
    assert "no report in it is whole" in wrong.out + wrong.err


@pytest.mark.parametrize("place", ["reports/inv/", "s3://", "s3://re ports/x/", "https://reports/inv/", "s3:///x/"])
def test_a_wrong_place_is_told(place: str, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_INVENTORY", place)
    told = run()
    assert told.code == 2
    assert "S3_INVENTORY is no place in S3" in told.out + told.err


def test_the_objects_of_a_report_can_be_listed_by_themselves(
    client: Any, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_report(lake, WHOLE, moment=datetime.now(timezone.utc))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", client.meta.endpoint_url)
    monkeypatch.setenv("ATLAN_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ATLAN_API_TOKEN", "never-asked")
    for name in ("POSTGRES_CONNECTION_NAME", "SNOWFLAKE_CONNECTION_NAME"):
        monkeypatch.setenv(name, "unused")
    monkeypatch.setenv("S3_BUCKET_NAME", "lake")
    monkeypatch.setenv("S3_PREFIX", "")
    monkeypatch.setenv("S3_INVENTORY", CONFIGURATION)
    listed = main.list_s3_bucket_objects(prefix="b")
    assert [dict(item) for item in listed] == [{"key": "b", "size": 7, "last_modified": WRITTEN, "etag": "e" * 32}]
