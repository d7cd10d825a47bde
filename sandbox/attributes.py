"""The values of attributes, checked by their types and brought into the form in which Atlas keeps them.

The rules are those of `AtlasBuiltInTypes`, `AtlasArrayType`, `AtlasMapType`, `AtlasEnumType` and `AtlasStructType`
(org.apache.atlas.type of atlanhq/atlas-metastore): `validateValue` refuses, `getNormalizedValue` changes the form.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from sandbox.types import TypeSystem

MIN_LONG, MAX_LONG = -(2**63), 2**63 - 1
WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[fFdD]?")
DATE_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"  # SERIALIZED_DATE_FORMAT_STR of `AtlasBaseTypeDef`
MOST_OF_A_VALUE = 200


class InvalidValue(Exception):
    """A value that its type does not take; `message` is what the metastore says of it."""

    def __init__(self, field: str, value: Any, type_name: str) -> None:
        self.message = f"{field}={as_text(value)[:MOST_OF_A_VALUE]}: invalid value for type {type_name}"
        super().__init__(self.message)


class AttributeTypes:
    """Checks values against types; `enums` are the enumerations that the tenant's people have made, by name."""

    def __init__(self, types: TypeSystem, enums: Mapping[str, list[str]] | None = None) -> None:
        self.attributes = types.attributes
        self._structs = types.structs
        self._enums = {
            name: {value.lower(): value for value in values}
            for name, values in [*types.enums.items(), *(enums or {}).items()]
        }

    def normalise(self, value: Any, type_name: str, field: str) -> Any:
        """A value in the form in which it is kept; `field` is what a refusal calls it (`Table.columnCount`).

        `"5"` becomes 5 for a number, `verified` the `VERIFIED` of its enumeration, and anything at all a text for a text.
        Raises `InvalidValue`.
        """
        if value is None:
            return None
        if type_name == "string":
            return as_text(value)
        if type_name.startswith("array<"):
            if not isinstance(value, list):
                raise InvalidValue(field, value, type_name)
            element = type_name[len("array<") : -1]
            return [
                self.normalise(item, element, f"{field}[{at}]") for at, item in enumerate(value) if item is not None
            ]
        if type_name.startswith("map<"):
            return self._map(value, type_name, field)
        if type_name in self._structs:
            return self._struct(value, type_name, field)
        if type_name in self._enums:
            found: Any = self._enums[type_name].get(as_text(value).lower())
        elif type_name in PRIMITIVES:
            if type_name == "date" and value == "":
                return None
            found = PRIMITIVES[type_name](value)
        else:
            return value  # a type of the tenant's that is not known here
        if found is None:
            raise InvalidValue(field, value, type_name)
        return found

    def _map(self, value: Any, type_name: str, field: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise InvalidValue(field, value, type_name)
        _, _, element = type_name[len("map<") : -1].partition(",")
        return {key: self.normalise(item, element, f"{field}.{key}") for key, item in value.items()}

    def _struct(self, value: Any, type_name: str, field: str) -> dict[str, Any]:
        """A structure with its type's name, however it came: its attributes alone, or below `attributes`
        (`AtlasTypeUtil.toStructAttributes`, `EntityGraphRetriever.mapVertexToStruct`). What the type does not have is left out.
        """
        if not isinstance(value, dict):
            raise InvalidValue(field, value, type_name)
        given = value["attributes"] if "typeName" in value and isinstance(value.get("attributes"), dict) else value
        attributes = {
            name: self.normalise(given[name], known, f"{field}.{name}")
            for name, known in self._structs[type_name].items()
            if given.get(name) is not None
        }
        return {"typeName": type_name, "attributes": attributes}


def as_text(value: Any) -> str:
    """A JSON value as Java's `toString` writes it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={as_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_text, value)) + "]"
    return "null" if value is None else str(value)


def _boolean(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None


def _long(value: Any) -> int | None:
    """A whole number, in its own form or as a text; of one with a fraction the whole part."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        number = int(value) if WHOLE_NUMBER.fullmatch(value) and len(value) <= 20 else None
    else:
        number = None
        if isinstance(value, (int, float)):
            with contextlib.suppress(OverflowError, ValueError):  # infinite, as JSON's 1e999
                number = int(value)
    return number if number is not None and MIN_LONG <= number <= MAX_LONG else None


def _double(value: Any) -> float | None:
    if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
        value = float(value.strip().rstrip("fFdD"))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if abs(value) < float("inf") else None


def _date(value: Any) -> int | None:
    """A moment in milliseconds since 1970."""
    if isinstance(value, str) and not WHOLE_NUMBER.fullmatch(value):
        with contextlib.suppress(ValueError):
            return int(datetime.strptime(value, DATE_FORMAT).replace(tzinfo=timezone.utc).timestamp() * 1000)
        return None
    return _long(value)


PRIMITIVES = {
    "boolean": _boolean, "byte": _long, "short": _long, "int": _long, "long": _long, "biginteger": _long,
    "float": _double, "double": _double, "bigdecimal": _double, "date": _date,
}  # fmt: skip
