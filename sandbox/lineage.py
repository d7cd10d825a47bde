"""Walking lineage the way Atlan's list endpoint does: breadth first, processes and assets in turn, page by page.

The rules are those of `EntityLineageService` and `LineageListRequestValidator` in atlanhq/atlas-metastore.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

from sandbox import errors
from sandbox.catalog import Catalog, Entity
from sandbox.filters import read_filter
from sandbox.messages import JsonObject, LineageHit, LineageNeighbour, LineageResponse
from sandbox.presentation import HitParts, search_hit
from sandbox.requests import as_texts
from sandbox.search.fields import stored_reader

MAX_DEPTH = 1_073_741_823
# LINEAGE_MAP of `EntityLineageService`, the default first.
LINEAGE_TYPES = ("DatasetProcessLineage", "ProductAssetLineage")
SIDES = {
    # direction: (from an asset to processes, from a process to assets)
    "OUTPUT": ("inputToProcesses", "outputs"),
    "INPUT": ("outputFromProcesses", "inputs"),
}


@dataclass(frozen=True)
class ReachedEntity:
    """An entity that the walk reached after so many hops. A process has the depth of the assets that it leads to."""

    entity: Entity
    depth: int


def list_lineage(catalog: Catalog, request: JsonObject) -> LineageResponse:
    """One page of `POST /api/meta/lineage/list`.

    `request` has `guid`, `direction` (INPUT or OUTPUT), `depth` in hops, `from` and `size`, and perhaps
    `attributes`, `entityTraversalFilters` (cut the walk), `entityFilters` (only hide), `relationshipTraversalFilters`
    (relationships that are walked are active, and have no attributes of an entity) and `immediateNeighbours`, which also puts the start at the head of each page. `hasMore` is never true of an empty page, as pyatlan would ask for ever.

    Raises `AtlasError`: 400 for a malformed request, 404 for a guid that nobody has or a type without lineage.
    """
    start, direction, limit, offset, size = _read_request(catalog, request)
    visits, shown = (entity_filter(catalog, request.get(name)) for name in ("entityTraversalFilters", "entityFilters"))
    crosses = read_filter(catalog, request.get("relationshipTraversalFilters"))
    if crosses and not crosses(lambda name: ["ACTIVE"] if name == "__state" else []):
        limit = 0
    steps = [step for step in walk(catalog, start, direction, limit, visits) if shown(step.entity)]
    page = steps[offset : offset + size]
    with_neighbours = request.get("immediateNeighbours")
    if with_neighbours not in (None, True, False):
        raise errors.bad_request("immediateNeighbours must be true or false")
    if with_neighbours:
        page = [ReachedEntity(start, 0), *page]
    wanted, wanted_of_related = (as_texts(request.get(name), name) for name in ("attributes", "relationAttributes"))
    # Left out unless they are asked for (`LineageListRequestValidator`).
    left_out = {name: request.get(name, True) for name in ("excludeMeanings", "excludeClassifications")}
    parts = HitParts.asked_for({name: True if flag is None else flag for name, flag in left_out.items()})
    found: list[LineageHit] = []
    on_the_way = {start.guid, *(step.entity.guid for step in steps)}
    for step in page:
        hit = cast(LineageHit, search_hit(catalog, step.entity, wanted, wanted_of_related, parts))
        hit["depth"] = step.depth
        if with_neighbours:
            _add_neighbours(hit, catalog, step.entity, on_the_way)
        found.append(hit)
    more = bool(steps[offset : offset + size]) and offset + size < len(steps)
    return {"entities": found, "hasMore": more, "entityCount": len(found), "searchParameters": request}


def _read_request(catalog: Catalog, request: JsonObject) -> tuple[Entity, str, int, int, int]:
    guid, direction = request.get("guid"), request.get("direction")
    if not guid:
        raise errors.bad_request("guid is not specified")
    if not isinstance(guid, str):
        raise errors.bad_request("guid is no text")
    if not isinstance(direction, str) or direction not in SIDES:
        raise errors.bad_request(f"direction must be INPUT or OUTPUT, not {direction}")
    kind = request.get("lineageType", LINEAGE_TYPES[0])
    if kind not in LINEAGE_TYPES:
        raise errors.bad_request(f"Invalid lineage type: {kind}")
    if kind != LINEAGE_TYPES[0]:
        raise errors.not_supported(f"lineage of the type {kind}")
    depth, offset, size = request.get("depth"), request.get("from"), request.get("size")
    for name, value, highest in (("size", size, None), ("from", offset, None), ("depth", depth, MAX_DEPTH)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 0 or (highest and value > highest):
            raise errors.bad_request(f"The '{name}' parameter is missing or invalid: {value}")
    entity = catalog.entities.get(guid)
    if not entity:
        raise errors.guid_not_found(guid)
    if not (entity.type.is_a("Process") or entity.type.is_a("Catalog") or entity.type.is_a("Connection")):
        raise errors.AtlasError(404, "404-00-011", f"Given instance guid {guid} is of a type without lineage", guid)
    return entity, direction, cast(int, depth), cast(int, offset), cast(int, size)


def walk(
    catalog: Catalog, start: Entity, direction: str, limit: int, visits: Callable[[Entity], bool]
) -> list[ReachedEntity]:
    """Every entity downstream (OUTPUT) or upstream (INPUT) within `limit` hops, nearest first, each once, without the start.

    A hop is two steps, from an asset to processes and from these to assets; from a process it ends at the processes behind
    its assets, which are a hop further then (`EntityLineageService.traverseEdgesUsingBFS`). `visits` cuts the walk where it
    says no.
    """
    seen = {start.guid}
    steps: list[ReachedEntity] = []
    frontier, step, ahead = [start], 0, int(start.type.is_a("Process"))
    while frontier and step < 2 * limit:
        step += 1
        depth = ahead + (step + 1 - ahead) // 2
        reached = []
        for guid in (guid for entity in frontier for guid in _next(entity, direction)):
            entity = catalog.entities[guid]
            if guid not in seen and visits(entity):
                seen.add(guid)
                steps.append(ReachedEntity(entity, depth))
                reached.append(entity)
        frontier = reached
    return steps


def _next(entity: Entity, direction: str) -> Iterable[str]:
    to_processes, to_assets = SIDES[direction]
    return list(entity.related(to_assets if entity.type.is_a("Process") else to_processes))


def _add_neighbours(hit: LineageHit, catalog: Catalog, entity: Entity, reached: set[str]) -> None:
    """Assets one hop from an asset, processes one hop from a process; absent where no edge leads that way."""
    upstream, downstream = (_neighbours(catalog, entity, way, reached) for way in ("INPUT", "OUTPUT"))
    if upstream is not None:
        hit["immediateUpstream"] = upstream
    if downstream is not None:
        hit["immediateDownstream"] = downstream


def _neighbours(catalog: Catalog, entity: Entity, way: str, reached: set[str]) -> list[LineageNeighbour] | None:
    between = [guid for guid in _next(entity, way) if guid in reached]
    if not between:
        return None
    guids = dict.fromkeys(guid for other in between for guid in _next(catalog.entities[other], way) if guid in reached)
    return [_neighbour(catalog.entities[guid]) for guid in guids if guid != entity.guid]


def _neighbour(entity: Entity) -> LineageNeighbour:
    return {"guid": entity.guid, "name": entity.name, "qualifiedName": entity.qualified_name}


def entity_filter(catalog: Catalog, sent: object) -> Callable[[Entity], bool]:
    """What a filter of a request asks of an entity; none asks nothing. Raises `AtlasError` as `read_filter` does."""
    asked = read_filter(catalog, sent)
    return lambda entity: asked is None or asked(lambda name: stored_reader(catalog, name)(entity))
