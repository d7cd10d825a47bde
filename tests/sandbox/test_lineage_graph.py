"""Lineage as one graph: what it holds, how far it goes, and what it refuses (`EntityLineageService.getAtlasLineageInfo`)."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import Raw, error_code, new_stack, raw
from pyatlan.client.atlan import AtlanClient
from pyatlan.model.lineage import LineageRequest, LineageResponse

GRAPH = "/api/meta/lineage/getlineage"
NOBODY = "00000000-0000-4000-8000-000000000000"


class World:
    """Tables and processes by name, made over HTTP: `P: a, b -> c`."""

    def __init__(self, tenant: Raw, connection: str) -> None:
        self.tenant, self.connection = tenant, connection
        self.guids: dict[str, str] = {}

    def add(self, type_name: str, name: str, **related: list[dict[str, str]]) -> str:
        qualified_name = f"{self.connection}/{name}"
        attributes = {"name": name, "qualifiedName": qualified_name, "connectionQualifiedName": self.connection}
        sent = {"typeName": type_name, "guid": "-1", "attributes": {**attributes, **related}}
        answer = self.tenant.save(sent)
        assert answer.status_code == 200, answer.text
        self.guids[name] = answer.json()["guidAssignments"]["-1"]
        return self.guids[name]

    def link(self, text: str, type_name: str = "Process") -> None:
        name, _, ends = text.partition(": ")
        inputs, outputs = ([one for one in side.split(", ") if one] for side in ends.split(" -> "))
        for table in [*inputs, *outputs]:
            if table not in self.guids:
                self.add("Table", table)
        sides = [[{"typeName": "Table", "guid": self.guids[one]} for one in side] for side in (inputs, outputs)]
        self.add(type_name, name, inputs=sides[0], outputs=sides[1])

    def name(self, guid: str) -> str:
        return next(name for name, known in self.guids.items() if known == guid)

    def graph(self, start: str, **asked: Any) -> dict[str, Any]:
        answer = self.tenant.call("POST", GRAPH, json={"guid": self.guids[start], **asked})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def edges(self, start: str, **asked: Any) -> set[str]:
        """Its relations by name: `a>P`, or `a>b by P`."""
        found = [
            f"{self.name(one['fromEntityId'])}>{self.name(one['toEntityId'])}"
            + (f" by {self.name(one['processId'])}" if "processId" in one else "")
            for one in self.graph(start, **asked)["relations"]
        ]
        assert len(found) == len(set(found))
        return set(found)

    def archive(self, name: str) -> None:
        path = f"/api/meta/entity/guid/{self.guids[name]}"
        assert self.tenant.call("DELETE", path, params={"deleteType": "SOFT"}).status_code == 200


@pytest.fixture
def world(tenant, atlan: AtlanClient) -> World:
    return World(raw(tenant), new_stack(atlan).connection)


@pytest.fixture
def chain(world: World) -> World:
    """a -> P1 -> b -> P2 -> c -> P3 -> d, and x -> P2."""
    for text in ("P1: a -> b", "P2: b, x -> c", "P3: c -> d"):
        world.link(text)
    return world


ALL = {"a>P1", "P1>b", "b>P2", "P2>c", "c>P3", "P3>d"}


@pytest.mark.parametrize(
    ("start", "asked", "expected"),
    [
        ("a", {}, ALL),
        ("a", {"depth": 0}, ALL),
        ("a", {"depth": -1}, ALL),
        ("a", {"depth": 1}, {"a>P1", "P1>b"}),
        ("a", {"depth": 2}, {"a>P1", "P1>b", "b>P2", "P2>c"}),
        ("a", {"direction": "INPUT"}, set()),
        ("c", {"direction": "INPUT"}, {"a>P1", "P1>b", "b>P2", "x>P2", "P2>c"}),
        ("c", {"direction": "BOTH", "depth": 1}, {"b>P2", "x>P2", "P2>c", "c>P3", "P3>d"}),
        ("P2", {"depth": 1}, {"b>P2", "x>P2", "P2>c"}),
        ("P2", {"depth": 2, "direction": "OUTPUT"}, {"P2>c", "c>P3", "P3>d"}),
        ("P2", {"direction": "INPUT"}, {"b>P2", "x>P2", "a>P1", "P1>b"}),
        ("b", {"depth": 1, "hideProcess": True}, {"a>b by P1", "b>c by P2"}),
        ("c", {"direction": "INPUT", "hideProcess": True}, {"a>b by P1", "b>c by P2", "x>c by P2"}),
    ],
)
def test_the_relations(chain, start, asked, expected):
    assert chain.edges(start, **asked) == expected


def test_what_the_answer_says(chain):
    answer = chain.graph("b", depth=1, attributes=["connectionQualifiedName"])
    assert {chain.name(guid) for guid in answer["guidEntityMap"]} == {"a", "P1", "b", "P2", "c"}
    header = answer["guidEntityMap"][chain.guids["c"]]
    assert header["typeName"] == "Table"
    assert header["attributes"]["connectionQualifiedName"] == chain.connection
    assert {chain.name(guid): told for guid, told in answer["vertexChildrenInfo"].items()} == {
        "P1": {"INPUT": True},
        "a": {"INPUT": False},
        "P2": {"OUTPUT": True},
        "c": {"OUTPUT": True},
    }
    kept = ("baseEntityGuid", "lineageDirection", "lineageDepth", "limit", "offset")
    assert [answer[name] for name in kept] == [chain.guids["b"], "BOTH", 1, -1, -1]
    ids = [relation["relationshipId"] for relation in answer["relations"]]
    assert len(set(ids)) == len(ids) == 4


def test_relations_have_the_guids_that_the_entities_tell(chain):
    process = chain.tenant.call("GET", f"/api/meta/entity/guid/{chain.guids['P2']}").json()["entity"]
    told = {one["relationshipGuid"] for one in process["relationshipAttributes"]["inputs"]}
    table = chain.tenant.call("GET", f"/api/meta/entity/guid/{chain.guids['b']}").json()["entity"]
    assert table["relationshipAttributes"]["inputToProcesses"][0]["relationshipGuid"] in told
    shown = chain.graph("P2", depth=1, direction="INPUT")["relations"]
    assert {one["relationshipId"] for one in shown} == told


def test_pyatlan_reads_it(chain):
    request = LineageRequest(guid=chain.guids["b"])
    answer = chain.tenant.call("POST", GRAPH, content=request.json(by_alias=True, exclude_unset=False))
    response = LineageResponse(**answer.json())
    assert response.get_all_upstream_asset_guids_dfs() == [chain.guids["b"], chain.guids["a"]]
    assert response.get_downstream_process_guids() == [chain.guids["P2"]]
    assert [asset.name for asset in response.get_downstream_assets()] == ["c"]


def test_circles_end(world):
    for text in ("P1: a -> b", "P2: b -> a", "P3: b -> b"):
        world.link(text)
    assert world.edges("a", direction="OUTPUT") == {"a>P1", "P1>b", "b>P2", "P2>a", "b>P3", "P3>b"}
    # Both sides of the process that leads back to its own asset are told, as they are two relationships.
    assert world.edges("P3", depth=1) == {"b>P3", "P3>b"}
    assert world.graph("a", direction="OUTPUT", depth=1)["vertexChildrenInfo"][world.guids["b"]] == {"OUTPUT": True}


def test_a_process_that_leads_back_is_no_more(world):
    world.link("P1: a -> b")
    world.link("P2: b -> b")
    assert world.graph("a", direction="OUTPUT", depth=1)["vertexChildrenInfo"][world.guids["b"]] == {"OUTPUT": False}


def test_one_starts_from_what_a_filter_leaves_out(world):
    for text in ("P1: a -> b", "P2: b -> a"):
        world.link(text)
    other = {"attributeName": "name", "operator": "neq", "attributeValue": "a"}
    assert world.edges("a", direction="OUTPUT", entityFilters=other) == {"a>P1", "P1>b", "b>P2", "P2>a"}
    assert world.edges("b", direction="OUTPUT", entityFilters=other) == set()


def test_what_is_behind_a_process(chain):
    told = chain.graph("P2", depth=1)["vertexChildrenInfo"]
    assert told[chain.guids["P2"]] == {"INPUT": True, "OUTPUT": True}
    chain.archive("c")
    assert chain.graph("P2", depth=1)["vertexChildrenInfo"][chain.guids["P2"]] == {"INPUT": True, "OUTPUT": False}


def test_an_archived_asset_leads_nowhere(chain):
    chain.archive("a")
    answer = chain.graph("a", direction="OUTPUT")
    assert (answer["relations"], answer["vertexChildrenInfo"]) == ([], {})


def test_what_is_archived(chain):
    chain.archive("P2")
    assert chain.edges("a") == {"a>P1", "P1>b"}
    assert chain.edges("a", allowDeletedProcess=True) == ALL
    assert chain.graph("a", depth=1)["vertexChildrenInfo"][chain.guids["b"]] == {"OUTPUT": False}
    chain.archive("b")
    assert chain.edges("a") == set()
    assert chain.graph("a")["guidEntityMap"] == {}


def test_processes_and_assets_that_are_left_out(chain):
    chain.link("C1: c -> y", "ColumnProcess")
    assert chain.edges("c", direction="OUTPUT", ignoredProcesses=["Process"]) == {"c>C1", "C1>y"}
    assert chain.edges("c", direction="OUTPUT", ignoredProcesses=["Process", "ColumnProcess"]) == set()
    other = {"attributeName": "name", "operator": "neq", "attributeValue": "c"}
    assert chain.edges("a", entityFilters={"condition": "AND", "criterion": [other]}) == {"a>P1", "P1>b"}
    # Where one starts is never filtered out.
    assert chain.edges("c", direction="OUTPUT", depth=1, entityFilters=other) == {"c>P3", "P3>d", "c>C1", "C1>y"}


def test_of_one_entity_by_its_address(chain):
    def names(path: str, **query: Any) -> set[str]:
        answer = chain.tenant.call("GET", f"/api/meta/lineage/{path}", params=query)
        assert answer.status_code == 200, answer.text
        return {chain.name(guid) for guid in answer.json()["guidEntityMap"]}

    chain.link("P4: d -> e")
    one = chain.guids["a"]
    assert names(one) == {*chain.guids} - {"x", "P4", "e"}  # three hops
    assert names(one, depth=1) == {"a", "P1", "b"}
    assert names(one, direction="INPUT") == set()
    assert "processId" in chain.tenant.call("GET", f"/api/meta/lineage/{one}?hideProcess=true").json()["relations"][0]
    by_name = {"attr:qualifiedName": f"{chain.connection}/c", "direction": "INPUT", "depth": 1}
    assert names("uniqueAttribute/type/Table", **by_name) == {"x", "b", "P2", "c"}


REFUSED = [
    ({"guid": None}, 400, "400-00-029"),
    ({"guid": ""}, 400, "400-00-029"),
    ({"guid": ["a"]}, 400, "400-00-029"),
    ({"guid": NOBODY}, 404, "404-00-005"),
    ({"guid": "schema"}, 404, "404-00-011"),
    ({"guid": "P1", "hideProcess": True}, 404, "404-00-017"),
    ({"direction": "SIDEWAYS"}, 400, "400-00-029"),
    ({"depth": "1"}, 400, "400-00-029"),
    ({"depth": True}, 400, "400-00-029"),
    ({"depth": 2**31}, 400, "400-00-029"),
    ({"hideProcess": "yes"}, 400, "400-00-029"),
    ({"attributes": "name"}, 400, "400-00-029"),
    ({"ignoredProcesses": [1]}, 400, "400-00-029"),
    ({"offset": 0}, 400, "400-00-102"),
    ({"limit": 5}, 400, "400-00-102"),
    ({"depth": 2, "offset": 0, "limit": 5}, 400, "400-00-103"),
    ({"calculateRemainingVertexCounts": True}, 400, "400-00-104"),
]


def test_what_is_refused(world):
    world.link("P1: a -> b")
    world.add("AtlasGlossary", "schema")
    for asked, status, code in REFUSED:
        body = {"guid": "a", **asked}
        if isinstance(body["guid"], str):
            body["guid"] = world.guids.get(body["guid"], body["guid"])
        answer = world.tenant.call("POST", GRAPH, json=body)
        assert (answer.status_code, error_code(answer)) == (status, f"ATLAS-{code}"), asked
    paged = world.tenant.call("POST", GRAPH, json={"guid": world.guids["a"], "depth": 1, "offset": 0, "limit": 5})
    assert paged.status_code == 501
    for query in ("depth=x", "direction=UP", "depth=99999999999999999999", "offset=1"):
        assert world.tenant.call("GET", f"/api/meta/lineage/{world.guids['a']}?{query}").status_code == 400, query
    unknown = world.tenant.call("GET", f"/api/meta/lineage/{NOBODY}")
    assert (unknown.status_code, error_code(unknown)) == (404, "ATLAS-404-00-005")
