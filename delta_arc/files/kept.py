"""What files told of their columns, kept between runs: an object that has not changed is not read again.

Only the names of columns are kept, or the reason why there are none, and never a row. An object is known by its key, its
size and its ETag, which S3 changes with the content (Amazon S3 API Reference, Object: "the ETag reflects changes only to
the contents of an object"). What was found also depends on the table that was asked for and on this program, so that
both are a part of the name under which it is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from delta_arc.files.headers import FileColumns
from delta_arc.files.heads import LONGEST_NAME, MOST_COLUMNS
from runtime.files import read_small_file, replace_file
from runtime.terminal import logger
from runtime.version import read_version

FORMAT = 1  # another one, where files are read in another way than in the release before
LARGEST_FILE = 1 << 28  # bytes
LONGEST_REASON = 200


class KeptColumns:
    """What the objects of a bucket told of their columns, as far as the last run asked them.

    `source` tells whose objects they are. `afresh` uses nothing of the file. `save` keeps what this run has asked for, and
    so the file does not grow with the history.
    """

    def __init__(self, path: Path, source: Sequence[str], *, afresh: bool = False) -> None:
        self._path, self._source = path, [*source, read_version(), FORMAT]
        self._kept = {} if afresh else self._load()
        self._asked: dict[str, list[str] | str] = {}

    def find(self, item: Mapping[str, Any], table_columns: Sequence[str]) -> FileColumns | None:
        """What a listed object told of its columns when it was the same; None where it has to be read."""
        name = self._name_of(item, table_columns)
        found = self._kept.get(name)
        if not name or found is None:
            return None
        self._asked[name] = found
        return FileColumns(reason=found) if isinstance(found, str) else FileColumns(tuple(found))

    def keep(self, item: Mapping[str, Any], table_columns: Sequence[str], found: FileColumns) -> None:
        """Keep what a listed object tells."""
        name = self._name_of(item, table_columns)
        if name and _can_be_kept(told := found.reason or [*found.names]):
            self._asked[name] = told

    def save(self) -> None:
        """Write what this run has asked for, if that is other than what the file has; a warning where it cannot be."""
        if self._asked == self._kept:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self._path, json.dumps({"columns of files": self._asked}, indent=0, sort_keys=True))
        except OSError as error:
            logger.warning("⚠️ The cache %s cannot be written (%s); files are read again", self._path, error.strerror)

    def _name_of(self, item: Mapping[str, Any], table_columns: Sequence[str]) -> str:
        """A name for what an object tells to a table; empty where nobody would see that the object has changed."""
        etag = item.get("etag") or ""
        if not etag or etag.startswith("W/"):  # a weak one is the same for contents that differ (RFC 9110, 8.8.1)
            return ""
        told = json.dumps([self._source, item["key"], item["size"], etag, [*table_columns]])
        return sha256(told.encode("utf-8", "surrogatepass")).hexdigest()

    def _load(self) -> dict[str, list[str] | str]:
        try:
            document = json.loads(read_small_file(self._path, LARGEST_FILE).decode("utf-8", "surrogatepass"))
            kept = document["columns of files"]
            if len(document) > 1 or not all(_can_be_kept(told) for told in kept.values()):
                raise ValueError("it does not tell columns of files")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            logger.warning("⚠️ %s is no usable cache (%s) and is not used", self._path, type(error).__name__)
            return {}
        return dict(kept)


def _can_be_kept(told: object) -> bool:
    """Whether this is a reason, or names of columns."""
    if isinstance(told, str):
        return 0 < len(told) <= LONGEST_REASON
    return (
        isinstance(told, list)
        and 0 < len(told) <= MOST_COLUMNS
        and all(isinstance(name, str) and len(name) <= LONGEST_NAME for name in told)
    )
