"""Headers: which first rows are the names of columns, which may be data, and when other names are no contradiction."""

from __future__ import annotations

import csv
import io
import random
import string

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from delta_arc.files.headers import FileColumns, find_columns
from delta_arc.files.heads import Head, parse_head

TABLE = ("id", "name", "created_at")

DATA = {
    "postcodes": "SW1A,London,GB\nEC1A,London,GB\n",
    "a postcode among numbers": "SW1A,London,GB\n10001,New York,US\n",
    "a postcode among numbers, long": "SW1A,London,GB\n10001,New York,US\n94103,San Francisco,US\n",
    "slugs": "blue_shirt,soft_cotton\nplain,wool\n",
    "slugs of one form": "blue_shirt,soft_cotton\nred_skirt,hard_denim\n",
    "slugs with hyphens": "blue-shirt,soft-cotton\nhat,wool\n",
    "camels": "iPhone,MacBook\nphone,laptop\n",
    "inner capitals": "McDonald,DeWitt\nSmith,Jones\n",
    "mail": "ann@example.com,Ann\nbob@example.com,Bob\n",
    "countries": "Germany,Berlin\nFrance,Paris\n",
    "countries in one row": "Germany,France,Italy\n",
    "countries that are words of columns": "London,AT\nParis,GB\n",
    "currencies": "EUR,euro\nUSD,dollar\n",
    "codes": "AB12,XY9\nCD34,ZZ8\n",
    "one row of codes": "SW1A,London,GB\n",
    "one row of slugs": "blue_shirt,soft_cotton\n",
    "one row of words as columns have them": "first_name,last_name\n",
    "a list of columns": "customer_id,integer\norder_date,date\n",
    "a word that comes again": "active,12,x\nactive,13,y\n",
    "a name above numbers that comes again": "Ann,total\nAnn,12\nBob,13\n",
    "a word for no date": "never,Ann\n2025-09-21,Bob\n",
    "a word for no number": "N/A,Ann\n12,Bob\n",
    "another word for no number": "unknown,Ann\n12,Bob\n13,Eve\n",
    "house numbers": "Flat A,London\n12,Leeds\n",
    "numbers below a code": "A1,x\n2,y\n3,z\n",
    "addresses": "The Old Mill,Leeds\n12 Main Street,York\n5 High Street,Bath\n",
    "one column": "London\nParis\n",
    "sentences": "It was late.\nNobody came.\n",
    "UUIDs": "2dd664f9-d2c4-4ffe-878f-c6c70c1fb0cb,Ann\n",
    "paths": "/a/b,c\n/d/e,f\n",
    "JSON in a cell": 'x_y,z_w\n1,"{""id"": 1}"\n',
    "the names of other columns twice": "shade_code,shade_code\nred,blue\n",
    "only the loader's own": "_loaded_at,_batch\n2025-09-21,5\n",
    "Cyrillic of long ago": b"\xed\xee\xec\xe5\xf0,\xe8\xec\xff\n5,x\n6,y\n",
    "Shift-JIS": "番号,名前\n5,x\n6,y\n".encode("shift-jis"),
}
HEADERS = {
    "Hive": "orders.id,orders.name,orders.created_at\n1,Ann,2025-09-21\n",
    "Excel's separator": "sep=;\nid;name;created_at\n1;Ann, B.;2025-09-21\n",
    "Excel's separator in quotes": '"sep=\t"\r\nid\tname\tcreated_at\r\n1\tAnn\t2025-09-21\r\n',
    "a separator that only Excel tells": "sep=#\nid#name#created_at\n1#Ann#x\n",
    "a comment": "# orders of today\nid,name,created_at\n1,Ann,2025-09-21\n",
    "comments": "# made by x, on 2025-09-21, for us\n#\n# id, name\nid,name,created_at\n1,Ann,2025-09-21\n2,Bob,\n",
    "a comment as wide as the rows": "# a,b,c\nid,name,created_at\n1,Ann,2025-09-21\n",
    "a title": "Customers as of today\n\nid,name,created_at\n1,Ann,2025-09-21\n2,Bob,2025-09-21\n",
    "a comment and no row": "# orders\nid,name,created_at\n",
    "hash": "#id,name,created_at\n1,Ann,2025-09-21\n2,Bob,2025-09-22\n",
    "trailing delimiters": "id,name,created_at,\n1,Ann,2025-09-21,\n",
    "trailing delimiters below": "id|name|created_at\n1|Ann|2025-09-21|\n2|Bob|2025-09-21|\n",
    "spaces behind delimiters": '"id", "name", "created_at"\n"1", "Ann, B.", "2025-09-21"\n',
    "carriage returns": "id,name,created_at\r1,Ann,2025-09-21\r",
    "Hive's delimiter": "id\x01name\x01created_at\n1\x01Ann\x012025-09-21\n",
    "ASCII's delimiter": "id\x1fname\x1fcreated_at\n1\x1fAnn\x1f2025-09-21\n",
    "caret": "id^name^created_at\n1^Ann, B.^2025-09-21\n",
    "tilde": "id~name~created_at\n1~Ann, B.~2025-09-21\n",
    "Excel's Unicode text": "id\tname\tcreated_at\r\n1\tÄnn\t2025-09-21\r\n".encode("utf-16"),
    "big-endian": b"\xfe\xff" + "id,name,created_at\n1,Änn,2025-09-21\n".encode("utf-16-be"),
    "UTF-32": "id,name,created_at\n1,Änn,2025-09-21\n".encode("utf-32"),
    "Latin-1": "id,name,created_at\n1,Änn,2025-09-21\n".encode("latin-1"),
    "a few of many": "x,y,z,u,v,w,id,name,created_at\nfoo,bar,a,b,c,d,e,Ann,f\n",
}
OTHERS = {
    "numbers below": "shade,weight\nred,12\nblue,13\n",
    "one number below": "shade,weight\nred,12\n",
    "numbers below words of two styles": "Shade,weight\nred,12\nblue,13\n",
    "a date below": "Shade,Since\nred,2025-01-01\n",
    "a time below": "Shade,Since\nred,2025-01-01T10:15:30.123Z\n",
    "prices below": "Shade,Cost\nred,$1.50\nblue,2.00€\n",
    "words as columns have them": "shade_name,city_name\nred,Lisbon\n",
    "inner capitals": "shadeName,cityName\nred,Lisbon\n",
    "capitals": "SHADE_NAME,CITY_CODE,X\nred,LIS,y\n",
    "a title before": "Shades as of today\nshade,weight\nred,12\nblue,13\n",
    "empty cells below": "shade,weight\nred,\nblue,13\ngreen,14\n",
    "umlauts of long ago below": b"shade,weight\nr\xf6t,12\nblau,13\n",
    "umlauts": "größe,farbe\n12,rot\n13,blau\n",
}


def columns_of(text: str | bytes) -> FileColumns:
    return find_columns(parse_head(text.encode() if isinstance(text, str) else text, complete=True), TABLE)


@pytest.mark.parametrize("text", DATA.values(), ids=DATA)
def test_a_row_that_may_be_data_is_no_header(text: str | bytes) -> None:
    found = columns_of(text)
    assert found.reason
    assert not found.unread
    assert not found.names


@pytest.mark.parametrize("text", HEADERS.values(), ids=HEADERS)
def test_a_header_of_the_table_is_found(text: str | bytes) -> None:
    found = columns_of(text)
    assert not found.reason
    assert [name.lstrip("#") for name in found.names][-3:] == ["id", "name", "created_at"]


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_a_header_of_other_columns_is_told(text: str | bytes) -> None:
    found = columns_of(text)
    assert not found.reason
    assert len(found.names) > 1
    assert not set(found.names) & set(TABLE)


def test_no_name_has_a_letter_that_no_file_has() -> None:
    table = ["größe", "straße"]
    for encoding in ("utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "utf-32"):
        for wrong in (b"", b"\xff"):
            content = "größe,straße\n5,München\n".encode(encoding)
            content += wrong if encoding in ("utf-8", "utf-8-sig") else b""
            assert find_columns(parse_head(content, complete=True), table).names == ("größe", "straße"), encoding


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        (("_c0", "_c1"), "its columns have no names but numbers"),
        (("_col0", "_col1"), "its columns have no names but numbers"),
        (("column0", "column_1", "Column 2"), "its columns have no names but numbers"),
        (("f0_", "f1", "string_field_0", "0", "Unnamed: 0"), "its columns have no names but numbers"),
        (("_fivetran_id", "_loaded_at"), "it has only columns of the tool that wrote it"),
        (("shade", "c1"), ""),
    ],
)
def test_names_that_nobody_chose_tell_nothing(columns: tuple[str, ...], reason: str) -> None:
    assert find_columns(Head(columns=columns), TABLE).reason == reason


def test_what_may_hold_the_columns_tells_nothing_but_what_it_shares() -> None:
    for head in (Head(columns=("shade",), nested=True), Head(columns=("shade",), is_archive=True)):
        assert find_columns(head, TABLE).reason
    for head in (Head(columns=("id", "tags"), nested=True), Head(columns=("id", "x"), is_archive=True)):
        assert find_columns(head, TABLE).names == head.columns


def test_what_was_not_read_is_passed_on() -> None:
    assert find_columns(Head(reason="it is empty", unread=True), TABLE) == FileColumns(
        reason="it is empty", unread=True
    )


# =====================================================================================================================
# Any table
# =====================================================================================================================

NAMES = st.lists(
    st.text(string.ascii_letters + "_äß é", min_size=1, max_size=12).map(str.strip).filter(lambda name: name[:1].isalpha()),
    min_size=1, max_size=8, unique_by=lambda name: "".join(filter(str.isalnum, name.casefold())),
)  # fmt: skip
CELLS = st.one_of(
    st.integers(-999, 99999).map(str),
    st.dates().map(str),
    st.sampled_from(
        ["", "London", "GB", "SW1A", "blue_shirt", "true", "ann@example.com", "a, b", 'say "so"', "#1", "x|y"]
    ),
    st.text("abc ,;|\n\"'_-", max_size=12),
)
FORMATS = st.sampled_from(
    [(delimiter, quoting, end) for delimiter in ",;\t|^~\x01" for quoting in (csv.QUOTE_ALL, csv.QUOTE_MINIMAL)
     for end in ("\n", "\r\n")]
)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(NAMES, st.integers(0, 30), FORMATS, st.data(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
def test_a_header_that_was_written_is_found_or_may_be_data(
    names: list[str], count: int, form: tuple[str, int, str], data: st.DataObject, encoding: str
) -> None:
    """With the table's columns it is found; without them no name is told that nobody wrote."""
    assume(len(names) > 1)
    rows = [data.draw(st.lists(CELLS, min_size=len(names), max_size=len(names))) for _ in range(min(count, 6))]
    file = io.StringIO(newline="")
    delimiter, quoting, end = form
    csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows([names, *rows])  # type: ignore[call-overload]
    content = file.getvalue().encode(encoding)
    for table in (names, ["unlike", "those"]):
        found = find_columns(parse_head(content, complete=True), table)
        assert set(found.names) <= set(names), content
        assert not found.unread
        if quoting == csv.QUOTE_ALL and table is names:
            assert found.names == tuple(names), content


@settings(max_examples=120, deadline=None)
@given(st.integers(2, 6), st.integers(1, 12), st.randoms(use_true_random=False), st.sampled_from(",;\t|"))
def test_rows_of_words_without_a_header_contradict_nothing(
    width: int, height: int, chance: random.Random, delimiter: str
) -> None:
    kinds = [
        lambda: chance.choice(["London", "Paris", "New York", "Rome", "Graz"]),
        lambda: chance.choice(["GB", "FR", "US", "IT", "AT"]),
        lambda: chance.choice(["SW1A", "EC1A", "10001", "75001", "8010"]),
        lambda: "_".join(chance.choices(["blue", "red", "soft", "cotton", "shirt"], k=2)),
        lambda: chance.choice("abcdefgh") + "@example.com",
        lambda: str(chance.randint(0, 9999)),
        lambda: f"{chance.choice('ABC')}-{chance.randint(10, 99)}",
    ]
    columns = chance.choices(kinds, k=width)
    text = "\n".join(delimiter.join(kind() for kind in columns) for _ in range(height)) + "\n"
    assert not find_columns(parse_head(text.encode(), complete=True), TABLE).names, text


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=20), max_size=8), st.lists(st.lists(st.text(max_size=9), max_size=5), max_size=6))
def test_any_head_tells_columns_or_a_reason(columns: list[str], rows: list[list[str]]) -> None:
    for head in (Head(columns=tuple(columns)), Head(rows=tuple(tuple(row) for row in rows if row))):
        found = find_columns(head, TABLE)
        assert bool(found.names) != bool(found.reason)
