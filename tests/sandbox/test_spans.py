"""Span queries, over the words of a text and over the tags of an asset."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import Stack, error_code, new_stack, raw, save, table_entity, unique
from hypothesis import given
from hypothesis import strategies as st
from pyatlan.client.atlan import AtlanClient

import sandbox
from sandbox.errors import AtlasError
from sandbox.search.spans import compile_span

WORDS = ["the", "old", "man", "and", "the", "sea", "and", "the", "fish"]


def term(word: Any) -> dict[str, Any]:
    return {"span_term": {"name": word}}


def near(*clauses: Any, **options: Any) -> dict[str, Any]:
    return {"span_near": {"clauses": [term(one) if isinstance(one, str) else one for one in clauses], **options}}


def either(*words: str) -> dict[str, Any]:
    return {"span_or": {"clauses": [term(word) for word in words]}}


def within(little: Any, big: Any) -> dict[str, Any]:
    return {"span_within": {"little": little, "big": big}}


def spans(query: dict[str, Any]) -> list[tuple[int, int]]:
    ((kind, body),) = query.items()
    return compile_span(kind, body)[1](WORDS)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (term("the"), [(0, 1), (4, 5), (7, 8)]),
        ({"span_term": {"name": {"value": "sea"}}}, [(5, 6)]),
        (term("cat"), []),
        (either("sea", "old"), [(1, 2), (5, 6)]),
        (near("old", "man"), [(1, 3)]),
        (near("old", "sea"), []),
        (near("old", "sea", slop=2), []),
        (near("old", "sea", slop=3), [(1, 6)]),
        (near("man", "old", slop=9), []),
        (near("and", "the", either("fish", "sea")), [(3, 6), (6, 9)]),
        (near("the", "and", slop=1), [(4, 7)]),
        (near("the"), [(0, 1), (4, 5), (7, 8)]),
        (near("the", in_order=False), [(0, 1), (4, 5), (7, 8)]),
        (within(term("the"), near("man", "sea", slop=9)), [(4, 5)]),
        (within(term("man"), near("man", "sea", slop=9)), [(2, 3)]),
        (within(term("sea"), near("man", "sea", slop=9)), [(5, 6)]),
        (within(term("old"), near("man", "sea", slop=9)), []),
        (within(near("and", "the"), near("sea", "fish", slop=9)), [(6, 8)]),
    ],
)
def test_spans(query: dict[str, Any], found: list[tuple[int, int]]) -> None:
    assert spans(query) == found


@given(st.lists(st.sampled_from("abc")), st.sampled_from("abc"), st.sampled_from("abc"), st.integers(0, 4))
def test_near_ones_are_so_near(words: list[str], one: str, other: str, slop: int) -> None:
    """Every first word that another one follows within the slop is found, and no other."""
    _, find = compile_span("span_near", near(one, other, slop=slop)["span_near"])
    expected = [
        start
        for start, word in enumerate(words)
        if word == one and any(words[at] == other for at in range(start + 1, min(start + slop + 2, len(words))))
    ]
    assert [start for start, _ in find(words)] == expected


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"span_term": {}}, 400),
        ({"span_term": {"name": None}}, 400),
        ({"span_term": {"name": {"other": 1}}}, 400),
        ({"span_term": {"name": "a", "other": "b"}}, 400),
        ({"span_or": {"clauses": []}}, 400),
        ({"span_or": {"clauses": 3}}, 400),
        ({"span_or": {"clauses": [{"term": {"name": "a"}}]}}, 400),
        ({"span_or": {"clauses": [term("a")], "slop": 3}}, 400),
        ({"span_or": {"clauses": [term("a"), {"span_term": {"other": "a"}}]}}, 400),
        ({"span_or": {"clauses": [{"span_first": {}}]}}, 501),
        ({"span_or": {"clauses": [3]}}, 400),
        ({"span_or": {"clauses": [{"span_term": 3}]}}, 400),
        (near("a", "b", slop="x"), 400),
        (near("a", "b", slop=True), 400),
        (near("a", "b", in_order=False), 501),
        ({"span_within": {"little": term("a")}}, 400),
        ({"span_within": {"little": term("a"), "big": {"span_term": {"other": "a"}}}}, 400),
        ({"span_within": {"little": term("a"), "big": term("a"), "slop": 1}}, 400),
    ],
)
def test_malformed(query: dict[str, Any], status: int) -> None:
    ((kind, body),) = query.items()
    with pytest.raises(AtlasError) as refusal:
        compile_span(kind, body)
    assert refusal.value.status == status


# Over HTTP


@pytest.fixture(scope="module")
def stack(atlan: AtlanClient) -> Stack:
    return new_stack(atlan)


def test_words_of_a_name(tenant: sandbox.Tenant, stack: Stack) -> None:
    assert raw(tenant).save(table_entity(stack, "old_man_and_sea")).is_success
    for clauses, count in ((["old", "man"], 1), (["man", "old"], 0), (["Old", "man"], 0)):
        query = {"bool": {"filter": [near(*clauses), {"prefix": {"qualifiedName": stack.schema}}]}}
        assert raw(tenant).search(query).json()["approximateCount"] == count
    answer = raw(tenant).search({"span_term": {"__guid": "x"}})
    assert answer.status_code == 400
    assert error_code(answer)
    assert raw(tenant).search({"span_near": 3}).status_code == 400


def test_the_value_of_a_tag(tenant: sandbox.Tenant, atlan: AtlanClient, stack: Stack) -> None:
    """As pyatlan's `CompoundQuery.tagged_with_value` asks: the value stands between the tag and the name of its source."""
    name, attribute = unique("tag"), {"displayName": "sourceTagAttachment", "typeName": "array<SourceTagAttachment>"}
    definition = {
        "name": name,
        "displayName": name,
        "category": "CLASSIFICATION",
        "attributeDefs": [{**attribute, "name": "x"}],
    }
    answer = raw(tenant).call("POST", "/api/meta/types/typedefs", json={"classificationDefs": [definition]})
    (made,) = answer.json()["classificationDefs"]
    key = made["attributeDefs"][0]["name"]

    def attached(value: str, source: str) -> dict[str, Any]:
        values = {"typeName": "SourceTagAttachmentValue", "attributes": {"tagAttachmentValue": value}}
        details = {"sourceTagQualifiedName": source, "sourceTagValue": [values], "isSourceTagSynced": False}
        attachment = {"typeName": "SourceTagAttachment", "attributes": details}
        return {"typeName": made["name"], "attributes": {key: [attachment]}}

    low, high = save(atlan, stack.table("low"), stack.table("high"))
    for guid, value in ((low, "Not Restricted"), (high, "Highly Restricted")):
        path = f"/api/meta/entity/guid/{guid}/classifications"
        answer = raw(tenant).call("POST", path, json=[attached(value, "default/snowflake/1/TAG")])
        assert answer.is_success, answer.text

    def tagged(value: str, source: str) -> list[str]:
        def word(text: str) -> dict[str, Any]:
            return {"span_term": {"__classificationsText.text": text}}

        after = {"span_or": {"clauses": [word("tagAttachmentKey"), word("isSourceTagSynced")]}}
        little = near(word("tagAttachmentValue"), *map(word, value.split()), after, slop=0, in_order=True)
        big = near(word(made["name"]), word(source), slop=10_000_000, in_order=True)
        found = raw(tenant).search(within(little, big)).json()
        return [entity["displayText"] for entity in found.get("entities", [])]

    assert tagged("Not Restricted", "default/snowflake/1/TAG") == ["low"]
    assert tagged("Highly Restricted", "default/snowflake/1/TAG") == ["high"]
    assert tagged("Restricted", "default/snowflake/1/TAG") == []
    assert tagged("Highly Restricted", "default/snowflake/2/TAG") == []
