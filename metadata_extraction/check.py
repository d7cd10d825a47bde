"""What an extraction needs, tried one after the other, and nothing written: the source, and the stores of the components.

The counterpart of `main.py --check`. The preflight of a run looks at less and does more: it writes and deletes a file.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial

from metadata_extraction.components import OPENERS, Component, ComponentError, open_store, read_components
from metadata_extraction.models import prefix_of_runs
from metadata_extraction.settings import ExtractionSettings
from metadata_extraction.sources import open_source
from metadata_extraction.stores import LocalFolder, Store, StoredFile
from metadata_extraction.upload import open_upstream
from runtime.errors import PipelineError
from runtime.files import why_not_writable
from runtime.findings import Finding, State, collect_findings
from runtime.parallel import side_by_side
from runtime.terminal import MOST_OF_A_NAME, visible

# Of the files that are listed, the smallest is read.
MOST_LISTED, MOST_BYTES = 100, 1 << 20


def check_extraction(settings: ExtractionSettings) -> list[Finding]:
    """What a run with these settings would find, in a fixed order. The embedded sample and the sandbox are not started."""
    found = side_by_side(
        partial(collect_findings, _check_source, settings), partial(collect_findings, _check_stores, settings)
    )
    return [finding for findings in found for finding in findings]


def _check_source(settings: ExtractionSettings) -> Iterator[Finding]:
    yield Finding(
        "settings", State.FINE, f"Settings: all can be used, for {visible(settings.connection_qualified_name)}"
    )
    if settings.sample:
        yield Finding("source", State.FINE, "Source: SOURCE_URL is not set, so the embedded sample is extracted")
        return
    try:
        source = open_source(settings.source_url, settings.every_database, settings.statement_timeout_seconds)
        faults = source.preflight()
    except PipelineError as error:
        yield Finding("source", State.WRONG, f"Source: {error}")
        return
    yield from (Finding("source", State.WRONG, f"Source: {fault}") for fault in faults)
    if not faults:
        yield Finding("source", State.FINE, f"Source: {source.address} can be read")


def _check_stores(settings: ExtractionSettings) -> Iterator[Finding]:
    try:
        components = read_components(settings.components)
    except ComponentError as error:
        yield Finding("components", State.WRONG, f"Components: {error}")
        return
    stores = {name: one for name, one in components.items() if one.type in OPENERS}
    told = ", ".join(f"{visible(name)} ({_where(one)})" for name, one in sorted(stores.items())) or "none"
    yield Finding("components", State.FINE, f"Components: the object stores in {settings.components} are {told}")
    prefix = prefix_of_runs(settings.deployment)
    try:
        store = open_store(settings.deployment_store, settings.components, settings.environment)
    except PipelineError as error:
        yield Finding("deployment store", State.WRONG, f"Deployment's store: {error}")
    else:
        yield from _check_store("deployment store", f"Deployment's store {settings.deployment_store}", store, prefix)
    if not settings.enable_atlan_upload:
        yield Finding("upload", State.FINE, "Upload: ENABLE_ATLAN_UPLOAD is off, so nothing is handed to Atlan")
    elif settings.use_sandbox:
        yield Finding("upload", State.FINE, "Upload: it is on, to the embedded sandbox's storage, which a run starts")
    else:
        yield from _check_upstream(settings, prefix)


def _where(component: Component) -> str:
    """The type of a store, with its bucket, container or folder, as the file says it."""
    named = ("bucket", "containerName", "container", "rootPath")
    places = (component.metadata[name].get("value", "") for name in named if name in component.metadata)
    return " ".join([component.type, *(visible(place, MOST_OF_A_NAME) for place in places if place)])


def _check_upstream(settings: ExtractionSettings, prefix: str) -> Iterator[Finding]:
    try:
        store = open_upstream(settings)
    except PipelineError as error:
        yield Finding("upload", State.WRONG, f"Upload: {error}")
        return
    yield Finding("upload", State.FINE, f"Upload: it is on, to {settings.upstream_store}")
    yield from _check_store("upstream store", f"Atlan's storage {settings.upstream_store}", store, prefix)


def _check_store(check: str, label: str, store: Store, prefix: str) -> Iterator[Finding]:
    """Whether a store can be listed and, where it has a file of ours, be read; writing is only tried by a run."""
    told = f"{label}: {visible(store.address)}"
    try:
        files = list(itertools.islice(store.list(prefix), MOST_LISTED))
        read = _read_one(store, files)
    except PipelineError as error:
        yield Finding(check, State.WRONG, f"{told} cannot be used: {error}")
        return
    yield Finding(check, State.FINE, f"{told} can be listed, {read}")
    if not isinstance(store, LocalFolder):
        yield Finding(
            check, State.UNKNOWN, f"{label}: whether it can be written was not tried; the preflight of a run does"
        )
    elif reason := why_not_writable(store.root / "any", makes_folders=True):
        yield Finding(check, State.WRONG, f"{label}: it cannot be written ({reason}): check rootPath of its component")


def _read_one(store: Store, files: list[StoredFile]) -> str:
    """Read the beginning of the smallest file, and say so; raises `StoreError`."""
    small = [file for file in files if 0 < file.size <= MOST_BYTES]
    if not small:
        return "and has no file of a run yet to be read"
    smallest = min(small, key=lambda file: file.size)
    for _ in store.read(smallest):
        pass
    return f"and read: {visible(smallest.key, MOST_OF_A_NAME)}"
