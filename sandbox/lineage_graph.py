"""Lineage as a graph, all of it in one answer: entities by guid, and the relations between them.

The rules are those of `AtlasLineageRequest` and of `getAtlasLineageInfo` and `traverseEdges` in `EntityLineageService` of
atlanhq/atlas-metastore.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sandbox import errors
from sandbox.catalog import Catalog, Entity
from sandbox.lineage import SIDES, entity_filter
from sandbox.messages import EntityHeader, JsonObject, LineageGraph, LineageRelation
from sandbox.presentation import relationship_guid, search_hit
from sandbox.requests import as_texts

DIRECTIONS = {"INPUT": ("INPUT",), "OUTPUT": ("OUTPUT",), "BOTH": ("INPUT", "OUTPUT")}


@dataclass(frozen=True)
class _Edge:
    """What stands between a process and an asset: the asset is among the `inputs` or `outputs` (`side`) of the process."""

    process: Entity
    side: str
    asset: Entity

    @property
    def active(self) -> bool:
        """Archiving an entity ends its relationships (`DeleteHandlerV1`)."""
        return self.process.active and self.asset.active

    def relation(self) -> LineageRelation:
        ends = (self.asset.guid, self.process.guid) if self.side == "inputs" else (self.process.guid, self.asset.guid)
        guid = relationship_guid(self.process, self.side, self.asset.guid)
        return {"fromEntityId": ends[0], "toEntityId": ends[1], "relationshipId": guid}


@dataclass
class _Graph:
    """What a walk has found, and what it was asked for."""

    catalog: Catalog
    hide_process: bool
    archived: bool
    ignored: list[str]
    shown: Callable[[Entity], bool]
    entities: dict[str, Entity] = field(default_factory=dict)
    relations: dict[tuple[str, ...], LineageRelation] = field(default_factory=dict)
    children: dict[str, dict[str, bool]] = field(default_factory=dict)

    def to_processes(self, asset: Entity, direction: str) -> list[_Edge]:
        """The edges from an asset to the processes that lead on, all of them."""
        name, side = SIDES[direction][0], "outputs" if direction == "INPUT" else "inputs"
        edges = [_Edge(self.catalog.entities[guid], side, asset) for guid in asset.related(name)]
        return [edge for edge in edges if edge.process.type.name not in self.ignored]

    def to_assets(self, process: Entity, direction: str) -> list[_Edge]:
        """The edges from a process to the assets that it leads to."""
        side = SIDES[direction][1]
        edges = [_Edge(process, side, self.catalog.entities[guid]) for guid in process.related(side)]
        return [edge for edge in edges if (self.archived or edge.active) and self.shown(edge.asset)]

    def add(self, relation: LineageRelation, *entities: Entity) -> None:
        self.entities |= {entity.guid: entity for entity in entities if entity.guid not in self.entities}
        self.relations[tuple(str(part) for part in relation.values())] = relation

    def note_children(self, entity: Entity, direction: str, edges: list[_Edge]) -> None:
        self.children.setdefault(entity.guid, {})[direction] = any(edge.active for edge in edges)

    def hops(self, asset: Entity, direction: str) -> Iterator[Entity]:
        """The assets that are one hop away, each as what leads there has been added."""
        for edge in self.to_processes(asset, direction):
            if not (self.archived or edge.active):
                continue
            further = self.to_assets(edge.process, direction)
            self.note_children(edge.process, direction, further)
            for onward in further:
                ends = (asset, edge.process, onward.asset)
                if self.hide_process:
                    pair = (asset, onward.asset) if direction == "OUTPUT" else (onward.asset, asset)
                    self.add(
                        {
                            "fromEntityId": pair[0].guid,
                            "toEntityId": pair[1].guid,
                            "processId": edge.process.guid,
                        },
                        *ends,
                    )
                else:
                    self.add(edge.relation(), *ends)
                    self.add(onward.relation(), *ends)
                yield onward.asset

    def walk(self, start: Entity, direction: str, depth: int) -> None:
        """Depth first from an asset, `depth` hops; below 0 there is no end. An asset that was left is not entered again."""
        if depth == 0:
            self._end(start, direction)
            return
        seen, ways = {start.guid}, [(self.hops(start, direction), depth)]
        while ways:
            hops, left = ways[-1]
            reached = next(hops, None)
            if reached is None:
                ways.pop()
            elif reached.guid not in seen:
                if left == 1:
                    self._end(reached, direction)
                else:
                    seen.add(reached.guid)
                    ways.append((self.hops(reached, direction), left - 1))

    def _end(self, asset: Entity, direction: str) -> None:
        """Note whether there is more behind the last asset, not counting processes that only lead back to it."""
        side = SIDES[direction][1]
        edges = [
            edge for edge in self.to_processes(asset, direction) if set(edge.process.related(side)) != {asset.guid}
        ]
        self.note_children(asset, direction, edges)


def lineage_graph(catalog: Catalog, request: JsonObject) -> LineageGraph:
    """The answer of `POST /api/meta/lineage/getlineage`, and of `GET /api/meta/lineage/{guid}`.

    `request` has `guid`, and perhaps `depth` in hops (0 or below: no end), `direction` (INPUT, OUTPUT or BOTH, the default),
    `hideProcess` (relations go from asset to asset and name the process), `allowDeletedProcess`, `ignoredProcesses` (names of
    types), `entityFilters` (cut the walk), `attributes` and `relationAttributes`. An entity without lineage is not in its
    own graph.

    Raises `AtlasError`: 400 for a malformed request, 404 for a guid that nobody has or a type without lineage, 501 for pages.
    """
    guid, depth, direction = request.get("guid"), request.get("depth", 0), request.get("direction") or "BOTH"
    if guid is not None and not isinstance(guid, str):
        raise errors.bad_request("guid is no text")
    if not guid:
        raise errors.bad_request("guid is not specified")
    flags = {
        name: request.get(name) for name in ("hideProcess", "allowDeletedProcess", "calculateRemainingVertexCounts")
    }
    wrong = next((name for name, value in flags.items() if value not in (None, True, False)), None)
    if wrong:
        raise errors.bad_request(f"{wrong} must be true or false")
    if not isinstance(direction, str) or direction not in DIRECTIONS:
        raise errors.bad_request(f"direction must be INPUT, OUTPUT or BOTH, not {direction}")
    _check_pages(request, depth, bool(flags["calculateRemainingVertexCounts"]))
    wanted, of_related, ignored = (
        as_texts(request.get(name), name) for name in ("attributes", "relationAttributes", "ignoredProcesses")
    )
    shown = entity_filter(catalog, request.get("entityFilters"))
    start = catalog.entities.get(guid)
    if not start:
        raise errors.guid_not_found(guid)
    is_process = start.type.is_a("Process")
    if is_process and flags["hideProcess"]:
        message = f"Given instance guid {guid} with type {start.type.name} is not a valid lineage entity type with hideProcess as true."
        raise errors.AtlasError(404, "404-00-017", message)
    if not is_process and not start.type.is_a("Catalog"):
        message = f"Given instance guid {guid} with type {start.type.name} is not a valid lineage entity type."
        raise errors.AtlasError(404, "404-00-011", message)

    graph = _Graph(
        catalog,
        bool(flags["hideProcess"]),
        bool(flags["allowDeletedProcess"]),
        ignored,
        lambda entity: entity.guid == guid or shown(entity),  # what one starts from is never filtered out
    )
    limit = depth or -1
    for way in DIRECTIONS[direction]:
        if not is_process:
            graph.walk(start, way, limit)
            continue
        edges = graph.to_assets(start, way)
        graph.note_children(start, way, edges)
        for edge in edges:
            graph.add(edge.relation(), edge.asset, start)
            graph.walk(edge.asset, way, limit - 1)
    headers: dict[str, EntityHeader] = {
        entity.guid: search_hit(catalog, entity, wanted, of_related) for entity in graph.entities.values()
    }
    return {
        "baseEntityGuid": guid,
        "lineageDirection": direction,
        "lineageDepth": depth,
        "limit": -1,
        "offset": -1,
        "hasMoreUpstreamVertices": False,
        "hasMoreDownstreamVertices": False,
        "guidEntityMap": headers,
        "relations": list(graph.relations.values()),
        "vertexChildrenInfo": graph.children,
    }


def _check_pages(request: JsonObject, depth: object, counted: bool) -> None:
    """As `AtlasLineageRequest.performValidation`."""
    offset, limit = request.get("offset", -1), request.get("limit", -1)
    for name, value in (("depth", depth), ("offset", offset), ("limit", limit)):
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 2**31 - 1:
            raise errors.bad_request(f"{name} must be a whole number")
    if (offset == -1) != (limit == -1):
        raise errors.AtlasError(400, "400-00-102", "Invalid pagination state")
    if offset != -1 and depth != 1:
        raise errors.AtlasError(400, "400-00-103", "Pagination can be used only when depth is 1")
    if offset == -1 and counted:
        raise errors.AtlasError(400, "400-00-104", "Vertex counts can't be calculated without pagination")
    if offset != -1:
        raise errors.not_supported("pages of a lineage graph")
