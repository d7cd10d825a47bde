"""Regular expressions as Lucene takes them: what they match, and that none takes long."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.errors import AtlasError
from sandbox.search.regexps import compile_regexp
from sandbox.search.values import wildcard_test

# What Python and Lucene write the same way.
ATOMS = st.sampled_from(["a", "b", "c", ".", "[ab]", "[^a]", "[a-c]", "\\.", "\\d", "(a|bc)", "(ab)"])
REPEATS = st.sampled_from(["", "", "?", "*", "+", "{2}", "{1,2}", "{0}", "{2,}"])
PATTERNS = st.lists(st.tuples(ATOMS, REPEATS).map("".join), max_size=4).map("".join)
TEXTS = st.text("abc.1\n", max_size=8)


@settings(deadline=None, max_examples=300)
@given(PATTERNS, TEXTS, st.booleans())
def test_a_match_is_that_of_python(pattern: str, text: str, fold: bool) -> None:
    wanted = re.fullmatch(pattern, text, re.DOTALL | (re.IGNORECASE if fold else 0))
    assert compile_regexp(pattern, fold)(text) == bool(wanted)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("@", "any thing"),
        ("@", ""),
        ('"a.b"c', "a.bc"),
        ("a|", ""),
        ("()", ""),
        ("[\\]\\-a]+", "a]-"),
        ("\\w+\\S\\s", "_1!\t"),
    ],
)
def test_what_only_lucene_writes_so(pattern: str, text: str) -> None:
    assert compile_regexp(pattern, False)(text)


def test_the_case_of_letters_does_not_count_where_it_is_folded() -> None:
    assert compile_regexp("Orders[A-C]", True)("ORDERSb")
    assert not compile_regexp("Orders[A-C]", False)("ORDERSb")
    assert not compile_regexp("#", False)("")


@pytest.mark.parametrize(
    "pattern",
    ["(", "(a", "a)", "[", "[]", "[a", "[b-a]", "*", "a{", "a{2", "a{3,2}", "a{x}", '"a', "a\\", "a" * 1001, "(" * 500 + ")" * 500,
     "(a{999}){999}", "(.*a.{30})", "(a|b)*a(a|b){14}", "a{9999999}"],
)  # fmt: skip
def test_a_pattern_that_lucene_refuses(pattern: str) -> None:
    began = time.monotonic()
    with pytest.raises(AtlasError) as refused:
        compile_regexp(pattern, False)
    assert refused.value.status == 400
    assert time.monotonic() - began < 10


def test_no_text_takes_long() -> None:
    began = time.monotonic()
    assert not compile_regexp("(a+)+b", False)("a" * 50_000)
    assert not wildcard_test("*a*a*a*a*a*a*a*b", False)("a" * 50_000)
    assert time.monotonic() - began < 10


@settings(deadline=None, max_examples=300)
@given(st.text("ab*?\\.[", max_size=6), st.text("ab*?.[\n", max_size=6))
def test_a_wildcard_is_the_regular_expression_that_it_stands_for(wildcard: str, text: str) -> None:
    parts = [
        re.escape(escaped) if escaped else {"*": ".*", "?": "."}.get(character, re.escape(character))
        for escaped, character in re.findall(r"\\(.)|(.)", wildcard, re.DOTALL)
    ]
    assert wildcard_test(wildcard, False)(text) == bool(re.fullmatch("".join(parts), text, re.DOTALL))
