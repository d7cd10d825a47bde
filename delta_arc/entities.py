"""The assets that the pipeline wants in Atlan, as plain JSON in the shape that pyatlan's creators send.

Building them through pyatlan's classes costs about a millisecond each, which thousands of column processes feel.
"""

from __future__ import annotations

import mimetypes
import posixpath
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, NamedTuple, TypedDict, cast

from delta_arc.jobs.told import Columns, ToldHop
from delta_arc.matching import AssetRow
from lineage_page import common_folder
from runtime.references import reference


class Entity(TypedDict):
    """An asset as Atlan takes it. ACTIVE brings an archived one of the same name back to life."""

    typeName: str
    status: str
    attributes: dict[str, Any]


class ListedObject(TypedDict):
    """An object of a bucket: its size in bytes, and when it was last written, with a time zone."""

    key: str
    size: int
    last_modified: datetime
    etag: str


class RegisteredObject(ListedObject):
    """The same, as it is registered in Atlan; `bucket` is the qualified name of its bucket's asset."""

    qualified_name: str
    bucket: str
    bucket_name: str
    prefix: str


def list_object(key: str, size: int, last_modified: datetime, etag: str) -> ListedObject:
    """A listed object that takes a third of the memory of a dict, of which a run may hold a million."""
    return cast(ListedObject, _Listed(key, size, last_modified, etag))


def names_below(bucket: Entity) -> str:
    """How the qualified names of all objects of a bucket begin."""
    attributes = bucket["attributes"]
    return f"{attributes['connectionQualifiedName']}/{attributes['awsArn']}/"


def register_objects(
    objects: Iterable[ListedObject], bucket: Entity, bucket_name: str, prefix: str
) -> list[RegisteredObject]:
    """Listed objects with the names that their assets have in Atlan, see `make_s3_object`; `bucket` is their S3Bucket."""
    place = _Place(names_below(bucket), bucket["attributes"]["qualifiedName"], bucket_name, prefix)
    return [
        cast(
            RegisteredObject,
            _Registered(item["key"], item["size"], item["last_modified"], item.get("etag", ""), place),
        )
        for item in objects
    ]


class _Listed(Mapping[str, Any]):
    """What `ListedObject` says, in slots."""

    __slots__ = ("etag", "key", "last_modified", "size")
    names: ClassVar[tuple[str, ...]] = tuple(ListedObject.__annotations__)

    def __init__(self, key: str, size: int, last_modified: datetime, etag: str) -> None:
        self.key, self.size, self.last_modified, self.etag = key, size, last_modified, etag

    def __getitem__(self, name: str) -> Any:
        if name in self.names:
            return getattr(self, name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return repr(dict(self))


class _Place(NamedTuple):
    """What all objects of one listing have in common; `below` is how their qualified names begin."""

    below: str
    bucket: str
    bucket_name: str
    prefix: str


class _Registered(_Listed):
    """What `RegisteredObject` says: of a million, only the keys differ."""

    __slots__ = ("place",)
    names: ClassVar[tuple[str, ...]] = (*_Listed.names, "qualified_name", *_Place._fields[1:])

    def __init__(self, key: str, size: int, last_modified: datetime, etag: str, place: _Place) -> None:
        super().__init__(key, size, last_modified, etag)
        self.place = place

    def __getitem__(self, name: str) -> Any:
        if name in _Listed.names:
            return getattr(self, name)
        if name == "qualified_name":
            return self.place.below + self.key
        if name in self.names:
            return getattr(self.place, name)
        raise KeyError(name)


# The first segment of the id of every process that this program makes: how it knows its own work.
MARKER = "delta-arc"

# What is compared with the assets that Atlan has.
BUCKET_ATTRIBUTES = ("connectorName", "connectionQualifiedName", "awsArn", "s3ObjectCount")
OBJECT_ATTRIBUTES = (
    "connectorName", "connectionQualifiedName", "awsArn", "s3BucketName", "s3BucketQualifiedName", "s3ObjectKey", "bucket",
    "s3ObjectSize", "s3ObjectLastModifiedTime", "s3ETag", "s3ObjectContentType",
)  # fmt: skip
PROCESS_ATTRIBUTES = (
    "connectorName", "connectionQualifiedName", "sql", "inputs", "outputs", "process", "additionalEtlContext",
)  # fmt: skip
COMPARED_ATTRIBUTES = {"S3Bucket": BUCKET_ATTRIBUTES, "S3Object": OBJECT_ATTRIBUTES}


def make_connection(name: str, qualified_name: str, user: str, admin_role: str) -> Entity:
    """The S3 connection; its admins are this user and all admins."""
    attributes = {
        "name": name,
        "qualifiedName": qualified_name,
        "connectorName": "s3",
        "category": "ObjectStore",
        "adminUsers": [user],
        "adminGroups": [],
        "adminRoles": [admin_role],
    }
    return {"typeName": "Connection", "status": "ACTIVE", "attributes": attributes}


def make_bucket(qualified_name: str, name: str, arn: str, object_count: int | None) -> Entity:
    """The S3Bucket; its count is left out where it is not known."""
    known = {} if object_count is None else {"s3ObjectCount": object_count}
    return _entity("S3Bucket", connection_of(qualified_name), qualified_name, name, awsArn=arn, **known)


def make_s3_object(bucket: Entity, item: ListedObject) -> Entity:
    """The S3Object of one listed object. Its ARN starts with the bucket's, so it is as unique in the tenant."""
    [entity] = make_s3_objects(bucket, [item])
    return {**entity, "attributes": dict(entity["attributes"].items())}


def make_s3_objects(bucket: Entity, items: Iterable[ListedObject]) -> list[Entity]:
    """The same for many: mappings that make each value where it is asked for, of which a run may hold a million."""
    attributes = bucket["attributes"]
    connection, arn = attributes["connectionQualifiedName"], attributes["awsArn"]
    common = {
        "connectorName": connection.split("/")[1],
        "connectionQualifiedName": connection,
        "s3BucketName": attributes["name"],
        "s3BucketQualifiedName": attributes["qualifiedName"],
        "bucket": reference("S3Bucket", attributes["qualifiedName"]),
    }
    place = _ObjectPlace(names_below(bucket), f"{arn}/", common)
    return [cast(Entity, _ObjectEntity(item, place)) for item in items]


class _ObjectPlace(NamedTuple):
    """What the entities of all objects of a bucket have in common; two of it are how their names and ARNs begin."""

    below: str
    arn: str
    common: Mapping[str, Any]


class _ObjectEntity(Mapping[str, Any]):
    """What `Entity` says, of an S3Object."""

    __slots__ = ("item", "place")

    def __init__(self, item: ListedObject, place: _ObjectPlace) -> None:
        self.item, self.place = item, place

    def __getitem__(self, name: str) -> Any:
        if name == "attributes":
            return _ObjectAttributes(self.item, self.place)
        return {"typeName": "S3Object", "status": "ACTIVE"}[name]

    def __iter__(self) -> Iterator[str]:
        return iter(Entity.__annotations__)

    def __len__(self) -> int:
        return len(Entity.__annotations__)


class _ObjectAttributes(Mapping[str, Any]):
    """The attributes of an S3Object; what is not known of it is left out."""

    __slots__ = ("item", "place")
    own: ClassVar[Mapping[str, Callable[[ListedObject, _ObjectPlace], Any]]] = {
        "qualifiedName": lambda item, place: place.below + item["key"],
        "name": lambda item, place: posixpath.basename(item["key"]),
        "awsArn": lambda item, place: place.arn + item["key"],
        "s3ObjectKey": lambda item, place: item["key"],
        "s3ObjectSize": lambda item, place: item.get("size"),
        "s3ObjectLastModifiedTime": lambda item, place: (moment := item.get("last_modified")) and milliseconds(moment),
        "s3ETag": lambda item, place: item.get("etag"),
        "s3ObjectContentType": lambda item, place: mimetypes.guess_type(item["key"])[0],
    }

    def __init__(self, item: ListedObject, place: _ObjectPlace) -> None:
        self.item, self.place = item, place

    def __getitem__(self, name: str) -> Any:
        if name in self.place.common:
            return self.place.common[name]
        value = self.own[name](self.item, self.place)
        if value is None:
            raise KeyError(name)
        return value

    def items(self) -> ItemsView[str, Any]:
        made = {name: make(self.item, self.place) for name, make in self.own.items()}
        known = {name: value for name, value in made.items() if value is not None}
        # In the order in which every entity has its attributes: the names first.
        return {**dict.fromkeys(("qualifiedName", "name")), **self.place.common, **known}.items()

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.items())

    def __len__(self) -> int:
        return len(self.items())


@dataclass(frozen=True)
class Flow:
    """Where data flows from, through and to. Each flow has its lineage to itself, under an id of its own."""

    postgres_connection: str
    bucket: str
    prefix: str
    snowflake_connection: str

    @property
    def marker(self) -> str:
        """The first segments of the id of every process of this flow."""
        parts = (self.postgres_connection, self.bucket, self.prefix, self.snowflake_connection)
        return f"{MARKER}/{_short_digest(*parts)}"


@dataclass(frozen=True)
class Load:
    """The tables at both ends of a load process, and the names of the source's columns that are not in the file; the
    `doubted` ones of these are so by one file alone."""

    source: str
    target: str
    absent: frozenset[str] = frozenset()
    doubted: frozenset[str] = frozenset()
    # What the jobs at both ends tell of the columns, and the columns of a file.
    extracted: Columns = ()
    loaded: Columns = ()
    header: tuple[str, ...] = ()


def load_suffix(source: str, target: str) -> str:
    """How the id of the load process between two tables ends in every flow, after `/load/`.

    The source is empty where the objects come from no table that is known.
    """
    return f"{target.removeprefix(connection_of(target) + '/')}/{_short_digest(source, target)}"


def extract_name(flow: Flow, source: str) -> str:
    """The qualified name of the extract process of a table."""
    table = source.removeprefix(f"{flow.postgres_connection}/")
    return f"{flow.postgres_connection}/{flow.marker}/extract/{table}/{_short_digest(source)}"


def load_name(flow: Flow, source: str, target: str) -> str:
    """The qualified name of the load process between two tables."""
    return f"{flow.snowflake_connection}/{flow.marker}/load/{load_suffix(source, target)}"


def column_name(load: str, target_column: str) -> str:
    """The qualified name of the column process that fills a column, below a load process."""
    return f"{load}/column/{target_column}"


def make_extract(
    flow: Flow,
    source: AssetRow,
    place: Sequence[str],
    objects: Sequence[RegisteredObject],
    ground: str,
    told: ToldHop | None = None,
) -> Entity:
    """The process that writes a PostgreSQL table into its objects; the source's connection runs it.

    `told` is what a job says of it, if one does.
    """
    files = _name_objects(objects)
    sql = f"-- Not from a query log: what the names of the objects tell\nCOPY {_sql_name(source, place)} TO {_sql_text(files)}"
    return _process(
        extract_name(flow, source[0]),
        name=f"{source[1]} → {files}",
        description=f"Exports {source[1]} to {files}. {_recorded(told, 'the names of the table and the objects')}",
        sql=told.sql if told and told.sql else sql,
        inputs=[reference(source[2], source[0])],
        outputs=[reference("S3Object", item["qualified_name"]) for item in objects],
        additionalEtlContext=ground,
    )


def make_load(
    flow: Flow,
    source: str,
    objects: Sequence[RegisteredObject],
    target: AssetRow,
    place: Sequence[str],
    ground: str,
    told: ToldHop | None = None,
) -> Entity:
    """The process that loads a table's objects into a Snowflake table; the target's connection runs it.

    `source` is that table's qualified name, or empty; see `load_suffix`. `told` is what a job says of it, if one does.
    """
    files = _name_objects(objects)
    sql = f"-- Not from a query log: what the names of the objects tell\nCOPY INTO {_sql_name(target, place)} FROM {_sql_text(files)}"
    return _process(
        load_name(flow, source, target[0]),
        name=f"{files} → {target[1]}",
        description=f"Loads {files} into {target[1]}. {_recorded(told, 'the names of the objects and the table')}",
        sql=told.sql if told and told.sql else sql,
        inputs=[reference("S3Object", item["qualified_name"]) for item in objects],
        outputs=[reference(target[2], target[0])],
        additionalEtlContext=ground,
    )


def make_column_process(process: str, source: AssetRow, left: AssetRow, target: AssetRow, right: AssetRow) -> Entity:
    """The way of one column, below the load process of its table."""
    name = f"{source[1]}.{left[1]} → {target[1]}.{right[1]}"
    return _process(
        column_name(process, right[1]),
        name=name,
        description=f"Carries {name}. Recorded by Delta Arc from the names of the columns.",
        inputs=[reference("Column", left[0])],
        outputs=[reference("Column", right[0])],
        type_name="ColumnProcess",
        process=reference("Process", process),
    )


def _entity(type_name: str, connection: str, qualified_name: str, name: str, **attributes: Any) -> Entity:
    """An asset in the shape that pyatlan's creators send."""
    return {
        "typeName": type_name,
        "status": "ACTIVE",
        "attributes": {
            "qualifiedName": qualified_name,
            "name": name,
            "connectorName": connection.split("/")[1],
            "connectionQualifiedName": connection,
            **attributes,
        },
    }


def _process(qualified_name: str, type_name: str = "Process", **attributes: Any) -> Entity:
    return _entity(type_name, connection_of(qualified_name), qualified_name, **attributes)


def _short_digest(*parts: str) -> str:
    return digest("\n".join(parts))[:12]


def digest(text: str) -> str:
    """The SHA-256 of a text in hexadecimal digits."""
    from hashlib import sha256  # brings OpenSSL with it, which `--help` does not need

    return sha256(text.encode()).hexdigest()


def connection_of(qualified_name: str) -> str:
    """The connection's qualified name: the first three segments, which hold no slash of their own."""
    return "/".join(qualified_name.split("/", 3)[:3])


def last_name(qualified_name: str) -> str:
    """The last segment: the name, where it holds no slash."""
    return qualified_name.rpartition("/")[2]


def _recorded(told: ToldHop | None, names: str) -> str:
    return f"Recorded by Delta Arc, as {told.teller} tells." if told else f"Recorded by Delta Arc from {names}."


def _sql_name(table: AssetRow, place: Sequence[str]) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in (*place, table[1]))


def _sql_text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name_objects(objects: Sequence[RegisteredObject]) -> str:
    """One object by its address, several by their number and common folder."""
    bucket = last_name(objects[0]["bucket"]).rpartition(":")[2]
    keys = [item["key"] for item in objects]
    if len(keys) == 1:
        return f"s3://{bucket}/{keys[0]}"
    folder = common_folder(keys)
    return f"{len(keys)} objects in s3://{bucket}/{folder + '/' if folder else ''}"


def milliseconds(moment: datetime) -> int:
    """A time as Atlan has it."""
    return int(moment.timestamp() * 1000)
