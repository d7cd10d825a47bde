"""The lineage as a page: one HTML file that needs nothing else, with a chain for each table and what is open.

The program and the sandbox say what they know as chains and groups of open things, `describe_chains` and
`describe_groups` make JSON of it, and `render` the page, which its script draws. Nothing is put into the page's HTML
but as JSON, so a name is never more than a text.
"""

from __future__ import annotations

import html
import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import basename
from typing import Any

# A reference to an asset as Atlan has it: {"typeName", "uniqueAttributes": {"qualifiedName"}, perhaps "guid"}.
Ref = Mapping[str, Any]

MOST_KEYS = 100_000  # of objects in one page; beyond that a chain has only its first and last
FIRST_AND_LAST = 10  # of them, each


@dataclass(frozen=True)
class Link:
    """A process with both its ends; for a column process also the process that it is part of (`parent`, by qualified name).

    `state` is one of `STATES`, `detail` a sentence on it. `ground` is in words what it stands on, `proof` how strong that
    is (one of `PROOFS`, or "" where nobody says), `override` the line that decided it, and `since` when Atlan got it (ISO
    8601).
    """

    qualified_name: str
    inputs: Sequence[Ref]
    outputs: Sequence[Ref]
    state: str = "unchanged"
    detail: str = ""
    ground: str = ""
    parent: str = ""
    proof: str = ""
    override: str = ""
    since: str = ""


@dataclass(frozen=True)
class Lack:
    """Which part of a chain is not there (source, object, target, columns), why in words, and what it may be."""

    part: str
    words: str
    candidates: Sequence[str] = ()


@dataclass(frozen=True)
class NewestFile:
    """The newest object of a chain: when it was written (ISO 8601), and its size in bytes where it is known."""

    qualified_name: str
    modified: str
    size: int | None = None


@dataclass
class Chain:
    """Tables, the objects that their data passes through, and the tables that it ends in; any of them may be missing.

    `links` are its processes, none where it is known and not written, and `columns` their column processes. `lacks` says
    what it has not, `changes` what a run does to it (a mark and words), `others` the states of what else belongs to it,
    like its objects. `read` are the objects whose columns were read.
    """

    sources: list[Ref] = field(default_factory=list)
    objects: list[Ref] = field(default_factory=list)
    targets: list[Ref] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    columns: list[Link] = field(default_factory=list)
    lacks: list[Lack] = field(default_factory=list)
    changes: list[tuple[str, str]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    newest: NewestFile | None = None
    read: Sequence[str] = ()

    @property
    def states(self) -> set[str]:
        """The states of all its parts."""
        return {*self.others, *(link.state for link in (*self.links, *self.columns))}


@dataclass(frozen=True)
class OpenThing:
    """A table, object or column that is in no complete chain: a sentence on it, and the lines of which one would settle it."""

    name: str
    sentence: str
    lines: Sequence[str] = ()


@dataclass(frozen=True)
class OpenGroup:
    """Open things of one kind (table, object, column) for one reason in one place, like a folder, a schema or a table.

    `lines` are those of which one would settle all of them; none where each needs its own.
    """

    kind: str
    reason: str
    place: str
    things: Sequence[OpenThing]
    lines: Sequence[str] = ()


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
# The document: what the page's script draws
# =====================================================================================================================

STATES = ("failed", "removed", "stale", "created", "updated", "unchanged")
PROOFS = ("told", "read", "named")  # by the job that did it, from the columns of a file, or only by the names


def describe_chains(chains: Iterable[Chain], guids: Mapping[str, str], names: Mapping[str, str]) -> dict[str, Any]:
    """The `chains`, `connections` and `grounds` of a document, as JSON.

    `guids` and `names` tell those of assets by qualified name. Without a guid an asset is shown without a link; without a
    name it is taken for the last segment. An end is `[name, path, guid, connection]`: the path is what the qualified name
    has between connection and name, and the connection a place in `connections`, where a bucket stands, too. A link is
    `[from, to, state, ground, since]`: lanes (tables 0, objects 1, tables 2), "" for the state of its chain, and a place in
    `grounds`, which are `[words, proof, override]`.
    """
    writer = _Writer(guids, names)
    described = [writer.describe(chain) for chain in chains]
    return {"connections": list(writer.connections), "grounds": list(map(list, writer.grounds)), "chains": described}


def describe_groups(groups: Iterable[OpenGroup]) -> list[dict[str, Any]]:
    """Groups of open things as JSON, each thing as `[name, sentence, line…]`."""
    return [
        {
            "kind": group.kind,
            "reason": group.reason,
            "place": group.place,
            "lines": list(group.lines),
            "things": [[thing.name, thing.sentence, *thing.lines] for thing in group.things],
        }
        for group in groups
    ]


@dataclass
class _Writer:
    guids: Mapping[str, str]
    names: Mapping[str, str]
    connections: dict[str, int] = field(default_factory=dict)
    grounds: dict[tuple[str, str, str], int] = field(default_factory=dict)
    keys_left: int = MOST_KEYS

    def describe(self, chain: Chain) -> dict[str, Any]:
        """A chain; a column is a name where both sides have it (in `upper` chains the right one in capitals) and its
        state is the chain's, else `[left, right, state]`."""
        state = _state_of(chain)
        described = {
            "state": state,
            "sources": [self._end(ref) for ref in chain.sources],
            "files": self._files(chain),
            "targets": [self._end(ref) for ref in chain.targets],
            "links": [self._link(link, state) for link in chain.links if link.inputs or link.outputs],
            "details": [link.detail for link in [*chain.links, *chain.columns] if link.detail],
            "lacks": [[lack.part, lack.words, *lack.candidates] for lack in chain.lacks],
            "changes": [list(change) for change in chain.changes],
        }
        return {name: value for name, value in described.items() if value} | self._columns(chain, state)

    def _connection(self, name: str) -> int:
        return self.connections.setdefault(name, len(self.connections))

    def _link(self, link: Link, state: str) -> list[Any]:
        lanes = [1 if refs and _is_object(refs[0]) else side for side, refs in ((0, link.inputs), (2, link.outputs))]
        ground = self.grounds.setdefault((link.ground, link.proof, link.override), len(self.grounds))
        return [*lanes, "" if link.state == state else link.state, ground, link.since[:16]]  # to the minute

    def _end(self, ref: Ref) -> list[Any]:
        qualified_name = name_of(ref)
        connection = "/".join(qualified_name.split("/", 3)[:3])
        rest = qualified_name[len(connection) + 1 :]
        name = self.names.get(qualified_name) or rest.rpartition("/")[2]
        path = rest.removesuffix(name).rstrip("/")
        return [name or qualified_name, path, self.guids.get(qualified_name, ""), self._connection(connection)]

    def _files(self, chain: Chain) -> dict[str, Any]:
        """The objects of a chain, by names below their common folder. Where not all have room, the first and the last."""
        if not chain.objects:
            return {}
        qualified_names = [name_of(ref) for ref in chain.objects]
        bucket = "/".join(qualified_names[0].split("/", 4)[:4])
        keys = [_object_key(name) for name in qualified_names]
        folder = common_folder(keys)
        start = len(folder) + 1 if folder else 0
        names = [key[start:] for key in keys]
        shown = names if len(names) <= self.keys_left else [*names[:FIRST_AND_LAST], *names[-FIRST_AND_LAST:]]
        self.keys_left -= len(shown)
        newest = chain.newest
        # The name of the only object is not said again.
        in_folder = [(_object_key(name)[start:] if len(names) > 1 else "") for name in chain.read]
        newest_name = _object_key(newest.qualified_name)[start:] if newest and len(names) > 1 else ""
        told = {
            "bucket": self._connection(bucket),
            "folder": folder,
            "names": shown,
            "count": len(names),
            "guid": self.guids.get(qualified_names[0], "") if len(names) == 1 else "",
            "newest": newest and [newest_name, newest.modified, newest.size],
            "read": in_folder,
        }
        return {name: value for name, value in told.items() if value not in ("", [], None)}

    def _columns(self, chain: Chain, state: str) -> dict[str, Any]:
        ends = [
            (self._column(column.inputs, chain.sources), self._column(column.outputs, chain.targets), column.state)
            for column in chain.columns
        ]
        if not ends:
            return {}
        upper = any(left != right and _is_upper(left, right) for left, right, _ in ends)
        return {
            "upper": upper,
            "columns": [
                left if (_is_upper(left, right) if upper else left == right) and own == state else [left, right, own]
                for left, right, own in ends
            ],
        }

    def _column(self, refs: Sequence[Ref], tables: Iterable[Ref]) -> str:
        """The name of a column: what its qualified name has beyond its table's, as it may hold slashes."""
        if not refs:
            return ""
        qualified_name = name_of(refs[0])
        of_tables = [table for table in map(name_of, tables) if qualified_name.startswith(f"{table}/")]
        in_table = qualified_name[len(max(of_tables, key=len)) + 1 :] if of_tables else ""
        return self.names.get(qualified_name) or in_table or qualified_name.rpartition("/")[2]


def _state_of(chain: Chain) -> str:
    """Failed where any part is, removed where a process is; where only columns are removed, it is updated."""
    links = {link.state for link in chain.links}
    own, states = links | {*chain.others}, chain.states
    if "failed" in states:
        return "failed"
    if not own:
        return "incomplete"
    for state in ("removed", "stale"):
        if state in own:
            return state
    if "created" in links:
        return "created"
    if states == {"unchanged"}:
        return "unchanged"
    return "stale" if states == {"unchanged", "stale"} else "updated"


def common_folder(keys: Iterable[str]) -> str:
    """The folder that all keys are in, without its slash at the end."""
    folders = [key.split("/")[:-1] for key in keys]
    shared = itertools.takewhile(lambda parts: len(set(parts)) == 1, zip(*folders, strict=False))
    return "/".join(parts[0] for parts in shared)


def _is_upper(left: str, right: str) -> bool:
    return left.isascii() and left.upper() == right


def _object_key(qualified_name: str) -> str:
    """The key within an object's qualified name, which has the bucket's ARN after the connection."""
    return qualified_name.split("/", 4)[4] if qualified_name.count("/") > 3 else basename(qualified_name)


# =====================================================================================================================
# The file
# =====================================================================================================================

MARK = re.compile(r'<p id="mark"[^>]*>[^<]*</p>')


def render(document: Mapping[str, Any]) -> str:
    """The page of a document, as HTML; Jinja's tojson keeps the document's texts from ending the script that they are in.

    The document has what `describe_chains` makes, and `title`, `verdict` (`[tone, sentence]`, the tone done, changes or
    failed), `planned`, `made_at` (ISO 8601), `tenant`, `lanes` (three of `[label, name]`), `summary` (`[label, value,
    share?]`), `asset_url` ("" for none) and `empty` (why there are no chains). It may have `errors` (`[words, count,
    name…]`), `facts` (`[label, value]`), `apply` (`[command, fingerprint]`), `open` of `describe_groups`, `overrides`
    (`[file, text]`), `removals` (`[type, name, reason, guid, state]`), `pruned`, and `live` (`{type: number}`: the assets of a
    tenant that answers).

    Raises ImportError where jinja2 is not installed.
    """
    return _render("lineage.html", document)


def render_flows(document: Mapping[str, Any]) -> str:
    """The page that lists several flows, as HTML.

    The document has `title`, `verdict` as that of `render`, `about`, and `flows`: for each a mapping of `name`, `href` (of
    its page, "" for none), `place`, `outcome` with its `tone` (failed, updated, created or unchanged), `errors`, `coverage`
    and `share` (0 to 1, or None), `assets` and `took`; all but the share are texts. Raises ImportError where jinja2 is not
    installed.
    """
    return _render("flows.html", document)


def _render(template: str, document: Mapping[str, Any]) -> str:
    from jinja2 import Environment, FileSystemLoader

    templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, keep_trailing_newline=True)
    templates.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return templates.get_template(template).render(document=document)


def mark(page: str, sentence: str) -> str:
    """A page that was rendered before, with a sentence at its head: that it is not of the latest run."""
    return MARK.sub(lambda _: f'<p id="mark" role="status">{html.escape(sentence)}</p>', page, count=1)
