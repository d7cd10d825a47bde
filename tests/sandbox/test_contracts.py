"""Data contracts: their versions, and the first one that the tenant drafts."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from helpers import Raw, column_of, error_code, new_stack, raw, save, unique
from pyatlan.client.atlan import AtlanClient
from pyatlan.errors import ConflictError
from pyatlan.model.assets import DataContract, Table
from pyatlan.model.contract import DataContractSpec

import sandbox


@pytest.fixture
def table(atlan: AtlanClient) -> Table:
    """A table with two columns, as the tenant has it."""
    made = new_stack(atlan).table(unique("orders"))
    made.description, made.owner_users = "All orders: one a row", {"sandbox"}
    (guid,) = save(atlan, made)
    save(atlan, column_of(made, "total", 2), column_of(made, "id", 1))
    return atlan.asset.get_by_guid(guid, Table, ignore_relationships=False)


def spec_of(table: Table, status: str = "draft", **more: Any) -> str:
    return json.dumps({"kind": "DataContract", "status": status, "type": "Table", "dataset": table.name, **more})


def put(atlan: AtlanClient, table: Table, status: str = "draft", **more: Any) -> DataContract:
    """Save a contract and return it as the tenant has it."""
    assert table.qualified_name
    sent = DataContract.creator(asset_qualified_name=table.qualified_name, contract_json=spec_of(table, status, **more))
    guid = (atlan.asset.save(sent).guid_assignments or {})[sent.guid]
    return atlan.asset.get_by_guid(guid, DataContract, ignore_relationships=False)


def state(atlan: AtlanClient, table: Table) -> tuple[bool | None, str | None, str | None]:
    """Whether the table has a contract, its latest version and the latest that is published."""
    read = atlan.asset.get_by_guid(str(table.guid), Table, ignore_relationships=False)
    latest, certified = read.data_contract_latest, read.data_contract_latest_certified
    return read.has_contract, latest and latest.guid, certified and certified.guid


def test_versions(atlan: AtlanClient, table: Table) -> None:
    first = put(atlan, table, description="one")
    assert first.qualified_name == f"{table.qualified_name}/Table/contract/V1"
    assert (first.data_contract_version, first.data_contract_asset_guid) == (1, table.guid)
    assert yaml.safe_load(str(first.data_contract_spec)) == json.loads(str(first.data_contract_json))
    assert state(atlan, table) == (True, first.guid, None)

    assert put(atlan, table, description="one").guid == first.guid  # no change
    changed = put(atlan, table, description="two")  # a draft is changed in place
    assert (changed.guid, changed.data_contract_version) == (first.guid, 1)
    assert "two" in str(changed.data_contract_json)

    published = put(atlan, table, "VERIFIED", description="two")
    assert (published.guid, published.certificate_status) == (first.guid, "VERIFIED")
    assert state(atlan, table) == (True, first.guid, first.guid)
    assert put(atlan, table, "VERIFIED", description="two").guid == first.guid  # no change

    second = put(atlan, table, description="three")
    assert second.qualified_name == f"{table.qualified_name}/Table/contract/V2"
    assert second.data_contract_previous_version.guid == first.guid  # type: ignore[union-attr]
    assert state(atlan, table) == (True, second.guid, first.guid)
    atlan.contracts.delete_latest_version(second.guid)
    assert state(atlan, table) == (True, first.guid, first.guid)


def test_all_versions_go_together(atlan: AtlanClient, table: Table) -> None:
    first = put(atlan, table)
    put(atlan, table, "VERIFIED")
    second = put(atlan, table, description="new")
    with pytest.raises(ConflictError, match="latest"):
        atlan.contracts.delete_latest_version(first.guid)
    with pytest.raises(ConflictError, match="Soft delete"):
        atlan.asset.delete_by_guid(first.guid)
    gone = atlan.contracts.delete(first.guid).assets_deleted(DataContract)
    assert {one.guid for one in gone} == {first.guid, second.guid}
    assert state(atlan, table) == (False, None, None)


def test_nothing_is_published_before_it_was_a_draft(atlan: AtlanClient, table: Table) -> None:
    with pytest.raises(ConflictError, match="published"):
        put(atlan, table, "VERIFIED")
    put(atlan, table)
    put(atlan, table, "VERIFIED")
    with pytest.raises(ConflictError, match="published"):
        put(atlan, table, "VERIFIED", description="other")


def test_the_status_stands_in_the_contract_or_beside_it(tenant: sandbox.Tenant, table: Table) -> None:
    attributes = {"name": "c", "qualifiedName": f"{table.qualified_name}/contract", "dataContractJson": spec_of(table)}
    raw(tenant).save({"typeName": "DataContract", "attributes": attributes})
    raw(tenant).save({"typeName": "DataContract", "attributes": {**attributes, "certificateStatus": "VERIFIED"}})
    query = {"term": {"qualifiedName": f"{table.qualified_name}/Table/contract/V1"}}
    body = {"dsl": {"query": query}, "attributes": ["certificateStatus", "dataContractJson"]}
    (found,) = raw(tenant).call("POST", "/api/meta/search/indexsearch", json=body).json()["entities"]
    assert found["attributes"]["certificateStatus"] == "VERIFIED"
    assert json.loads(found["attributes"]["dataContractJson"])["status"] == "VERIFIED"


BAD = [
    "", "3", "[]", "kind: Table\ndataset: x", "kind: DataContract", "{", "a: b: c",
    "kind: DataContract\ndataset: x\ntype: Database", "kind: DataContract\ndataset: x\ntype: View",
    "kind: DataContract\ndataset: &a [x]\nmore: *a", "[" * 5000, "x" * 100_001, "- " * 65 + "x", "kind: DataContract\ndataset: x\nday: 2026-01-01",
    "kind: DataContract\ndataset: !!python/object:os.system x",
]  # fmt: skip


@pytest.mark.parametrize("spec", BAD)
def test_what_is_no_contract_is_refused(tenant: sandbox.Tenant, table: Table, spec: str) -> None:
    attributes = {"name": "c", "qualifiedName": f"{table.qualified_name}/contract", "dataContractSpec": spec}
    answer = raw(tenant).save({"typeName": "DataContract", "attributes": attributes})
    assert answer.status_code == 400
    assert error_code(answer)


def test_the_first_contract(atlan: AtlanClient, table: Table) -> None:
    text = atlan.contracts.generate_initial_spec(table)
    assert text
    assert text.startswith("---\n# Generated by Atlan on 2")
    spec = DataContractSpec.from_yaml(text)
    assert (spec.dataset, spec.type, spec.description) == (table.name, "Table", "All orders: one a row")
    assert spec.owners
    assert spec.owners.users == ["sandbox"]
    assert [column.name for column in spec.columns or []] == ["id", "total"]
    put(atlan, table, **yaml.safe_load(text) | {"status": "draft"})  # it is one


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"assetType": "Schema", "assetQualifiedName": "x"}, 400),
        ({}, 400),
        ({"assetType": "Table", "assetQualifiedName": "x"}, 404),
        ([], 400),
    ],
)
def test_no_contract_for_what_is_no_table(tenant: sandbox.Tenant, sent: Any, status: int) -> None:
    http: Raw = raw(tenant)
    assert http.call("POST", "/api/service/contracts/init", json=sent).status_code == status
