"""What a sender may hand over as JSON (or as a form): how many bytes, how deep, and in how many lists and objects."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl

import orjson

from sandbox.errors import bad_request

# Far above what a program sends: pyatlan's bulks have some kilobytes for each asset, its queries a dozen levels.
MAX_BYTES = 32 * 1024 * 1024
# Each level costs a query half a dozen Python calls (the interpreter allows 1,000), and orjson writes 254 levels.
MAX_DEPTH = 64
# Empty lists take five times the memory of their bytes or more, and a look at each; a bulk of 10,000 entities has some 200,000.
MAX_CONTAINERS = 1_000_000
LARGE = 1024 * 1024  # bytes
MAX_FIELDS = 100  # of a form


async def parse_body(body: bytes) -> Any:
    """As `parse_json`, and in a thread where a body is so large that others would wait for it."""
    return await asyncio.to_thread(parse_json, body) if len(body) > LARGE else parse_json(body)


def parse_json(body: bytes | str, what: str = "the body") -> Any:
    """The value that a body, or another JSON text of a request, is; None for an empty one. `what` it is, an error says.

    Raises `AtlasError` (400) for what is no JSON, for lists and objects in more than `MAX_DEPTH` levels, and for more than
    `MAX_CONTAINERS` of their brackets.
    """
    if not body:
        return None
    brackets = (b"[", b"{") if isinstance(body, bytes) else ("[", "{")
    if len(body) > MAX_CONTAINERS and sum(map(body.count, brackets)) > MAX_CONTAINERS:  # type: ignore[arg-type]
        raise bad_request(f"{what} has more than {MAX_CONTAINERS} lists and objects")
    try:
        value = orjson.loads(body)  # which refuses more than 1,024 levels itself
    except orjson.JSONDecodeError as error:
        raise bad_request(f"{what} is no JSON: {error}") from None
    level, depth = _containers([value]), 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise bad_request(f"{what} has lists and objects in more than {MAX_DEPTH} levels")
        level = [found for outer in level for found in _containers(outer)]
    return value


def parse_form(body: bytes) -> dict[str, str]:
    """The fields of a form, each once (RFC 6749, section 3.2). Raises `AtlasError` (400)."""
    try:
        fields = parse_qsl(body.decode(), strict_parsing=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise bad_request(f"the body is no form: {error}") from None
    if len(dict(fields)) < len(fields):
        raise bad_request("the body has a field twice")
    return dict(fields)


def _containers(outer: dict[str, Any] | list[Any]) -> list[dict[str, Any] | list[Any]]:
    inner = outer.values() if isinstance(outer, dict) else outer
    return [value for value in inner if isinstance(value, (dict, list))]
