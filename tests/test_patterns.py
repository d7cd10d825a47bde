"""Patterns: what they fit, what they carry over, and that no pattern costs more than its text."""

from __future__ import annotations

import fnmatch
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delta_arc.patterns import MOST_STEPS, NamePattern, escape, parse_pattern

TEXT = st.text("ab*?[]{}-!/é\n", max_size=8)


@settings(max_examples=300, deadline=None)
@given(TEXT)
def test_what_is_escaped_fits_just_itself(text: str) -> None:
    assert parse_pattern(escape(text)).literal == text


@settings(max_examples=500, deadline=None)
@given(st.text("ab*?[]-!/", max_size=8), st.text("ab*?[]-!/", max_size=8))
def test_a_pattern_fits_what_the_shells_would(pattern: str, text: str) -> None:
    # A range that ends before it begins fits nothing there, and is told here.
    try:
        ours = parse_pattern(pattern)
    except ValueError:
        return
    assert (ours.fit(text) is not None) == bool(re.match(fnmatch.translate(pattern), text))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(["*", "?", "a", "b", "ab", "[ab]", "[!a]", "{table}", "{schema}", "/"]), max_size=7),
    st.text("ab/", max_size=9),
)
def test_every_reading_puts_the_pattern_together_again(parts: list[str], text: str) -> None:
    try:
        pattern = parse_pattern("".join(parts))
    except ValueError:
        return
    expression = "".join(
        f"(?P<{part[1:-1]}{at}>[^/]+)" if part[0] == "{" else re.sub(r"[()]", "", _one(part))
        for at, part in enumerate(parts)
    )
    same = [[f"{name}{at}" for at, part in enumerate(parts) if part == f"{{{name}}}"] for name in ("table", "schema")]
    for names in same:
        for other in names[1:]:
            expression = re.sub(rf"\(\?P<{other}>[^)]*\)", f"(?P={names[0]})", expression)
    readings = list(pattern.readings(text))
    assert bool(readings) == bool(re.fullmatch(expression, text, re.DOTALL))
    for spans in readings:
        captured = {gap: text[start:end] for gap, (start, end) in zip(pattern.gaps, spans, strict=True) if gap}
        assert all(name and "/" not in name for name in captured.values())
        if not any(piece.varied for piece in pattern.pieces):
            stars = [text[start:end] for gap, (start, end) in zip(pattern.gaps, spans, strict=True) if not gap]
            assert pattern.fill(stars, captured) == text


def _one(part: str) -> str:
    return {"*": ".*", "?": ".", "[!a]": "[^a]"}.get(part, part)


def test_names_in_braces_may_be_cut_up_in_several_ways() -> None:
    pattern = parse_pattern("in/*_{table}_*.csv")
    text = "in/prod_order_items_1.csv"
    assert {text[slice(*spans[1])] for spans in pattern.readings(text)} == {"order", "order_items", "items"}
    assert not list(pattern.readings("in/prod_a/b_1.csv"))
    assert [text[slice(*spans[0])] for text in ("abxb",) for spans in parse_pattern("a{table}b*").readings(text)] == [
        "bx"
    ]
    twice = parse_pattern("{table}/{table}_*.csv")
    assert [spans[0] for spans in twice.readings("orders/ORDERS_1.csv")] == [(0, 6)]
    assert not list(twice.readings("orders/items_1.csv"))


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("{tabel}", "{tabel} is none of {database}, {schema}, {table}"),
        ("a{b}", "[{]"),
        ("*{table}", "put a character between"),
        ("{schema}{table}", "put a character between"),
        ("[z-a]", "a range that ends before it begins"),
        ("x" * 5000, "more than 4096 characters"),
        ("{table}" + "a*" * 20, "20 of * and names at the most"),
    ],
)
def test_what_is_no_pattern_is_told(pattern: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        parse_pattern(pattern)


@pytest.mark.parametrize("pattern", ["*a*a*a*a*a*a*b", "*a{table}a*a*b*b", "*{table}a*{schema}a*".replace("*{", "*a{"), "[[[[[" * 500, "*?" * 500 + "b", "[!b]" * 500 + "*b"])  # fmt: skip
def test_silly_patterns_cost_little(pattern: str) -> None:
    parsed = parse_pattern(pattern)
    start = time.process_time()
    for _ in range(10):
        assert parsed.fit("a" * 1024) is None or "{" in pattern
        assert len(list(parsed.readings("a" * 1024))) <= MOST_STEPS
    assert time.process_time() - start < 5


def test_the_more_is_written_out_the_more_specific_it_is() -> None:
    ranked = ["*", "in/*", "in/x?.csv", "in/x{table}.csv", "in/x[19].csvs", "in/x9.csv"]
    ranks = [parse_pattern(pattern).rank for pattern in ranked]
    assert ranks == sorted(ranks)
    assert parse_pattern("a").rank > parse_pattern("aaaaaaa*").rank


def test_names_are_carried_over_from_the_right() -> None:
    path = ("shop", "public", "orders_2024")
    for left, right, made in [
        ("*", "STG_*", "STG_orders_2024"),
        ("public/*", "RAW/STG_*", "RAW/STG_orders_2024"),
        ("*/*", "RAW/*", "RAW/orders_2024"),
        ("*/*", "*/*_v", "public/orders_2024_v"),
        ("PUBLIC/*_*", "RAW/*", "RAW/2024"),
        ("{schema}/{table}", "RAW/{schema}_{table}", "RAW/public_orders_2024"),
        ("shop/{schema}/*", "{schema}[*]/*", "public*/orders_2024"),
    ]:
        found = NamePattern.parse(left).fit(path)
        assert found is not None, left
        NamePattern.parse(right).check_fillable(NamePattern.parse(left))
        assert NamePattern.parse(right).fill(*found) == made
    for other in ("audit/*", "public/orders", "a/shop/public/*", "{table}/{table}"):
        assert NamePattern.parse(other).fit(path) is None, other
