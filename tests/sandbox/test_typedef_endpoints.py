"""Type definitions as plain REST programs read and remove them: headers, by guid, by category, several at once (`TypesREST`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from helpers import Raw, error_code, new_stack, raw, table_entity, unique
from pyatlan.client.atlan import AtlanClient

TYPES = "/api/meta/types"
NOBODY = "00000000-0000-4000-8000-000000000000"
LISTS = {
    "classification": "classificationDefs",
    "enum": "enumDefs",
    "struct": "structDefs",
    "businessmetadata": "businessMetadataDefs",
}


@dataclass(frozen=True)
class Made:
    """One definition of each kind, as they were answered."""

    tenant: Raw
    definitions: dict[str, dict[str, Any]]

    def get(self, path: str, **query: Any) -> Any:
        answer = self.tenant.call("GET", f"{TYPES}/{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, path: str) -> tuple[int, str]:
        answer = self.tenant.call("GET", f"{TYPES}/{path}")
        return answer.status_code, error_code(answer).removeprefix("ATLAS-")

    def remove(self, **lists: Any) -> tuple[int, str]:
        answer = self.tenant.call("DELETE", f"{TYPES}/typedefs", json=lists)
        return answer.status_code, "" if answer.status_code == 204 else error_code(answer).removeprefix("ATLAS-")

    def there(self, kind: str) -> bool:
        path = f"{TYPES}/typedef/name/{self.definitions[kind]['name']}"
        return self.tenant.call("GET", path).status_code == 200


@pytest.fixture
def made(tenant) -> Made:
    client, label = raw(tenant), unique("own")
    options = {"applicableEntityTypes": '["Table"]', "maxStrLength": "10"}
    sent = {
        "classificationDefs": [{"displayName": label}],
        "enumDefs": [{"name": label, "elementDefs": [{"value": "a", "ordinal": 0}]}],
        "structDefs": [{"name": f"{label} struct"}],
        "businessMetadataDefs": [
            {"displayName": label, "attributeDefs": [{"displayName": "who", "typeName": "string", "options": options}]}
        ],
    }
    answer = client.call("POST", f"{TYPES}/typedefs", json=sent)
    assert answer.status_code == 200, answer.text
    return Made(client, {kind: answer.json()[name][0] for kind, name in LISTS.items()})


def test_headers(made):
    headers = {one["name"]: one for one in made.get("typedefs/headers")}
    tag, enum = made.definitions["classification"], made.definitions["enum"]
    shown = {name: tag[name] for name in ("guid", "name", "displayName", "serviceType", "category")}
    assert headers[tag["name"]] == shown
    assert headers[enum["name"]] == {
        "guid": enum["guid"], "name": enum["name"], "serviceType": "atlan", "category": "ENUM"
    }  # fmt: skip
    assert headers["Table"] == {"name": "Table", "category": "ENTITY"}
    assert {one["category"] for one in made.get("typedefs/headers", type="enum")} == {"ENUM"}


@pytest.mark.parametrize("kind", LISTS)
def test_a_definition_is_read_by_its_kind(made, kind):
    definition = made.definitions[kind]
    assert made.get(f"{kind}def/name/{definition['name']}") == definition
    assert made.get(f"{kind}def/guid/{definition['guid']}") == definition
    assert made.get(f"typedef/guid/{definition['guid']}") == definition
    for other in {*LISTS, "entity"} - {kind}:
        assert made.refused(f"{other}def/name/{definition['name']}") == (404, "404-00-001")
        assert made.refused(f"{other}def/guid/{definition['guid']}") == (404, "404-00-002")


def test_definitions_that_come_along(made):
    assert made.get("entitydef/name/Table")["superTypes"] == ["SQL"]
    assert made.get("enumdef/name/certificate_status")["category"] == "ENUM"
    assert made.refused("enumdef/name/Table") == (404, "404-00-001")


def test_definitions_that_nobody_has(made):
    for kind in [*LISTS, "entity"]:
        assert made.refused(f"{kind}def/name/nothing") == (404, "404-00-001")
        assert made.refused(f"{kind}def/guid/{NOBODY}") == (404, "404-00-002")
        assert made.refused(f"{kind}def/name/{'x' * 5000}") == (400, "400-00-057")
    assert made.refused(f"typedef/guid/{NOBODY}") == (404, "404-00-002")
    assert made.refused(f"typedef/guid/{'x' * 5000}") == (400, "400-00-057")
    # The sandbox has no definitions of relationships.
    assert made.tenant.call("GET", f"{TYPES}/relationshipdef/name/table_columns").status_code == 501


def test_several_are_removed_at_once(made):
    tag, enum = made.definitions["classification"], made.definitions["enum"]
    assert made.remove(classificationDefs=[{"name": tag["name"]}], enumDefs=[{"guid": enum["guid"]}]) == (204, "")
    assert [made.there(kind) for kind in LISTS] == [False, False, True, True]
    struct, custom = made.definitions["struct"], made.definitions["businessmetadata"]
    assert made.remove(structDefs=[struct], businessMetadataDefs=[custom]) == (204, "")
    assert not any(made.there(kind) for kind in LISTS)
    assert made.remove() == (204, "")


def test_all_are_removed_or_none(made, atlan: AtlanClient):
    tag, enum, custom = (made.definitions[kind] for kind in ("classification", "enum", "businessmetadata"))
    gone = {"classificationDefs": [{"name": tag["name"]}]}
    for lists, expected in [
        ({"enumDefs": [{"name": "nothing"}]}, (404, "404-00-001")),
        ({"enumDefs": [{}]}, (404, "404-00-001")),
        ({"enumDefs": [{"guid": NOBODY}]}, (404, "404-00-002")),
        ({"enumDefs": [{"name": custom["name"]}]}, (404, "404-00-001")),
        ({"structDefs": [{"guid": enum["guid"]}]}, (404, "404-00-002")),
        ({"enumDefs": [{"name": "string"}]}, (400, "400-00-107")),
        ({"enumDefs": [{"name": "certificate_status"}]}, (409, "409-00-002")),
        ({"entityDefs": [{"name": "Table"}]}, (409, "409-00-002")),
        ({"entityDefs": [{"name": "Nothing"}]}, (404, "404-00-001")),
        ({"enumDefs": {"name": enum["name"]}}, (400, "400-00-029")),
        ({"enumDefs": ["nothing"]}, (400, "400-00-029")),
        ({"enumDefs": [{"name": 1}]}, (400, "400-00-029")),
        ({"enumDefs": [{"guid": 1}]}, (400, "400-00-029")),
    ]:
        assert made.remove(**gone, **lists) == expected, lists
        assert made.there("classification")
    assert made.remove(**gone, relationshipDefs=[{"name": "a"}])[0] == 501
    table = {**table_entity(new_stack(atlan), "orders"), "classifications": [{"typeName": tag["name"]}]}
    assert made.tenant.save(table).status_code == 200
    assert made.remove(enumDefs=[{"name": enum["name"]}], **gone) == (409, "400-00-0016")
    assert made.there("enum")
