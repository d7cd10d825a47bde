"""Whatever pyatlan's query classes build finds what a naive reading of Elasticsearch's reference says of it.

The oracle looks at pyatlan's objects and at plain values, and shares nothing with the sandbox.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyatlan.model.fields.atlan_fields import NumericField
from pyatlan.model.search import (
    Bool,
    Exists,
    Fuzzy,
    Match,
    MatchAll,
    MatchNone,
    MatchPhrase,
    Prefix,
    Query,
    Range,
    Regexp,
    Term,
    Terms,
    Wildcard,
)

from sandbox.catalog import Catalog
from sandbox.mutations import SaveOptions, save
from sandbox.search.candidates import find_entities
from sandbox.types_cache import load_types

ROWS: list[dict[str, Any]] = [
    {
        "name": "orders",
        "description": "sales of january",
        "rowCount": 3,
        "ownerUsers": ["ann", "bob"],
        "isProfiled": True,
    },
    {"name": "Orders", "description": "january sales", "rowCount": 30, "ownerUsers": ["bob"], "isProfiled": False},
    {"name": "orders old", "description": "sale", "rowCount": -3, "ownerUsers": []},
    {"name": "o*d", "description": "salse of salt", "rowCount": 0, "ownerUsers": ["Ann"]},
    {"name": "od", "rowCount": 2**53, "ownerUsers": ["ann b", "a"]},
    {"name": "rédo", "description": "of of january of", "isProfiled": True},
    {"name": "30", "description": "30"},
]
KEYWORDS, TEXTS = ["qualifiedName", "ownerUsers"], ["description"]
FOLDED = "name.keyword"  # with a normaliser
NUMBER, BOOLEAN, ABSENT = "rowCount", "isProfiled", "nowhere"
WORDS = ["sales", "sale", "salse", "salt", "of", "january", "30"]
NAMES = sorted({*(row["name"] for row in ROWS), "ORDERS", "ann", "Ann", "bob", "ann b", "", "a"})


def values(row: dict[str, Any], field: str) -> list[Any]:
    """What the index has of a row in a field: texts in words, those with a normaliser in lower case."""
    if field == "qualifiedName":
        return [f"default/x/{row['name']}"]
    value = row.get(field.removesuffix(".keyword"))
    found = value if isinstance(value, list) else [] if value is None else [value]
    if field == FOLDED:
        return [text.lower() for text in found]
    return [word for text in found for word in text.split()] if field in TEXTS else found


def matches(query: Query, row: dict[str, Any]) -> bool:
    """Whether a row is found by a query."""
    if isinstance(query, Bool):
        return bool_matches(query, row)
    if isinstance(query, MatchAll | MatchNone):
        return isinstance(query, MatchAll)
    found = values(row, query.field)
    if isinstance(query, Exists):
        return bool(found)
    if isinstance(query, Terms):
        return any(same(query.field, value, wanted, False) for value in found for wanted in query.values)
    if isinstance(query, Term):
        return any(same(query.field, value, query.value, bool(query.case_insensitive)) for value in found)
    if isinstance(query, Range):
        limits = [(query.gt, 1, False), (query.gte, 1, True), (query.lt, -1, False), (query.lte, -1, True)]
        return any(all(within(value, *limit) for limit in limits) for value in found)
    if isinstance(query, Match | MatchPhrase):
        return text_matches(query, row, found)
    folds = query.field == FOLDED or bool(getattr(query, "case_insensitive", False))
    wanted = query.value.lower() if folds else query.value
    return any(part_matches(query, value.lower() if folds else value, wanted) for value in found)


def bool_matches(query: Bool, row: dict[str, Any]) -> bool:
    optional = sum(matches(part, row) for part in query.should)
    least = query.minimum_should_match
    if least is None:
        least = 1 if query.should and not (query.must or query.filter) else 0
    if least < 0:
        least = max(0, len(query.should) + least)
    required = all(matches(part, row) for part in [*query.must, *query.filter])
    return required and not any(matches(part, row) for part in query.must_not) and optional >= least


def same(field: str, value: Any, wanted: Any, folds: bool) -> bool:
    if isinstance(value, int):
        return str(value).lower() == str(wanted).lower() or (not isinstance(value, bool) and value == wanted)
    return value.lower() == str(wanted).lower() if folds or field == FOLDED else value == str(wanted)


def within(value: Any, limit: Any, sign: int, equal: bool) -> bool:
    if limit is None:
        return True
    return (equal and value == limit) or (value > limit if sign > 0 else value < limit)


def text_matches(query: Match | MatchPhrase, row: dict[str, Any], found: list[Any]) -> bool:
    if query.field not in TEXTS:
        return any(same(query.field, value, query.query, False) for value in found)
    words = query.query.split()
    if not words:
        return query.zero_terms_query == "all"
    if isinstance(query, MatchPhrase):
        return any(found[start : start + len(words)] == words for start in range(len(found)))
    different = set(words)
    hits = sum(any(near(word, other, query) for other in found) for word in different)
    if query.operator == "AND":
        return hits == len(different)
    return hits >= max(1, query.minimum_should_match or 1)


def near(word: str, other: str, query: Match | Fuzzy) -> bool:
    if query.fuzziness is None and isinstance(query, Match):
        return word == other
    given = query.fuzziness or "AUTO"
    most = (0 if len(word) < 3 else 1 if len(word) < 6 else 2) if given == "AUTO" else int(given)
    exchange = query.fuzzy_transpositions if isinstance(query, Match) else query.transpositions
    start = word[: query.prefix_length or 0]
    return other.startswith(start) and distance(word, other, exchange is not False) <= most


@functools.cache
def distance(one: str, other: str, exchange: bool) -> int:
    if not one or not other:
        return len(one) + len(other)
    ways = [distance(one[1:], other, exchange) + 1, distance(one, other[1:], exchange) + 1]
    ways.append(distance(one[1:], other[1:], exchange) + (one[0] != other[0]))
    if exchange and len(one) > 1 and one[:2] == other[1::-1] and len(other) > 1:
        ways.append(distance(one[2:], other[2:], exchange) + 1)
    return min(ways)


def part_matches(query: Query, value: str, wanted: str) -> bool:
    if isinstance(query, Prefix):
        return value.startswith(wanted)
    if isinstance(query, Wildcard):
        return wildcard_matches(value, wanted)
    if isinstance(query, Fuzzy):
        return near(wanted, value, query)
    return re.fullmatch(wanted, value) is not None


def wildcard_matches(value: str, pattern: str) -> bool:
    if not pattern:
        return not value
    if pattern[0] == "*":
        return any(wildcard_matches(value[start:], pattern[1:]) for start in range(len(value) + 1))
    literal = pattern[1:2] if pattern[0] == "\\" and len(pattern) > 1 else pattern[0]
    fits = bool(value) and (pattern[0] == "?" or value[0] == literal)
    return fits and wildcard_matches(value[1:], pattern[1 + (literal != pattern[0]) :])


# Queries as pyatlan builds them

MAYBE = st.none() | st.booleans()
STRING_FIELDS = st.sampled_from([FOLDED, *KEYWORDS, *TEXTS, ABSENT])
STRINGS = st.sampled_from([*NAMES, *WORDS, "default/x/od"])
STARTS = STRINGS.flatmap(lambda text: st.integers(0, len(text)).map(lambda end: text[:end]))
NUMBERS = st.sampled_from([-3, 0, 3, 29, 30, 2**53])
WILDCARDS = st.lists(st.sampled_from(["*", "?", "o", "r", "d", "\\*", "a", "n", "O", "sale", "/"]), max_size=4).map(
    "".join
)
REGEXPS = st.lists(
    st.sampled_from([".*", ".", "o", "[a-d]", "(a|o)", "r?", "d+", "sale", "s*", "[^o]"]), min_size=1, max_size=4
).map("".join)
BOOSTS = st.none() | st.sampled_from([0.0, 2.5])
COUNTS = st.none() | st.integers(0, 3)
FUZZINESS = st.none() | st.sampled_from(["AUTO", "0", "1", "2"])
LEAVES = st.one_of(
    st.builds(Term, field=STRING_FIELDS, value=STRINGS, case_insensitive=MAYBE, boost=BOOSTS),
    st.builds(Term, field=st.just(NUMBER), value=NUMBERS),
    st.builds(Term, field=st.just(BOOLEAN), value=st.booleans()),
    st.builds(Terms, field=STRING_FIELDS, values=st.lists(STRINGS, max_size=3), boost=BOOSTS),
    st.builds(Prefix, field=STRING_FIELDS, value=STARTS, case_insensitive=MAYBE),
    st.builds(Wildcard, field=STRING_FIELDS, value=WILDCARDS, case_insensitive=MAYBE),
    st.builds(Regexp, field=st.sampled_from([*KEYWORDS, *TEXTS]), value=REGEXPS),
    st.builds(Fuzzy, field=st.sampled_from([*KEYWORDS, *TEXTS]), value=STRINGS, fuzziness=FUZZINESS, prefix_length=COUNTS, transpositions=MAYBE),
    st.builds(Exists, field=STRING_FIELDS | st.sampled_from([NUMBER, BOOLEAN])),
    st.builds(Range, field=st.just(NUMBER), gt=st.none() | NUMBERS, gte=st.none() | NUMBERS, lt=st.none() | NUMBERS, lte=st.none() | NUMBERS, boost=BOOSTS),
    st.builds(Range, field=st.sampled_from(KEYWORDS), gte=st.none() | STRINGS, lt=st.none() | STRINGS),
    NUMBERS.map(NumericField(NUMBER, NUMBER).gt), st.tuples(NUMBERS, NUMBERS).map(lambda two: NumericField(NUMBER, NUMBER).between(*two)),
    st.builds(
        Match, field=st.sampled_from([*TEXTS, FOLDED, "qualifiedName"]), query=st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join),
        operator=st.none() | st.sampled_from(["OR", "AND"]), minimum_should_match=st.none() | st.integers(1, 3),
        zero_terms_query=st.none() | st.sampled_from(["none", "all"]),
    ),
    st.builds(
        Match, field=st.sampled_from(TEXTS), query=st.sampled_from(WORDS), fuzziness=FUZZINESS, fuzzy_transpositions=MAYBE,
        prefix_length=COUNTS, analyzer=st.none() | st.sampled_from(["standard", "whitespace"]),
    ),
    st.builds(
        MatchPhrase, field=st.sampled_from(TEXTS), query=st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join),
        zero_terms_query=st.none() | st.sampled_from(["none", "all"]), boost=BOOSTS,
    ),
    st.just(MatchAll()), st.just(MatchAll(boost=2.0)), st.just(MatchNone()),
)  # fmt: skip


def joined(parts: st.SearchStrategy[Query]) -> st.SearchStrategy[Query]:
    """Queries joined by pyatlan's operators, or into one with clauses of every kind."""
    some = st.lists(parts, max_size=2)
    two = st.tuples(parts, parts)
    return st.one_of(
        two.map(lambda two: two[0] & two[1]),
        two.map(lambda two: two[0] | two[1]),
        two.map(lambda two: two[0] + two[1]),
        parts.map(lambda one: ~one),
        st.builds(
            Bool, must=some, should=some, must_not=some, filter=some, boost=BOOSTS,
            minimum_should_match=st.none() | st.integers(-1, 3),
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    opened = Catalog(load_types(), tmp_path_factory.mktemp("oracle") / "tenant.db")
    rows = [{**row, "qualifiedName": f"default/x/{row['name']}"} for row in ROWS]
    save(opened, [{"typeName": "Table", "attributes": row} for row in rows], SaveOptions(), "tester")
    yield opened
    opened.close()


@settings(max_examples=600, deadline=None)
@given(LEAVES)
def test_a_query_finds_what_it_says(catalog: Catalog, query: Query) -> None:
    check(catalog, query)


@settings(max_examples=200, deadline=None)
@given(st.recursive(LEAVES, joined, max_leaves=5))
def test_queries_that_are_joined_find_what_they_say(catalog: Catalog, query: Query) -> None:
    check(catalog, query)


def check(catalog: Catalog, query: Query) -> None:
    found = sorted(entity.name for entity in find_entities(catalog, query.to_dict()))
    assert found == sorted(row["name"] for row in ROWS if matches(query, row)), query.to_dict()
