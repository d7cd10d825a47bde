"""The SQL sources. Each gives the same rows, so that everything after it is the same for all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from metadata_extraction.sources.source import Source, SourceError

__all__ = ["Source", "SourceError", "open_source", "secrets_of_address"]

SNOWFLAKE = "snowflake://"
# The parameters of Snowflake's connector that are secrets (Snowflake's reference of its Python connector).
SNOWFLAKE_SECRETS = ("password", "token", "passcode", "private_key_file_pwd", "oauth_client_secret", "private_key")


def open_source(url: str, every_database: bool, timeout_seconds: int) -> Source:
    """The source at a URL: `postgresql://…`, a libpq string like `host=… dbname=…`, or `snowflake://…`.

    The database of the URL is the only one to be read, unless `every_database`. No statement may take longer than
    `timeout_seconds`. Raises `SourceError` where this is no address; nothing is connected yet.
    """
    _check_user_part(url)
    if url.startswith(SNOWFLAKE):
        from metadata_extraction.sources.snowflake import SnowflakeSource

        return SnowflakeSource(url, every_database, timeout_seconds)
    from metadata_extraction.sources.postgres import PostgresSource

    return PostgresSource(url, every_database, timeout_seconds)


def _check_user_part(url: str) -> None:
    """Refuse an address whose password has an `@` or `/` as it is.

    It would be cut there, and its rest be taken for the host or the database, which are shown.
    """
    place = url.partition("://")[2].partition("?")[0]
    authority, _, path = place.partition("/")
    # Snowflake's user may be an e-mail address; libpq ends the user at the first @ (fe-connect.c, conninfo_uri_parse_options).
    if "@" in path or (authority.count("@") > 1 and not url.startswith(SNOWFLAKE)):
        raise SourceError(
            "SOURCE_URL has a character before its host that cannot stand there: write @ in a user or password as "
            "%40, and / as %2F."
        )


def secrets_of_address(url: str) -> set[str]:
    """Every secret within a source's address, as it stands there, as it is meant, and escaped, for logs to leave out."""
    found = set(_snowflake_secrets(url) if url.startswith(SNOWFLAKE) else _postgres_secrets(url))
    # As it is written, whatever a driver makes of it.
    found |= {match[1] for match in [re.search(r"://[^:]*?:(.+)@", url)] if match}
    forms = found | {unquote(secret) for secret in found}
    return {form for form in forms | {quote(form, safe="") for form in forms} if form}


def _snowflake_secrets(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    yield parts.password or ""
    yield from (value for name, value in parse_qsl(parts.query) if name in SNOWFLAKE_SECRETS)


def _postgres_secrets(url: str) -> Iterator[str]:
    """The values that libpq itself marks as "to be hidden" (its documentation of PQconndefaults, `dispchar`)."""
    import psycopg

    try:
        options = psycopg.pq.Conninfo.parse(url.encode())
    except (psycopg.Error, ValueError):
        # Libpq does not read it at all; what looks like a password is one.
        match = re.search(r"password\s*=\s*(?:'([^']*)'|([^\s&]+))", url)
        yield from (match.groups(default="") if match else ())
        return
    yield from (option.val.decode(errors="replace") for option in options if option.val and option.dispchar == b"*")
