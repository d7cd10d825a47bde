"""Type definitions over HTTP, and what is saved by them: custom metadata by its labels, tags and sets of one entity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from helpers import Raw, Stack, new_stack, raw, table_entity, unique
from pyatlan.client.atlan import AtlanClient
from pyatlan.model.typedef import EntityDef, EnumDef

TYPES, ENTITY = "/api/meta/types/typedefs", "/api/meta/entity"


@dataclass(frozen=True)
class Made:
    """A tag and a set with one attribute, by their labels and hashed names, and a place for tables."""

    client: Raw
    stack: Stack
    label: str
    tag: str
    set_name: str
    attribute: str

    def table(self, **parts: Any) -> dict[str, Any]:
        return {**table_entity(self.stack, unique("table")), **parts}

    def read(self, guid: str) -> dict[str, Any]:
        return self.client.call("GET", f"{ENTITY}/guid/{guid}").json()["entity"]


@pytest.fixture(scope="module")
def made(tenant: Any, atlan: AtlanClient) -> Made:
    client, label = raw(tenant), unique("own")
    options = {"applicableEntityTypes": '["Table"]', "maxStrLength": "10"}
    attribute = {"displayName": "who", "typeName": "string", "options": options}
    body = {
        "classificationDefs": [{"displayName": label}],
        "businessMetadataDefs": [{"displayName": label, "attributeDefs": [attribute]}],
    }
    answer = client.call("POST", TYPES, json=body).json()
    custom = answer["businessMetadataDefs"][0]
    tag = answer["classificationDefs"][0]["name"]
    return Made(client, new_stack(atlan), label, tag, custom["name"], custom["attributeDefs"][0]["name"])


def test_a_type_is_read_by_its_name(atlan: AtlanClient) -> None:
    table = atlan.typedef.get_by_name("Table")
    assert isinstance(table, EntityDef)
    assert (table.name, table.super_types) == ("Table", ["SQL"])
    kinds = {attribute["name"]: attribute["typeName"] for attribute in table.attribute_defs or []}
    assert (kinds["columnCount"], kinds["name"]) == ("long", "string")
    states = atlan.typedef.get_by_name("certificate_status")
    assert isinstance(states, EnumDef)
    assert "VERIFIED" in states.get_valid_values()


def test_of_options_of_one_value_the_last_counts(made: Made) -> None:
    name = "Options" + unique("").replace("-", "")
    elements = [{"value": "A", "ordinal": 0}, {"value": "b", "ordinal": 1}, {"value": "a", "ordinal": 2}]
    answer = made.client.call("POST", TYPES, json={"enumDefs": [{"name": name, "elementDefs": elements}]})
    assert answer.json()["enumDefs"][0]["elementDefs"] == elements[1:]


def test_custom_metadata_by_its_labels(made: Made) -> None:
    guid = made.client.save(made.table()).json()["guidAssignments"]["-1"]
    path = f"{ENTITY}/guid/{guid}/businessmetadata/displayName"
    for body, who in (({made.label: {"who": "ann"}}, "ann"), ({made.set_name: {made.attribute: "bob"}}, "bob")):
        assert made.client.call("POST", path, json=body).status_code == 204
        assert made.read(guid)["businessAttributes"] == {made.set_name: {made.attribute: who}}
    assert made.client.call("POST", f"{path}?isOverwrite=true", json={made.label: {}}).status_code == 204
    assert "businessAttributes" not in made.read(guid)


@pytest.mark.parametrize(
    ("flags", "tagged", "who"),
    [
        ("", True, "ann"),
        ("?replaceClassifications=true", False, "ann"),
        ("?replaceBusinessAttributes=true", True, "bob"),
        ("?replaceBusinessAttributes=true&overwriteBusinessAttributes=true", True, "bob"),
        ("?appendTags=true&replaceTags=true", True, "ann"),  # they are the bulk's
    ],
)
def test_one_entity_is_saved_by_its_flags(made: Made, flags: str, tagged: bool, who: str) -> None:
    table = made.table(
        classifications=[{"typeName": made.tag}], businessAttributes={made.set_name: {made.attribute: "ann"}}
    )
    guid = made.client.call("POST", ENTITY, json={"entity": table}).json()["guidAssignments"]["-1"]
    change = {**table, "classifications": [], "businessAttributes": {made.set_name: {made.attribute: "bob"}}}
    assert made.client.call("POST", f"{ENTITY}{flags}", json={"entity": change}).status_code == 200
    shown = made.read(guid)
    assert bool(shown["classifications"]) == tagged
    assert shown["businessAttributes"] == {made.set_name: {made.attribute: who}}
