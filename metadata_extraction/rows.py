"""The rows that a source gives and the raw files hold: for each typename its fields, the same for every source."""

from __future__ import annotations

from typing import Any, TypedDict

# A row as a source gives it: one of the following, but for the fields that the source cannot tell.
SourceRow = dict[str, Any]


class DatabaseRow(TypedDict):
    """A database; the comment is what its owner has written about it, as with all rows."""

    database_name: str
    comment: str | None


class SchemaRow(TypedDict):
    """A schema, and how many tables and views it has; a partition is no table of its own here."""

    database_name: str
    schema_name: str
    table_count: int | None
    view_count: int | None
    comment: str | None


class TableRow(TypedDict):
    """A table, or what is like one; its parent is the table that a partition is a part of."""

    database_name: str
    schema_name: str
    table_name: str
    table_kind: str  # table, view, materialised view, partitioned, partition, foreign
    row_count: int | None  # the source's estimate
    size_bytes: int | None
    column_count: int | None
    definition: str | None
    parent_schema_name: str | None
    parent_table_name: str | None
    partition_key: str | None
    comment: str | None


class ColumnRow(TypedDict):
    """A column; the foreign names are those of the column that it refers to by a foreign key."""

    database_name: str
    schema_name: str
    table_name: str
    table_kind: str
    column_name: str
    position: int  # from 1, without gaps
    data_type: str  # as it is declared, like numeric(10,2)
    max_length: int | None  # in characters
    numeric_precision: int | None
    numeric_scale: int | None
    is_nullable: bool | None
    default_value: str | None
    is_primary_key: bool | None
    foreign_schema_name: str | None
    foreign_table_name: str | None
    foreign_column_name: str | None
    comment: str | None


class ProcedureRow(TypedDict):
    """A procedure or function; `overloads` counts those of its name, itself included."""

    database_name: str
    schema_name: str
    procedure_name: str
    procedure_kind: str  # procedure, function
    arguments: list[str]
    signature: str  # what tells overloads apart
    overloads: int
    return_type: str | None
    language: str | None
    definition: str | None
    comment: str | None


ROW_CLASSES: dict[str, type] = {
    "database": DatabaseRow,
    "schema": SchemaRow,
    "table": TableRow,
    "column": ColumnRow,
    "procedure": ProcedureRow,
}
