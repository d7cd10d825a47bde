"""Sorting hits."""

from __future__ import annotations

from typing import Any

from sandbox.errors import not_supported, query_rejected
from sandbox.messages import Query
from sandbox.search.fields import check_doc_values
from sandbox.search.hits import Found
from sandbox.search.queries import Fields, check_nested

# Fields that every entity has one value of, as columns.
COLUMNS = {
    "__guid": "guid",
    "__timestamp": "created",
    "__modificationTimestamp": "modified",
    "qualifiedName": "qualifiedName",
}
OPTIONS = {"order", "missing", "unmapped_type", "nested"}
OTHER_OPTIONS = {"mode", "nested_path", "nested_filter", "numeric_type", "format"}


def check_sort(fields: Fields, sort: object) -> None:
    """Raises `AtlasError`: 400 for a field that is text or is not there, 501 for sorting by score and options left out."""
    _criteria(fields, sort)


def sorted_columns(sort: object) -> str | None:
    """An order that the table `entity` has columns for, in SQL; None for any other. `sort` is one that was checked."""
    columns = []
    for criterion in sort if isinstance(sort, list) else [sort]:
        if not isinstance(criterion, dict) or not criterion.keys() <= COLUMNS.keys():
            return None
        for field, given in criterion.items():
            order = given if isinstance(given, str) else given["order"] if [*given] == ["order"] else ""
            if not isinstance(order, str) or order.lower() not in ("asc", "desc"):
                return None
            columns.append(f"{COLUMNS[field]} {order}")
    return ", ".join([*columns, "id"])


def sort_documents(fields: Fields, documents: Found, sort: object) -> Found:
    """The documents sorted by each criterion in turn; those without a value come last, in either order.

    `sort` is a criterion or a list of them: a field's name, or `{field: "desc"}`, or `{field: {"order": "desc"}}`.
    Elasticsearch's reference, "Sort search results", says the same of missing values.

    Raises `AtlasError` as `check_sort` does.
    """
    for field, options in reversed(_criteria(fields, sort)):
        if field == "_doc":
            continue
        descending = options["order"] == "desc"
        read, choose = fields.reader(field), max if descending else min
        valued, missing = [], []
        for place, document in enumerate(documents):
            values = read(document)
            if values:
                valued.append((_least(values, choose), place))
            else:
                missing.append(place)
        try:
            valued.sort(key=lambda pair: pair[0], reverse=descending)
        except TypeError:
            valued.sort(key=lambda pair: str(pair[0]), reverse=descending)
        sorted_ones = [place for _, place in valued]
        first = options.get("missing") == "_first"
        documents = documents.at(missing + sorted_ones if first else sorted_ones + missing)
    return documents


def _least(values: list[Any], choose: Any) -> Any:
    """The value by which an entity with several is sorted: the least, or in descending order the greatest."""
    if len(values) == 1:
        return values[0]
    try:
        return choose(values)
    except TypeError:
        return choose(values, key=str)


def _criteria(fields: Fields, sort: object) -> list[tuple[str, Query]]:
    """The fields to sort by, each with its options, `order` among them."""
    found: list[tuple[str, Query]] = []
    for criterion in sort if isinstance(sort, list) else [] if sort is None else [sort]:
        if isinstance(criterion, str):
            criterion = {criterion: {}}
        if not isinstance(criterion, dict):
            raise query_rejected(
                "malformed sort format, within the sort array, an object, or an actual string are allowed"
            )
        for field, given in criterion.items():
            options = {"order": given} if isinstance(given, str) else given
            if not isinstance(options, dict):
                raise query_rejected(f"malformed sort of [{field}]")
            found.append((field, _check(fields, field, options)))
    return found


def _check(fields: Fields, field: str, options: Query) -> Query:
    for name in options:
        if name in OTHER_OPTIONS:
            raise not_supported(f"[{name}] of a sort")
        if name not in OPTIONS:
            raise query_rejected(f"[field_sort] unknown field [{name}]")
    nested = options.get("nested")
    if nested is not None:
        check_nested(nested.get("path") if isinstance(nested, dict) else nested)
    if field == "_score" or field in ("_geo_distance", "_script"):
        raise not_supported(f"sorting by [{field}]")
    order = str(options.get("order", "asc")).lower()
    if order not in ("asc", "desc"):
        raise query_rejected(f"No enum constant for sort order [{options['order']}]")
    if options.get("missing", "_last") not in ("_first", "_last"):
        raise not_supported("a value for what is [missing] in a sort")
    if field != "_doc" and options.get("unmapped_type") is None and fields.kind(field) is None:
        raise query_rejected(f"No mapping found for [{field}] in order to sort on")
    check_doc_values(field, fields.kind(field))
    return {**options, "order": order}
