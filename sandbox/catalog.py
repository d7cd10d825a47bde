"""The entities of a tenant, kept in SQLite, and the last ones that were asked for in memory.

A `Catalog` knows nothing of HTTP or of request formats. Every change happens inside `Catalog.transaction()`: it is
either applied and stored as a whole or undone as a whole.
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import orjson

from sandbox.database import ATTRIBUTE_COLUMNS, STATE_TABLES, Statement, open_database
from sandbox.errors import already_exists
from sandbox.messages import Attributes, BusinessAttributes, Classification
from sandbox.types import EntityType, Relationship, TypeSystem

ACTIVE, DELETED = "ACTIVE", "DELETED"
# Attributes that Atlan keeps unique per type across the tenant, beside qualifiedName (isUnique in the type definitions;
# for awsArn also said by pyatlan's S3 models).
UNIQUE_ATTRIBUTES = ("awsArn",)

# Of the temporary view `known_entity`, see `Catalog`.
NEXT_GUIDS = "SELECT id, guid FROM known_entity WHERE id > ? ORDER BY id LIMIT 1000"
READ_ENTITY = "SELECT id, document FROM known_entity JOIN body USING (id) WHERE guid = ?"
READ_RELATION = """
SELECT guid, attributes FROM link JOIN known_entity ON known_entity.id = other WHERE entity = ? AND name = ? ORDER BY position
"""
PUT_LINK = """
INSERT INTO link VALUES (?, ?, ?, ?, ?) ON CONFLICT (entity, name, other) DO UPDATE SET attributes = excluded.attributes
"""
# Each type with one look into the index, where SELECT DISTINCT takes one for each entity.
STORED_TYPES = """
WITH RECURSIVE stored(type) AS (
    SELECT min(type) FROM entity UNION ALL SELECT (SELECT min(type) FROM entity WHERE type > stored.type)
    FROM stored WHERE stored.type IS NOT NULL
)
SELECT type FROM stored WHERE type IS NOT NULL
"""
KEPT = 5_000  # entities that are kept in memory; for a moment twice as many


class _Held:
    """What can be found again as long as somebody holds it (dataclasses have no slot for that before Python 3.11)."""

    __slots__ = ("__weakref__",)


@dataclass(slots=True)
class Entity(_Held):
    """One asset, as it is stored.

    `relations` maps a relationship's name to the guids at its other end, each with the relationship's own attributes; both
    ends hold it. None stands for those that `read_relation` has not been asked for yet: a bucket may have a million objects.
    Times are in milliseconds since 1970; `business` has custom metadata by the set's hashed name; `number` is the database's.
    """

    guid: str
    type: EntityType
    attributes: Attributes
    status: str = ACTIVE
    created_by: str = ""
    updated_by: str = ""
    create_time: int = 0
    update_time: int = 0
    tags: list[Classification] = field(default_factory=list)
    business: BusinessAttributes = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    relations: dict[str, dict[str, Attributes] | None] = field(default_factory=dict)
    number: int = 0
    read_relation: Callable[[int, str], dict[str, Attributes]] = field(default=lambda number, name: {}, compare=False)

    @property
    def active(self) -> bool:
        """Whether it is not archived."""
        return self.status == ACTIVE

    @property
    def name(self) -> str:
        """Its name, or "" if it has none."""
        return str(self.attributes.get("name") or "")

    @property
    def qualified_name(self) -> str:
        """Its qualified name; "" only while it is being created."""
        return str(self.attributes.get("qualifiedName") or "")

    def related(self, name: str) -> dict[str, Attributes]:
        """The guids at the other end of a relationship, in the order of linking, with the relationship's attributes."""
        if name not in self.relations:
            return {}
        others = self.relations[name]
        if others is None:
            others = self.relations[name] = self.read_relation(self.number, name)
        return others

    def document(self) -> bytes:
        """What is stored of it, as JSON; of relationships the names, as they are rows of their own."""
        return orjson.dumps(
            {
                "type": self.type.name,
                "attributes": self.attributes,
                "status": self.status,
                "created_by": self.created_by,
                "updated_by": self.updated_by,
                "create_time": self.create_time,
                "update_time": self.update_time,
                "tags": self.tags,
                "business": self.business,
                "labels": self.labels,
                "relations": list(self.relations),
            }
        )

    def copy(self) -> Entity:
        """A copy that later changes of this entity leave as it is, without relationships."""
        return replace(self, attributes=dict(self.attributes), tags=list(self.tags), relations={})


@dataclass(slots=True)
class Difference:
    """What a transaction does to one entity: which attributes and relationships it sets, and how fields were before.

    A relationship counts for the entity that it was set on, not for the one at the other end.
    """

    attributes: set[str] = field(default_factory=set)
    relationships: set[str] = field(default_factory=set)
    fields: dict[str, Any] = field(default_factory=dict)


class Transaction:
    """Changes to the catalog that are stored together at its end, or undone together, the last one first.

    `created`, `changed` and `purged` hold the entities concerned by guid; a created one is in `created` alone.
    `differences` has what was done to each, which is nothing for one that only stands at the end of a relationship. The
    metastore does the same with one graph transaction per request (`GraphTransactionInterceptor`).
    """

    def __init__(self, catalog: Catalog, user: str) -> None:
        self.catalog = catalog
        self.user = user
        self.now = int(time.time() * 1000)
        self.created: dict[str, Entity] = {}
        self.changed: dict[str, Entity] = {}
        self.purged: dict[str, Entity] = {}
        self.differences: dict[str, Difference] = defaultdict(Difference)
        self._touched: set[str] = set()
        self._undo: list[Callable[[], object]] = []

    def create(self, entity_type: EntityType, qualified_name: str) -> Entity:
        """Add an active entity with a new guid and no attribute but its qualified name."""
        entity = self.catalog.entities.create(entity_type, qualified_name, self.user, self.now)
        self._undo.append(lambda: self.catalog._discard(entity))
        self.created[entity.guid] = entity
        self.differences[entity.guid].attributes.add("qualifiedName")
        return entity

    def mention(self, entity: Entity) -> None:
        """Note that an entity is told of as updated, though it does not change itself."""
        if entity.guid not in self.created:
            self.changed.setdefault(entity.guid, entity)

    def touch(self, entity: Entity) -> None:
        """Note that an entity changes, and when and by whom; call it before the change."""
        if entity.guid in self.created or entity.guid in self._touched:
            return
        self._touched.add(entity.guid)
        before = (entity.update_time, entity.updated_by)
        self.catalog.search_view_before_change(entity)
        self.changed[entity.guid] = entity
        entity.update_time, entity.updated_by = self.now, self.user

        def undo() -> None:
            entity.update_time, entity.updated_by = before

        self._undo.append(undo)

    def set_attribute(self, entity: Entity, name: str, value: Any) -> None:
        """Set an attribute, or with None take it away; a value that Atlan takes for the same changes nothing.

        Raises `AtlasError` (409) if the attribute is unique and another entity of the type has this value.
        """
        before = entity.attributes.get(name)
        if _same(before, value):
            return
        if (name in UNIQUE_ATTRIBUTES or name == "qualifiedName") and value is not None:
            self._check_unique(entity, name, value)
        self.touch(entity)
        self.differences[entity.guid].attributes.add(name)
        if value is None:
            entity.attributes.pop(name, None)
        else:
            entity.attributes[name] = value
        if name in ATTRIBUTE_COLUMNS:
            self.catalog.entities.set_column(entity, name, value)

        def undo() -> None:
            entity.attributes[name] = before
            if before is None:
                del entity.attributes[name]

        self._undo.append(undo)

    def set_field(self, entity: Entity, name: str, value: Any) -> None:
        """Set status, tags, business or labels; nothing happens if it has that value already."""
        before = getattr(entity, name)
        if before == value:
            return
        self.touch(entity)
        self.differences[entity.guid].fields.setdefault(name, before)
        self.catalog._set_field(entity, name, value)
        if name == "status":
            self.catalog.entities.set_column(entity, "state", value)
        elif name == "tags":
            self.catalog.entities.set_column(entity, "tagged", bool(value))
        self._undo.append(lambda: self.catalog._set_field(entity, name, before))

    def link(self, entity: Entity, end: Relationship, other: Entity, attributes: Attributes | None = None) -> None:
        """Relate two entities, at both ends; `attributes` are the relationship's own.

        Where an end takes one entity only, the one that was there before is unlinked: a table that is put into a schema
        leaves the schema that it was in (the cardinality of the relationship's ends, `EntityGraphMapper`).
        """
        attributes = attributes or {}
        if entity.related(end.name).get(other.guid) == attributes:
            return
        for guid in [guid for guid in entity.related(end.name) if not end.many and guid != other.guid]:
            self.unlink(entity, end, self.catalog.entities[guid])
        if end.inverse and not end.inverse_many:
            for guid in [guid for guid in other.related(end.inverse) if guid != entity.guid]:
                self.unlink(self.catalog.entities[guid], end, other)
        self.touch(entity)
        self.touch(other)
        self.differences[entity.guid].relationships.add(end.name)
        self._set_link(entity, end.name, other, attributes)
        if end.inverse:
            self._set_link(other, end.inverse, entity, attributes)

    def unlink(self, entity: Entity, end: Relationship, other: Entity) -> None:
        """End a relationship, at both ends; nothing happens if there is none."""
        if other.guid in entity.related(end.name):
            self.touch(entity)
            self.touch(other)
            self._unlink(entity, end, other)

    def _unlink(self, entity: Entity, end: Relationship, other: Entity) -> None:
        self.differences[entity.guid].relationships.add(end.name)
        self._drop_link(entity, end.name, other)
        if end.inverse:
            self._drop_link(other, end.inverse, entity)

    def leave(self, entity: Entity, name: str, other: Entity) -> None:
        """Note at the other end of a relationship that an entity goes.

        What a process refers to is modified by that; a process is told of as updated and keeps its time
        (`deleteEdgeReference` and `deleteRelationships` of `DeleteHandlerV1`).
        """
        if entity.type.is_a("Process") and name in ("inputs", "outputs"):
            self.touch(other)
        else:
            self.mention(other)

    def purge(self, entity: Entity) -> None:
        """Remove an entity for good, with all its relationships."""
        for name in list(entity.relations):
            end = entity.type.relationships[name]
            for guid in list(entity.related(name)):
                self.leave(entity, end.name, self.catalog.entities[guid])
                self._unlink(entity, end, self.catalog.entities[guid])
        self.catalog.search_view_before_change(entity)
        self.catalog._discard(entity)
        self.catalog.entities.remove_rows(entity)
        self._undo.append(lambda: self.catalog._add(entity))
        self.changed.pop(entity.guid, None)
        self.purged[entity.guid] = entity

    def statements(self) -> Iterator[Statement]:
        """The SQL that stores the bodies of what has changed; what entities are found by is stored at once."""
        for entity in [*self.created.values(), *self.changed.values()]:
            if entity.guid not in self.purged:
                yield "INSERT OR REPLACE INTO body VALUES (?, ?)", (entity.number, entity.document())
                if entity.guid in self.changed:
                    yield "UPDATE entity SET modified = ? WHERE id = ?", (entity.update_time, entity.number)

    def roll_back(self) -> None:
        """Undo everything, the last change first: an earlier one may be what a later one was made on."""
        for undo in reversed(self._undo):
            undo()

    def _check_unique(self, entity: Entity, name: str, value: Any) -> None:
        holder = self.catalog.entities.having(name, value).get(entity.type.name)
        if holder and holder != entity.guid:
            raise already_exists(
                f"{entity.type.name} with {name} {value} already exists: {self.catalog.entities[holder].qualified_name}",
                holder,
            )

    def _set_link(self, entity: Entity, name: str, other: Entity, attributes: Attributes) -> None:
        self._undo_relation(entity, name)
        if name not in entity.relations:
            entity.relations[name] = {}
        self.catalog.entities.put_link(entity, name, other, attributes, self.now)

    def _drop_link(self, entity: Entity, name: str, other: Entity) -> None:
        self._undo_relation(entity, name)
        self.catalog.entities.remove_link(entity, name, other)

    def _undo_relation(self, entity: Entity, name: str) -> None:
        """Have the relation read again when this is undone."""
        if name in entity.relations:
            self._undo.append(lambda: entity.relations.__setitem__(name, None))
        else:
            self._undo.append(lambda: entity.relations.pop(name))


class Entities(Mapping[str, Entity]):
    """The entities of a tenant by guid, in the order in which they were made, read from its database as they are asked for.

    The last ones that were asked for are kept, and any that somebody holds is the same object for all. What changes goes
    through a `Transaction`, whose changes are seen here at once.
    """

    def __init__(self, types: TypeSystem, database: sqlite3.Connection) -> None:
        self._types = types
        self._database = database
        self._position = 0
        self._held: WeakValueDictionary[str, Entity] = WeakValueDictionary()
        self._recent: dict[str, Entity] = {}
        self._older: dict[str, Entity] = {}

    def __getitem__(self, guid: str) -> Entity:
        entity = self._recent.get(guid)
        if entity is None:
            entity = self._held.get(guid) or self._read(guid)
            self.keep(entity)
        return entity

    def __iter__(self) -> Iterator[str]:
        last = 0
        while rows := self._database.execute(NEXT_GUIDS, (last,)).fetchall():
            yield from (guid for _, guid in rows)
            last = rows[-1][0]

    def __len__(self) -> int:
        ((count,),) = self._database.execute("SELECT count(*) FROM known_entity")
        return int(count)

    def keep(self, entity: Entity) -> None:
        """Keep an entity in memory for a while."""
        self._held[entity.guid] = entity
        self._recent[entity.guid] = entity
        if len(self._recent) >= KEPT:
            self._older, self._recent = self._recent, {}

    def forget(self, entity: Entity) -> None:
        """Have it read again, if it is there."""
        for kept in (self._recent, self._older, self._held):
            kept.pop(entity.guid, None)

    def forget_all(self) -> None:
        """Have all of them read again."""
        for kept in (self._recent, self._older, self._held):
            kept.clear()

    def having(self, name: str, value: str) -> dict[str, str]:
        """The guids of the entities that have this value in an attribute of `ATTRIBUTE_COLUMNS`, by type.

        Of two entities of a type, it is the later one.
        """
        statement = f"SELECT type, guid FROM known_entity WHERE {name} = ? ORDER BY id"
        return dict(self._database.execute(statement, (value,)))

    def _read(self, guid: str) -> Entity:
        row = self._database.execute(READ_ENTITY, (guid,)).fetchone()
        if not row:
            raise KeyError(guid)
        number, document = row
        values = orjson.loads(document)
        values["relations"] = dict.fromkeys(values["relations"])
        entity_type = self._types.types[values.pop("type")]
        return Entity(guid, entity_type, **values, number=number, read_relation=self._read_relation)

    def _read_relation(self, number: int, name: str) -> dict[str, Attributes]:
        rows = self._database.execute(READ_RELATION, (number, name))
        return {other: orjson.loads(attributes) if attributes else {} for other, attributes in rows}

    # Rows of what is changed

    def create(self, entity_type: EntityType, qualified_name: str, user: str, now: int) -> Entity:
        """An active entity with a new guid and no attribute but its qualified name."""
        guid, attributes = str(uuid.uuid4()), {"qualifiedName": qualified_name}
        inserted = self._database.execute(
            "INSERT INTO entity (guid, type, state, created, modified, qualifiedName) VALUES (?, ?, ?, ?, ?, ?)",
            (guid, entity_type.name, ACTIVE, now, now, qualified_name),
        )
        entity = Entity(guid, entity_type, attributes, ACTIVE, user, user, now, now, read_relation=self._read_relation)
        entity.number = inserted.lastrowid or 0
        self.keep(entity)
        return entity

    def set_column(self, entity: Entity, column: str, value: Any) -> None:
        """Note what the entity is found by."""
        self._database.execute(f"UPDATE entity SET {column} = ? WHERE id = ?", (value, entity.number))

    def remove_rows(self, entity: Entity) -> None:
        """Remove what is stored of an entity; its links are gone already."""
        for table in ("body", "entity"):
            self._database.execute(f"DELETE FROM {table} WHERE id = ?", (entity.number,))

    def put_link(self, entity: Entity, name: str, other: Entity, attributes: Attributes, now: int) -> None:
        """Note one end of a relationship; one that is there gets the attributes."""
        others = entity.relations[name]
        if others is not None:
            others[other.guid] = attributes
        self._position = max(self._position + 1, now * 1000)
        stored = orjson.dumps(attributes) if attributes else None
        self._database.execute(PUT_LINK, (entity.number, name, other.number, self._position, stored))

    def remove_link(self, entity: Entity, name: str, other: Entity) -> None:
        """Note that one end of a relationship is gone."""
        others = entity.relations[name]
        if others is not None:
            del others[other.guid]
        self._database.execute(
            "DELETE FROM link WHERE entity = ? AND name = ? AND other = ?", (entity.number, name, other.number)
        )


class Index:
    """The guids of the entities that have a value in a column, in the order in which they were made."""

    def __init__(self, database: sqlite3.Connection, column: str) -> None:
        self._database = database
        self._statement = f"SELECT guid FROM known_entity WHERE {column} = ? ORDER BY id"

    def __getitem__(self, value: str) -> list[str]:
        return [guid for (guid,) in self._database.execute(self._statement, (value,))]


class Catalog:
    """All entities of a tenant, found by guid, by type and qualified name, or by walking relations.

    `by_type` and `by_name` have the guids of a type and of a qualified name, `tagged` those of entities with tags,
    `propagated` the tags that reach each from elsewhere, with the version that they were derived at. `version` grows with
    every change. `index_delay` is how many seconds a change takes to be seen by a search. `listeners` are asked at the end of
    a transaction for what else is to be stored with it, as the metastore tells its `EntityChangeListenerV2`s.
    """

    def __init__(self, types: TypeSystem, database: Path) -> None:
        self.types = types
        self._database = open_database(database)
        self._hide_unknown_types()
        self.entities = Entities(types, self._database)
        self.by_type = Index(self._database, "type")
        self.by_name = Index(self._database, "qualifiedName")
        self.tagged = {guid: None for (guid,) in self._database.execute("SELECT guid FROM known_entity WHERE tagged")}
        self.propagated: tuple[int, dict[str, list[Classification]]] = (-1, {})
        self.version = 0
        self.index_delay = 0.0
        self.listeners: list[Callable[[Transaction], Iterable[Statement]]] = []
        self._stale_views: dict[str, tuple[float, Entity | None]] = {}

    def _hide_unknown_types(self) -> None:
        """Leave out what the installed pyatlan has no type for, as long as it has none."""
        unknown = [name for (name,) in self._database.execute(STORED_TYPES) if not self.types.get(name)]
        names = ", ".join("'" + name.replace("'", "''") + "'" for name in unknown)
        known = f"WHERE type NOT IN ({names})" if unknown else ""
        self._database.execute(f"CREATE TEMP VIEW known_entity AS SELECT * FROM entity {known}")

    def close(self) -> None:
        """Close the database, and with it the folder for others to use."""
        self._database.close()

    @contextlib.contextmanager
    def transaction(self, user: str = "") -> Iterator[Transaction]:
        """Collect changes by a user: stored when the block ends, undone if it raises anything."""
        transaction = Transaction(self, user)
        self._database.execute("BEGIN")
        try:
            yield transaction
            further = [statement for listener in self.listeners for statement in listener(transaction)]
            for statement, values in itertools.chain(transaction.statements(), further):
                self._database.execute(statement, values)
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:  # a full disk has ended it already
                self._database.execute("ROLLBACK")
            transaction.roll_back()
            self.propagated = (-1, {})  # what was derived meanwhile is not so
            raise
        for guid in transaction.created:
            self.search_view_before_change(None, guid)
        self.version += 1

    def find(self, type_name: str, qualified_name: str, unique: str = "qualifiedName") -> Entity | None:
        """The entity of this type, else of one of its subtypes, with this qualified name (or other unique value).

        Case counts. An archived entity is found, too, as its name stays taken (`AtlasGraphUtilsV2`, observed).
        """
        if unique not in ("qualifiedName", *UNIQUE_ATTRIBUTES):
            return None
        found = self.entities.having(unique, qualified_name)
        guid = next((found[name] for name in self.types.family(type_name) if name in found), None) if found else None
        return self.entities[guid] if guid else None

    def reset(self) -> None:
        """Forget all entities and documents, in memory and in the database."""
        self._database.execute("BEGIN")
        for table in STATE_TABLES:
            self._database.execute(f"DELETE FROM {table}")
        self._database.execute("COMMIT")
        self.entities.forget_all()
        self.tagged.clear()
        self._stale_views.clear()
        self.version += 1

    # Documents: everything that is no entity (type definitions, the token).

    def documents(self, kind: str) -> dict[str, Any]:
        """All documents of a kind by name, each as the JSON that was put."""
        rows = self._database.execute("SELECT name, value FROM document WHERE kind = ?", (kind,))
        return {name: orjson.loads(value) for name, value in rows}

    def put_document(self, kind: str, name: str, value: Any) -> None:
        """Store a document (any JSON) under a kind and a name, at once."""
        self._database.execute("INSERT OR REPLACE INTO document VALUES (?,?,?)", (kind, name, orjson.dumps(value)))

    def delete_document(self, kind: str, name: str) -> None:
        """Forget a document; nothing happens if there is none."""
        self._database.execute("DELETE FROM document WHERE kind = ? AND name = ?", (kind, name))

    def select(self, statement: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query to the tenant's database, for what is not kept in memory."""
        return self._database.execute(statement, values)

    # Lineage state, which Atlan keeps as __hasLineage: derived here, so it can't be stale.

    def has_lineage(self, entity: Entity) -> bool:
        """What Atlan keeps as `__hasLineage`: of a process whether it carries lineage, of an asset whether a process of
        it does. One does that is active and has an active input and an active output (`addHasLineage` of
        `EntityGraphMapper`, `resetHasLineageOnInputOutputDelete` of `DeleteHandlerV1`).
        """
        if entity.type.is_a("Process"):
            return entity.active and self._carries(entity)
        processes = [*entity.related("inputToProcesses"), *entity.related("outputFromProcesses")]
        return any(self._carries(self.entities[guid]) for guid in processes)

    def _carries(self, process: Entity) -> bool:
        """Whether a process is active, with at least one active input and one active output."""
        return process.active and all(
            any(self.entities[guid].active for guid in process.related(side)) for side in ("inputs", "outputs")
        )

    # What search sees: with an index delay, the state from before a recent change.

    def search_view_before_change(self, entity: Entity | None, guid: str | None = None) -> None:
        """Keep what a search is to see of an entity while the index is behind; None for one that is new (`guid`)."""
        if self.index_delay <= 0:
            return
        key = guid or (entity.guid if entity else "")
        if key not in self._stale_views:
            self._stale_views[key] = (time.monotonic() + self.index_delay, entity.copy() if entity else None)

    def stale_views(self) -> dict[str, Entity | None]:
        """What the index has of entities whose change it has not seen: as they were, None for those that it does not know.

        Forgets what the index has caught up with.
        """
        now = time.monotonic()
        self._stale_views = {guid: item for guid, item in self._stale_views.items() if item[0] > now}
        views = {guid: view for guid, (_, view) in self._stale_views.items()}
        for guid, view in views.items():
            if view:  # what it refers to comes from the graph, also in a search (`EntityGraphRetriever`)
                current = self.entities.get(guid)
                view.relations = current.relations if current else {}
        return views

    @property
    def index_is_behind(self) -> bool:
        """Whether a search may have to see an entity as it was."""
        return bool(self._stale_views)

    def _set_field(self, entity: Entity, name: str, value: Any) -> None:
        setattr(entity, name, value)
        if name == "tags":
            self._note_tags(entity)

    def _note_tags(self, entity: Entity) -> None:
        if entity.tags:
            self.tagged[entity.guid] = None
        else:
            self.tagged.pop(entity.guid, None)

    def _add(self, entity: Entity) -> None:
        self.entities.keep(entity)
        self._note_tags(entity)

    def _discard(self, entity: Entity) -> None:
        self.entities.forget(entity)
        self.tagged.pop(entity.guid, None)


def name_root(qualified_name: str) -> str:
    """The connection part of a qualified name: its first three segments."""
    return "/".join(qualified_name.split("/", 3)[:3])


def _same(before: Any, after: Any) -> bool:
    """Equal as Atlan compares them: an empty list is no value, and lists of strings are sets."""
    if before == after or (before in (None, []) and after in (None, [])):
        return True
    if isinstance(before, list) and isinstance(after, list) and all(isinstance(item, str) for item in before + after):
        return sorted(before) == sorted(after)
    return False
