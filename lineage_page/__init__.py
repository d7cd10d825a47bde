"""The lineage as a page: one HTML file that needs nothing else, with a chain for each table and what did not match.

The program and the sandbox make a document of what they know, and `render` makes the page of it, which its script
draws. Nothing of the document is put into the page's HTML but as JSON, so a name is never more than a text.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import basename, dirname
from typing import Any

# A reference to an asset as Atlan has it: {"typeName", "uniqueAttributes": {"qualifiedName"}, perhaps "guid"}.
Ref = Mapping[str, Any]

SHOWN_OBJECTS = 10  # of a chain, by name


@dataclass(frozen=True)
class Link:
    """A process with both its ends; for a column process also the process that it is part of (`parent`, by qualified name).

    `state` is one of `STATES`, `detail` a sentence on it, and `ground` what the process was made on, in words.
    """

    qualified_name: str
    inputs: Sequence[Ref]
    outputs: Sequence[Ref]
    state: str = "unchanged"
    detail: str = ""
    ground: str = ""
    parent: str = ""


@dataclass
class Chain:
    """Tables, the objects that their data passes through, and the tables that it ends in; any of them may be missing.

    `links` are its processes and `columns` their column processes; `lack` says in words what an incomplete one lacks.
    """

    sources: list[Ref] = field(default_factory=list)
    objects: list[Ref] = field(default_factory=list)
    targets: list[Ref] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    columns: list[Link] = field(default_factory=list)
    missing: str = ""  # what keeps it from being complete, in words
    gaps: Sequence[str] = ()  # which of its parts that is: target, object, columns


def chains_of(links: Iterable[Link], columns: Iterable[Link]) -> list[Chain]:
    """Chains through objects: the processes that fill them, and the one that reads them. Any other process is its own chain.

    `columns` are column processes, which belong to the chain of their parent. Chains come in the order of the links that
    end them; a process that fills objects which none reads is a chain without targets, at the end.
    """
    below: dict[str, list[Link]] = defaultdict(list)
    for column in columns:
        below[column.parent].append(column)
    links = list(links)
    by_object: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        for ref in filter(_is_object, link.outputs):
            by_object[name_of(ref)].append(link)
    chains: list[Chain] = []
    continued: set[str] = set()
    for link in links:
        if any(map(_is_object, link.outputs)):
            continue
        read = [ref for ref in link.inputs if _is_object(ref)]
        filled_by = {maker.qualified_name: maker for ref in read for maker in by_object[name_of(ref)]}
        continued.update(filled_by)
        direct = [ref for ref in link.inputs if not _is_object(ref)]
        sources = {name_of(ref): ref for maker in filled_by.values() for ref in maker.inputs}
        parts = [*filled_by.values(), link]
        made = Chain([*sources.values(), *direct], read, list(link.outputs), parts)
        made.columns = [column for part in parts for column in below[part.qualified_name]]
        chains.append(made)
    for link in links:
        if any(map(_is_object, link.outputs)) and link.qualified_name not in continued:
            chains.append(Chain(list(link.inputs), list(link.outputs), [], [link], below[link.qualified_name]))
    return chains


def _is_object(ref: Ref) -> bool:
    return str(ref["typeName"]).endswith("Object")


def name_of(ref: Ref) -> str:
    """The qualified name that a reference holds."""
    return str(ref["uniqueAttributes"]["qualifiedName"])


# =====================================================================================================================
# The documents: what the page's script draws
# =====================================================================================================================

STATES = ("failed", "created", "updated", "unchanged")


def describe_chain(chain: Chain, guids: Mapping[str, str]) -> dict[str, Any]:
    """A chain as JSON: its three lanes, each a list of `[name, place, guid]`, and its columns.

    Of several objects there are only their `count`, `folder` and the first names. A column is a name where both sides
    have it (in `upper` chains the right one in capitals) and its state is the chain's, else `[left, right, state]`. `guids`
    tells the guid of an asset by its qualified name, and a name without one is shown without a link.
    """
    states = {link.state for link in [*chain.links, *chain.columns]}
    own = [link.state for link in chain.links] or ["incomplete"]
    state = next((state for state in STATES if state in own), own[0])
    if "failed" in states:
        state = "failed"
    elif state == "unchanged" and states != {"unchanged"}:
        state = "updated"
    described: dict[str, Any] = {
        "state": state,
        "sources": [_describe_end(ref, guids) for ref in chain.sources],
        "targets": [_describe_end(ref, guids) for ref in chain.targets],
        "details": [link.detail for link in [*chain.links, *chain.columns] if link.detail],
        **_describe_lane_of_objects(chain.objects, guids),
        **_describe_columns(chain.columns, state),
    }
    ground = next((link.ground for link in chain.links if link.ground), "")
    optional = {"ground": ground, "missing": chain.missing, "gaps": list(chain.gaps)}
    return described | {name: value for name, value in optional.items() if value}


def common_folder(keys: Iterable[str]) -> str:
    """The folder that all keys are in, without its slash at the end."""
    folders = [key.split("/")[:-1] for key in keys]
    shared = itertools.takewhile(lambda parts: len(set(parts)) == 1, zip(*folders, strict=False))
    return "/".join(parts[0] for parts in shared)


def _describe_lane_of_objects(objects: Sequence[Ref], guids: Mapping[str, str]) -> dict[str, Any]:
    keys = [_object_key(name_of(ref)) for ref in objects]
    if len(keys) < 2:
        return {"objects": [[basename(key), dirname(key), guids.get(name_of(objects[0]), "")] for key in keys]}
    return {
        "count": len(keys),
        "folder": common_folder(keys),
        "objects": [basename(key) for key in keys[:SHOWN_OBJECTS]],
    }


def _describe_columns(columns: Sequence[Link], state: str) -> dict[str, Any]:
    ends = [(_last(column.inputs), _last(column.outputs), column.state) for column in columns]
    upper = any(left != right and _is_upper(left, right) for left, right, _ in ends)
    return {
        "upper": upper,
        "columns": [
            left if (_is_upper(left, right) if upper else left == right) and own == state else [left, right, own]
            for left, right, own in ends
        ],
    }


def _is_upper(left: str, right: str) -> bool:
    return left.isascii() and left.upper() == right


def _last(refs: Sequence[Ref]) -> str:
    return name_of(refs[0]).rpartition("/")[2] if refs else ""


def _describe_end(ref: Ref, guids: Mapping[str, str]) -> list[str]:
    name = name_of(ref)
    segments = name.split("/")
    return [segments[-1], " / ".join(segments[3:-1]), guids.get(name, "")]


def _object_key(qualified_name: str) -> str:
    """The key within an object's qualified name, which has the bucket's ARN after the connection."""
    return "/".join(qualified_name.split("/")[4:])


# =====================================================================================================================
# The file
# =====================================================================================================================


def render(document: Mapping[str, Any]) -> str:
    """The page of a document, as HTML; Jinja's tojson keeps the document's texts from ending the script that they are in.

    The document has `title`, `about`, `planned`, `made_at` (ISO 8601), `tenant`, `lanes` (three of `[label, name]`), `summary`
    (`[label, value, share?]`), `asset_url` ("" for none), `chains` of `describe_chain`, `unmatched` (`[kind, sentence, line…]`),
    `stale` (`[type, name, guid]`), `pruned` and `assets` (how many the tenant has; 0 hides the search over them).

    Raises ImportError where jinja2 is not installed.
    """
    from jinja2 import Environment, FileSystemLoader

    templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, keep_trailing_newline=True)
    templates.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return templates.get_template("lineage.html").render(document=document)
