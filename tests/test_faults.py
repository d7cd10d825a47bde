"""A tenant that refuses, limits, fails, forgets and hangs up: what is told, what is retried, and what is left behind."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from world import BULK, PREFIX, Run, World

from runtime import transport

SEARCH, LINEAGE = "/api/meta/search/", "/api/meta/lineage/"
# Everything that a first run asks.
PATHS = [SEARCH, BULK, LINEAGE, "/api/meta/entity/guid/", "/api/service/users/current", "/api/service/roles"]
ALWAYS = 10_000
SIDE_BY_SIDE = 3  # reads under way at the same time, before anything is known of the tenant


def bulk_requests(world: World) -> int:
    return world.requests()["by_endpoint"].get(f"POST {BULK}", 0)


# Refused


@pytest.mark.parametrize("cached", [False, True])
def test_a_refused_token_is_told_at_the_first_request(
    cached: bool, world: World, run: Callable[..., Run], slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    if cached:
        assert run().code == 0
    world.forget()
    monkeypatch.setenv("ATLAN_API_TOKEN", "expired-token")
    ended = run()
    assert ended.code == 1
    assert ended.err.startswith("❌ Atlan refused the token (401): check ATLAN_API_TOKEN")
    assert len(ended.err.splitlines()) == 1
    assert world.requests()["total"] <= SIDE_BY_SIDE
    assert slept == []


def test_what_is_forbidden_is_not_retried(world: World, run: Callable[..., Run], slept: list[float]) -> None:
    world.fail(403, count=ALWAYS)
    ended = run()
    assert ended.code == 1
    assert "403" in ended.err
    assert len(ended.err.splitlines()) == 1
    assert world.requests()["total"] <= SIDE_BY_SIDE
    assert slept == []


def test_a_token_that_may_not_write_is_told_at_the_first_write(
    world: World, run: Callable[..., Run], slept: list[float]
) -> None:
    world.fail(403, BULK, ALWAYS)
    ended = run()
    assert ended.code == 1
    assert "403" in ended.err
    assert bulk_requests(world) == 1
    assert slept == []


def test_a_message_of_the_server_cannot_show_the_token(world: World, run: Callable[..., Run]) -> None:
    words = {"errorCode": "ATLAS-400-00-001", "errorMessage": f"bad header Bearer {world.tenant.api_token}"}
    world.fail(400, SEARCH, ALWAYS, body=words)
    ended = run()
    assert ended.code == 1
    assert "bad header" in ended.err


def test_no_log_level_shows_the_token(world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    world.fail(503, SEARCH)
    assert run().code == 0


# Failing for a while


@pytest.mark.parametrize("status", [0, 429, 500, 502, 503])
def test_one_failure_of_every_endpoint_is_overcome(
    status: int, world: World, run: Callable[..., Run], slept: list[float], undisturbed: dict
) -> None:
    for path in PATHS:
        world.fail(status, path)
    assert run().code == 0
    assert len(slept) == len(PATHS)
    assert world.state() == undisturbed
    assert world.requests()["unknown"] == {}


def test_answers_that_are_lost_after_the_commit_are_overcome(
    world: World, run: Callable[..., Run], slept: list[float], undisturbed: dict
) -> None:
    world.fail(0, count=3, after=True)
    for skipped in range(5):
        world.fail(0, BULK, skip=skipped, after=True)
    assert run().code == 0
    assert world.state() == undisturbed


@pytest.mark.parametrize(
    ("header", "pauses"),
    [("7", [7, 7]), (None, [5, 10]), ("0", [5, 10]), ("Wed, 21 Oct 2015 07:28:00 GMT", [5, 10])],
)
def test_retry_after_is_obeyed(
    header: str | None, pauses: list[float], world: World, run: Callable[..., Run], slept: list[float]
) -> None:
    world.fail(429, SEARCH, 2, headers={"Retry-After": header} if header else {})
    ended = run()
    assert ended.code == 0
    assert ended.out.count("limit is reached") == 1
    assert 1 <= len(slept) <= 2
    for pause, expected in zip(slept, pauses, strict=False):
        assert pause == pytest.approx(expected, abs=0.1)


def test_a_search_that_took_too_long_is_no_limit(
    world: World, run: Callable[..., Run], slept: list[float], undisturbed: dict
) -> None:
    body = {"errorCode": "ATLAS-400-00-502", "errorMessage": "Elasticsearch timeout"}
    world.fail(429, SEARCH, 2, body=body)
    ended = run()
    assert ended.code == 0
    assert "limit" not in ended.out
    assert len(slept) == 2
    assert world.state() == undisturbed
    world.fail(429, SEARCH, ALWAYS, body=body)
    ended = run("--force-refresh")
    assert ended.code == 1
    assert "Atlan's search took too long (Elasticsearch timeout)" in ended.err


def test_a_block_of_a_minute_is_waited_for_and_an_endless_one_is_told(
    world: World, run: Callable[..., Run], slept: list[float]
) -> None:
    world.fail(429, SEARCH, ALWAYS)
    ended = run()
    assert ended.code == 1
    assert "429" in ended.err
    assert len(ended.err.splitlines()) == 1
    assert 300 <= sum(slept) <= 340


def test_a_real_limit_only_slows_the_run_down(
    world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, undisturbed: dict
) -> None:
    clock = SimpleNamespace(
        sleep=lambda seconds: time.sleep(min(seconds, 0.15)), monotonic=lambda: time.monotonic() * 5
    )
    monkeypatch.setattr(transport, "time", clock)
    world.pace(requests_per_minute=600, window_seconds=0.5, block_seconds=0.4, retry_after=1)
    assert run().code == 0
    assert sum(world.requests()["refused"].values()) > 0
    world.forget()
    assert world.state() == undisturbed


# Failing for good


@pytest.mark.parametrize(
    ("status", "path"),
    [*((503, path) for path in PATHS if path != LINEAGE), (0, SEARCH), (0, BULK), (500, SEARCH), (500, BULK)],
)
def test_an_endpoint_that_fails_for_good_is_told(
    status: int, path: str, world: World, run: Callable[..., Run], slept: list[float]
) -> None:
    world.fail(status, path, ALWAYS)
    ended = run()
    assert ended.code == 1
    assert (str(status) if status else "does not answer") in ended.err
    assert len(ended.err.splitlines()) == 1
    assert len(slept) <= 4 * SIDE_BY_SIDE


@pytest.mark.parametrize(("path", "body"), [(SEARCH, "hello"), (SEARCH, []), (BULK, []),
                                            ("/api/service/users/current", []), ("/api/service/roles", {})])  # fmt: skip
def test_an_answer_that_is_not_atlans_is_told(path: str, body: object, world: World, run: Callable[..., Run]) -> None:
    world.fail(200, path, ALWAYS, body=body)
    ended = run()
    assert ended.code == 1
    assert ended.err.startswith("❌ ")


@pytest.mark.parametrize(("status", "body"), [(403, None), (503, None), (0, None), (200, [])])
def test_the_summary_is_told_even_if_lineage_cannot_be_read_back(
    status: int, body: object, world: World, run: Callable[..., Run], slept: list[float], undisturbed: dict
) -> None:
    world.fail(status, LINEAGE, ALWAYS, body=body)
    ended = run()
    assert "67 created, 0 updated, 0 unchanged, 0 failed" in ended.out
    assert world.state() == undisturbed


def test_a_tenant_that_is_not_there_is_told(
    world: World, run: Callable[..., Run], slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATLAN_BASE_URL", "http://127.0.0.1:1")
    ended = run()
    assert ended.code == 1
    assert ended.err.startswith("❌ Atlan does not answer at 127.0.0.1:1")
    assert len(ended.err.splitlines()) == 1
    assert len(slept) <= 4 * SIDE_BY_SIDE


# One item of many


@pytest.mark.parametrize("status", [400, 403, 500])
def test_only_the_refused_item_fails(
    status: int, world: World, run: Callable[..., Run], slept: list[float], undisturbed: dict
) -> None:
    world.fail(status, BULK, ALWAYS, body_contains="/SHIPPERS/PHONE")
    ended = run()
    assert ended.code == 1
    failed = [line for line in ended.out.splitlines() if line.startswith("❌ ColumnProcess")]
    assert len(failed) == 1
    assert "/column/PHONE failed" in failed[0]
    assert "66 created, 0 updated, 0 unchanged, 1 failed" in ended.out
    state = world.state()
    missing = undisturbed.keys() - state.keys()
    assert [name.rpartition("/")[2] for _, name in missing] == ["PHONE"]
    assert state == {key: value for key, value in undisturbed.items() if key not in missing}
    assert bulk_requests(world) < 30
    world.forget()
    ended = run()
    assert ended.code == 0
    assert "1 created, 0 updated, 65 unchanged, 0 failed" in ended.out
    assert world.state() == undisturbed


@pytest.mark.parametrize(
    ("marked", "lost"),
    [("/load/FOOD_BEVERAGE/SALES_ORDERS/SHIPPERS/", 4), ("/extract/FOOD_BEVERAGE/SALES_ORDERS/SHIPPERS/", 1)],
)
def test_a_refused_table_process_stops_no_other_table(
    marked: str, lost: int, world: World, run: Callable[..., Run], undisturbed: dict
) -> None:
    world.fail(400, BULK, ALWAYS, body_contains=marked)
    ended = run()
    assert ended.code == 1
    assert len([line for line in ended.out.splitlines() if line.startswith("❌ Process")]) == 1
    missing = undisturbed.keys() - world.state().keys()
    assert len(missing) == lost
    assert all("SHIPPERS" in name for _, name in missing)
    world.forget()
    assert run().code == 0
    assert world.state() == undisturbed


def test_an_object_that_cannot_be_made_is_left_out(world: World, run: Callable[..., Run], undisturbed: dict) -> None:
    (world.files / "SHIPPERS_2.csv").write_text("SHIPPERID,SHIPPERNAME,PHONE\n")
    for space in ("", " "):
        world.fail(400, BULK, ALWAYS, body_contains=f'"s3ObjectKey":{space}"{PREFIX}SHIPPERS_2.csv"')
        world.fail(400, BULK, ALWAYS, body_contains=f'"s3ObjectKey":{space}"{PREFIX}ORDERS.csv"')
    ended = run()
    assert ended.code == 1
    # The two objects, and all that would hang on ORDERS.csv alone.
    assert "/ORDERS.csv could not be written" in ended.out
    assert "9 failed" in ended.out
    state = world.state()
    shippers = [held for held in state.values() if "/SHIPPERS.csv" in str(held.get("inputs"))]
    assert len(shippers) == 1
    assert "SHIPPERS_2" not in str([held["inputs"] for held in shippers])
    assert not any("ORDERS.csv" in name for _, name in state)
    world.forget()
    assert run().code == 0
    (world.files / "SHIPPERS_2.csv").unlink()
    assert run().code == 0
    assert {name for kind, name in undisturbed if kind != "S3Bucket"} <= {name for _, name in world.state()}


def test_an_object_that_cannot_be_updated_keeps_its_lineage(world: World, run: Callable[..., Run]) -> None:
    (world.files / "SHIPPERS.csv").rename(world.files / "SHIPPERS.tsv")
    (world.files / "SHIPPERS.csv").write_text("a first\n")
    assert run().code == 0
    before = world.state()
    (world.files / "SHIPPERS.csv").write_text("and a second line\n")
    for space in ("", " "):
        world.fail(400, BULK, ALWAYS, body_contains=f'"s3ObjectKey":{space}"{PREFIX}SHIPPERS.csv"')
    ended = run()
    assert ended.code == 1
    assert "❌ S3Object " in ended.out
    assert world.state() == before


# Answers that are not so


def test_nothing_counts_as_written_because_atlan_says_200(world: World, run: Callable[..., Run]) -> None:
    world.fail(200, BULK, 1000, body={})
    ended = run()
    assert ended.code == 1
    assert (
        "The bucket atlan-tech-challenge cannot be registered: Atlan took it without a word, and it is not there"
        in ended.err
    )
    assert world.count("S3Bucket") == 0


def test_what_a_bulk_answer_leaves_out_has_failed_unless_it_is_there(world: World, run: Callable[..., Run]) -> None:
    assert run("--force-refresh").code == 0
    (world.files / "SHIPPERS_2.csv").write_text((world.files / "SHIPPERS.csv").read_text())
    world.fail(200, BULK, 1, body={"mutatedEntities": None}, body_contains="SHIPPERS_2.csv")
    ended = run()
    assert ended.code == 1
    assert "S3Object " in ended.out
    assert "SHIPPERS_2.csv failed: Atlan took it without a word, and it is not there" in ended.out
    # Written, but the answer tells nothing of it: it is read back.
    world.fail(200, BULK, 5, body={"mutatedEntities": {"CREATE": [None, {"attributes": []}]}}, after=True)
    ended = run()
    assert (ended.code, "1 created" in ended.out, " 0 failed" in ended.out) == (0, True, True)
    assert run().code == 0


def test_an_update_that_changed_nothing_has_failed(world: World, run: Callable[..., Run]) -> None:
    assert run().code == 0
    (world.files / "ORDERS.csv").write_text((world.files / "ORDERS.csv").read_text() + "\n")
    world.fail(200, BULK, 5, body={"guidAssignments": {}}, body_contains="/ORDERS.csv")
    ended = run()
    assert ended.code == 1
    assert "ORDERS.csv failed: Atlan took it without a word, and its s3ObjectSize" in ended.out
