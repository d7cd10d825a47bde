"""Names that change: of what a guid names, and of queries and folders that move to another collection."""

from __future__ import annotations

from typing import Any

from helpers import new_stack, raw, table_entity, unique
from pyatlan.client.atlan import AtlanClient


def test_an_entity_that_its_guid_names_is_renamed(tenant: Any, atlan: AtlanClient) -> None:
    client, stack = raw(tenant), new_stack(atlan)
    guids = client.save(table_entity(stack, "old"), table_entity(stack, "taken", "-2")).json()["guidAssignments"]
    column = {"name": "c", "qualifiedName": f"{stack.schema}/old/c", "order": 1, "table": {"guid": guids["-1"]}}
    client.save({"typeName": "Column", "guid": "-1", "attributes": column})
    renamed = table_entity(stack, "new", guids["-1"])
    assert client.save(table_entity(stack, "taken", guids["-1"])).status_code == 409
    assert client.save(renamed).status_code == 200
    assert client.save(renamed).status_code == 200  # its own name is not taken
    by_name = "/api/meta/entity/uniqueAttribute/type/Table?attr:qualifiedName="
    assert client.call("GET", f"{by_name}{stack.schema}/old").status_code == 404
    found = client.call("GET", f"{by_name}{stack.schema}/new").json()["entity"]
    assert (found["guid"], found["attributes"]["name"]) == (guids["-1"], "new")
    assert [one["displayText"] for one in found["relationshipAttributes"]["columns"]] == ["c"]
    connection = client.call("GET", f"{by_name.replace('Table', 'Connection')}{stack.connection}").json()["entity"]
    kept = {**connection["attributes"], "qualifiedName": "default/vertica/0"}
    client.save({"typeName": "Connection", "guid": connection["guid"], "attributes": kept})
    assert client.call("GET", f"{by_name.replace('Table', 'Connection')}{stack.connection}").status_code == 200


def test_queries_and_folders_move_with_their_content(tenant: Any) -> None:
    client = raw(tenant)

    def made(type_name: str, **values: Any) -> dict[str, Any]:
        sent = {"name": unique(type_name), "qualifiedName": unique("own"), **values}
        return client.save({"typeName": type_name, "guid": "-1", "attributes": sent}).json()["mutatedEntities"][
            "CREATE"
        ][0]

    def below(parent: dict[str, Any], collection: str) -> dict[str, Any]:
        place = {"collectionQualifiedName": collection, "parentQualifiedName": parent["attributes"]["qualifiedName"]}
        return {**place, "parent": {"typeName": parent["typeName"], "guid": parent["guid"]}}

    def change(entity: dict[str, Any], **values: Any) -> Any:
        known = {name: entity["attributes"][name] for name in ("name", "qualifiedName")}
        return client.save({"typeName": entity["typeName"], "guid": entity["guid"], "attributes": {**known, **values}})

    def shown(entity: dict[str, Any]) -> list[str]:
        values = client.call("GET", f"/api/meta/entity/guid/{entity['guid']}").json()["entity"]["attributes"]
        return [values[name] for name in ("qualifiedName", "collectionQualifiedName", "parentQualifiedName")]

    first, second = made("Collection"), made("Collection")
    one, two = (collection["attributes"]["qualifiedName"] for collection in (first, second))
    assert one.startswith("default/collection/sandbox/")
    folder = made("Folder", **below(first, one))
    inner = made("Folder", **below(folder, one))
    query = made("Query", **below(inner, one))
    names = [entity["attributes"]["qualifiedName"] for entity in (folder, inner, query)]
    assert all(
        name.startswith(f"{one}/{kind}/sandbox/")
        for name, kind in zip(names, ("folder", "folder", "query"), strict=True)
    )
    assert change(folder, description="x").status_code == 400  # it does not say where it is
    assert change(folder, **below(second, one)).status_code == 200
    moved = [name.replace(one, two) for name in names]
    assert [shown(entity) for entity in (folder, inner, query)] == [
        [moved[0], two, two], [moved[1], two, moved[0]], [moved[2], two, moved[1]]
    ]  # fmt: skip
    assert change(query, **below(folder, two)).status_code == 200
    assert shown(query) == [moved[2], two, moved[0]]
    for status in (200, 500):
        answer = client.call(
            "DELETE", f"/api/meta/entity/bulk?guid={first['guid']}&deleteType={'SOFT' if status == 200 else 'PURGE'}"
        )
        assert answer.status_code == status
