"""Values of attributes: in which form they are kept, and which are refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.attributes import AttributeTypes, InvalidValue, as_text
from sandbox.types import TypeSystem

TYPES = AttributeTypes(
    TypeSystem({}, enums={"Status": ["DRAFT", "Verified"]}, structs={"Tag": {"key": "string", "count": "long"}}),
    {"Size of ours": ["BIG"]},
)
NAMES = ["string", "boolean", "long", "int", "double", "float", "date", "Status", "Size of ours", "Tag"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(["5", "true", "draft", "1.5"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["key", "count", "a"]), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@pytest.mark.parametrize(
    ("type_name", "value", "kept"),
    [
        ("string", "a", "a"), ("string", 5, "5"), ("string", True, "true"), ("string", 1.5, "1.5"),
        ("string", ["a", None, {"b": False}], "[a, null, {b=false}]"), ("string", "", ""), ("string", None, None),
        ("boolean", False, False), ("boolean", "TRUE", True), ("boolean", "False", False),
        ("long", 5, 5), ("long", "5", 5), ("long", "-5", -5), ("long", "+5", 5), ("long", 5.9, 5), ("long", -5.9, -5),
        ("long", 2**63 - 1, 2**63 - 1), ("long", str(-(2**63)), -(2**63)), ("int", "007", 7),
        ("double", 5, 5), ("double", "5", 5.0), ("double", " 1.5e3f ", 1500.0), ("double", ".5", 0.5),
        ("date", 1_000, 1_000), ("date", "1000", 1_000), ("date", "1970-01-01T00:00:01.500Z", 1_500), ("date", "", None),
        ("Status", "draft", "DRAFT"), ("Status", "VERIFIED", "Verified"), ("Size of ours", "big", "BIG"),
        ("array<string>", ["a", 5, None], ["a", "5"]), ("array<string>", [], []), ("array<long>", ["5"], [5]),
        ("array<Status>", ["draft"], ["DRAFT"]), ("map<string,long>", {"a": "5"}, {"a": 5}), ("map<string,string>", {}, {}),
        ("array<map<string,string>>", [{"a": 1}], [{"a": "1"}]), ("map<string,array<long>>", {"a": ["1"]}, {"a": [1]}),
        ("Tag", {"key": 5, "count": "5", "more": []}, {"typeName": "Tag", "attributes": {"key": "5", "count": 5}}),
        ("Tag", {"typeName": "Tag", "attributes": {"count": "5"}}, {"typeName": "Tag", "attributes": {"count": 5}}),
        ("array<Tag>", [{"key": "a", "count": None}], [{"typeName": "Tag", "attributes": {"key": "a"}}]), ("of another tenant", {"a": 1}, {"a": 1}),
    ],
)  # fmt: skip
def test_the_form_in_which_a_value_is_kept(type_name: str, value: Any, kept: Any) -> None:
    found = TYPES.normalise(value, type_name, "Table.a")
    assert (found, type(found)) == (kept, type(kept))


@pytest.mark.parametrize(
    ("type_name", "value", "field"),
    [
        ("boolean", "yes", "a"), ("boolean", 1, "a"), ("boolean", "", "a"), ("boolean", [], "a"),
        ("long", "5 ", "a"), ("long", "5.5", "a"), ("long", "", "a"), ("long", "٥", "a"), ("long", True, "a"), ("long", 2**63, "a"),
        ("long", "9" * 30, "a"), ("long", float("inf"), "a"), ("long", float("nan"), "a"), ("long", {}, "a"),
        ("double", "", "a"), ("double", "nan", "a"), ("double", "1e", "a"), ("double", False, "a"), ("double", float("inf"), "a"),
        ("double", [], "a"),
        ("date", "2026-01-01", "a"), ("date", "soon", "a"), ("date", True, "a"), ("date", [], "a"),
        ("Status", "LATE", "a"), ("Status", "", "a"), ("Status", True, "a"), ("Status", ["DRAFT"], "a"),
        ("array<string>", "a", "a"), ("array<string>", {}, "a"), ("array<long>", [1, "x"], "a[1]"),
        ("map<string,long>", [], "a"), ("map<string,long>", {"b": "x"}, "a.b"),
        ("Tag", "x", "a"), ("Tag", [], "a"), ("Tag", {"count": "x"}, "a.count"), ("array<Tag>", [{"count": []}], "a[0].count"),
    ],
)  # fmt: skip
def test_a_value_that_is_refused(type_name: str, value: Any, field: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        TYPES.normalise(value, type_name, "a")
    assert refused.value.message.startswith(f"{field}=")
    assert ": invalid value for type " in refused.value.message


def test_the_message_is_not_as_long_as_the_value() -> None:
    with pytest.raises(InvalidValue) as refused:
        TYPES.normalise("x" * 100_000, "long", "a")
    assert len(refused.value.message) < 300


@given(
    st.sampled_from([*NAMES, *(f"array<{name}>" for name in NAMES), *(f"map<string,{name}>" for name in NAMES)]), JSON
)
def test_what_is_kept_is_taken_as_it_is(type_name: str, value: Any) -> None:
    try:
        kept = TYPES.normalise(value, type_name, "a")
    except InvalidValue:
        return
    again = TYPES.normalise(kept, type_name, "a")
    assert again == kept
    assert as_text(again) == as_text(kept)
