"""The SQLite file that a tenant's state is kept in: its tables, and how it is opened."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

FORMAT = 1  # of the tables, as PRAGMA user_version; 0 is the first one, which had each entity as its JSON alone
CACHE_KIB = 128 * 1024
LOG_PAGES = 16_384  # of 4 KiB, after which SQLite brings its log into the file, with a wait for the disk

# An SQL statement and its values.
Statement = tuple[str, tuple[Any, ...]]

# `entity` has what entities are found by, `body` all that is told of each. Of `link` there is a row for each end of a
# relationship, so that either finds the other; `position` grows with time. Its keys are numbers, as guids are random: each
# would be written to another place of the file.
SCHEMA = """
CREATE TABLE IF NOT EXISTS entity (
    id INTEGER PRIMARY KEY AUTOINCREMENT, guid TEXT NOT NULL, type TEXT NOT NULL, state TEXT NOT NULL, created INTEGER NOT NULL,
    modified INTEGER NOT NULL, tagged INTEGER NOT NULL DEFAULT 0, qualifiedName TEXT, connectionQualifiedName TEXT, awsArn TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS entity_of_guid ON entity (guid);
CREATE INDEX IF NOT EXISTS entity_of_name ON entity (qualifiedName, type, state);
CREATE INDEX IF NOT EXISTS entity_of_type ON entity (type, qualifiedName, state, modified, guid);
CREATE INDEX IF NOT EXISTS entity_of_connection ON entity (connectionQualifiedName, type, state);
CREATE INDEX IF NOT EXISTS entity_of_moment ON entity (modified);
CREATE INDEX IF NOT EXISTS entity_of_arn ON entity (awsArn) WHERE awsArn IS NOT NULL;
CREATE INDEX IF NOT EXISTS entity_with_tags ON entity (guid) WHERE tagged;
CREATE TABLE IF NOT EXISTS body (id INTEGER PRIMARY KEY, document BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS link (
    entity INTEGER, name TEXT, other INTEGER, position INTEGER NOT NULL, attributes BLOB, PRIMARY KEY (entity, name, other)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS document (kind TEXT, name TEXT, value BLOB, PRIMARY KEY (kind, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audit (
    position INTEGER PRIMARY KEY, entityId TEXT, entityQualifiedName TEXT, typeName TEXT, user TEXT, action TEXT,
    created INTEGER, timestamp INTEGER, detail BLOB
);
CREATE INDEX IF NOT EXISTS audit_of_entity ON audit (entityId);
CREATE INDEX IF NOT EXISTS audit_of_name ON audit (entityQualifiedName);
CREATE INDEX IF NOT EXISTS audit_of_user ON audit (user, created);
CREATE INDEX IF NOT EXISTS audit_of_moment ON audit (created);
CREATE INDEX IF NOT EXISTS audit_of_tags ON audit (position)
    WHERE action IN ('CLASSIFICATION_ADD', 'CLASSIFICATION_UPDATE', 'CLASSIFICATION_DELETE');
"""
ATTRIBUTE_COLUMNS = ("qualifiedName", "connectionQualifiedName", "awsArn")
STATE_TABLES = ("entity", "body", "link", "document", "audit")


class FolderInUse(Exception):
    """Another process holds the state folder."""


def open_database(path: Path) -> sqlite3.Connection:
    """Open the database for this process alone. A write is in the file's log before it is acknowledged.

    Transactions begin where the caller says so. Only the user can read the file, as it has the tenant's token; SQLite gives
    its log the same rights. One of the first format is brought into the present one, as a whole or not at all.

    Raises `FolderInUse` if another process has it open, and OSError if it cannot be one (no right to write, no database, one
    that a newer sandbox made).
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    try:
        database = sqlite3.connect(path, timeout=0.2, check_same_thread=False, isolation_level=None)
    except sqlite3.Error as error:
        raise OSError(errno.EIO, str(error), str(path)) from error
    try:
        for setting in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL"):
            database.execute(f"PRAGMA {setting}")
        database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        database.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        database.execute("BEGIN IMMEDIATE")
        _bring_up_to_date(database, path)
        database.execute("INSERT OR REPLACE INTO document VALUES ('state', 'opened', '1')")
        database.execute("COMMIT")
    except sqlite3.Error as error:
        database.close()
        if "locked" in str(error):
            raise FolderInUse(str(path)) from error
        raise OSError(errno.EIO, str(error), str(path)) from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:  # of a document
        database.close()
        raise OSError(errno.EINVAL, "an asset in it cannot be read", str(path)) from error
    except OSError:
        database.close()
        raise
    return database


def is_in(column: str, values: Sequence[str | int]) -> tuple[str, str]:
    """A condition of SQL, and its one value: SQLite takes no more than some thousands of them.

    In JSON, a text of SQLite ends at the first character 0, which is told in two others, therefore.
    """
    told = orjson.dumps([str(value).replace("\1", "\1b").replace("\0", "\1a") for value in values]).decode()
    text = "replace(replace(value, char(1) || 'a', char(0)), char(1) || 'b', char(1))"
    return f"{column} IN (SELECT {text} FROM json_each(?))", told


def _bring_up_to_date(database: sqlite3.Connection, path: Path) -> None:
    ((found,),) = database.execute("PRAGMA user_version")
    if found > FORMAT:
        raise OSError(errno.EINVAL, "it was made by a newer sandbox", str(path))
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    old = [name for name in ("entity", "link") if found < FORMAT and name in tables]
    for name in old:
        database.execute(f"ALTER TABLE {name} RENAME TO old_{name}")
    for statement in SCHEMA.split(";\n"):
        database.execute(statement)
    if old:
        _take_over(database)
    for name in old:
        database.execute(f"DROP TABLE old_{name}")
    database.execute(f"PRAGMA user_version = {FORMAT}")


def _take_over(database: sqlite3.Connection) -> None:
    """Fill the tables from those of the first format, which had one row for both ends of a relationship."""
    for guid, stored in database.execute("SELECT guid, document FROM old_entity"):
        document = orjson.loads(stored)
        row = {
            "guid": guid,
            "type": document["type"],
            "state": document["status"],
            "created": document["create_time"],
            "modified": document["update_time"],
            "tagged": bool(document["tags"]),
            **{name: document["attributes"].get(name) for name in ATTRIBUTE_COLUMNS},
        }
        marks = ", ".join("?" * len(row))
        database.execute(f"INSERT INTO entity ({', '.join(row)}) VALUES ({marks})", (*row.values(),))
    for one, name, other in (("one.id", "name", "two.id"), ("two.id", "other_name", "one.id")):
        database.execute(f"""
            INSERT OR IGNORE INTO link SELECT {one}, {name}, {other}, 0, nullif(attributes, CAST('{{}}' AS BLOB)) FROM old_link
            JOIN entity one ON one.guid = old_link.guid JOIN entity two ON two.guid = other WHERE {name} IS NOT NULL
        """)
    rows = database.execute("SELECT id, document FROM old_entity JOIN entity USING (guid)")
    for number, stored in rows:
        names = database.execute("SELECT DISTINCT name FROM link WHERE entity = ?", (number,))
        document = {**orjson.loads(stored), "relations": [name for (name,) in names]}
        database.execute("INSERT INTO body VALUES (?, ?)", (number, orjson.dumps(document)))
