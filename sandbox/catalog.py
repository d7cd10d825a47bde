"""The entities of a tenant, in memory for reading and in SQLite for keeping.

A `Catalog` knows nothing of HTTP or of request formats. Every change happens inside `Catalog.transaction()`: it is
either applied and stored as a whole or undone as a whole.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from sandbox.errors import already_exists
from sandbox.messages import Attributes, BusinessAttributes, Classification
from sandbox.types import EntityType, Relationship, TypeSystem

ACTIVE, DELETED = "ACTIVE", "DELETED"
# Attributes that Atlan keeps unique per type across the tenant, beside qualifiedName (isUnique in the type definitions;
# for awsArn also said by pyatlan's S3 models).
UNIQUE_ATTRIBUTES = ("awsArn",)

SCHEMA = """
CREATE TABLE IF NOT EXISTS entity (guid TEXT PRIMARY KEY, document BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS link (
    guid TEXT, name TEXT, other TEXT, other_name TEXT, attributes BLOB, PRIMARY KEY (guid, name, other)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS document (kind TEXT, name TEXT, value BLOB, PRIMARY KEY (kind, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audit (
    position INTEGER PRIMARY KEY, entityId TEXT, entityQualifiedName TEXT, typeName TEXT, user TEXT, action TEXT,
    created INTEGER, timestamp INTEGER, detail BLOB
);
CREATE INDEX IF NOT EXISTS audit_of_entity ON audit (entityId);
CREATE INDEX IF NOT EXISTS audit_of_name ON audit (entityQualifiedName);
"""


# An SQL statement and its values.
Statement = tuple[str, tuple[Any, ...]]


class FolderInUse(Exception):
    """Another process holds the state folder."""


@dataclass(slots=True)
class Entity:
    """One asset, as it is stored.

    `relations` maps a relationship's name to the guids at its other end, each with the relationship's own attributes;
    both ends hold it. Times are in milliseconds since 1970; `business` has custom metadata by the set's hashed name.
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
    relations: dict[str, dict[str, Attributes]] = field(default_factory=dict)

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
        return self.relations.get(name, {})

    def document(self) -> bytes:
        """What is stored of it, as JSON; relationships are rows of their own."""
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
            }
        )

    def copy(self) -> Entity:
        """A copy that later changes of this entity leave as it is."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        fields["attributes"] = dict(self.attributes)
        fields["tags"] = list(self.tags)
        fields["relations"] = {name: dict(others) for name, others in self.relations.items()}
        return Entity(**fields)


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
        self._links: list[Statement] = []

    def create(self, entity_type: EntityType, qualified_name: str) -> Entity:
        """Add an active entity with a new guid and no attribute but its qualified name."""
        guid = str(uuid.uuid4())
        entity = Entity(guid, entity_type, {}, ACTIVE, self.user, self.user, self.now, self.now)
        self.catalog._add(entity)
        self._undo.append(lambda: self.catalog._discard(entity))
        self.created[guid] = entity
        self.set_attribute(entity, "qualifiedName", qualified_name)
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
        if name in UNIQUE_ATTRIBUTES and value is not None:
            self._check_unique(entity, name, value)
        self.touch(entity)
        self.differences[entity.guid].attributes.add(name)
        self.catalog._unindex(entity)
        if value is None:
            entity.attributes.pop(name, None)
        else:
            entity.attributes[name] = value
        self.catalog._index(entity)

        def undo() -> None:
            self.catalog._unindex(entity)
            entity.attributes[name] = before
            if before is None:
                del entity.attributes[name]
            self.catalog._index(entity)

        self._undo.append(undo)

    def set_field(self, entity: Entity, name: str, value: Any) -> None:
        """Set status, tags, business or labels; nothing happens if it has that value already."""
        before = getattr(entity, name)
        if before == value:
            return
        self.touch(entity)
        self.differences[entity.guid].fields.setdefault(name, before)
        self.catalog._set_field(entity, name, value)
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
        row = (entity.guid, end.name, other.guid, end.inverse, orjson.dumps(attributes))
        self._links += [self._delete_link_rows(entity, end, other), ("INSERT INTO link VALUES (?,?,?,?,?)", row)]

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
        self._links.append(self._delete_link_rows(entity, end, other))

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
                self.catalog.search_view_before_change(self.catalog.entities[guid])
                self.leave(entity, end.name, self.catalog.entities[guid])
                self._unlink(entity, end, self.catalog.entities[guid])
        self.catalog.search_view_before_change(entity)
        self.catalog._discard(entity)
        self._undo.append(lambda: self.catalog._add(entity))
        self.changed.pop(entity.guid, None)
        self.purged[entity.guid] = entity

    def statements(self) -> list[Statement]:
        """The SQL that stores what has changed."""
        rows: list[Statement] = [("DELETE FROM entity WHERE guid = ?", (guid,)) for guid in self.purged]
        for entity in [*self.created.values(), *self.changed.values()]:
            if entity.guid not in self.purged:
                rows.append(("INSERT OR REPLACE INTO entity VALUES (?,?)", (entity.guid, entity.document())))
        return rows + self._links

    def roll_back(self) -> None:
        """Undo everything, the last change first: an earlier one may be what a later one was made on."""
        for undo in reversed(self._undo):
            undo()

    def _check_unique(self, entity: Entity, name: str, value: Any) -> None:
        holder = self.catalog.by_unique.get((entity.type.name, name, value))
        if holder and holder != entity.guid:
            raise already_exists(
                f"{entity.type.name} with {name} {value} already exists: {self.catalog.entities[holder].qualified_name}",
                holder,
            )

    def _set_link(self, entity: Entity, name: str, other: Entity, attributes: Attributes) -> None:
        others = entity.relations.setdefault(name, {})
        before = others.get(other.guid)
        others[other.guid] = attributes
        self._undo.append(lambda: others.pop(other.guid) if before is None else others.__setitem__(other.guid, before))

    def _drop_link(self, entity: Entity, name: str, other: Entity) -> None:
        attributes = entity.relations[name].pop(other.guid)
        self._undo.append(lambda: entity.relations[name].__setitem__(other.guid, attributes))

    @staticmethod
    def _delete_link_rows(entity: Entity, end: Relationship, other: Entity) -> Statement:
        return (
            "DELETE FROM link WHERE (guid = ? AND name = ? AND other = ?) OR (guid = ? AND name = ? AND other = ?)",
            (entity.guid, end.name, other.guid, other.guid, end.inverse, entity.guid),
        )


class Catalog:
    """All entities of a tenant, found by guid, by type and qualified name, by connection, or by walking relations.

    `by_root` has the guids below a connection's qualified name, `tagged` those of entities with tags, `propagated` the tags that
    reach each from elsewhere, with the version that they were derived at. `version` grows with every change. `index_delay` is how
    many seconds a change takes to be seen by a search. `listeners` are asked at the end of a transaction for what else is
    to be stored with it, as the metastore tells its `EntityChangeListenerV2`s.
    """

    def __init__(self, types: TypeSystem, database: Path) -> None:
        self.types = types
        self.entities: dict[str, Entity] = {}
        self.by_key: dict[tuple[str, str], str] = {}
        self.by_unique: dict[tuple[str, str, str], str] = {}
        self.by_type: dict[str, dict[str, None]] = defaultdict(dict)
        self.by_name: dict[str, dict[str, None]] = defaultdict(dict)
        self.by_root: dict[str, dict[str, None]] = defaultdict(dict)
        self.tagged: dict[str, None] = {}
        self.propagated: tuple[int, dict[str, list[Classification]]] = (-1, {})
        self.version = 0
        self.index_delay = 0.0
        self.listeners: list[Callable[[Transaction], Iterable[Statement]]] = []
        self._stale_views: dict[str, tuple[float, Entity | None]] = {}
        self._database = _open_database(database)
        self._load()

    def close(self) -> None:
        """Close the database, and with it the folder for others to use."""
        self._database.close()

    @contextlib.contextmanager
    def transaction(self, user: str = "") -> Iterator[Transaction]:
        """Collect changes by a user: stored when the block ends, undone if it raises anything."""
        transaction = Transaction(self, user)
        try:
            yield transaction
            further = [statement for listener in self.listeners for statement in listener(transaction)]
            with self._database:
                for statement, values in [*transaction.statements(), *further]:
                    self._database.execute(statement, values)
        except BaseException:
            transaction.roll_back()
            raise
        for guid in transaction.created:
            self.search_view_before_change(None, guid)
        self.version += 1

    def find(self, type_name: str, qualified_name: str, unique: str = "qualifiedName") -> Entity | None:
        """The entity of this type, else of one of its subtypes, with this qualified name (or other unique value).

        Case counts. An archived entity is found, too, as its name stays taken (`AtlasGraphUtilsV2`, observed).
        """
        for name in self.types.family(type_name):
            if unique == "qualifiedName":
                guid = self.by_key.get((name, qualified_name))
            else:
                guid = self.by_unique.get((name, unique, qualified_name))
            if guid:
                return self.entities[guid]
        return None

    def reset(self) -> None:
        """Forget all entities and documents, in memory and in the database."""
        with self._database:
            for table in ("entity", "link", "document", "audit"):
                self._database.execute(f"DELETE FROM {table}")
        for index in (
            self.entities,
            self.by_key,
            self.by_unique,
            self.by_type,
            self.by_name,
            self.by_root,
            self.tagged,
        ):
            index.clear()
        self._stale_views.clear()
        self.version += 1

    # Documents: everything that is no entity (type definitions, the token).

    def documents(self, kind: str) -> dict[str, Any]:
        """All documents of a kind by name, each as the JSON that was put."""
        rows = self._database.execute("SELECT name, value FROM document WHERE kind = ?", (kind,))
        return {name: orjson.loads(value) for name, value in rows}

    def put_document(self, kind: str, name: str, value: Any) -> None:
        """Store a document (any JSON) under a kind and a name, at once."""
        with self._database:
            self._database.execute("INSERT OR REPLACE INTO document VALUES (?,?,?)", (kind, name, orjson.dumps(value)))

    def delete_document(self, kind: str, name: str) -> None:
        """Forget a document; nothing happens if there is none."""
        with self._database:
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

    def search_view(self, entity: Entity) -> Entity | None:
        """The entity as the search index has it now; None while a new one is not yet indexed."""
        until, view = self._stale_views.get(entity.guid, (0.0, entity))
        if until <= time.monotonic():
            return entity
        if view:  # what it refers to comes from the graph, also in a search (`EntityGraphRetriever`)
            view.relations = entity.relations
        return view

    def unindexed_changes(self) -> list[Entity]:
        """Entities that are gone but that the search index still has; forgets what the index has caught up with."""
        now = time.monotonic()
        self._stale_views = {guid: item for guid, item in self._stale_views.items() if item[0] > now}
        gone = [view for guid, (_, view) in self._stale_views.items() if view and guid not in self.entities]
        for view in gone:
            view.relations = {}
        return gone

    @property
    def index_is_behind(self) -> bool:
        """Whether a search may have to see an entity as it was."""
        return bool(self._stale_views)

    # Indexes

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
        self.entities[entity.guid] = entity
        self._note_tags(entity)
        self.by_type[entity.type.name][entity.guid] = None
        self._index(entity)

    def _discard(self, entity: Entity) -> None:
        self._unindex(entity)
        self.by_type[entity.type.name].pop(entity.guid, None)
        self.tagged.pop(entity.guid, None)
        self.entities.pop(entity.guid, None)

    def _index(self, entity: Entity) -> None:
        qualified_name = entity.qualified_name
        self.by_key[entity.type.name, qualified_name] = entity.guid
        self.by_name[qualified_name][entity.guid] = None
        self.by_root[name_root(qualified_name)][entity.guid] = None
        for name in UNIQUE_ATTRIBUTES:
            if entity.attributes.get(name):
                self.by_unique[entity.type.name, name, entity.attributes[name]] = entity.guid

    def _unindex(self, entity: Entity) -> None:
        qualified_name = entity.qualified_name
        if self.by_key.get((entity.type.name, qualified_name)) == entity.guid:
            del self.by_key[entity.type.name, qualified_name]
        self.by_name[qualified_name].pop(entity.guid, None)
        if not self.by_name[qualified_name]:
            del self.by_name[qualified_name]
        self.by_root[name_root(qualified_name)].pop(entity.guid, None)
        for name in UNIQUE_ATTRIBUTES:
            key = (entity.type.name, name, str(entity.attributes.get(name)))
            if self.by_unique.get(key) == entity.guid:
                del self.by_unique[key]

    def _load(self) -> None:
        for guid, document in self._database.execute("SELECT guid, document FROM entity"):
            values = orjson.loads(document)
            entity_type = self.types.get(values.pop("type"))
            if entity_type:
                self._add(Entity(guid, entity_type, **values))
        for guid, name, other, other_name, attributes in self._database.execute("SELECT * FROM link"):
            if guid in self.entities and other in self.entities:
                values = orjson.loads(attributes)
                self.entities[guid].relations.setdefault(name, {})[other] = values
                if other_name:
                    self.entities[other].relations.setdefault(other_name, {})[guid] = values


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


def _open_database(path: Path) -> sqlite3.Connection:
    """Open the database for this process alone. A write is in the file's log before it is acknowledged.

    Only the user can read it, as it has the tenant's token; SQLite gives its log the same rights.

    Raises `FolderInUse` if another process has it open, and OSError if it cannot be one (no right to write, no database).
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    try:
        database = sqlite3.connect(path, timeout=0.2, check_same_thread=False)
    except sqlite3.Error as error:
        raise OSError(errno.EIO, str(error), str(path)) from error
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.executescript(SCHEMA)
        with database:
            database.execute("INSERT OR REPLACE INTO document VALUES ('state', 'opened', '1')")
    except sqlite3.Error as error:
        database.close()
        if "locked" in str(error):
            raise FolderInUse(str(path)) from error
        raise OSError(errno.EIO, str(error), str(path)) from error
    return database
