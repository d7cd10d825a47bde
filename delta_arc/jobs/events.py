"""OpenLineage run events: what the jobs themselves tell of the way from a table to objects to a table. Pure.

The shape of an event: `RunEvent` in OpenLineage's JSON schema (spec/OpenLineage.json, 2-0-2). That what is told of a run
adds up, and ends with COMPLETE, ABORT or FAIL: its page "The Run Cycle". How datasets are named: "Naming Conventions".
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from delta_arc.jobs.told import TOLD, Columns, Problem, Told, ToldHop
from delta_arc.matching import TABLE_TYPES, TARGET_TYPES, AssetRow, places_of, tables_in
from runtime.openlineage import (
    GROUND_FACET,
    POSTGRES,
    SNOWFLAKE,
    normal_namespace,
    system_of,
    without_keys,
)

MOST_RUNS = 50_000  # whose events are waited for at a time
MOST_HOPS = 1_000_000
MOST_DATASETS = 100_000  # of one run
MOST_COLUMNS = 5_000  # of one hop
MOST_OF_A_JOB = 300  # characters
MOST_OF_A_STATEMENT = 10_000


@dataclass(frozen=True)
class Document:
    """Something that a file of events has: what JSON it is, or why it is none, and where it is, for people.

    With a `count`, it stands for so many lines of one fault, of which it is the first.
    """

    place: str
    value: Any = None
    fault: str = ""
    count: int = 1


@dataclass(frozen=True)
class Scope:
    """What events are looked through for: one bucket, and the tables of two connections by the names of the standard."""

    bucket: str
    tables: Mapping[str, TableNames]  # by system
    namespaces: tuple[str, ...] = ()  # those of the connections, where more than one would fit


class TableNames:
    """The tables of a connection, by `database.schema.table`, as the standard names them."""

    def __init__(self, assets: Iterable[AssetRow], types: Iterable[str]) -> None:
        rows = list(assets)
        places = places_of(rows)
        self.names = {row[0]: (*places[row[0]], row[1]) for row in tables_in(rows, types)}
        self._exact: dict[str, set[str]] = {}
        self._folded: dict[str, set[str]] = {}
        for qualified_name, parts in self.names.items():
            self._exact.setdefault(".".join(parts), set()).add(qualified_name)
            self._folded.setdefault(".".join(parts).casefold(), set()).add(qualified_name)

    def find(self, name: str) -> str:
        """The qualified name of the table of this name, or an empty text: in any case where that is unambiguous, but for
        what is in quotes."""
        plain, quoted = _unquoted(name)
        for found in (
            self._exact.get(name),
            self._exact.get(plain),
            None if quoted else self._folded.get(plain.casefold()),
        ):
            if found:
                return next(iter(found)) if len(found) == 1 else ""
        return ""


_PART = re.compile(r'"((?:[^"]|"")*)"(?:\.|$)|([^."]*)(?:\.|$)')


def _unquoted(name: str) -> tuple[str, bool]:
    """A name without the quotes around its parts, and whether it had any: `"A"."b c".D` is `A.b c.D`."""
    if '"' not in name:
        return name, False
    parts, position = [], 0
    while position < len(name):
        found = _PART.match(name, position)
        if not found:
            return name, True
        parts.append(found[1].replace('""', '"') if found[1] is not None else found[2])
        position = found.end()
    return ".".join(parts), True


def make_scope(
    bucket: str,
    postgres_assets: Iterable[AssetRow],
    snowflake_assets: Iterable[AssetRow],
    namespaces: Iterable[str] = (),
) -> Scope:
    """What events are looked through for; `namespaces` are those of the two connections (LINEAGE_NAMESPACES)."""
    tables = {
        POSTGRES: TableNames(postgres_assets, TABLE_TYPES),
        SNOWFLAKE: TableNames(snowflake_assets, TARGET_TYPES),
    }
    return Scope(bucket, tables, tuple(normal_namespace(text) for text in namespaces))


def needles_of(scope: Scope) -> tuple[bytes, ...]:
    """One of these is in every line that can be of use, so that what is about other systems need not be parsed."""
    return (scope.bucket.encode(), b"postgres", b"POSTGRES", b"snowflake", b"SNOWFLAKE")


# =====================================================================================================================
# One event
# =====================================================================================================================

EVENT_TYPES = ("START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,12}))?(?:([Zz])|([+-])(\d\d):(\d\d))", re.ASCII)


def parse_time(text: str) -> datetime | None:
    """A `date-time` of RFC 3339 in UTC, or None where it is none; more than microseconds are cut."""
    found = _TIME.fullmatch(text)
    if not found:
        return None
    day, clock, fraction, _, sign, hours, minutes = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=timezone.utc)
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        if offset >= timedelta(days=1) or int(minutes or 0) > 59:
            return None
        moment += offset if sign == "-" else -offset
    except (ValueError, OverflowError):
        return None
    return moment.replace(microsecond=int((fraction or "")[:6].ljust(6, "0")))


def fault_of_event(value: object) -> str:
    """Why something is no run event of the standard, or an empty text: what is read of it has the standard's shape."""
    if not isinstance(value, dict):
        return "it is no JSON object"
    for name in ("eventTime", "producer", "schemaURL"):
        if not isinstance(value.get(name), str):
            return f"it has no {name}"
    if parse_time(value["eventTime"]) is None:
        return "its eventTime is no time with a zone"
    if value.get("eventType", "OTHER") not in EVENT_TYPES:
        return "its eventType is none of the standard's"
    run, job = value.get("run"), value.get("job")
    if not isinstance(run, dict) or not isinstance(run.get("runId"), str) or not _UUID.fullmatch(run["runId"]):
        return "its run has no runId that is a UUID"
    if not isinstance(job, dict) or not all(isinstance(job.get(name), str) for name in ("namespace", "name")):
        return "its job has no namespace and name"
    if not all(isinstance(item.get("facets", {}), dict) for item in (run, job)):
        return "its facets are no JSON object"
    for name in ("inputs", "outputs"):
        datasets = value.get(name, [])
        if not isinstance(datasets, list) or not all(map(_is_dataset, datasets)):
            return f"its {name} are no list of datasets with a namespace and a name"
    for name, content in (("sql", "query"), (GROUND_FACET, "ground")):
        facet = job.get("facets", {}).get(name)
        if facet is not None and not (isinstance(facet, dict) and isinstance(facet.get(content), str)):
            return f"its {name} facet has no {content}"
    for dataset in value.get("outputs", []):
        facet = dataset.get("facets", {}).get("columnLineage")
        if facet is not None and not _is_column_lineage(facet):
            return "its columnLineage facet has no fields with inputFields"
    return ""


def is_static(value: object) -> bool:
    """Whether it is the standard's DatasetEvent or JobEvent, which is about no run, and so proves nothing."""
    return isinstance(value, dict) and "run" not in value and ("job" in value or "dataset" in value)


def _is_dataset(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("namespace"), str)
        and isinstance(value.get("name"), str)
        and isinstance(value.get("facets", {}), dict)
    )


def _is_column_lineage(facet: object) -> bool:
    if not isinstance(facet, dict) or not isinstance(facet.get("fields"), dict):
        return False
    entries = facet["fields"].values()
    return all(
        isinstance(entry, dict)
        and isinstance(entry.get("inputFields"), list)
        and all(map(_is_input_field, entry["inputFields"]))
        for entry in entries
    )


def _is_input_field(value: object) -> bool:
    if not isinstance(value, dict) or not all(
        isinstance(value.get(name), str) for name in ("namespace", "name", "field")
    ):
        return False
    kinds = value.get("transformations", [])
    return isinstance(kinds, list) and all(
        isinstance(kind, dict) and isinstance(kind.get("type"), str) for kind in kinds
    )


# =====================================================================================================================
# Runs
# =====================================================================================================================


@dataclass(frozen=True)
class _Place:
    """A dataset that is ours: an object or folder of the bucket, or a table of a connection."""

    system: str  # S3, PostgreSQL or Snowflake
    namespace: str
    name: str  # a key, or the qualified name of a table


@dataclass(slots=True)
class _Run:
    """What the events of one run have told so far; `time` is that of its COMPLETE."""

    run_id: str
    namespace: str
    job: str
    first: str
    parent: str = ""  # the run within which this one ran
    unknown: str = ""  # a table that the connections do not have
    inputs: dict[_Place, None] = field(default_factory=dict)
    outputs: dict[_Place, tuple[tuple[_Place, str, str], ...]] = field(default_factory=dict)
    sql: str = ""
    ground: str = TOLD
    time: datetime | None = None


def read_told(documents: Iterable[Document], scope: Scope) -> Told:
    """What run events tell of the tables and the bucket of a scope. Nothing that a document has makes it raise.

    Only runs that COMPLETE prove anything. Of each hop the newest telling is kept.
    """
    return _Reader(scope).read(documents)


class _Reader:
    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._runs: OrderedDict[str, _Run] = OrderedDict()
        self._hops: dict[tuple[str, ...], ToldHop] = {}  # by the namespace and names of the ends
        self._problems: dict[str, tuple[int, str]] = {}
        self._places: dict[tuple[str, str], _Place | None] = {}
        self._texts: dict[str, str] = {}

    def read(self, documents: Iterable[Document]) -> Told:
        events = 0
        for document in documents:
            events += not document.fault
            self._take(document)
        self._join_parts()
        for run in self._runs.values():
            self._close(run)
        hops = self._of_the_connections()
        problems = (Problem(sentence, *found) for sentence, found in sorted(self._problems.items()))
        return Told(tuple(hops), tuple(problems), events)

    def _note(self, sentence: str, first: str, more: int = 1) -> None:
        count, known = self._problems.get(sentence, (0, first))
        self._problems[sentence] = (count + more, known)

    def _take(self, document: Document) -> None:
        value, fault = document.value, document.fault
        if not fault and is_static(value):
            return
        fault = fault or fault_of_event(value)
        if fault:
            self._note(f"no event, as {fault}", document.place, document.count)
            return
        inputs, outputs = value.get("inputs", []), value.get("outputs", [])
        if len(inputs) + len(outputs) > MOST_DATASETS:
            self._note(f"an event has more than {MOST_DATASETS:,} datasets", document.place)
            return
        run = self._run_of(value, document.place)
        for dataset in inputs:
            if place := self._find(dataset):
                run.inputs[place] = None
            else:
                run.unknown = run.unknown or self._unknown_table(dataset)
        for dataset in outputs:
            if not (place := self._find(dataset)):
                run.unknown = run.unknown or self._unknown_table(dataset)
            else:
                # A facet replaces an earlier one of its name as a whole ("Facets" in spec/OpenLineage.md).
                run.outputs[place] = self._columns(dataset) or run.outputs.get(place, ())
        facets = value["job"].get("facets", {})
        if sql := facets.get("sql"):
            run.sql = self._kept(without_keys(sql["query"]), MOST_OF_A_STATEMENT)
        if ground := facets.get(GROUND_FACET):
            run.ground = self._kept(ground["ground"], MOST_OF_A_JOB)
        run.parent = run.parent or _parent_of(value["run"])
        if value.get("eventType") == "COMPLETE":
            run.time = parse_time(value["eventTime"])
        if len(self._runs) > MOST_RUNS:
            self._close(self._runs.popitem(last=False)[1])

    def _run_of(self, event: Mapping[str, Any], place: str) -> _Run:
        """The run of an event. Its events come in any order, and from several files, so all of them are waited for."""
        run_id = event["run"]["runId"].lower()
        run = self._runs.get(run_id)
        if run is None:
            namespace, job = (self._kept(event["job"][name], MOST_OF_A_JOB) for name in ("namespace", "name"))
            run = self._runs[run_id] = _Run(run_id, namespace, job, place)
        self._runs.move_to_end(run_id)
        return run

    def _kept(self, text: str, most: int) -> str:
        """A text of others as it is kept: one copy, of bounded length, and such that it can be written anywhere."""
        if len(text) > most:
            text = text[: most - 1] + "…"
        text = text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
        return self._texts.setdefault(text, text) if len(self._texts) < MOST_RUNS else text

    def _find(self, dataset: Mapping[str, Any]) -> _Place | None:
        key = (dataset["namespace"], dataset["name"])
        if key not in self._places:
            if len(self._places) >= MOST_RUNS:
                self._places.clear()
            self._places[key] = self._look_up(*key)
        return self._places[key]

    def _look_up(self, namespace: str, name: str) -> _Place | None:
        namespace = normal_namespace(namespace)
        if namespace == f"s3://{self._scope.bucket}":
            return _Place("S3", namespace, name.strip("/"))
        system = system_of(namespace)
        if not system or not self._is_wanted(system, namespace):
            return None
        table = self._scope.tables[system].find(name)
        return _Place(system, namespace, table) if table else None

    @staticmethod
    def _unknown_table(dataset: Mapping[str, Any]) -> str:
        namespace = normal_namespace(dataset["namespace"])
        return f"{namespace} {dataset['name'][:MOST_OF_A_JOB]}" if system_of(namespace) else ""

    def _is_wanted(self, system: str, namespace: str) -> bool:
        named = [item for item in self._scope.namespaces if system_of(item) == system]
        return not named or namespace in named

    def _columns(self, dataset: Mapping[str, Any]) -> tuple[tuple[_Place, str, str], ...]:
        """What an output says of its columns: of which dataset and column of it each is made."""
        facet = dataset.get("facets", {}).get("columnLineage") or {"fields": {}}
        found = []
        for column, entry in facet["fields"].items():
            for given in entry["inputFields"]:
                kinds = [kind["type"] for kind in given.get("transformations", [])]
                place = self._find(given)
                # What a filter or a join looks at is not carried.
                if place and (not kinds or any(kind != "INDIRECT" for kind in kinds)):
                    found.append((place, self._kept(given["field"], MOST_OF_A_JOB), self._kept(column, MOST_OF_A_JOB)))
        return tuple(found[:MOST_DATASETS])

    def _join_parts(self) -> None:
        """Give a run what its parts have told, as Airflow's tasks have their queries for parts, each a run of its own.

        A parent that tells no dataset itself only holds others together, like the run of a whole DAG.
        """
        telling = {run.run_id for run in self._runs.values() if run.inputs or run.outputs}
        for part in [run for run in self._runs.values() if run.parent in telling and run.time]:
            if not (part.inputs and part.outputs):
                whole = self._runs[part.parent]
                whole.inputs.update(part.inputs)
                whole.outputs = {**part.outputs, **whole.outputs}
                whole.sql = whole.sql or part.sql

    def _close(self, run: _Run) -> None:
        """Keep the hops of a run that is over."""
        if run.time is None:
            if any(place.system == "S3" for place in (*run.inputs, *run.outputs)):
                self._note("a run has no COMPLETE event, and proves nothing", run.first)
            return
        tables = {system: [place for place in run.inputs if place.system == system] for system in ("S3", POSTGRES)}
        objects = [place for place in run.outputs if place.system == "S3"]
        targets = [place for place in run.outputs if place.system == SNOWFLAKE]
        hops = [*self._pair(run, tables[POSTGRES], objects), *self._pair(run, tables["S3"], targets)]
        for left, right, columns in hops:
            self._keep(run, run.time, left, right, columns)
        if not hops and tables[POSTGRES] and targets:
            self._note("a run goes from PostgreSQL to Snowflake and names no object of the bucket", run.first)
        elif not hops and tables["S3"] and objects:
            self._note("a run goes from objects to objects of the bucket, which is not followed", run.first)
        elif not hops and (tables["S3"] or objects) and not (tables[POSTGRES] or targets):
            table = f", {run.unknown}" if run.unknown else ""
            self._note("a run names the bucket and no table of the two connections", f"{run.first}{table}")

    def _pair(
        self, run: _Run, lefts: Sequence[_Place], rights: Sequence[_Place]
    ) -> Iterator[tuple[_Place, _Place, Columns]]:
        """What goes where in a run: all into all where one side is a single one, else what the columns tell.

        Of several tables in one file, those of whose columns it is made: the others are only looked at.
        """
        is_plain, given = len(lefts) < 2 or len(rights) < 2, frozenset(lefts)
        untold = False
        for right in rights:
            columns: dict[_Place, dict[tuple[str, str], None]] = {}
            for place, name, to in run.outputs[right]:
                if place in given:
                    columns.setdefault(place, {})[name, to] = None
            untold = untold or not (is_plain or columns)
            takes_all = is_plain and not (columns and right.system == "S3")
            for left in lefts if takes_all else columns:
                yield left, right, tuple(columns.get(left, ()))[:MOST_COLUMNS]
        if untold:
            self._note("a run has several inputs and outputs, and does not tell which goes where", run.first)

    def _keep(self, run: _Run, time: datetime, left: _Place, right: _Place, columns: Columns) -> None:
        item, table = (right, left) if right.system == "S3" else (left, right)
        if not item.name:
            self._note("a run names the bucket as a whole, and no object or folder of it", run.first)
            return
        source, target = (table.name, "") if table is left else ("", table.name)
        hop = ToldHop(source, item.name, target, columns, run.namespace, run.job, run.run_id, time, run.sql, run.ground)
        ends = (table.namespace, source, item.name, target)
        if ends in self._hops or len(self._hops) < MOST_HOPS:
            _keep_newest(self._hops, ends, hop)
        else:
            self._note(f"more than {MOST_HOPS:,} hops are told, and the rest is left out", run.first)

    def _of_the_connections(self) -> list[ToldHop]:
        """The hops whose tables are told in the connection's own namespace: the only one that there is, or one that is
        named."""
        namespaces = {namespace for namespace, *_ in self._hops}
        unclear = set()
        for system in (POSTGRES, SNOWFLAKE):
            found = {namespace for namespace in namespaces if system_of(namespace) == system}
            if len(found) > 1 and not any(system_of(name) == system for name in self._scope.namespaces):
                unclear |= found
                self._note(
                    f"{system} tables are told in several namespaces, so that none of it is used: name those of the "
                    "connection in LINEAGE_NAMESPACES",
                    " ".join(sorted(found)),
                )
        hops: dict[tuple[str, ...], ToldHop] = {}
        for (namespace, *place), hop in self._hops.items():
            if namespace not in unclear:
                _keep_newest(hops, tuple(place), hop)
        return sorted(hops.values(), key=lambda hop: (hop.source, hop.target, hop.key))


def _parent_of(run: Mapping[str, Any]) -> str:
    """The run id in the facet `parent` of a run, where it has one."""
    place: Any = run
    for name in ("facets", "parent", "run", "runId"):
        place = place.get(name) if isinstance(place, dict) else None
    return place.lower() if isinstance(place, str) else ""


def _keep_newest(hops: dict[tuple[str, ...], ToldHop], ends: tuple[str, ...], hop: ToldHop) -> None:
    known = hops.get(ends)
    if known is None or _worth(known) < _worth(hop):
        hops[ends] = hop


def _worth(hop: ToldHop) -> tuple[bool, datetime, str]:
    """What of a hop is kept: the newest word of a job, and our own only where there is none."""
    return hop.ground == TOLD, hop.time, hop.run_id
