"""What a hit of a search or of a lineage list shows beside the attributes that were asked for."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import Stack, column_of, new_stack, process_between, raw, save, unique
from pyatlan.client.atlan import AtlanClient
from pyatlan.model.assets import AtlasGlossary, AtlasGlossaryTerm, Table
from pyatlan.model.enums import AtlanTagColor
from pyatlan.model.typedef import AtlanTagDef

import sandbox


@pytest.fixture(scope="module")
def tagged(atlan: AtlanClient) -> tuple[Stack, str]:
    """A stack, and the guid of a table in it that has a tag, a term and two columns, one of them archived."""
    stack, tag = new_stack(atlan), unique("tag")
    table = stack.table()
    (guid,) = save(atlan, table)
    _, gone = save(atlan, column_of(table, "a", 1)), save(atlan, column_of(table, "b", 2))
    atlan.asset.delete_by_guid(gone[0])
    atlan.typedef.create(AtlanTagDef.create(name=tag, color=AtlanTagColor.GREEN))
    assert table.qualified_name
    atlan.asset.add_atlan_tags(Table, table.qualified_name, [tag])
    (glossary,) = save(atlan, AtlasGlossary.creator(name=unique("glossary")))
    (term,) = save(atlan, AtlasGlossaryTerm.creator(name="Order", glossary_guid=glossary))
    atlan.asset.append_terms(Table, [AtlasGlossaryTerm.ref_by_guid(term)], guid=guid)
    return stack, guid


def hit(tenant: sandbox.Tenant, guid: str, **request: Any) -> dict[str, Any]:
    body = {"dsl": {"query": {"term": {"__guid": guid}}}, **request}
    (found,) = raw(tenant).call("POST", "/api/meta/search/indexsearch", json=body).json()["entities"]
    return found


def test_parts(tenant: sandbox.Tenant, tagged: tuple[Stack, str]) -> None:
    _, guid = tagged
    everything = hit(tenant, guid)
    assert len(everything["classifications"]) == len(everything["classificationNames"]) == 1
    assert everything["meaningNames"] == ["Order"]
    without = hit(tenant, guid, excludeClassifications=True, excludeMeanings=True)
    assert everything.keys() - without.keys() == {"classifications", "classificationNames", "meanings", "meaningNames"}
    names = hit(tenant, guid, excludeClassifications=True, includeClassificationNames=True)
    assert names["classificationNames"] == everything["classificationNames"]
    assert "classifications" not in names


def test_related(tenant: sandbox.Tenant, tagged: tuple[Stack, str]) -> None:
    _, guid = tagged
    asked = {"attributes": ["columns", "queries", "atlanSchema", "readme"], "relationAttributes": ["name"]}
    shown = hit(tenant, guid, **asked)["attributes"]
    assert [one["attributes"] for one in shown["columns"]] == [{"name": "a"}]  # without what is archived
    assert shown["queries"] == []  # none of many
    assert "readme" not in shown  # none of one
    assert shown["atlanSchema"]["attributes"] == {"name": "public"}
    shown = hit(tenant, guid, **asked, allowDeletedRelations=True)["attributes"]
    assert [one["attributes"]["name"] for one in shown["columns"]] == ["a", "b"]


def test_attributes_of_relationships(tenant: sandbox.Tenant, tagged: tuple[Stack, str]) -> None:
    stack, guid = tagged
    name = unique("related")
    told = {"typeName": "UserDefRelationship", "attributes": {"toTypeLabel": "is like"}}
    typed = {"relationshipType": told["typeName"], "relationshipAttributes": told}
    reference = {"typeName": "Table", "guid": guid, **typed}
    attributes = {"name": name, "qualifiedName": f"{stack.schema}/{name}", "userDefRelationshipTo": [reference]}
    made = (
        raw(tenant).save({"typeName": "Table", "guid": "-1", "attributes": attributes}).json()["guidAssignments"]["-1"]
    )
    asked = {"attributes": ["userDefRelationshipTo"]}
    assert hit(tenant, made, **asked)["attributes"]["userDefRelationshipTo"][0]["attributes"] == {}
    shown = hit(tenant, made, **asked, includeRelationshipAttributes=True)["attributes"]["userDefRelationshipTo"]
    assert [one["attributes"]["relationshipAttributes"] for one in shown] == [told]


def test_parts_of_lineage(atlan: AtlanClient, tenant: sandbox.Tenant, tagged: tuple[Stack, str]) -> None:
    stack, guid = tagged
    (other,) = save(atlan, stack.table(unique("other")))
    save(atlan, process_between(stack.connection, unique("job"), [Table.ref_by_guid(other)], [Table.ref_by_guid(guid)]))
    body = {"guid": other, "direction": "OUTPUT", "depth": 1, "size": 10, "from": 0, "excludeClassifications": False}
    shown = raw(tenant).call("POST", "/api/meta/lineage/list", json=body).json()["entities"]
    assert [len(one["classificationNames"]) for one in shown] == [0, 1]
    for left_out in (True, None):
        body["excludeClassifications"] = left_out
        shown = raw(tenant).call("POST", "/api/meta/lineage/list", json=body).json()["entities"]
        assert not any("classificationNames" in one or "meanings" in one for one in shown)


def test_what_is_sorted_has_no_score(tenant: sandbox.Tenant, tagged: tuple[Stack, str]) -> None:
    _, guid = tagged
    dsl = {"query": {"term": {"__guid": guid}}, "sort": ["__guid"]}
    for shown, scores in ((True, {guid: -1.0}), (False, None), (None, None)):
        body = {"dsl": dsl, "showSearchScore": shown}
        answer = raw(tenant).call("POST", "/api/meta/search/indexsearch", json=body)
        assert answer.json().get("searchScore") == scores


@pytest.mark.parametrize("flag", ["excludeMeanings", "allowDeletedRelations", "includeRelationshipAttributes"])
def test_a_flag_is_true_or_false(tenant: sandbox.Tenant, flag: str) -> None:
    body = {"dsl": {"query": {"match_none": {}}}, flag: "yes"}
    assert raw(tenant).call("POST", "/api/meta/search/indexsearch", json=body).status_code == 400
