"""Rows as Atlas entities (no I/O), in plain JSON of the shape that pyatlan's creators send.

Qualified names are those of Atlan's own crawlers: connection/database/schema/table/column. Building them through
pyatlan's classes costs about a millisecond each, which millions of columns feel. Types, attributes and what a creator
sends: pyatlan's `model.assets` (`Table.creator`, `Column.creator`, …), which the tests compare with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from metadata_extraction.models import Run
from metadata_extraction.rows import ColumnRow, DatabaseRow, ProcedureRow, SchemaRow, TableRow
from runtime.references import reference


class AtlasEntity(TypedDict):
    """An entity as Atlas takes it in; references within its attributes are by qualified name."""

    typeName: str
    status: str
    attributes: dict[str, Any]


# For each kind of table: its type in Atlan, and its columns' relationship to it.
TYPES_OF_TABLE_KINDS = {
    "table": ("Table", "table"),
    "partitioned": ("Table", "table"),
    "foreign": ("Table", "table"),
    "partition": ("TablePartition", "tablePartition"),
    "view": ("View", "view"),
    "materialised view": ("MaterialisedView", "materialisedView"),
}


def make_entity(typename: str, row: Mapping[str, Any], run: Run) -> AtlasEntity:
    """The entity of one row, which has all fields that `rows` lists for its typename."""
    return BUILDERS[typename](row, run)


def _database_entity(row: DatabaseRow, run: Run) -> AtlasEntity:
    name = row["database_name"]
    return _atlas_entity("Database", run, f"{run.connection_qualified_name}/{name}", name, description=row["comment"])


def _schema_entity(row: SchemaRow, run: Run) -> AtlasEntity:
    names = _parent_attributes(row, run)
    return _atlas_entity(
        "Schema",
        run,
        names.pop("schemaQualifiedName"),
        names.pop("schemaName"),
        **names,
        database=reference("Database", names["databaseQualifiedName"]),
        tableCount=row["table_count"],
        viewsCount=row["view_count"],
        description=row["comment"],
    )


def _table_entity(row: TableRow, run: Run) -> AtlasEntity:
    kind, names = row["table_kind"], _parent_attributes(row, run)
    type_name, _ = TYPES_OF_TABLE_KINDS[kind]
    schema = names["schemaQualifiedName"]
    attributes: dict[str, Any] = {
        **names,
        "columnCount": row["column_count"],
        "rowCount": row["row_count"],
        "sizeBytes": row["size_bytes"],
        "description": row["comment"],
    }
    if kind == "partition":
        parent = f"{names['databaseQualifiedName']}/{row['parent_schema_name']}/{row['parent_table_name']}"
        attributes |= {
            "tableName": row["parent_table_name"],
            "tableQualifiedName": parent,
            "parentTable": reference("Table", parent),
        }
    else:
        attributes["atlanSchema"] = reference("Schema", schema)
    if type_name in ("View", "MaterialisedView"):
        attributes["definition"] = row["definition"]
    if kind in ("partitioned", "foreign"):
        attributes["subType"] = f"{kind} table"
    if row["partition_key"]:
        attributes |= {"isPartitioned": True, "partitionStrategy": row["partition_key"]}
    return _atlas_entity(type_name, run, f"{schema}/{row['table_name']}", row["table_name"], **attributes)


def _column_entity(row: ColumnRow, run: Run) -> AtlasEntity:
    type_name, relationship = TYPES_OF_TABLE_KINDS[row["table_kind"]]
    names = _parent_attributes(row, run)
    table = f"{names['schemaQualifiedName']}/{row['table_name']}"
    side = "view" if "View" in type_name else "table"
    foreign = None
    if row["foreign_schema_name"] is not None and run.filters.keeps_schema(row["foreign_schema_name"]):
        parts = (row["foreign_schema_name"], row["foreign_table_name"], row["foreign_column_name"])
        foreign = [reference("Column", "/".join([names["databaseQualifiedName"], *map(str, parts)]))]
    return _atlas_entity(
        "Column",
        run,
        f"{table}/{row['column_name']}",
        row["column_name"],
        **names,
        **{f"{side}Name": row["table_name"], f"{side}QualifiedName": table, relationship: reference(type_name, table)},
        order=row["position"],
        dataType=row["data_type"],
        maxLength=row["max_length"],
        precision=row["numeric_precision"],
        numericScale=row["numeric_scale"],
        isNullable=row["is_nullable"],
        defaultValue=row["default_value"],
        isPrimary=row["is_primary_key"],
        isForeign=row["foreign_table_name"] is not None,
        foreignKeyTo=foreign,
        description=row["comment"],
    )


def _procedure_entity(row: ProcedureRow, run: Run) -> AtlasEntity:
    names = _parent_attributes(row, run)
    schema = names["schemaQualifiedName"]
    # Overloads share a name; what tells them apart is their signature.
    name = row["procedure_name"]
    segment = f"{name}({row['signature']})" if row["overloads"] > 1 else name
    if row["procedure_kind"] == "function":
        return _atlas_entity(
            "Function",
            run,
            f"{schema}/_functions_/{segment}",
            name,
            **names,
            functionSchema=reference("Schema", schema),
            functionDefinition=row["definition"],
            functionReturnType=row["return_type"],
            functionArguments=list(row["arguments"]),
            functionLanguage=row["language"],
            description=row["comment"],
        )
    return _atlas_entity(
        "Procedure",
        run,
        f"{schema}/_procedures_/{segment}",
        name,
        **names,
        atlanSchema=reference("Schema", schema),
        definition=row["definition"] or f"-- {name}",  # Atlan demands one
        sqlLanguage=row["language"],
        description=row["comment"],
    )


BUILDERS: dict[str, Callable[[Any, Run], AtlasEntity]] = {
    "database": _database_entity,
    "schema": _schema_entity,
    "table": _table_entity,
    "column": _column_entity,
    "procedure": _procedure_entity,
}


def _parent_attributes(row: SchemaRow | TableRow | ColumnRow | ProcedureRow, run: Run) -> dict[str, str]:
    """The database and schema of what is in a schema, as its attributes tell them."""
    database = f"{run.connection_qualified_name}/{row['database_name']}"
    return {
        "databaseName": row["database_name"],
        "databaseQualifiedName": database,
        "schemaName": row["schema_name"],
        "schemaQualifiedName": f"{database}/{row['schema_name']}",
    }


def _atlas_entity(type_name: str, run: Run, qualified_name: str, name: str, **attributes: Any) -> AtlasEntity:
    """The entity with what is known; what the source does not tell is left out."""
    return {
        "typeName": type_name,
        "status": "ACTIVE",
        "attributes": {
            "qualifiedName": qualified_name,
            "name": name,
            "connectorName": run.connection_qualified_name.split("/")[1],
            "connectionName": run.connection_name,
            "connectionQualifiedName": run.connection_qualified_name,
            **{key: value for key, value in attributes.items() if value is not None},
        },
    }
