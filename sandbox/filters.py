"""The filters of a lineage list: `{"condition": "AND", "criterion": […]}`, or one `{"attributeName", "operator", "attributeValue"}`.

They look at stored attributes by the attributes' types, and so differ from a search: cases count, `in` finds nothing, as its
value is one text, and `like` is `contains`. A criterion with an attribute or an operator that is not known is passed over.
The rules are those of `LineageSearchProcessor`, `SearchPredicateUtil` and `SearchParameters.FilterCriteria` in
atlanhq/atlas-metastore.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox import errors
from sandbox.attributes import as_text
from sandbox.catalog import Catalog
from sandbox.requests import as_list, optional_object
from sandbox.search.fields import custom_attribute

# The values of an attribute, by its name.
Values = Callable[[str], list[Any]]
Filter = Callable[[Values], bool]

SYMBOLS = {
    "LT": ("<", "lt"), "GT": (">", "gt"), "LTE": ("<=", "lte"), "GTE": (">=", "gte"), "EQ": ("=", "eq"), "NEQ": ("!=", "neq"),
    "IN": ("in", "IN"), "LIKE": ("like", "LIKE"), "STARTS_WITH": ("startsWith", "STARTSWITH", "begins_with", "BEGINS_WITH"),
    "ENDS_WITH": ("endsWith", "ENDSWITH", "ends_with", "ENDS_WITH"), "CONTAINS": ("contains", "CONTAINS"),
    "NOT_CONTAINS": ("not_contains", "NOT_CONTAINS"), "IS_NULL": ("isNull", "ISNULL", "is_null", "IS_NULL"),
    "NOT_NULL": ("notNull", "NOTNULL", "not_null", "NOT_NULL"), "NOT_EMPTY": ("notEmpty", "NOTEMPTY", "not_empty", "NOT_EMPTY"),
    "TIME_RANGE": ("timerange", "TIMERANGE", "time_range", "TIME_RANGE"),
}  # fmt: skip
OPERATORS = {symbol: name for name, symbols in SYMBOLS.items() for symbol in symbols}
# `getRootEntityDef` of `AtlasEntityType`.
SYSTEM_ATTRIBUTES = {
    **dict.fromkeys(("__timestamp", "__modificationTimestamp"), "date"),
    **dict.fromkeys(("__modifiedBy", "__createdBy", "__state", "__guid", "__typeName", "__labels"), "string"),
    **dict.fromkeys(("__classificationsText", "__classificationNames", "__propagatedClassificationNames"), "string"),
    "__hasLineage": "boolean",  # of Asset
}
WHOLE_NUMBERS = {"byte", "short", "int", "long", "biginteger", "date"}
NUMBERS = {"float", "double", "bigdecimal"}
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "LT": lambda value, wanted: bool(value < wanted),
    "GT": lambda value, wanted: bool(value > wanted),
    "LTE": lambda value, wanted: bool(value <= wanted),
    "GTE": lambda value, wanted: bool(value >= wanted),
    "EQ": lambda value, wanted: bool(value == wanted),
}
PARTS: dict[str, Callable[[str, str], bool]] = {
    "CONTAINS": lambda value, wanted: wanted in value,
    "LIKE": lambda value, wanted: wanted in value,
    "STARTS_WITH": str.startswith,
    "ENDS_WITH": str.endswith,
}
NEGATED = {"NEQ": "EQ", "NOT_CONTAINS": "CONTAINS"}


def read_filter(catalog: Catalog, sent: object) -> Filter | None:
    """What a filter asks of an entity or a relationship; None for one that asks nothing.

    Raises `AtlasError`: 400 for what is malformed, 500 for a text that is no number of the attribute's.
    """
    criteria = optional_object(sent, "a filter")
    condition, criterion = criteria.get("condition"), criteria.get("criterion")
    if condition not in (None, "AND", "OR"):
        raise errors.bad_request(f"the condition of a filter must be AND or OR, not {condition}")
    if condition and criterion:
        parts = [read_filter(catalog, part) for part in as_list(criterion, "criterion")]
        asked = [part for part in parts if part]
        join = all if condition == "AND" else any
        return (lambda values: join(part(values) for part in asked)) if asked else None
    name, operator, wanted = (criteria.get(key) for key in ("attributeName", "operator", "attributeValue"))
    for key, value in (("attributeName", name), ("operator", operator)):
        if value is not None and not isinstance(value, str):
            raise errors.bad_request(f"the {key} of a filter must be a text")
    if isinstance(wanted, (dict, list)):
        raise errors.bad_request("the attributeValue of a filter must be a text")
    known, attribute = OPERATORS.get(operator or ""), str(name or "")
    type_name = _type_of(catalog, attribute)
    if not known or not type_name:
        return None
    test = _test(type_name, known, None if wanted is None else as_text(wanted))
    return lambda values: test(values(attribute))


def _type_of(catalog: Catalog, name: str) -> str | None:
    """The type of an attribute; custom metadata has its own, as pyatlan's `LineageFilterFieldCM` filters by it."""
    custom = custom_attribute(catalog, name)
    return (
        SYSTEM_ATTRIBUTES.get(name)
        or catalog.types.attributes.get(name)
        or (str(custom.get("typeName")) if custom else None)
    )


def _test(type_name: str, operator: str, wanted: str | None) -> Callable[[list[Any]], bool]:
    """What an operator asks of the values of an attribute, of which one that is no list has one or none."""
    if operator in ("IS_NULL", "NOT_NULL"):
        return lambda values: bool(values) == (operator == "NOT_NULL")
    if operator == "NOT_EMPTY":
        return lambda values: any(value != "" for value in values)
    if operator in NEGATED:
        if not _can(type_name, NEGATED[operator]):
            return lambda values: False
        test = _test(type_name, NEGATED[operator], wanted)
        return lambda values: not test(values)
    if wanted is None or not _can(type_name, operator):
        return lambda values: False
    if type_name.startswith("array<"):
        return lambda values: wanted in map(as_text, values)
    if operator in PARTS:
        part = PARTS[operator]
        return lambda values: any(part(as_text(value), wanted) for value in values)
    if operator == "TIME_RANGE":
        start, comma, end = wanted.partition(",")
        first, last = _read(start, type_name), _read(end if comma else start, type_name)
        return lambda values: any(first <= value <= last for value in values)
    compared, compare = _read(wanted, type_name), COMPARISONS[operator]
    if compared is None:
        return lambda values: False
    return lambda values: any(
        compare(value if isinstance(value, (int, float)) else as_text(value), compared) for value in values
    )


def _can(type_name: str, operator: str) -> bool:
    """Whether an operator finds anything at all in attributes of a type."""
    if type_name.startswith("array<"):
        return operator == "CONTAINS"
    if type_name.startswith("map<"):
        return False
    if operator == "TIME_RANGE":
        return type_name in ("long", "date")
    if type_name == "boolean":
        return operator == "EQ"
    if type_name in WHOLE_NUMBERS or type_name in NUMBERS:
        return operator in COMPARISONS
    return operator in COMPARISONS or operator in PARTS


def _read(wanted: str, type_name: str) -> Any:
    """A text as a value of the type; None for no number. Raises `AtlasError` (500) as Java's `parseLong` ends."""
    if type_name == "boolean":
        return wanted.lower() == "true"
    if type_name not in WHOLE_NUMBERS and type_name not in NUMBERS:
        return wanted
    if not wanted:
        return None
    try:
        return int(wanted) if type_name in WHOLE_NUMBERS else float(wanted)
    except ValueError:
        raise errors.internal_error(f'For input string: "{wanted}"') from None
