"""A generated world in a tenant and a bucket, a run over it, and the lineage that the tenant has then, through pyatlan."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyatlan.client.atlan import AtlanClient
from pyatlan.model.assets import Asset, ColumnProcess, Process
from pyatlan.model.fluent_search import CompoundQuery, FluentSearch
from world import World

from sandbox import seed as seeding
from worlds.generator import Edge, GeneratedWorld, Kind, StoredObject, rows_of


def settle(world: GeneratedWorld, tenant: World) -> dict[str, str]:
    """Write a world's assets and objects into a tenant, under connections and a bucket of its own; returns the settings."""
    for connection, tables in ((world.postgres, world.sources), (world.snowflake, world.targets)):
        tenant.save(seeding.connection_entity(connection, _connection_name(connection)))
        assets = seeding._assets(rows_of(tables))
        for _, level in itertools.groupby(assets, lambda entity: entity["typeName"]):  # what is named has to be there
            tenant.save(*level)
    store(world.objects.values(), tenant.tenant.buckets / bucket_of(world))
    return {
        "POSTGRES_CONNECTION_NAME": _connection_name(world.postgres),
        "SNOWFLAKE_CONNECTION_NAME": _connection_name(world.snowflake),
        "S3_BUCKET_NAME": bucket_of(world),
        "S3_PREFIX": world.prefix,
        "LINEAGE_PAGE": "",
        "LOG_LEVEL": "ERROR",
        "CACHE_EXPIRY_HOURS": "0",
    }


def store(objects: Iterable[StoredObject], folder: Path) -> None:
    """Write objects into the folder of a bucket, with their times."""
    for item in objects:
        path = folder / item.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(item.body)
        os.utime(path, (item.modified.timestamp(), item.modified.timestamp()))


def bucket_of(world: GeneratedWorld) -> str:
    return f"world-{world.seed}"


def _connection_name(qualified_name: str) -> str:
    return qualified_name.replace("/", "-")


@dataclass(frozen=True)
class Fault:
    """A wrong or a missed edge: which (`verdict`), in which scene, and in words, with the program's reason for it."""

    verdict: str
    kind: Kind
    scene: str
    words: str

    @property
    def group(self) -> tuple[str, str, str]:
        return self.verdict, self.kind.value, self.scene


def read_back(client: AtlanClient, world: GeneratedWorld) -> dict[Edge, str]:
    """The edges of a world that Atlan has, from the inputs and outputs of its processes, with the ground that each tells."""
    found: dict[Edge, str] = {}
    processes = sorted(_search(client, world), key=lambda process: process.qualified_name or "")
    grounds: dict[str, str] = {}
    for process in processes:
        name = process.qualified_name or ""
        told = process.additional_etl_context or grounds.get(name.partition("/column/")[0], "no ground is told")
        grounds[name] = told
        for left in process.inputs or ():
            for right in process.outputs or ():
                found[_edge(left, right, world)] = told
    return found


def _search(client: AtlanClient, world: GeneratedWorld) -> Iterator[Process | ColumnProcess]:
    search = (
        FluentSearch(_includes_on_results=["inputs", "outputs", "additionalEtlContext"])
        .where(CompoundQuery.active_assets())
        .where(Asset.TYPE_NAME.within(["Process", "ColumnProcess"]))
        .where(Asset.CONNECTION_QUALIFIED_NAME.within([world.postgres, world.snowflake]))
        .page_size(1000)
    )
    return (asset for asset in search.execute(client) if isinstance(asset, (Process, ColumnProcess)))


def _edge(left: Asset, right: Asset, world: GeneratedWorld) -> Edge:
    kinds = {left.type_name, right.type_name}
    kind = Kind.COLUMN if kinds == {"Column"} else Kind.LOAD if left.type_name == "S3Object" else Kind.EXTRACT
    return Edge(kind, _name(left, world), _name(right, world))


def _name(asset: Asset, world: GeneratedWorld) -> str:
    """The qualified name of a table or column, the key of an object."""
    name = asset.qualified_name or (asset.unique_attributes or {})["qualifiedName"]
    return name.partition(f"arn:aws:s3:::{bucket_of(world)}/")[2] if asset.type_name == "S3Object" else name


def find_faults(world: GeneratedWorld, found: Mapping[Edge, str], told: Sequence[str]) -> list[Fault]:
    """What is wrong in the edges that were found, and what is missing; `told` are the sentences of the run."""
    faults = []
    for edge in sorted(found.keys() - world.true - world.undecided):
        faults.append(_fault("wrong", edge, world, found[edge]))
    for edge in sorted(world.true - found.keys()):
        names = [name.rpartition("/")[0] if edge.kind is Kind.COLUMN else name for name in (edge.left, edge.right)]
        about = [sentence for sentence in told if any(name in sentence for name in names)]
        faults.append(_fault("missed", edge, world, "; ".join(about) or "nothing is told"))
    return faults


def _fault(verdict: str, edge: Edge, world: GeneratedWorld, reason: str) -> Fault:
    item = world.objects.get(edge.left) or world.objects.get(edge.right)
    columns = f" [{', '.join(item.columns) if item.columns else f'{len(item.body)} bytes'}]" if item else ""
    words = f"seed {world.seed}: {edge.left} → {edge.right}{columns}: {reason}"
    return Fault(verdict, edge.kind, world.scene_of(edge), _CONNECTION.sub("", words))


_CONNECTION = re.compile(r"default/(?:postgres|snowflake)/\d+/")


def summarise(faults: Iterable[Fault]) -> list[str]:
    """The faults by verdict, kind and scene, the most frequent first, each with its shortest example."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for fault in faults:
        groups.setdefault(fault.group, []).append(fault.words)
    ordered = sorted(groups.items(), key=lambda item: (item[0][0] != "wrong", -len(item[1]), item[0]))
    return [f"{len(words)} × {' '.join(group)}\n    {min(words, key=len)}" for group, words in ordered]
