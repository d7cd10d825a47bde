"""The type system, kept between starts: reading it from pyatlan's classes takes seconds."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from sandbox import types
from sandbox.types import EntityType, Relationship, TypeSystem, read_types

FOLDER_NAME = "atlan-sandbox"


@functools.cache
def load_types() -> TypeSystem:
    """Every asset type that the installed pyatlan knows.

    What its classes tell is kept in the user's cache folder, for this version of pyatlan and of the code that reads them.
    A kept file that is broken is made anew, and where no folder is safe to keep it in, the classes are read each time.
    """
    folder = find_folder()
    if not folder:
        return read_types()
    kept = folder / _file_name()
    found = _load_kept(kept)
    if found is None:
        found = read_types()
        with contextlib.suppress(OSError):  # a full disk, say
            _keep(kept, found)
    return found


def find_folder() -> Path | None:
    """A folder that only this user can write to: in their cache, else in the folder for temporary files, else None.

    One that is there already is taken if it belongs to the user and nobody else may write to it, since the place in the
    folder for temporary files can be foretold, and so be prepared by others.
    """
    candidates = [_user_cache_folder(), _temporary_folder()]
    return next((folder for folder in candidates if folder and _is_safe(folder)), None)


def _user_cache_folder() -> Path | None:
    """Below XDG_CACHE_HOME if it is set (XDG Base Directory Specification: absolute paths only), else where the platform has it."""
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if configured.is_absolute():
        return configured / FOLDER_NAME
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / FOLDER_NAME
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / FOLDER_NAME
    return home / ".cache" / FOLDER_NAME


def _temporary_folder() -> Path | None:
    with contextlib.suppress(OSError):  # no place is writable at all
        user = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
        return Path(tempfile.gettempdir()) / f"{FOLDER_NAME}{user}"
    return None


def _is_safe(folder: Path) -> bool:
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()  # a link is none of ours
    except OSError:
        return False
    if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o022):
        return False
    return stat.S_ISDIR(status.st_mode) and os.access(folder, os.W_OK)


def _file_name() -> str:
    source = hashlib.sha256(Path(types.__file__).read_bytes() + Path(__file__).read_bytes()).hexdigest()[:12]
    return f"types-{version('pyatlan')}-{source}.json"


def _keep(path: Path, found: TypeSystem) -> None:
    """Write the types, as a whole or not at all, after a line with the checksum of what follows."""
    parts = [[*found.types.values()], found.attributes, found.enums, found.structs, found.fields]
    content = orjson.dumps(parts, default=sorted)
    number, temporary = tempfile.mkstemp(dir=path.parent, prefix=".types-")
    try:
        with open(number, "wb") as file:
            file.write(_checksum(content) + b"\n" + content)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _load_kept(path: Path) -> TypeSystem | None:
    try:
        checksum, _, content = path.read_bytes().partition(b"\n")
        if checksum != _checksum(content):
            return None
        types, attributes, enums, structs, fields = orjson.loads(content)
        return TypeSystem({item["name"]: _from_json(item) for item in types}, attributes, enums, structs, fields)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _from_json(item: dict[str, Any]) -> EntityType:
    relationships = {name: Relationship(**end) for name, end in item["relationships"].items()}
    return EntityType(item["name"], tuple(item["super_types"]), frozenset(item["attributes"]), relationships)
