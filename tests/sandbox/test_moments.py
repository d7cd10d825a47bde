"""Moments in queries: Elasticsearch's reference, "Date math" and "Range query" (missing date components)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from helpers import Raw, error_code, new_connection, raw
from hypothesis import given
from hypothesis import strategies as st
from pyatlan.client.atlan import AtlanClient

from sandbox.errors import AtlasError
from sandbox.search.moments import read_moment, read_zone

NOW = datetime(2026, 3, 31, 13, 14, 15, 678_000, timezone.utc)  # a Tuesday
BERLIN = read_zone("Europe/Berlin")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text + "+00:00").timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("now", "2026-03-31T13:14:15.678", "2026-03-31T13:14:15.678"),
        ("now-1d", "2026-03-30T13:14:15.678", "2026-03-30T13:14:15.678"),
        ("now+1h", "2026-03-31T14:14:15.678", "2026-03-31T14:14:15.678"),
        ("now-2H+30m-5s", "2026-03-31T11:44:10.678", "2026-03-31T11:44:10.678"),
        ("now-d", "2026-03-30T13:14:15.678", "2026-03-30T13:14:15.678"),
        ("now-1M", "2026-02-28T13:14:15.678", "2026-02-28T13:14:15.678"),
        ("now+11M", "2027-02-28T13:14:15.678", "2027-02-28T13:14:15.678"),
        ("now-1y", "2025-03-31T13:14:15.678", "2025-03-31T13:14:15.678"),
        ("now/s", "2026-03-31T13:14:15.000", "2026-03-31T13:14:15.999"),
        ("now/m", "2026-03-31T13:14:00.000", "2026-03-31T13:14:59.999"),
        ("now/h", "2026-03-31T13:00:00.000", "2026-03-31T13:59:59.999"),
        ("now/d", "2026-03-31T00:00:00.000", "2026-03-31T23:59:59.999"),
        ("now/w", "2026-03-30T00:00:00.000", "2026-04-05T23:59:59.999"),
        ("now/M", "2026-03-01T00:00:00.000", "2026-03-31T23:59:59.999"),
        ("now/y", "2026-01-01T00:00:00.000", "2026-12-31T23:59:59.999"),
        ("now-7d/d", "2026-03-24T00:00:00.000", "2026-03-24T23:59:59.999"),
        ("2026", "2026-01-01T00:00:00.000", "2026-01-01T23:59:59.999"),
        ("2026-02", "2026-02-01T00:00:00.000", "2026-02-01T23:59:59.999"),
        ("2026-02-03", "2026-02-03T00:00:00.000", "2026-02-03T23:59:59.999"),
        ("2026-02-03T04", "2026-02-03T04:00:00.000", "2026-02-03T04:59:59.999"),
        ("2026-02-03T04:05", "2026-02-03T04:05:00.000", "2026-02-03T04:05:59.999"),
        ("2026-02-03T04:05:06", "2026-02-03T04:05:06.000", "2026-02-03T04:05:06.999"),
        ("2026-02-03T04:05:06.7", "2026-02-03T04:05:06.700", "2026-02-03T04:05:06.700"),
        ("2026-02-03T04:05:06.123456789Z", "2026-02-03T04:05:06.123", "2026-02-03T04:05:06.123"),
        ("2026-02-03T04:05:06.000+05:30", "2026-02-02T22:35:06.000", "2026-02-02T22:35:06.000"),
        ("2026-02-03T04:05:06.000-0200", "2026-02-03T06:05:06.000", "2026-02-03T06:05:06.000"),
        ("2026-01-31||+1M", "2026-02-28T00:00:00.000", "2026-02-28T00:00:00.000"),
        ("2026-01-31||/M", "2026-01-01T00:00:00.000", "2026-01-31T23:59:59.999"),
        ("2026-01-31||", "2026-01-31T00:00:00.000", "2026-01-31T00:00:00.000"),
        ("1000", "1000-01-01T00:00:00.000", "1000-01-01T23:59:59.999"),
        ("10000", "1970-01-01T00:00:10.000", "1970-01-01T00:00:10.000"),
        ("-1", "1969-12-31T23:59:59.999", "1969-12-31T23:59:59.999"),
    ],
)  # fmt: skip
def test_a_text_is_a_moment_and_rounds_to_its_end(text: str, start: str, end: str) -> None:
    assert (read_moment(text, now=NOW), read_moment(text, up=True, now=NOW)) == (at(start), at(end))


def test_a_zone_holds_for_what_names_none() -> None:
    assert read_moment("2026-07-01", zone=BERLIN) == at("2026-06-30T22:00:00")
    assert read_moment("2026-07-01T00:00:00Z", zone=BERLIN) == at("2026-07-01T00:00:00")
    assert read_moment("2026-07-01T00:30", zone=read_zone("-01:30")) == at("2026-07-01T02:00:00")
    late = datetime(2026, 3, 31, 22, 30, tzinfo=timezone.utc)  # the first of April there
    assert read_moment("now/d", zone=BERLIN, now=late) == at("2026-03-31T22:00:00")
    assert read_moment("now-1d", zone=BERLIN, now=late) == at("2026-03-30T22:30:00")


@pytest.mark.parametrize(
    "text",
    ["", "soon", "now-7", "now-7x", "now-1d/", "now 1d", "now-1d now", "2026-13-01", "2026-02-30", "2026-1-1", "2026-01-01 10:00",
     "2026-01-01T25", "2026-01-01||x", "||+1d", "１２", "1e3", "2026-01-01T10:00:00+19:00", "now-9999y",
     "now+999999999d", "2026-01-01T10:00:00+01:99"],
)  # fmt: skip
def test_what_is_no_moment(text: str) -> None:
    assert read_moment(text) is None


def test_milliseconds_alone() -> None:
    assert [read_moment(text, dates=False) for text in ("2026", "-5", "1.9", "1000||+1s", "2026-01-01", "2026-01||/M")] == [
        2026, -5, 1, 2000, None, None,
    ]  # fmt: skip
    assert read_moment("now", dates=False, now=NOW) == at("2026-03-31T13:14:15.678")


@pytest.mark.parametrize("name", ["+18:01", "+99:99", "Nowhere/None", "../etc/passwd", "\0", "01:00"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(AtlasError) as refused:
        read_zone(name)
    assert (refused.value.status, refused.value.code) == (400, "ATLAS-400-00-503")


PIECES = st.sampled_from([*"yMwdhHms+-/|0123456789TZ:.,", "now", "||", "2026", "-02", "-30", "T10", "99"])


@given(st.lists(PIECES, max_size=8).map("".join), st.booleans(), st.booleans())
def test_any_text_is_a_moment_or_none(text: str, up: bool, dates: bool) -> None:
    read_moment(text, up, BERLIN, dates, NOW)


@given(st.datetimes(datetime(1, 1, 9), datetime(9998, 12, 1)), st.sampled_from("yMwdhms"))
def test_what_is_rounded_holds_the_moment_and_is_next_to_its_neighbours(moment: datetime, unit: str) -> None:
    now = moment.replace(tzinfo=timezone.utc)
    start, end = read_moment(f"now/{unit}", now=now), read_moment(f"now/{unit}", up=True, now=now)
    assert start is not None
    assert end is not None
    assert start <= (now - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1) <= end
    behind = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=end + 1)
    assert read_moment(f"now/{unit}", now=behind) == end + 1
    assert read_moment(f"now/{unit}+1{unit}", now=now) == end + 1


# Over HTTP: `__timestamp` is a number, its part `.date` is a date in milliseconds, times of the audit are dates


@pytest.fixture(scope="module")
def client(tenant: Any, atlan: AtlanClient) -> tuple[Raw, str]:
    return raw(tenant), new_connection(atlan)


@pytest.mark.parametrize(
    ("field", "limits", "found"),
    [
        ("__timestamp", {"gte": 1}, 1),
        ("__timestamp", {"gte": "1", "format": "yyyy-MM-dd", "time_zone": "+01:00"}, 1),  # of no use to a number
        ("__timestamp", {"lt": 1}, 0),
        ("__timestamp.date", {"gte": "now-1d/d", "lte": "now/d"}, 1),
        ("__timestamp.date", {"gt": "now/d"}, 0),
        ("__timestamp.date", {"lt": "now/y"}, 0),
        ("__timestamp.date", {"gte": 1}, 1),
        ("__timestamp.date", {"gte": "2020-01-01", "format": "yyyy-MM-dd", "time_zone": "Europe/Berlin"}, 1),
    ],
)
def test_times_of_an_entity(client: tuple[Raw, str], field: str, limits: dict[str, Any], found: int) -> None:
    http, name = client
    query = {"bool": {"filter": [{"term": {"qualifiedName": name}}, {"range": {field: limits}}]}}
    assert http.search(query).json()["approximateCount"] == found
    if "format" not in limits and "lt" not in limits:
        value = next(iter(limits.values()))
        whole = http.search({"term": {field: value}}).status_code
        assert whole == 200


@pytest.mark.parametrize(
    "query",
    [
        {"range": {"__timestamp": {"gte": "now-1d"}}},
        {"range": {"__modificationTimestamp": {"gte": "2020-01-01"}}},
        {"range": {"sourceUpdatedAt": {"gte": "now-1d"}}},
        {"term": {"lastSyncRunAt": "2020-01-01"}},
        {"range": {"__timestamp.date": {"gte": "2020-01-01"}}},
        {"range": {"__timestamp.date": {"gte": "2020-13-45", "format": "yyyy-MM-dd"}}},
        {"range": {"__timestamp.date": {"gte": 1, "time_zone": "+99:99"}}},
        {"term": {"__timestamp.date": True}},
    ],
)
def test_what_is_no_time_of_an_entity(client: tuple[Raw, str], query: dict[str, Any]) -> None:
    answer = client[0].search(query)
    assert (answer.status_code, error_code(answer)) == (400, "ATLAS-400-00-503")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"range": {"created": {"gte": "now-1d/d", "lte": "now/d"}}}, True),
        ({"range": {"created": {"gt": "now/d"}}}, False),
        ({"range": {"timestamp": {"gte": "2020-01-01", "time_zone": "-03:00"}}}, True),
        ({"term": {"created": "2020-01-01"}}, False),
    ],
)
def test_times_of_the_audit(client: tuple[Raw, str], query: dict[str, Any], found: bool) -> None:
    http, name = client
    both = {"bool": {"filter": [{"term": {"entityQualifiedName": name}}, query]}}
    answer = http.call("POST", "/api/meta/entity/auditSearch", json={"dsl": {"query": both, "size": 5}})
    assert (answer.json()["totalCount"] > 0) == found


def test_a_time_of_the_audit_that_is_none(client: tuple[Raw, str]) -> None:
    for limits in ({"gte": "2020-13-45"}, {"lte": 10**30}, {"gte": 1, "time_zone": "x"}, {"gte": True}):
        body = {"dsl": {"query": {"range": {"created": limits}}}}
        answer = client[0].call("POST", "/api/meta/entity/auditSearch", json=body)
        assert answer.status_code == 400, answer.text
