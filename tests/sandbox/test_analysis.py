"""What the analysers of the metastore's addons/elasticsearch/es-settings.json make of a text."""

from __future__ import annotations

import pytest
from helpers import Stack, new_stack, raw, table_entity
from hypothesis import given
from hypothesis import strategies as st
from pyatlan.client.atlan import AtlanClient

import sandbox
from sandbox.search.analysis import OF_FIELDS, words_in, words_wanted

FIELDS = [*OF_FIELDS, "name.delimiter", "name.stemmed", "qualifiedName.text", "sql"]


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("name", "ordersByDay of_2024, Straße!", "ordersbyday of 2024 straße!"),
        ("name", "O\u2019Neil's (v1.2b) a$b [x]{y}:z;#", "o v 1 2b a$b x y z"),
        ("description", "Sales, of_may'21 at a.b/c@d", "sales, of may 21 at a.b c d"),
        ("qualifiedName.text", "default/s3/17@x_Y", "default s 3 17 x y"),
        ("name.stemmed", "order_Items", "order items"),
        ("userDescription", "a;b", "a;b"),
        ("name", "l'Orders l\u2019Items", "l l"),
        ("nosqlCollectionName", "a_b", "a b"),
        ("searchInput", "a_b", "a b"),
        ("__typeName", "A_b", "a_b"),
        ("description.text", "a,b", "a b"),
        ("sql", "a.1 1.a 1'0", "a 1 1 a 1'0"),
        ("sql", "SELECT a.b, o'k FROM c_d WHERE e=1,000.5;", "select a.b o'k from c_d where e 1,000.5"),
        ("certificateStatus.text", "IN_REVIEW", "in_review"),
        ("__classificationsText.text", "Tag Value-1", "Tag Value-1"),
    ],
)
def test_the_words_of_a_field(field: str, text: str, words: str) -> None:
    assert words_in(field, text) == words_wanted(field, text) == words.split()


def test_the_parts_between_delimiters() -> None:
    assert words_in("name.delimiter", " OrderItems_2024a ") == ["order", "items", "2024", "a", "orderitems_2024a", "orderitems2024a"]  # fmt: skip
    assert words_wanted("name.delimiter", "Ann's OrderItems") == ["ann", "order", "items"]
    assert words_in("name.delimiter", "x") == ["x"]
    assert words_in("name.delimiter", " ") == []
    assert words_wanted("name.delimiter", "ANN'S a1 1a") == ["ann", "a", "1", "1", "a"]


def test_what_is_parted_by_other_signs() -> None:
    assert words_in("__meaningsText", "Net Revenue,Cost") == ["net revenue", "cost"]
    assert words_in("__meaningsText", "A,,B") == ["a", "b"]
    assert words_in("request.dslText", '{"Size":10}') == ["Size", "10"]


@given(
    st.sampled_from(FIELDS),
    st.text(alphabet=st.sampled_from("aBÉß1२_ -.,'\u2019/@$!\n") | st.characters(), max_size=30),
)
def test_what_is_looked_for_is_found_where_it_stands(field: str, text: str) -> None:
    words = words_in(field, text)
    assert all(words)
    assert set(words_wanted(field, text)) <= set(words)


@pytest.fixture(scope="module")
def stack(atlan: AtlanClient) -> Stack:
    return new_stack(atlan)


def test_a_name_is_no_word_of_itself(tenant: sandbox.Tenant, stack: Stack) -> None:
    """pyatlan_v9 asks for names so, and its tests find nothing: `name` is a text, `name.keyword` is not."""
    assert raw(tenant).save(table_entity(stack, "order_items")).is_success
    for clause, count in (("name", 0), ("name.keyword", 1), ("name.delimiter", 1)):
        query = {"bool": {"filter": [{"term": {clause: "order_items"}}, {"prefix": {"qualifiedName": stack.schema}}]}}
        assert raw(tenant).search(query).json()["approximateCount"] == count
    query = {"bool": {"filter": [{"match": {"name": "ITEMS"}}, {"prefix": {"qualifiedName": stack.schema}}]}}
    assert raw(tenant).search(query).json()["approximateCount"] == 1
