"""The objects of the bucket: listed, or by the report of S3 Inventory that S3_INVENTORY names.

A report is a day or a week old, and may miss what was written or deleted shortly before it (Amazon S3 User Guide,
"Inventory consistency"). So nothing is concluded from what it does not have: where Atlan knows an object, and the report
does not or only as it was before, the bucket is asked for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

from delta_arc.entities import ListedObject, list_object, milliseconds
from runtime.atlan import SearchHit
from runtime.parallel import map_unordered
from runtime.s3 import S3Error, find_object, list_objects, list_pages
from runtime.s3_inventory import InventoryReport, find_report, read_report
from runtime.terminal import Progress, logger

MOST_ASKED = 200  # objects; for more, the bucket is listed
ASKED_AT_ONCE = 8
MOST_COUNTING = 100  # requests for objects that are not under the prefix, which are only counted


@dataclass(frozen=True)
class Listing:
    """The objects of a bucket under a prefix, in key order, and the report that they are from, if they are from one."""

    objects: Sequence[ListedObject]
    report: InventoryReport | None = None


def list_bucket(client: Any, bucket: str, prefix: str, inventory: str = "") -> Listing:
    """The objects of a bucket under a prefix, without folder markers (keys that end in `/`); those of a report at a place
    of S3 Inventory, if there is one. Raises `S3Error`.
    """
    place, now = f"s3://{bucket}/{prefix}", datetime.now(timezone.utc)
    report = find_report(client, inventory, bucket, now) if inventory else None
    with Progress(f"Objects in {bucket}") as progress:
        if report:
            objects = read_report(client, report, prefix, _as_listed, progress.advance)
        else:
            objects = list_objects(client, bucket, prefix, _as_listed, progress.advance)
    told = f", by the inventory of {describe_age(report, now)}" if report else ""
    if objects:
        logger.info("🪣 %d objects in %s%s", len(objects), place, told)
    else:
        logger.warning("⚠️ There are no objects in %s%s: %s", place, told, advise_where_nothing_is(prefix))
    return Listing(objects, report)


def advise_where_nothing_is(prefix: str) -> str:
    """What to look at, where there are no objects below a prefix."""
    slash = ", without the / at its beginning, as keys have none" if prefix.startswith("/") else ""
    return f"check S3_BUCKET_NAME and S3_PREFIX{slash}"


def count_all_objects(client: Any, bucket: str, prefix: str, listed: Sequence[ListedObject]) -> int | None:
    """How many objects a bucket has, under any prefix, where those `listed` are all under this one; None where listing
    the others is not allowed, or takes over MOST_COUNTING requests.
    """
    if not prefix:
        return len(listed)
    count, requests = len(listed), 0
    last = listed[-1]["key"] if listed else prefix
    with contextlib.suppress(S3Error):
        for after in ("", last):  # those before the prefix, and those behind it
            for page in list_pages(client, bucket, "", after):
                requests += 1
                keys = [item["Key"] for item in page]
                if requests > MOST_COUNTING or keys != sorted(keys):  # S3 lists by key; other servers may not
                    return None
                count += sum(not key.startswith(prefix) and (key < prefix) == (not after) for key in keys)
                if not after and keys and keys[-1] >= prefix:
                    break
        return count
    return None


def describe_age(report: InventoryReport, now: datetime) -> str:
    """Of when a report is, for people, like 2026-01-31 06:00 UTC, 26 hours old."""
    return (
        f"{report.moment:%Y-%m-%d %H:%M} UTC, {max(now - report.moment, timedelta(0)) // timedelta(hours=1)} hours old"
    )


def settle(client: Any, bucket: str, prefix: str, listing: Listing, known: Mapping[str, int | None]) -> Listing:
    """The listing, with what the bucket has today of each object that Atlan knows otherwise than the report.

    `known` are the objects under the prefix in Atlan: when each was last modified, in milliseconds, by its key. Raises
    `S3Error`.
    """
    found = {item["key"]: item for item in listing.objects}
    differing = sorted(key for key, time in known.items() if _is_behind(found.get(key), time))
    if not differing:
        return listing
    if len(differing) > MOST_ASKED:
        logger.warning(
            "⚠️ Atlan knows %d objects that the inventory does not have, or has as they were before: the bucket is listed",
            len(differing),
        )
        return list_bucket(client, bucket, prefix)
    now = dict(map_unordered(partial(_ask, client, bucket), differing, lambda: ASKED_AT_ONCE))
    there = {key: item for key, item in now.items() if item}
    logger.info(
        "🪣 The bucket was asked for %d objects that Atlan knows and the inventory does not, or as they were before: "
        "%d are there, %d are gone", len(now), len(there), len(now) - len(there),
    )  # fmt: skip
    settled = {key: item for key, item in {**found, **there}.items() if key not in now or key in there}
    return Listing([settled[key] for key in sorted(settled)], listing.report)


def _is_behind(item: ListedObject | None, known: int | None) -> bool:
    """Whether an object of a report is not there, or older than what is known of it."""
    return item is None or (known is not None and known > milliseconds(item["last_modified"]))


def _ask(client: Any, bucket: str, key: str) -> tuple[str, ListedObject | None]:
    item = find_object(client, bucket, key)
    return key, _as_listed(item) if item else None


def known_objects(existing: Iterable[SearchHit], below: str, prefix: str) -> dict[str, int | None]:
    """When the objects under a prefix were last modified, in milliseconds, by their keys, for `settle`; `below` is how
    the qualified names of all objects of the bucket begin.
    """
    return {
        name[len(below) :]: hit["attributes"].get("s3ObjectLastModifiedTime")
        for hit in existing
        if hit["typeName"] == "S3Object" and (name := hit["attributes"]["qualifiedName"]).startswith(f"{below}{prefix}")
    }


def _as_listed(item: Mapping[str, Any]) -> ListedObject:
    """An object as boto3 lists it, as ours."""
    return list_object(
        item["Key"], item["Size"], item["LastModified"].astimezone(timezone.utc), item.get("ETag", "").strip('"')
    )
