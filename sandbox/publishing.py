"""Publishing: what arrives under `transformed/` in Atlan's storage becomes assets of the tenant, as Atlan's publish
step does it. Each file has one Atlas entity in each line.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox import errors
from sandbox.bodies import parse_json
from sandbox.catalog import Catalog
from sandbox.errors import AtlasError
from sandbox.messages import SentEntity
from sandbox.mutations import SaveOptions, save
from sandbox.people import USER
from sandbox.seed import connection_entity

ENTITIES_PER_SAVE = 500
# Parents first; anything else comes after them.
PUBLISH_ORDER = (
    "Connection",
    "Database",
    "Schema",
    "Table",
    "View",
    "MaterialisedView",
    "TablePartition",
    "Procedure",
    "Function",
)
# References among columns, which may be of a later file: set when all are there.
LATE = ("foreignKeyTo",)
MISSING_REFERENCE = errors.reference_not_found("", None).code


@dataclass(frozen=True)
class _Line:
    """An entity, and the file that it came in."""

    file: str
    entity: SentEntity


@dataclass
class Published:
    """What looks at the storage brought: the names of the files read and of the assets saved, and what was refused."""

    file_names: set[str] = field(default_factory=set)
    asset_names: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)

    @property
    def files(self) -> int:
        """How many files were read."""
        return len(self.file_names)

    @property
    def assets(self) -> int:
        """How many assets were saved."""
        return len(self.asset_names)

    def add(self, other: Published) -> None:
        """Take in what another look has brought; what both have brought counts once."""
        self.file_names |= other.file_names
        self.asset_names |= other.asset_names
        self.refused += other.refused


class Publisher:
    """Watches the storage's folder: a file is read when all has come to rest, and again if it is replaced.

    The folder is what Atlan's publish app reads, as apps of its application SDK write it (`transformed/` below a run).

    What refers to an asset that has not come yet waits, with its file, for the next arrivals.
    """

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self._catalog = catalog
        self._folder = folder
        self._seen: dict[str, str] = {}
        self._tried: dict[str, str] = {}

    def look(self) -> dict[str, str]:
        """What is to be published now: all that is pending, if nothing has changed since the last look."""
        before, self._seen = self._seen, self.pending()
        return self._seen if self._seen == before and self._seen != self._tried else {}

    def pending(self) -> dict[str, str]:
        """Every file that is not published as it is now: its name in the storage, and what tells its state."""
        published = self._catalog.documents("published")
        found = {}
        for path in sorted(self._folder.glob("**/transformed/**/*.json")):
            name, status = path.relative_to(self._folder).as_posix(), path.stat()
            tag = f"{status.st_size}-{status.st_mtime_ns}"
            if published.get(name) != tag:
                found[name] = tag
        return found

    def publish(self, files: Mapping[str, str], done: Published) -> Iterator[None]:
        """Save the entities of these files and note it in `done`; pauses after each batch, to let others in.

        `files` is what `look` or `pending` gave. A refused entity is noted with its reason, and the others are saved.
        """
        done.file_names |= files.keys()
        entities = [_Line(name, entity) for name in files for entity in self._read(name, done)]
        connections = [_Line("", entity) for entity in self._missing_connections(entities)]
        entities = [*connections, *sorted(entities, key=lambda line: _rank(line.entity))]
        late = []
        for line in entities:
            attributes = line.entity["attributes"]
            links = {name: attributes.pop(name) for name in LATE if attributes.get(name)}
            if links:
                named = {key: attributes[key] for key in ("qualifiedName", "name")}
                late.append(_Line(line.file, {**line.entity, "attributes": {**named, **links}}))
        waiting: set[str] = set()
        for batch in (*_batches(entities), *_batches(late)):
            self._save(batch, done, waiting)
            yield
        for name, tag in files.items():
            if name not in waiting:
                self._catalog.put_document("published", name, tag)
        self._tried = self.pending()

    def _read(self, name: str, done: Published) -> Iterator[SentEntity]:
        for number, line in enumerate((self._folder / name).read_bytes().splitlines(), 1):
            try:
                entity = parse_json(line)
                if not entity["attributes"]["qualifiedName"]:
                    raise ValueError("it has no qualifiedName")
                yield entity
            except (AtlasError, ValueError, KeyError, TypeError) as error:
                done.refused.append(f"{name}, line {number}: no entity ({error})")

    def _missing_connections(self, lines: Iterable[_Line]) -> list[SentEntity]:
        """The connections that the entities belong to and that the tenant has not: Atlan makes them when it publishes."""
        found = {}
        for line in lines:
            attributes = line.entity["attributes"]
            connection = attributes.get("connectionQualifiedName") or ""
            if connection.count("/") == 2 and not self._catalog.find("Connection", connection):
                found[connection] = connection_entity(
                    connection, attributes.get("connectionName") or connection.split("/")[1]
                )
        return list(found.values())

    def _save(self, lines: list[_Line], done: Published, waiting: set[str]) -> None:
        """Save a batch; where it is refused, one by one, so that one fault costs one."""
        try:
            save(self._catalog, [line.entity for line in lines], SaveOptions(), USER["username"])
            done.asset_names.update(line.entity["attributes"]["qualifiedName"] for line in lines)
        except AtlasError as error:
            if len(lines) > 1:
                for line in lines:
                    self._save([line], done, waiting)
                return
            done.refused.append(f"{lines[0].entity['attributes']['qualifiedName']}: {error.message}")
            if error.code == MISSING_REFERENCE:
                waiting.add(lines[0].file)


def _batches(lines: list[_Line]) -> Iterator[list[_Line]]:
    """The lines, which are sorted, in batches whose entities do not name each other: a name is looked up in what is there."""
    for _, level in itertools.groupby(lines, lambda line: _rank(line.entity)):
        while batch := [*itertools.islice(level, ENTITIES_PER_SAVE)]:
            yield batch


def _rank(entity: SentEntity) -> int:
    name = entity.get("typeName")
    return PUBLISH_ORDER.index(name) if name in PUBLISH_ORDER else len(PUBLISH_ORDER)
