"""What the tests of the page draw: chains, documents, and what is shown of them."""

from __future__ import annotations

import json
import re
from typing import Any

from world import POSTGRES, SNOWFLAKE

from lineage_page import Chain, Lack, Link, OpenGroup, OpenThing, chains_of, describe_chains, describe_groups

BUCKET = "default/s3/1/arn:aws:s3:::landing"


def ref(type_name: str, qualified_name: str) -> dict[str, Any]:
    return {"typeName": type_name, "uniqueAttributes": {"qualifiedName": qualified_name}}


def table(connection: str, name: str) -> dict[str, Any]:
    return ref("Table", f"{connection}/SHOP/SALES/{name}")


def file(key: str) -> dict[str, Any]:
    return ref("S3Object", f"{BUCKET}/{key}")


def a_chain(name: str, columns: int = 0, objects: int = 1, state: str = "unchanged") -> tuple[list[Link], list[Link]]:
    """The links of a table's chain, and its column links."""
    files = [file(f"in/{name}/{number:02}.csv") for number in range(objects)]
    load = f"{SNOWFLAKE}/load/{name}"
    links = [
        Link(f"{POSTGRES}/extract/{name}", [table(POSTGRES, name)], files, state, ground="names and header"),
        Link(load, files, [table(SNOWFLAKE, name)], state, ground="names and header"),
    ]
    below = [
        Link(
            f"{load}/{number}",
            [ref("Column", f"{POSTGRES}/SHOP/SALES/{name}/column_{number}")],
            [ref("Column", f"{SNOWFLAKE}/SHOP/SALES/{name}/COLUMN_{number}")],
            state,
            parent=load,
        )
        for number in range(columns)
    ]
    return links, below


def many(tables: int, columns: int = 0, state: str = "unchanged", objects: int = 1) -> list[Chain]:
    links, below = [], []
    for number in range(tables):
        made, under = a_chain(f"T{number}", columns, objects, state)
        links += made
        below += under
    return chains_of(links, below)


def many_created() -> list[Chain]:
    return chains_of(*a_chain("NEW", 3, state="created"))


def a_lost_chain() -> Chain:
    """A table with its file, for which there are two candidates."""
    candidates = (f"{SNOWFLAKE}/RAW/A/LOST", f"{SNOWFLAKE}/MART/B/LOST")
    lack = Lack("target", "Snowflake table (ambiguous)", candidates)
    return Chain([table(POSTGRES, "LOST")], [file("in/lost/lost.csv")], lacks=[lack])


def open_groups() -> list[OpenGroup]:
    """Forty files of a folder, one by itself with two candidates, and two columns."""
    feeds = [f"in/feed_{number:03}.csv" for number in range(40)]
    things = [OpenThing(key, f"S3 object {key} matches no table", (f"object {key} is nothing",)) for key in feeds]
    lines = ("object in/orders_x.csv is SALES/ORDERS", "object in/orders_x.csv is public/ORDERS")
    alone = OpenThing("in/orders_x.csv", "S3 object in/orders_x.csv matches no table (ambiguous)", lines)
    columns = [
        OpenThing(
            f"{POSTGRES}/SHOP/SALES/T0/{name}", f"Column {name} has no Snowflake column", (f"column {name} is nothing",)
        )
        for name in ("LEFT_OUT", "FORGOTTEN")
    ]
    return [
        OpenGroup("object", "no table (names no table)", "in", things, ("object 'in/feed_*.csv' is nothing",)),
        OpenGroup("object", "no table (ambiguous)", "in", [alone]),
        OpenGroup("column", "no Snowflake column", "SHOP/SALES/T0", columns),
    ]


def a_document(chains: list[Chain], open_things: list[OpenGroup] | None = None, **others: Any) -> dict[str, Any]:
    return {
        "title": "PostgreSQL → S3 → Snowflake",
        "verdict": ["changes", "A plan: nothing of it is written yet."],
        "planned": True,
        "made_at": "2026-01-31T10:00:00+00:00",
        "tenant": "https://acme.atlan.com",
        "lanes": [["PostgreSQL", "p"], ["S3", "landing"], ["Snowflake", "s"]],
        "summary": [["Complete chains", f"{len(chains)} of {len(chains)} tables", 1], ["Assets to create", 1234]],
        "errors": [],
        "facts": [["Bucket", "landing"]],
        "apply": None,
        "asset_url": "https://acme.atlan.com/assets/",
        **describe_chains(chains, {f"{POSTGRES}/SHOP/SALES/T0": "guid-0"}, {}),
        "empty": "There is no object under s3://landing/in/: is the prefix right?",
        "open": describe_groups(open_things or []),
        "overrides": ["overrides.txt", "never a/b to C/D"],
        "removals": [],
        "pruned": False,
        "live": None,
        **others,
    }


def document_in(page: str) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json" id="document">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


def shown(page: Any) -> list[str]:
    """The first names of the chains that are drawn."""
    return page.locator(".chain > .end:nth-child(2) .name").all_text_contents()
