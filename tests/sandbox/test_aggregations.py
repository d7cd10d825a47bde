"""Aggregations over numbers and dates."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from helpers import Stack, error_code, new_stack, raw, table_entity
from hypothesis import given, settings
from hypothesis import strategies as st
from pyatlan.client.atlan import AtlanClient

import sandbox
from sandbox.search.intervals import EARLIEST, LATEST, read_interval


def day(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}T12:30:00+00:00").timestamp() * 1000)


def start(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}:00:00+00:00").timestamp() * 1000)


ROWS = {
    "a": (1, "2026-01-31"),
    "b": (2, "2026-02-01"),
    "c": (3, "2026-04-15"),
    "d": (10, "2026-04-15"),
    "e": (None, None),
}


@pytest.fixture(scope="module")
def tables(atlan: AtlanClient, tenant: sandbox.Tenant) -> Stack:
    stack = new_stack(atlan)
    entities = [
        table_entity(stack, name, f"-{number}", rowCount=rows, sourceCreatedAt=when and day(when))
        for number, (name, (rows, when)) in enumerate(ROWS.items(), 1)
    ]
    assert raw(tenant).save(*entities).is_success
    return stack


def aggregate(tenant: sandbox.Tenant, stack: Stack, spec: Any) -> Any:
    query = {
        "bool": {"filter": [{"term": {"__typeName.keyword": "Table"}}, {"prefix": {"qualifiedName": stack.schema}}]}
    }
    answer = raw(tenant).search(query, size=0, aggs={"it": spec})
    return answer.json()["aggregations"]["it"] if answer.is_success else answer


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"stats": {"field": "rowCount"}}, {"count": 4, "min": 1.0, "max": 10.0, "avg": 4.0, "sum": 16.0}),
        ({"stats": {"field": "sizeBytes"}}, {"count": 0, "min": None, "max": None, "avg": None, "sum": 0.0}),
        ({"missing": {"field": "rowCount"}}, {"doc_count": 1}),
        ({"value_count": {"field": "rowCount"}}, {"value": 4}),
        ({"percentiles": {"field": "rowCount", "percents": [0, 50, 100]}}, {"values": {"0.0": 1.0, "50.0": 2.5, "100.0": 10.0}}),
        ({"percentiles": {"field": "rowCount", "percents": [50], "keyed": False}}, {"values": [{"key": 50.0, "value": 2.5}]}),
        ({"percentiles": {"field": "sizeBytes", "percents": [50]}}, {"values": {"50.0": None}}),
    ],
)  # fmt: skip
def test_metrics(tenant: sandbox.Tenant, tables: Stack, spec: Any, expected: Any) -> None:
    assert aggregate(tenant, tables, spec) == expected


def test_months(tenant: sandbox.Tenant, tables: Stack) -> None:
    spec = {
        "date_histogram": {"field": "sourceCreatedAt", "calendar_interval": "month"},
        "aggs": {"rows": {"sum": {"field": "rowCount"}}},
    }
    found = aggregate(tenant, tables, spec)["buckets"]
    assert [(one["key"], one["doc_count"], one["rows"]["value"]) for one in found] == [
        (start("2026-01-01T00"), 1, 1.0),
        (start("2026-02-01T00"), 1, 2.0),
        (start("2026-03-01T00"), 0, 0.0),
        (start("2026-04-01T00"), 2, 13.0),
    ]
    spec["date_histogram"]["min_doc_count"] = 1
    assert [one["doc_count"] for one in aggregate(tenant, tables, spec)["buckets"]] == [1, 1, 2]


def test_fixed_intervals(tenant: sandbox.Tenant, tables: Stack) -> None:
    spec = {"date_histogram": {"field": "sourceCreatedAt", "fixed_interval": "12h", "min_doc_count": 1}}
    found = aggregate(tenant, tables, spec)["buckets"]
    assert [one["key"] for one in found] == [start(f"2026-{day}T12") for day in ("01-31", "02-01", "04-15")]


def test_only_a_date_is_a_key_as_a_text_too(tenant: sandbox.Tenant, tables: Stack) -> None:
    for field, written in (("__timestamp.date", str), ("__timestamp", lambda key: None)):
        (one,) = aggregate(tenant, tables, {"date_histogram": {"field": field, "calendar_interval": "1y"}})["buckets"]
        assert one.get("key_as_string") == written(one["key"])


def test_the_hits_of_a_bucket_are_paged(tenant: sandbox.Tenant, tables: Stack) -> None:
    spec = {"top_hits": {"from": 1, "size": 2, "_source": ["name"], "sort": ["name.keyword"]}}
    found = aggregate(tenant, tables, spec)["hits"]
    assert [hit["_source"]["name"] for hit in found["hits"]] == ["b", "c"]


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        (3, 400),
        ({}, 400),
        ({"stats": {}}, 400),
        ({"stats": {"field": 3}}, 400),
        ({"stats": 3}, 400),
        ({"terms": {}}, 400),
        ({"terms": {"field": "rowCount", "size": 0}}, 400),
        ({"terms": {"field": "rowCount", "size": "x"}}, 400),
        ({"nothing": {"field": "rowCount"}}, 400),
        ({"max": {"field": "rowCount"}, "aggs": 3}, 400),
        ({"percentiles": {"field": "rowCount", "percents": [101]}}, 400),
        ({"percentiles": {"field": "rowCount", "percents": 3}}, 400),
        ({"date_histogram": {"field": "sourceCreatedAt"}}, 400),
        ({"date_histogram": {"field": "sourceCreatedAt", "fixed_interval": "1d", "calendar_interval": "1d"}}, 400),
        ({"date_histogram": {"field": "sourceCreatedAt", "fixed_interval": "1M"}}, 400),
        ({"date_histogram": {"field": "sourceCreatedAt", "fixed_interval": "0d"}}, 400),
        ({"date_histogram": {"field": "sourceCreatedAt", "fixed_interval": "1ms"}}, 400),  # too many buckets
        ({"date_histogram": {"field": "sourceCreatedAt", "calendar_interval": "2d"}}, 400),
        ({"date_histogram": {"field": "sourceCreatedAt", "calendar_interval": "1d", "min_doc_count": -1}}, 400),
        ({"date_histogram": {"field": "sourceCreatedAt", "calendar_interval": "1d", "time_zone": "+01:00"}}, 501),
        ({"date_histogram": {"field": "__typeName.keyword", "calendar_interval": "1d"}}, 400),
        ({"date_histogram": {"field": "sourceCreatedAt", "calendar_interval": "1d", "nothing": 1}}, 400),
        ({"max": {"field": "__typeName.keyword"}}, 400),
        ({"max": {"field": "rowCount", "nothing": 1}}, 400),
        ({"max": {"field": "rowCount"}, "aggs": {"a": {"max": {"field": "rowCount"}}}}, 400),
        ({"top_hits": {"nothing": 1}}, 400),
        ({"top_hits": {"from": -1}}, 400),
        ({"top_hits": {}, "aggs": {"a": {"max": {"field": "rowCount"}}}}, 400),
        ({"filter": {"match_all": {}}, "aggs": {"a[0]": {"max": {"field": "rowCount"}}}}, 400),
        ({"max": {"field": "rowCount", "missing": 0}}, 501),
        ({"max": {"script": "1"}}, 501),
        ({"top_hits": {"_source": True}}, 501),
        ({"filters": {"filters": {}}}, 501),
        ({"composite": {"sources": []}}, 501),
    ],
)
def test_refused(tenant: sandbox.Tenant, tables: Stack, spec: Any, status: int) -> None:
    answer = aggregate(tenant, tables, spec)
    assert answer.status_code == status
    assert error_code(answer)


UNITS = ["minute", "hour", "day", "week", "month", "quarter", "year"]


@settings(max_examples=200)
@given(st.integers(EARLIEST, LATEST), st.sampled_from(UNITS))
def test_intervals_follow_each_other(moment: int, unit: str) -> None:
    start_of, next_of = read_interval({"calendar_interval": unit})
    first = start_of(moment)
    assert first <= moment < next_of(first)
    assert start_of(first) == first == start_of(next_of(first) - 1)
    assert start_of(next_of(first)) == next_of(first)
