"""The tenant as a page: what it holds, the chains of its processes, and the lineage of any asset."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import orjson

from lineage_page import Chain, Link, chains_of, describe_chains, name_of, render
from sandbox.catalog import Catalog, Entity
from sandbox.errors import guid_not_found
from sandbox.lineage import MAX_DEPTH, walk
from sandbox.presentation import object_id

COUNT_ACTIVE = "SELECT type, count(*) FROM known_entity WHERE state = 'ACTIVE' GROUP BY type"
ACTIVE_NAMES = "SELECT type, ifnull(qualifiedName, ''), guid FROM known_entity WHERE state = 'ACTIVE' ORDER BY id"
FOUND = 200  # how many assets of a search are shown
COUNTED = {
    "Table": "Tables",
    "Column": "Columns",
    "S3Object": "S3 objects",
    "Process": "Processes",
    "ColumnProcess": "Column processes",
}


NOTHING_YET = (
    "This tenant is empty: `python main.py` fills it with the sample, and any client can write to its address."
)
NO_LINEAGE = "No process yet, so no lineage: `python main.py` writes some. The assets are under Assets."


def tenant_page(catalog: Catalog, base_url: str) -> str:
    """The page at /, as HTML: what the tenant holds, and a chain for each of its active processes."""
    counts = Counter(dict(catalog.select(COUNT_ACTIVE)))
    connections = sorted(entity.name for entity in _active(catalog, "Connection"))
    links = [_link_of_process(catalog, entity) for entity in _active(catalog, "Process")]
    columns = [_link_of_process(catalog, entity) for entity in _active(catalog, "ColumnProcess")]
    chains = sorted(chains_of(links, columns), key=_first_source)
    refs = [ref for link in (*links, *columns) for ref in (*link.inputs, *link.outputs)]
    guids = {name_of(ref): ref["guid"] for ref in refs if ref["typeName"] != "Column"}
    names = {name_of(ref): catalog.entities[ref["guid"]].name for ref in refs}
    document = {
        "title": "Atlan sandbox",
        "verdict": ["done", f"Connections: {', '.join(connections) or 'none'}"],
        "planned": False,
        "made_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "tenant": base_url,
        "lanes": [["From", ""], ["Through", ""], ["To", ""]],
        "summary": [[label, counts[type_name]] for type_name, label in COUNTED.items()],
        "errors": [],
        "facts": [],
        "apply": None,
        "asset_url": f"{base_url}/assets/",
        **describe_chains(chains, guids, names),
        "empty": NO_LINEAGE if counts else NOTHING_YET,
        "open": [],
        "overrides": None,
        "removals": [],
        "pruned": False,
        "live": dict(counts.most_common()),
    }
    return render(document)


def _active(catalog: Catalog, type_name: str) -> Iterator[Entity]:
    return (entity for guid in catalog.by_type[type_name] if (entity := catalog.entities[guid]).active)


def _first_source(chain: Chain) -> str:
    return name_of(chain.sources[0]) if chain.sources else ""


def _link_of_process(catalog: Catalog, process: Entity) -> Link:
    inputs, outputs = (
        [object_id(catalog, guid) for guid in process.related(side) if catalog.entities[guid].active]
        for side in ("inputs", "outputs")
    )
    parent = next((catalog.entities[guid].qualified_name for guid in process.related("process")), "")
    ground = context_in_words(str(process.attributes.get("additionalEtlContext") or ""))
    return Link(process.qualified_name, inputs, outputs, ground=ground, parent=parent)


def context_in_words(context: str) -> str:
    """What a program noted on a process as `additionalEtlContext`, in words.

    Atlan takes any text there. A JSON object reads as its entries in a line, its ground (why the process is there) first
    and without its name; any other text stays as it is.
    """
    try:
        entries = orjson.loads(context)
        if not isinstance(entries, dict):
            return context
        words = {name: _in_words(value) for name, value in entries.items()}
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):  # no JSON, or too deep
        return context
    ground = words.pop("ground", "")
    return "; ".join([*([ground] if ground else []), *(f"{name}: {text}" for name, text in words.items() if text)])


def _in_words(value: Any) -> str:
    """A JSON value as a person would write it, a list with commas; "" for what is empty."""
    if isinstance(value, list):
        return ", ".join(_in_words(item) if not isinstance(item, list) else _as_json(item) for item in value)
    if isinstance(value, str):
        return value
    return "" if value in (None, {}) else _as_json(value)


def _as_json(value: Any) -> str:
    return orjson.dumps(value).decode()


def find_assets(catalog: Catalog, part: str, type_name: str = "") -> dict[str, Any]:
    """The active assets with a text in their qualified names, connections first, then the shortest names.

    `types` counts them by type, and `total` those of the type that is asked for (or of any); of these, `assets` has at most
    `FOUND`, each as `guid`, `type`, `name` and `qualified_name`.
    """
    wanted = part.lower()
    types: Counter[str] = Counter()

    def found() -> Iterator[tuple[bool, int, str, str]]:
        for kind, name, guid in catalog.select(ACTIVE_NAMES):
            if wanted in name.lower():
                types[kind] += 1
                if type_name in ("", kind):
                    yield kind != "Connection", len(name), name, guid

    assets = [_describe(catalog.entities[guid]) for *_, guid in heapq.nsmallest(FOUND, found())]
    total = types[type_name] if type_name else sum(types.values())
    return {"types": dict(types.most_common()), "total": total, "assets": assets}


def lineage_of(catalog: Catalog, guid: str) -> dict[str, Any]:
    """An asset (the first of the `nodes`) with all that is upstream and downstream of it, and the `edges` between them,
    `[from, to]` by guid; the processes between are left out.

    What is archived ends the walk. Raises `AtlasError` (404) if nobody has the guid.
    """
    entity = catalog.entities.get(guid)
    if not entity:
        raise guid_not_found(guid)
    reached = {guid: entity}
    for direction in ("INPUT", "OUTPUT"):
        steps = walk(catalog, entity, direction, MAX_DEPTH, lambda other: other.active)
        reached |= {step.entity.guid: step.entity for step in steps}
    processes = [other for other in reached.values() if other is not entity and other.type.is_a("Process")]
    shown = {other.guid: other for other in reached.values() if other is entity or not other.type.is_a("Process")}
    edges = [
        [one, other]
        for process in processes
        for one in process.related("inputs")
        for other in process.related("outputs")
        if one in shown and other in shown
    ]
    if entity.type.is_a("Process"):
        edges += [[one, guid] for one in entity.related("inputs") if one in shown]
        edges += [[guid, other] for other in entity.related("outputs") if other in shown]
    return {"nodes": [_describe(other) for other in shown.values()], "edges": edges}


def _describe(entity: Entity) -> dict[str, str]:
    return {
        "guid": entity.guid,
        "type": entity.type.name,
        "name": entity.name,
        "qualified_name": entity.qualified_name,
    }
