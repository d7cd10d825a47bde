"""Listed and registered objects: mappings that take little memory."""

from __future__ import annotations

import tracemalloc
from datetime import datetime, timezone
from typing import Any

import pytest

from delta_arc.entities import (
    ListedObject,
    RegisteredObject,
    list_object,
    make_bucket,
    make_s3_object,
    register_objects,
)

MOMENT = datetime(2025, 9, 21, tzinfo=timezone.utc)
BUCKET = make_bucket("default/s3/1/arn:aws:s3:::landing", "landing", "arn:aws:s3:::landing", None)
LISTED = {"key": "in/orders.csv", "size": 7, "last_modified": MOMENT, "etag": "e"}
REGISTERED = {
    **LISTED, "qualified_name": "default/s3/1/arn:aws:s3:::landing/in/orders.csv",
    "bucket": "default/s3/1/arn:aws:s3:::landing", "bucket_name": "landing", "prefix": "in/",
}  # fmt: skip


def register(*objects: Any) -> list[Any]:
    return [*register_objects(objects, BUCKET, "landing", "in/")]


@pytest.mark.parametrize(
    ("item", "like", "type_of"),
    [
        (list_object("in/orders.csv", 7, MOMENT, "e"), LISTED, ListedObject),
        (*register(LISTED), REGISTERED, RegisteredObject),
        (*register(list_object("in/orders.csv", 7, MOMENT, "e")), REGISTERED, RegisteredObject),
    ],
)
def test_an_object_is_the_mapping_that_its_type_says(item: Any, like: dict[str, Any], type_of: Any) -> None:
    assert {**item} == item == like
    assert [*item] == [*type_of.__annotations__] == [*like]
    assert repr(item) == repr(like)
    assert len(item) == len(like)
    for name in ("place", "names", "keys", "below", "", "Key"):
        assert name not in item
        with pytest.raises(KeyError):
            item[name]


def test_the_name_of_an_object_is_that_of_its_asset() -> None:
    bucket = make_bucket("default/s3/1/other name", "landing", "arn:aws:s3:::landing-2", None)
    item = list_object("a/b c.csv", 1, MOMENT, "e")
    (registered,) = register_objects([item], bucket, "landing", "")
    entity = make_s3_object(bucket, item)["attributes"]
    assert registered["qualified_name"] == entity["qualifiedName"]
    assert registered["bucket"] == entity["s3BucketQualifiedName"]


def test_many_objects_take_little_memory() -> None:
    objects = [list_object(f"in/{number}", number, MOMENT, "e") for number in range(1000)]
    tracemalloc.start()
    register(*objects)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken / len(objects) < 130  # bytes; a dict of eight names takes 350
