"""Rows as Atlas entities: what pyatlan's creators would send, and what its model reads back unchanged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pyatlan.model.assets import (
    Asset,
    Column,
    Database,
    MaterialisedView,
    Procedure,
    Schema,
    Table,
    TablePartition,
    View,
)

from metadata_extraction.atlas import make_entity
from metadata_extraction.models import Filters, Run
from metadata_extraction.outputs import PARQUET_SCHEMAS

CONNECTION = "default/postgres/1763700000"
SCHEMA = f"{CONNECTION}/SHOP/SALES"
RUN = Run("nightly", "1", "shop", CONNECTION, Filters(exclude_schemas="hidden"), False)
PLACE = {"database_name": "SHOP", "schema_name": "SALES"}
TABLE = {
    **PLACE,
    "table_name": "ORDERS",
    "table_kind": "table",
    "row_count": 7,
    "size_bytes": 8192,
    "column_count": 2,
    "comment": "c",
}
COLUMN = {
    **PLACE, "table_name": "ORDERS", "table_kind": "table", "column_name": "PRICE", "position": 2,
    "data_type": "numeric(10,2)", "numeric_precision": 10, "numeric_scale": 2, "is_nullable": False, "default_value": "0",
    "is_primary_key": False, "comment": "In euros",
}  # fmt: skip
FOREIGN = {"foreign_schema_name": "SALES", "foreign_table_name": "PRODUCTS", "foreign_column_name": "ID"}
PROCEDURE = {
    **PLACE, "procedure_name": "RESTOCK", "procedure_kind": "procedure", "arguments": ["n integer"], "signature": "n integer",
    "overloads": 1, "language": "plpgsql", "definition": "CREATE …",
}  # fmt: skip

ROWS: dict[str, tuple[str, dict]] = {
    "database": ("database", {"database_name": "SHOP", "comment": "All"}),
    "schema": ("schema", {**PLACE, "table_count": 3, "view_count": 1}),
    "table": ("table", TABLE),
    "unknown numbers": ("table", {**TABLE, "row_count": None, "size_bytes": None, "comment": None}),
    "partitioned": ("table", {**TABLE, "table_kind": "partitioned", "partition_key": "RANGE (day)"}),
    "foreign": ("table", {**TABLE, "table_kind": "foreign"}),
    "partition": (
        "table",
        {
            **TABLE,
            "table_name": "ORDERS_1",
            "table_kind": "partition",
            "parent_schema_name": "SALES",
            "parent_table_name": "ORDERS",
        },
    ),
    "view": ("table", {**TABLE, "table_kind": "view", "definition": "select 1"}),
    "materialised view": ("table", {**TABLE, "table_kind": "materialised view", "definition": "select 1"}),
    "column": ("column", COLUMN),
    "key": ("column", {**COLUMN, **FOREIGN, "is_primary_key": True}),
    "column of a view": ("column", {**COLUMN, "table_kind": "view"}),
    "column of a materialised view": ("column", {**COLUMN, "table_kind": "materialised view"}),
    "column of a partition": ("column", {**COLUMN, "table_kind": "partition"}),
    "procedure": ("procedure", PROCEDURE),
    "function": ("procedure", {**PROCEDURE, "procedure_kind": "function", "return_type": "integer"}),
    "odd names": ("table", {**TABLE, "table_name": 'a/b "c" ünï <script>\n'}),
}


def entity_of(name: str) -> dict[str, Any]:
    typename, row = ROWS[name]
    return make_entity(typename, {**dict.fromkeys(PARQUET_SCHEMAS[typename].names), **row}, RUN)


def plain(value: Any) -> Any:
    """A value without what pyatlan adds to a reference, and without the order of what it holds as a set."""
    if isinstance(value, dict):
        if "typeName" in value and "uniqueAttributes" in value:
            return {"typeName": value["typeName"], "uniqueAttributes": value["uniqueAttributes"]}
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return sorted((plain(item) for item in value), key=str)
    return value


@pytest.mark.parametrize("name", ROWS)
def test_an_entity_survives_the_way_through_pyatlans_model(name: str) -> None:
    entity = entity_of(name)
    asset = Asset._convert_to_real_type_(entity)  # what pyatlan does with each asset of an answer
    assert asset.type_name == entity["typeName"] == type(asset).__name__
    back = json.loads(asset.json(by_alias=True, exclude_unset=True))
    assert plain(back["attributes"]) == plain(entity["attributes"])


def created_by_pyatlan(name: str) -> Asset:
    table = f"{SCHEMA}/ORDERS"
    parents = {"column": Table, "column of a view": View, "column of a materialised view": MaterialisedView,
               "column of a partition": TablePartition}  # fmt: skip
    if name in parents:
        return Column.creator(name="PRICE", parent_qualified_name=table, parent_type=parents[name], order=2)
    return {
        "database": lambda: Database.creator(name="SHOP", connection_qualified_name=CONNECTION),
        "schema": lambda: Schema.creator(name="SALES", database_qualified_name=f"{CONNECTION}/SHOP"),
        "table": lambda: Table.creator(name="ORDERS", schema_qualified_name=SCHEMA),
        "view": lambda: View.creator(name="ORDERS", schema_qualified_name=SCHEMA),
        "materialised view": lambda: MaterialisedView.creator(name="ORDERS", schema_qualified_name=SCHEMA),
        "partition": lambda: TablePartition.creator(name="ORDERS_1", table_qualified_name=table),
        "procedure": lambda: Procedure.creator(name="RESTOCK", definition="CREATE …", schema_qualified_name=SCHEMA),
    }[name]()


@pytest.mark.parametrize(
    "name",
    ["database", "schema", "table", "view", "materialised view", "partition", "column", "column of a view",
     "column of a materialised view", "column of a partition", "procedure"],
)  # fmt: skip
def test_an_entity_has_what_pyatlans_creator_sends(name: str) -> None:
    ours, theirs = entity_of(name), json.loads(created_by_pyatlan(name).json(by_alias=True, exclude_unset=True))
    assert ours["typeName"] == theirs["typeName"]
    sent = {key: value for key, value in theirs["attributes"].items() if value is not None}
    assert {key: plain(ours["attributes"].get(key)) for key in sent} == plain(sent)


def test_what_is_known_of_a_column_is_in_its_entity() -> None:
    attributes = entity_of("key")["attributes"]
    assert {
        name: attributes[name]
        for name in ("order", "dataType", "precision", "numericScale", "isNullable", "defaultValue", "isPrimary", "isForeign")
    } == {
        "order": 2, "dataType": "numeric(10,2)", "precision": 10, "numericScale": 2, "isNullable": False,
        "defaultValue": "0", "isPrimary": True, "isForeign": True,
    }  # fmt: skip
    assert attributes["foreignKeyTo"] == [
        {"typeName": "Column", "uniqueAttributes": {"qualifiedName": f"{SCHEMA}/PRODUCTS/ID"}}
    ]
    assert attributes["description"] == "In euros"


def test_a_key_into_a_schema_that_is_left_out_refers_to_nothing() -> None:
    row = {**dict.fromkeys(PARQUET_SCHEMAS["column"].names), **COLUMN, **FOREIGN, "foreign_schema_name": "hidden"}
    attributes = make_entity("column", row, RUN)["attributes"]
    assert attributes["isForeign"] is True
    assert "foreignKeyTo" not in attributes


def test_overloads_have_names_of_their_own() -> None:
    rows = [{**ROWS["procedure"][1], "signature": signature, "overloads": 2} for signature in ("a integer", "a text")]
    names = [
        make_entity("procedure", {**dict.fromkeys(PARQUET_SCHEMAS["procedure"].names), **row}, RUN)["attributes"][
            "qualifiedName"
        ]
        for row in rows
    ]
    assert names == [f"{SCHEMA}/_procedures_/RESTOCK(a integer)", f"{SCHEMA}/_procedures_/RESTOCK(a text)"]


@pytest.mark.parametrize(
    ("name", "sub_type", "strategy"),
    [("table", None, None), ("foreign", "foreign table", None), ("partitioned", "partitioned table", "RANGE (day)")],
)
def test_what_kind_of_table_it_is(name: str, sub_type: str | None, strategy: str | None) -> None:
    attributes = entity_of(name)["attributes"]
    assert (attributes.get("subType"), attributes.get("partitionStrategy")) == (sub_type, strategy)
    assert attributes.get("isPartitioned") is (True if strategy else None)


def test_a_procedure_without_a_definition_has_one_as_atlan_demands_it() -> None:
    row = {**dict.fromkeys(PARQUET_SCHEMAS["procedure"].names), **PROCEDURE, "definition": None}
    assert make_entity("procedure", row, RUN)["attributes"]["definition"] == "-- RESTOCK"
