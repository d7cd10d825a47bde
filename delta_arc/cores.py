"""What tables are called without what loaders and modellers add to a name. Pure functions."""

from __future__ import annotations

import re

from delta_arc.keys import fold, plain

# What loaders and modellers add to a table's name.
_LAYERS = frozenset([
    "stg", "stage", "staging", "raw", "src", "source", "landing", "lnd", "ods", "base", "ext", "external", "tbl", "table", "t",
    "v", "vw", "view", "mv", "dim", "fact", "fct", "hist", "history", "final", "current", "latest", "copy", "pg", "postgres",
])  # fmt: skip


def core_of(name: str) -> str:
    """A name without what layers add to it and in the singular: `STG_ORDERS`, `Order` and `ORDERS_V` are one."""
    words = words_of(plain(fold(name)))
    kept = [word for word in words if word not in _LAYERS] or words
    return "_".join([*kept[:-1], singular(kept[-1])]) if kept else fold(name)


def singular(word: str) -> str:
    """An English word in the singular, as near as letters tell."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def words_of(name: str) -> list[str]:
    """The words of a name, between whatever parts them."""
    return [word for word in re.split(r"[\W_]+", name) if word]
