"""Whatever Atlan answers with 200: one sentence or a run that goes on, never a traceback, and nothing that is not so."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from world import BULK, Run, World

SEARCH, USER, ROLES = "/api/meta/search/indexsearch", "/api/service/users/current", "/api/service/roles"
LINEAGE, ENTITY = "/api/meta/lineage/list", "/api/meta/entity/uniqueAttribute"
HIT = {"typeName": "Table", "guid": "g", "status": "ACTIVE", "attributes": {"name": "T", "qualifiedName": "a/b/c/d"}}
SHAPES: dict[str, Any] = {
    "a number": 5,
    "a text": "text",
    "a list": [],
    "nothing in it": {},
    "entities are a number": {"entities": 5, "approximateCount": 1},
    "entities are an object": {"entities": {"0": HIT}, "approximateCount": 1},
    "the count is a text": {"entities": [HIT], "approximateCount": "1"},
    "the count is below nothing": {"entities": [HIT], "approximateCount": -5},
    "an entity is null": {"entities": [None], "approximateCount": 1, "hasMore": True},
    "an entity without attributes": {"entities": [{"guid": "g", "typeName": "Table"}], "approximateCount": 1},
    "attributes are a list": {"entities": [{**HIT, "attributes": [1]}], "approximateCount": 1},
    "a name is null": {"entities": [{**HIT, "attributes": {**HIT["attributes"], "name": None}}], "approximateCount": 1},
    "a guid is a number": {"entities": [{**HIT, "guid": 5}], "approximateCount": 1},
    "inputs are texts": {
        "entities": [{**HIT, "attributes": {**HIT["attributes"], "inputs": "x", "outputs": [["y"], {"z": []}, None]}}],
        "approximateCount": 1,
    },
    "an entity is a text": {"entity": "x", "username": ["u"], "records": {"a": 1}},
    "an entity of nothing": {"entity": {}, "username": {}, "records": [None, 5, {"name": "$admin"}]},
    "mutations are a list": {"mutatedEntities": [1], "guidAssignments": 5},
    "mutations are nonsense": {"mutatedEntities": {"CREATE": {"a": 1}, "UPDATE": [None, 5, {"attributes": 5}]}},
}


def check(ended: Run) -> None:
    """Nothing but sentences; the `run` fixture looks for tracebacks and the token."""
    assert ended.code in (0, 1, 4)
    assert (ended.code == 0) == ended.out.splitlines()[-1].startswith("✅")
    for line in ended.err.splitlines():
        assert line.startswith("❌ ")
        assert line.isprintable()


@pytest.mark.parametrize("path", [SEARCH, USER, ROLES, BULK, ENTITY, LINEAGE])
def test_an_answer_of_another_shape_is_told(path: str, world: World, run: Callable[..., Run]) -> None:
    for shape in SHAPES.values():
        world.renew()
        if path == ENTITY:
            world.fail(200, BULK, 1, body={})
        world.fail(200, path, 3, body=shape)
        check(run("--force-refresh"))


def test_one_asset_without_a_name_does_not_end_a_run(world: World, run: Callable[..., Run]) -> None:
    found = world.assets("Table", "Column", "Schema", "Database")
    postgres = [hit for hit in found if hit["attributes"]["connectorName"] == "postgres"]
    nameless = {**postgres[0], "attributes": {"qualifiedName": "default/postgres/1757530687/x", "name": None}}
    answer = {"entities": [nameless, {"guid": None}, *postgres], "approximateCount": len(postgres) + 2}
    world.fail(200, SEARCH, 1, body=answer, body_contains="postgres/1757530687/")
    ended = run("--dry-run")
    assert ended.code == 0
    assert "⚠️ 2 assets are left out, as Atlan tells no name of theirs" in ended.out
    assert "📊 PostgreSQL: 51 assets found" in ended.out


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3)
    | st.dictionaries(
        st.sampled_from(["entities", "approximateCount", "attributes", "guid", "typeName", "name", "qualifiedName",
                         "mutatedEntities", "CREATE", "UPDATE", "username", "records", "entity", "hasMore", "inputs"]),
        below, max_size=5,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=JSON, path=st.sampled_from([SEARCH, USER, ROLES, BULK, ENTITY, LINEAGE]), skip=st.integers(0, 5))
def test_no_answer_ends_in_a_traceback(body: Any, path: str, skip: int, world: World, run: Callable[..., Run]) -> None:
    json.dumps(body, allow_nan=False)
    world.renew()
    if path == ENTITY:
        world.fail(200, BULK, 1, body={})
    world.fail(200, path, 2, body=body, skip=skip)
    check(run("--force-refresh"))
