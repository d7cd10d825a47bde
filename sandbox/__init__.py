"""An Atlan tenant on your own machine: Atlan's API as pyatlan speaks it, beside a real S3 server.

    with sandbox.start() as tenant:
        client = AtlanClient(base_url=tenant.base_url, api_key=tenant.api_token)

State lives in a folder, so that a second start finds what the first one wrote.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Tenant", "start"]


@dataclass(frozen=True)
class Tenant:
    """Where a running sandbox is. `folder` has its state; `buckets` is the folder whose sub-folders are its S3 buckets.

    `base_url` and `api_token` are what pyatlan's `AtlanClient` takes; `page_url` opens its page in a browser. `s3_key` (id
    and secret) opens `s3_endpoint_url`. `components` is a folder with Dapr components for its storage, which `storage_key`
    opens. `empty` means that it has no connection, which a state folder may be left with.
    """

    base_url: str
    api_token: str = field(repr=False)
    page_url: str = field(repr=False)
    s3_endpoint_url: str
    s3_key: tuple[str, str] = field(repr=False)
    folder: Path
    buckets: Path
    storage_endpoint_url: str
    storage_key: tuple[str, str] = field(repr=False)
    components: Path
    empty: bool


@contextlib.contextmanager
def start(
    folder: str | Path | None = None,
    port: int = 0,
    s3_port: int = 0,
    storage_port: int = 0,
    reset: bool = False,
    inventories: tuple[Path, ...] | None = None,
) -> Iterator[Tenant]:
    """Run a tenant until the block ends; it is ready when the block begins.

    `folder` keeps its state (None: a temporary folder, gone at the end); `reset` empties it first; a port of 0 takes
    a free one; `inventories` are the files to fill a new tenant from (None: the sample's).
    Raises `FolderInUse` if another sandbox runs on the folder, `PortUnavailable` (an OSError) for a port that is taken,
    OSError for a folder that cannot be used, `InventoryError` for a file that is no inventory, and `StorageError` if the S3
    server does not start.
    """
    from sandbox import audit, gate, seed, server, storage
    from sandbox.catalog import Catalog
    from sandbox.files import SignedStorage
    from sandbox.publishing import Publisher
    from sandbox.types_cache import load_types

    with contextlib.ExitStack() as stack:
        home = Path(folder or stack.enter_context(tempfile.TemporaryDirectory(prefix="sandbox-"))).resolve()
        home.mkdir(parents=True, exist_ok=True)
        buckets = home / "buckets"
        catalog = Catalog(load_types(), home / "tenant.db")
        stack.callback(catalog.close)
        audit.follow(catalog)
        if reset:
            catalog.reset()
            for name in ("buckets", "atlan-storage", "events"):
                shutil.rmtree(home / name, ignore_errors=True)
            for cache in home.glob("*_assets_cache.json"):
                cache.unlink()

        def reseed() -> None:
            seed.fill_catalog(catalog, inventories or seed.SAMPLE_INVENTORIES)
            catalog.put_document("state", "token", token)

        token = catalog.documents("state").get("token") or f"sandbox-{secrets.token_urlsafe(32)}"
        if not catalog.documents("state").get("token"):
            reseed()
        seed.fill_buckets(buckets)
        seed.fill_events(home / "events", is_sample=not inventories)
        (home / "atlan-storage" / storage.STORAGE_BUCKET).mkdir(parents=True, exist_ok=True)
        s3_key = ("sandbox-s3", gate.derive_key(token, "s3"))
        storage_key = ("sandbox-client", gate.derive_key(token, "storage"))
        s3_endpoint_url = stack.enter_context(storage.serve_buckets(buckets, s3_port, s3_key, "s3_port"))
        storage_endpoint_url = stack.enter_context(
            storage.serve_buckets(home / "atlan-storage", storage_port, storage_key, "storage_port")
        )
        files = SignedStorage(storage_endpoint_url, storage.STORAGE_BUCKET, storage_key)
        application = server.Application(catalog, token, reseed, Publisher(catalog, home / "atlan-storage"), files)
        base_url = stack.enter_context(server.serve_tenant(application, port))
        components = storage.write_components(home, storage_endpoint_url)
        yield Tenant(
            base_url=base_url,
            api_token=token,
            page_url=gate.page_url(base_url, token),
            s3_endpoint_url=s3_endpoint_url,
            s3_key=s3_key,
            folder=home,
            buckets=buckets,
            storage_endpoint_url=storage_endpoint_url,
            storage_key=storage_key,
            components=components,
            empty=seed.is_empty(catalog),
        )
