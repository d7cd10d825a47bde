"""Filling a new tenant: assets from inventory files, the sample's if no others are named, a bucket of CSV files, and events."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from sandbox.catalog import Catalog, name_root
from sandbox.messages import Attributes, SentEntity
from sandbox.mutations import SaveOptions, save
from sandbox.people import ROLES, USER

HERE = Path(__file__).resolve().parent
SAMPLE_BUCKETS = HERE / "buckets"
SAMPLE_EVENTS = HERE / "sample" / "events"
SAMPLE_INVENTORIES = (HERE / "sample" / "postgres.json", HERE / "sample" / "snowflake.json")
CONNECTION_NAMES = {"postgres": "postgres-ary", "snowflake": "snowflake-ary"}

# For each type: the relationship to its parent, and where the parent stands in its qualified name.
PARENTS = {
    "Schema": {"Database": "database"},
    "Table": {"Schema": "atlanSchema"},
    "View": {"Schema": "atlanSchema"},
    "MaterialisedView": {"Schema": "atlanSchema"},
    "Procedure": {"Schema": "atlanSchema"},
    "Column": {"Table": "table", "View": "view", "MaterialisedView": "materialisedView"},
}
CRAWL_ORDER = ["Database", "Schema", "Table", "View", "MaterialisedView", "Procedure", "Column"]


class InventoryError(Exception):
    """An inventory file that is not there, or cannot be read as one; told with what to do."""


def fill_catalog(catalog: Catalog, inventories: Iterable[Path] = SAMPLE_INVENTORIES) -> None:
    """Create the connections and assets that the inventory files list.

    An inventory is JSON, `{"data": [[qualified name, name, type], …]}`, perhaps with a row of headings: a cache file of
    main.py. All its rows are of one connection. Raises `InventoryError` for a file that is none, before anything is made.
    """
    for rows in [_read_inventory(path) for path in inventories]:
        qualified_name = name_root(rows[0][0])
        connector = qualified_name.split("/")[1]
        save(
            catalog,
            [connection_entity(qualified_name, CONNECTION_NAMES.get(connector, connector))],
            SaveOptions(),
            USER["username"],
        )
        for _, level in itertools.groupby(
            _assets(rows), lambda entity: entity["typeName"]
        ):  # what refers comes after what it names
            while batch := [*itertools.islice(level, 5000)]:
                save(catalog, batch, SaveOptions(), USER["username"])


def is_empty(catalog: Catalog) -> bool:
    """Whether a tenant has no connection, so that no program finds anything in it."""
    return not catalog.by_type["Connection"]


def fill_buckets(folder: Path) -> None:
    """Copy the sample bucket into `folder`, each of whose sub-folders is a bucket, unless it has any already."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        shutil.copytree(SAMPLE_BUCKETS, folder, dirs_exist_ok=True)


def fill_events(folder: Path, is_sample: bool) -> None:
    """Make the folder with the OpenLineage events that tell of some of the sample's files, unless it is there; for a
    tenant that is not filled from the sample it is empty.
    """
    if is_sample and not folder.exists():
        shutil.copytree(SAMPLE_EVENTS, folder)
    folder.mkdir(exist_ok=True)


def _read_inventory(path: Path) -> list[list[str]]:
    """The rows of a file without their heading: at least one, and all of one connection."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["data"]
        found = [[str(part) for part in row] for row in rows if row[:2] != ["qualified_name", "asset_name"]]
    except OSError as error:
        raise InventoryError(
            f"{path} cannot be read ({error.strerror}): name the cache file of a run on your tenant"
        ) from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InventoryError(f"{path} is no inventory file: {error}") from error
    if not found:
        raise InventoryError(f"{path} has no assets: name the cache file of a run on your tenant")
    root = name_root(found[0][0])
    for row in found:
        if len(row) != 3 or not re.match(r"default/[^/]+/[^/]+(/|$)", row[0]) or name_root(row[0]) != root:
            raise InventoryError(
                f"{path} is no inventory file: {row} is no row [qualified name, name, type] of the connection {root}"
            )
    return found


def connection_entity(qualified_name: str, name: str) -> SentEntity:
    """A connection to save, with the tenant's admins as its own; the connector is the second part of its name."""
    connector = qualified_name.split("/")[1]
    return {
        "typeName": "Connection",
        "attributes": {
            "name": name,
            "qualifiedName": qualified_name,
            "connectorName": connector,
            "category": "warehouse" if connector == "snowflake" else "database",
            "adminRoles": [ROLES[0]["id"]],
        },
    }


def _assets(rows: list[list[str]]) -> Iterable[SentEntity]:
    """The rows as entities, parents first, each with the attributes and the parent that a crawler gives it."""
    rank = {name: position for position, name in enumerate(CRAWL_ORDER)}
    types = {qualified_name: type_name for qualified_name, _, type_name in rows}
    positions: dict[str, int] = {}
    for qualified_name, name, type_name in sorted(rows, key=lambda row: rank.get(row[2], len(CRAWL_ORDER))):
        parent = qualified_name[: -len(name) - 1]
        if type_name == "Procedure":
            parent = parent.removesuffix("/_procedures_")
        attributes: Attributes = {
            "name": name,
            "qualifiedName": qualified_name,
            "connectorName": qualified_name.split("/")[1],
            "connectionQualifiedName": name_root(qualified_name),
            **_ancestor_names(parent, types),
        }
        if type_name == "Procedure":
            attributes["definition"] = f"-- {name}"
        if type_name == "Column":
            positions[parent] = positions.get(parent, 0) + 1
            attributes["order"] = positions[parent]
        relationship = PARENTS.get(type_name, {}).get(types.get(parent, ""))
        if relationship:
            attributes[relationship] = {"typeName": types[parent], "uniqueAttributes": {"qualifiedName": parent}}
        yield {"typeName": type_name, "attributes": attributes}


def _ancestor_names(parent: str, types: dict[str, str]) -> dict[str, str]:
    """databaseName, schemaQualifiedName and so on, for every ancestor that the inventory lists."""
    found: dict[str, str] = {}
    while parent.count("/") > 2:
        kind = {"Database": "database", "Schema": "schema", "Table": "table", "View": "view"}.get(types.get(parent, ""))
        name = parent.rpartition("/")[2]
        if kind:
            found |= {f"{kind}Name": name, f"{kind}QualifiedName": parent}
        parent = parent.rpartition("/")[0]
    return found
