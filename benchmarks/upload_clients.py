"""The Python clients of the upload benchmark, each run as a process of its own: upload_clients.py CLIENT FOLDER ENDPOINT."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import sys
from pathlib import Path
from typing import Any

BUCKET = "objectstore"
STORAGE = "atlan-storage"  # the component in BENCHMARK_COMPONENTS


def ours(folder: Path, endpoint: str) -> None:
    """`migrate` from the folder to the S3 component in `components/` beside it, which names the endpoint."""
    from metadata_extraction.components import open_store
    from metadata_extraction.stores import LocalFolder
    from metadata_extraction.upload import migrate

    destination = open_store(STORAGE, Path(os.environ["BENCHMARK_COMPONENTS"]))
    summary = migrate(LocalFolder(folder), destination, "")
    if summary.reason or summary.failed_migrations:
        raise SystemExit(f"{summary.reason} {summary.failures[:3]}")


def sdk(folder: Path, endpoint: str) -> None:
    """`upload_prefix` of Atlan's application SDK, as it comes, to the same component; its metrics go nowhere."""
    os.environ |= {"ATLAN_ENABLE_OBSERVABILITY_STORE_SINK": "false", "ATLAN_LOG_LEVEL": "ERROR"}
    from application_sdk.storage import create_store_from_binding, upload_prefix

    store = create_store_from_binding(STORAGE, components_dir=os.environ["BENCHMARK_COMPONENTS"])
    asyncio.run(upload_prefix(folder, "", store))
    os._exit(0)  # after obstore's asynchronous calls, the interpreter can abort at its exit


def boto3_16_threads(folder: Path, endpoint: str) -> None:
    """`upload_file` in 16 threads that share a client."""
    client = _client(endpoint, 16)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda path: client.upload_file(str(path), BUCKET, _key(path, folder)), _files(folder)))


def one_by_one(folder: Path, endpoint: str) -> None:
    """One blocking call per file, with the whole file in memory."""
    client = _client(endpoint, 1)
    for path in _files(folder):
        client.put_object(Bucket=BUCKET, Key=_key(path, folder), Body=path.read_bytes())


def _client(endpoint: str, connections: int) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(max_pool_connections=connections, s3={"addressing_style": "path"})
    return boto3.client("s3", endpoint_url=endpoint, config=config)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _key(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


if __name__ == "__main__":
    CLIENTS = {"ours": ours, "sdk": sdk, "boto3": boto3_16_threads, "one-by-one": one_by_one}
    CLIENTS[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])
