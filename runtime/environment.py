"""Where the settings of both programs come from: `.env` or another file, and the environment, which wins."""

from __future__ import annotations

import io
import itertools
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from runtime.errors import SettingsError
from runtime.files import read_small_file
from runtime.terminal import MOST_OF_A_NAME, append_to_log, logger, visible

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
ENV_FILE = Path(".env")
MOST_BYTES = 1_000_000  # of such a file

# Every setting of both programs: so that a name that neither knows can be told. tests/test_runtime_environment.py holds
# it to what they read.
SETTINGS = frozenset({
    "ATLAN_API_KEY", "ATLAN_API_TOKEN", "ATLAN_AUTH_CLIENT_ID", "ATLAN_AUTH_CLIENT_SECRET", "ATLAN_BASE_URL",
    "ATLAN_CONNECTION_NAME", "ATLAN_CONNECTION_QUALIFIED_NAME", "ATLAN_DEPLOYMENT_NAME", "ATLAN_MAX_REQUESTS_PER_MINUTE", "CACHE_EXPIRY_HOURS",
    "COMPONENTS_PATH", "DEPLOYMENT_OBJECT_STORE_NAME", "ENABLE_ATLAN_UPLOAD", "EXCLUDE_DATABASES", "EXCLUDE_SCHEMAS",
    "INCLUDE_DATABASES", "INCLUDE_SCHEMAS", "LINEAGE_EVENTS", "LINEAGE_NAMESPACES", "LINEAGE_PAGE", "LOG_FILE", "LOG_LEVEL", "OVERRIDES_FILE", "POSTGRES_CACHE_FILE",
    "POSTGRES_CONNECTION_NAME", "POSTGRES_SCOPE", "READ_FILE_HEADERS", "REQUIRE_TENANT", "S3_BUCKET_ARN", "S3_BUCKET_NAME",
    "S3_CONNECTION_NAME", "S3_INVENTORY", "S3_PREFIX", "SNOWFLAKE_CACHE_FILE", "SNOWFLAKE_CONNECTION_NAME", "SNOWFLAKE_SCOPE", "SOURCE_URL",
    "STATEMENT_TIMEOUT_SECONDS", "STATE_CACHE_FILE", "TEMPORAL_ADDRESS", "TEMPORAL_API_KEY", "TEMPORAL_NAMESPACE", "TEMPORAL_TASK_QUEUE",
    "TEMPORAL_TLS", "TEMPORAL_TLS_CA", "TEMPORAL_TLS_CERT", "TEMPORAL_TLS_KEY",
    "UPSTREAM_OBJECT_STORE_NAME",
})  # fmt: skip
OUR_PREFIXES = ("ATLAN_", "S3_", "POSTGRES_", "SNOWFLAKE_", "LINEAGE_", "READ_", "CACHE_", "OVERRIDES_", "REQUIRE_")
MOST_UNKNOWN = 10  # names that are told
MOST_COMPARED = 1000  # names of a file that are looked at


def read_environment(env_file: Path | None = None) -> dict[str, str]:
    """Every variable of a file and of the environment, by name; raises `SettingsError` where the file cannot be read.

    Without a file it is `.env` in the current folder, which need not be there. The environment wins, also with an empty
    value. Nothing is written to it.
    """
    try:
        written = _read_env_file(env_file or ENV_FILE)
    except FileNotFoundError as error:
        if env_file:
            raise _unreadable(env_file, error.strerror, "let it be a file that you may read") from None
        written = {}
    return {**written, **os.environ}


def _read_env_file(path: Path) -> dict[str, str]:
    """The variables in a file like `.env`; raises `FileNotFoundError` where there is none, and `SettingsError`."""
    try:
        # dotenv itself takes a link that leads nowhere, or a folder, for an empty file.
        text = read_small_file(path, MOST_BYTES).decode("utf-8-sig")
    except FileNotFoundError:
        raise
    except UnicodeDecodeError as error:
        raise _unreadable(path, type(error).__name__, "save it as UTF-8 text") from None
    except OSError as error:
        raise _unreadable(path, error.strerror, "let it be a file that you may read") from None
    if "\0" in text:
        raise _unreadable(path, "it has NUL characters", "save it as UTF-8 text")
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    logging.getLogger("dotenv").setLevel(logging.CRITICAL)
    # dotenv itself leaves such lines out, and goes on as if they had never been there.
    wrong = [
        str(line.original.line + line.original.string[: -len(line.original.string.lstrip())].count("\n"))
        for line in parse_stream(io.StringIO(text))
        if line.error or (line.key is not None and line.value is None)
    ]
    if wrong:
        raise _unreadable(path, f"line {', '.join(wrong[:5])}", "write each as NAME=value, and close its quotes")
    return _with_values_put_in(dotenv_values(stream=io.StringIO(text), interpolate=False), path)


def _unreadable(path: Path, reason: str | None, advice: str) -> SettingsError:
    return SettingsError([f"{visible(str(path), MOST_OF_A_NAME)} cannot be read ({reason}): {advice}."])


# `${NAME}` or `${NAME:-default}`, as dotenv has it, but without its looking ahead to the end for each.
_REFERENCE = re.compile(r"\$\{([^}:${]*)(?::-((?:[^}$]|\$(?!\{))*))?\}")


def _with_values_put_in(written: Mapping[str, str | None], path: Path) -> dict[str, str]:
    """The variables with the values of others in the place of `${NAME}`, those of the file first, as dotenv does it.

    A few lines that name each other twice make any number of bytes, which dotenv does not bound.
    """
    found: dict[str, str] = {}
    size = 0

    def put_in(reference: re.Match[str]) -> str:
        nonlocal size
        name, default = reference.groups(default="")
        value = found.get(name, os.environ.get(name, default))
        size += len(value)
        if size > MOST_BYTES:
            raise _unreadable(path, f"its values are larger than {MOST_BYTES:,} bytes", "shorten them")
        return value

    for name, value in written.items():
        found[name] = _REFERENCE.sub(put_in, value or "")
    return found


# =====================================================================================================================
# Settings that nobody knows
# =====================================================================================================================

_told: set[str] = set()


def warn_of_unknown_settings(variables: Iterable[str], env_file: Path = ENV_FILE) -> None:
    """Tell every variable that looks like a setting and is none, once; what the environment has not is of the file."""
    in_file = [name for name in variables if name not in os.environ]
    place = visible(str(env_file), MOST_OF_A_NAME)
    found = [sentence for sentence in find_unknown_settings(in_file, os.environ, place) if sentence not in _told]
    _told.update(found)
    for sentence in found[:MOST_UNKNOWN]:
        logger.warning("⚠️ %s", sentence)
    if len(found) > MOST_UNKNOWN:
        logger.warning("⚠️ … and %d more names that are no settings", len(found) - MOST_UNKNOWN)


def find_unknown_settings(in_file: Iterable[str], in_environment: Iterable[str], place: str = ".env") -> list[str]:
    """A sentence for each name that neither program knows: in a file (`place`), where it begins like a setting or nearly
    is one; in the environment, where others have names like these, too, only where it nearly is one."""
    told = []
    for name in itertools.islice(in_file, MOST_COMPARED):
        meant = _nearest(name)
        if name not in SETTINGS and (meant or name.upper().startswith(OUR_PREFIXES)):
            told.append(_is_unknown(name, f" in {place}", meant))
    for name in in_environment:
        if name not in SETTINGS and name.upper().startswith(OUR_PREFIXES) and (meant := _nearest(name)):
            told.append(_is_unknown(name, "", meant))
    return told


def _nearest(name: str) -> str:
    """The setting that a name is nearly spelled like, or an empty text."""
    if len(name) > 2 * max(map(len, SETTINGS)):
        return ""
    import difflib  # which `--help` does not need

    return next(iter(difflib.get_close_matches(name.upper(), sorted(SETTINGS), 1, cutoff=0.85)), "")


def _is_unknown(name: str, place: str, meant: str) -> str:
    hint = f"did you mean {meant}?" if meant else "it has no effect."
    return f"{visible(name, MOST_OF_A_NAME)}{place} is no setting of Delta Arc: {hint}"


# =====================================================================================================================
# Secrets in settings
# =====================================================================================================================

_SECRET_NAME = re.compile(r"(ATLAN|AWS|TEMPORAL)_(.*_)?(TOKEN|SECRET|PASSWORD|API_KEY|ACCESS_KEY|SECRET_KEY)")
_ADDRESS_NAME = re.compile(r"AWS_ENDPOINT_URL(_\w+)?|ATLAN_BASE_URL|SOURCE_URL|(HTTPS?|ALL)_PROXY")
_TOKEN = re.compile(r"eyJ[\w-]+\.[\w.-]*")  # a JSON Web Token (RFC 7519), as Atlan's are
_LIKE_A_SECRET = re.compile(r"(?=[^\s/:]*[0-9A-Z])(?=[^\s/:]*[a-zA-Z])[^\s/:]{16,}")
MOST_SHOWN = 100  # characters of a wrong value: no setting whose value is told is longer
HIDDEN_VALUE = "not shown, as it may be a secret"


def secrets_in(environment: Mapping[str, str]) -> list[str]:
    """What no log may show, for `configure_logging`: tokens and keys, and the passwords within addresses.

    Where an `@`, `/` or `#` of a password is not escaped, what is read as host or path is a part of it: each is masked.
    """
    found = set()
    for name, written in environment.items():
        value = written.strip()
        if _SECRET_NAME.fullmatch(name.upper()):
            found.add(value)
        elif _ADDRESS_NAME.fullmatch(name.upper()):
            found.update(_passwords_in(value))
    return sorted(found - {""})


def _passwords_in(address: str) -> Iterator[str]:
    from urllib.parse import unquote

    user, colon, password = address.rpartition("://")[2].rpartition("@")[0].partition(":")
    if colon:
        for part in (password, f"{user}:{password}", *re.split("[@/#?]", password)):
            yield part
            yield unquote(part)


def without_passwords(text: str) -> str:
    """A text with `***` for what stands before the last `@` of each word in it."""
    return " ".join("***@" + word.rpartition("@")[2] if "@" in word else word for word in text.split(" "))


def shown(value: str) -> str:
    """A wrong value as a message may have it: not at all where it could be a secret that got into the wrong line."""
    if len(value) > MOST_SHOWN or _TOKEN.search(value) or _LIKE_A_SECRET.search(value) or "@" in value:
        return HIDDEN_VALUE
    return visible(value)


def check_secrets(values: Mapping[str, str], faults: list[str]) -> None:
    """Add a sentence for each AWS key that cannot be sent as one, and for each setting that has a token in it."""
    for name, value in sorted(values.items()):
        is_secret = _SECRET_NAME.fullmatch(name)
        if name.startswith("AWS_") and is_secret and not re.fullmatch("[!-~]+", value):
            faults.append(f"{name} has characters that no key has (spaces, line breaks or quotes): copy it again.")
        elif name in SETTINGS and not is_secret and _TOKEN.fullmatch(value):
            faults.append(f"{name} has a token in it ({HIDDEN_VALUE}): put that where it belongs.")


def check_log_level(text: str, faults: list[str]) -> str:
    """The level's name in capitals, as `logging` knows it; a sentence is added to `faults` where it is none of ours."""
    if text.upper() not in LOG_LEVELS:
        faults.append(f"LOG_LEVEL is {shown(text)}: use one of {', '.join(LOG_LEVELS)}.")
    return text.upper()


def check_log_file(text: str, faults: list[str]) -> Path | None:
    """The file that the log is appended to, too, which is made if it is not there; None for an empty text.

    A sentence is added to `faults` where it cannot be written.
    """
    if not text.strip():
        return None
    path = Path(text.strip())
    try:
        append_to_log(path, b"")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no file can have this name"
        faults.append(f"LOG_FILE cannot be written ({reason}): name a file in a folder of yours, or leave it out.")
        return None
    return path


def is_local(url: str) -> bool:
    """Whether an address is on this machine, where no proxy is of use."""
    import ipaddress
    from urllib.parse import urlsplit

    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
