"""The assets are what pyatlan's own creators would send, and their ids are stable and tell everything apart."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any, cast

import pytest
from world import POSTGRES, SNOWFLAKE

from delta_arc import entities
from delta_arc.entities import Flow
from delta_arc.plan import Action, Change
from lineage_page import common_folder

S3 = "default/s3/1700000000"
ARN = "arn:aws:s3:::landing-2"
NAMES = ["ORDERS", "order items", 'O"Brien', "L'été", "MÜŞTERİ", "日本", "100%", "NET/GROSS", "a.b\\c"]
MODIFIED = datetime(2025, 1, 2, 3, 4, 5, 678_000, tzinfo=timezone.utc)
BUCKET = entities.make_bucket(f"{S3}/{ARN}", "landing", ARN, 3)
PLACE = ("SHOP", "SALES")
GROUND = '{"ground": "names only"}'
FLOW = Flow(POSTGRES, f"{S3}/{ARN}", "in/", SNOWFLAKE)


def sent_by_pyatlan(asset: Any) -> dict:
    """What pyatlan puts into a bulk request, without the placeholder of the guid."""
    from pyatlan.model.enums import EntityStatus

    asset.status = EntityStatus.ACTIVE
    sent = json.loads(asset.json(by_alias=True, exclude_unset=True))
    del sent["guid"]
    return sent


def plain(entity: dict) -> dict:
    return json.loads(json.dumps(entity))


def row(connection: str, name: str, type_name: str = "Table") -> list[str]:
    return [f"{connection}/SHOP/SALES/{name}", name, type_name]


def objects(*keys: str) -> list[dict[str, Any]]:
    return [{"key": key, "qualified_name": f"{S3}/{ARN}/{key}", "bucket": f"{S3}/{ARN}"} for key in keys]


def names_of(entities: Iterable[dict]) -> list[str]:
    return [entity["attributes"]["qualifiedName"] for entity in entities]


def test_a_bucket() -> None:
    from pyatlan.model.assets import S3Bucket

    expected = S3Bucket.creator(name="landing", connection_qualified_name=S3, aws_arn=ARN)
    expected.s3_object_count = 3
    assert plain(BUCKET) == sent_by_pyatlan(expected)


@pytest.mark.parametrize("key", ["orders.csv", "in/2025/orders.csv", "in/a b+%&ü 日本.csv", "no-extension"])
def test_an_object(key: str) -> None:
    from pyatlan.model.assets import S3Object

    expected = S3Object.creator(
        name=key.rpartition("/")[2],
        connection_qualified_name=S3,
        aws_arn=f"{ARN}/{key}",
        s3_bucket_name="landing",
        s3_bucket_qualified_name=f"{S3}/{ARN}",
    )
    expected.s3_object_key = key
    expected.s3_object_size = 0
    expected.s3_object_last_modified_time = MODIFIED
    expected.s3_e_tag = "abc"
    if key.endswith(".csv"):
        expected.s3_object_content_type = "text/csv"
    item = {"key": key, "size": 0, "last_modified": MODIFIED, "etag": "abc"}
    assert plain(entities.make_s3_object(BUCKET, item)) == sent_by_pyatlan(expected)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("type_name", ["Table", "View", "MaterialisedView"])
def test_an_extract_and_a_load(name: str, type_name: str) -> None:
    from pyatlan.model import assets

    source, target = row(POSTGRES, name, type_name), row(SNOWFLAKE, name)
    keys = objects("in/a.csv", "in/b.csv")
    files = [assets.S3Object.ref_by_qualified_name(item["qualified_name"]) for item in keys]
    kind = getattr(assets, type_name)
    for made, connection, inputs, outputs in (
        (
            entities.make_extract(FLOW, source, PLACE, keys, GROUND),
            POSTGRES,
            [kind.ref_by_qualified_name(source[0])],
            files,
        ),
        (
            entities.make_load(FLOW, source[0], keys, target, PLACE, GROUND),
            SNOWFLAKE,
            files,
            [assets.Table.ref_by_qualified_name(target[0])],
        ),
    ):
        attributes = made["attributes"]
        process_id = attributes["qualifiedName"].removeprefix(f"{connection}/")
        expected = assets.Process.creator(attributes["name"], connection, inputs, outputs, process_id)
        expected.description, expected.sql = attributes["description"], attributes["sql"]
        expected.additional_etl_context = GROUND
        assert plain(made) == sent_by_pyatlan(expected)
        assert process_id.startswith("delta-arc/")
        assert name in attributes["name"]
        assert name in attributes["description"]
        assert '"SHOP"."SALES"."{}"'.format(name.replace('"', '""')) in attributes["sql"]


@pytest.mark.parametrize("name", NAMES)
def test_a_column_process(name: str) -> None:
    from pyatlan.model.assets import Column, ColumnProcess, Process

    source, target = row(POSTGRES, name), row(SNOWFLAKE, name)
    left, right = ([f"{table[0]}/{name}", name, "Column"] for table in (source, target))
    load = entities.make_load(FLOW, source[0], objects("k"), target, PLACE, GROUND)["attributes"]["qualifiedName"]
    made = entities.make_column_process(load, source, left, target, right)
    attributes = made["attributes"]
    assert attributes["qualifiedName"] == f"{load}/column/{name}"
    assert attributes["name"] == f"{name}.{name} → {name}.{name}"
    expected = ColumnProcess.creator(
        name=attributes["name"],
        connection_qualified_name=SNOWFLAKE,
        inputs=[Column.ref_by_qualified_name(left[0])],
        outputs=[Column.ref_by_qualified_name(right[0])],
        process_id=attributes["qualifiedName"].removeprefix(f"{SNOWFLAKE}/"),
        parent=Process.ref_by_qualified_name(load),
    )
    expected.description = attributes["description"]
    assert plain(made) == sent_by_pyatlan(expected)


def test_a_quote_in_a_key_does_not_end_the_statement() -> None:
    made = entities.make_extract(FLOW, row(POSTGRES, "ORDERS"), PLACE, objects("in/o'brien.csv"), GROUND)
    assert made["attributes"]["sql"].count("'") % 2 == 0


def test_ids_do_not_hold_todays_files() -> None:
    source, target = row(POSTGRES, "ORDERS"), row(SNOWFLAKE, "ORDERS")
    monday, tuesday = objects("in/1/orders.csv"), objects("in/1/orders.csv", "in/2/orders.csv")
    names = [
        names_of(
            [
                entities.make_extract(FLOW, source, PLACE, day, GROUND),
                entities.make_load(FLOW, source[0], day, target, PLACE, GROUND),
            ]
        )
        for day in (monday, tuesday)
    ]
    assert names[0] == names[1]


def test_ids_tell_apart_all_that_is_connected() -> None:
    flows = [
        Flow(*parts)
        for parts in itertools.product(
            (POSTGRES, f"{POSTGRES}0"), (f"{S3}/a", f"{S3}/b"), ("", "in/"), (SNOWFLAKE, f"{SNOWFLAKE}0")
        )
    ]
    tables = ["ORDERS", "orders", "ORDERS/1", "1"]
    made = []
    for flow, name in itertools.product(flows, tables):
        source, target = row(flow.postgres_connection, name), row(flow.snowflake_connection, name)
        made.append(entities.make_extract(flow, source, PLACE, objects("k"), GROUND))
        made.append(entities.make_load(flow, source[0], objects("k"), target, PLACE, GROUND))
        made.append(
            entities.make_load(flow, row(flow.postgres_connection, "OTHER")[0], objects("k"), target, PLACE, GROUND)
        )
    names = names_of(made)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("keys", "folder"),
    [
        (["in/a.csv", "in/b.csv"], "in"),
        (["in/x/a.csv", "in/y/b.csv"], "in"),
        (["a.csv", "in/b.csv"], ""),
        (["/in/a.csv", "in/a.csv"], ""),
        (["/in/a.csv", "/in/b.csv"], "/in"),
        (["in//a.csv", "in//b.csv"], "in/"),
        (["in/ab/a.csv", "in/abc/a.csv"], "in"),
    ],
)
def test_the_folder_that_keys_share(keys: list[str], folder: str) -> None:
    assert common_folder(keys) == folder


@pytest.mark.parametrize("known", [{}, {"size": 0, "last_modified": MODIFIED, "etag": ""}], ids=["key only", "all"])
@pytest.mark.parametrize("key", ["a/b.csv", "b", "a/no_type.xyz9"])
def test_an_entity_made_where_it_is_asked_for_is_sent_as_a_plain_one(key: str, known: dict[str, Any]) -> None:
    item = cast(entities.ListedObject, {"key": key, **known})
    [entity] = entities.make_s3_objects(BUCKET, [item])
    plain_one = entities.make_s3_object(BUCKET, item)
    sent = Change(entity, Action.CREATE).as_sent
    assert json.loads(json.dumps(sent)) == plain_one == entity
    assert dict(entity["attributes"]) == sent["attributes"]
    assert ("s3ObjectSize" in sent["attributes"]) == bool(known)
    first = ["qualifiedName", "name", "connectorName", "connectionQualifiedName"]  # as in every other entity
    assert [*sent["attributes"]][:4] == [*BUCKET["attributes"]][:4] == first
    assert len(entity["attributes"]) == len(sent["attributes"])
    assert len(entity) == len(plain_one)
    for name, value in plain_one["attributes"].items():
        assert entity["attributes"].get(name) == value
    for name in entities.OBJECT_ATTRIBUTES:
        assert entity["attributes"].get(name) == plain_one["attributes"].get(name)
