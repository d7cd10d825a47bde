"""The names of Atlan's application SDK, each over what is ours here, for who comes from its documentation.

Signatures and defaults as in its version 2 (github.com/atlanhq/application-sdk: `services/objectstore.py`,
`services/atlan_storage.py`, `activities/common/utils.py`, `workflows/metadata_extraction/sql.py`). A store is named by
its component, and opened without a sidecar; settings are those of the environment and `.env`. Errors are `StoreError`
and `ComponentError`, one sentence each.
"""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path

from metadata_extraction.activities import upload_to_atlan
from metadata_extraction.components import open_store
from metadata_extraction.models import MigrationSummary, Run
from metadata_extraction.settings import get_extraction_settings
from metadata_extraction.stores import Store, StoreError, part_bytes
from metadata_extraction.upload import migrate_from_objectstore_to_atlan
from metadata_extraction.workflow import ACTIVITIES, Activity, describe
from runtime.terminal import logger

TEMPORARY_PATH = "./local/tmp/"  # the SDK's own, below which its apps write what they are about to upload


def get_activities() -> list[Activity]:
    """The steps in their order; the upload is always among them, and skips itself where it is off."""
    return list(ACTIVITIES)


async def run_exit_activities(run: Run) -> MigrationSummary:
    """What comes after the steps of a run: its upload, or the line that says that it is off."""
    summary = await asyncio.to_thread(upload_to_atlan, run)
    for line in describe(summary):
        logger.info(line)
    return summary


def get_object_store_prefix(path: str) -> str:
    """The key of a path: below `TEMPORARY_PATH` what comes after that, else the path itself, without slashes around it."""
    whole, temporary = os.path.abspath(path), os.path.abspath(TEMPORARY_PATH)
    return (whole.removeprefix(temporary) if f"{whole}/".startswith(f"{temporary}/") else path).strip("/")


class ObjectStore:
    """Single files of a store; without a name, of the deployment's."""

    @classmethod
    async def upload_file(
        cls, source: str, destination: str, store_name: str = "", retain_local_copy: bool = False
    ) -> None:
        """Write a local file under a key, and delete it, unless it is to be kept; raises `OSError` where it is not there."""
        await asyncio.to_thread(_upload_file, Path(source), destination, store_name, retain_local_copy)

    @classmethod
    async def list_files(cls, prefix: str = "", store_name: str = "") -> list[str]:
        """The keys of every file below a prefix, sorted."""
        return await asyncio.to_thread(lambda: sorted(file.key for file in _open(store_name).list(prefix.strip("/"))))

    @classmethod
    async def get_content(cls, key: str, store_name: str = "") -> bytes:
        """The content of a file."""
        return await asyncio.to_thread(_read, _open(store_name), key)


class AtlanStorage:
    """Atlan's storage."""

    @classmethod
    async def migrate_from_objectstore_to_atlan(cls, prefix: str = "") -> MigrationSummary:
        """Move every file below a prefix of the deployment's store to Atlan's; the summary tells what went wrong."""
        return await asyncio.to_thread(migrate_from_objectstore_to_atlan, prefix)


def _open(store_name: str) -> Store:
    settings = get_extraction_settings()
    return open_store(store_name or settings.deployment_store, settings.components, settings.environment)


def _upload_file(source: Path, destination: str, store_name: str, retain_local_copy: bool) -> None:
    store = _open(store_name)
    with source.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        store.write(destination, iter(partial(stream.read, part_bytes(size)), b""), size)
    if not retain_local_copy:
        source.unlink()


def _read(store: Store, key: str) -> bytes:
    file = next((file for file in store.list(key.rpartition("/")[0]) if file.key == key), None)
    if file is None:
        raise StoreError(f"{key} is not in {store.address}")
    return b"".join(store.read(file))
