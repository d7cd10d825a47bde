"""A stand-in for Snowflake: fakesnow, in a process of its own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
import snowflake.connector

needs_fakesnow = pytest.mark.skipif(
    tuple(map(int, version("fakesnow").split(".")[:2])) < (0, 12),
    reason="fakesnow 0.11, the last for Python 3.10, binds no values and knows no schemata of other databases",
)

# Tells its port, which somebody else may have taken between fakesnow's look and its start, and ends with its input.
PROGRAM = """
import contextlib, sys, fakesnow
for _ in range(5):
    with contextlib.suppress(RuntimeError), fakesnow.server() as account:
        print(account["port"], flush=True)
        sys.stdin.read()
        break
"""


@contextlib.contextmanager
def snowflake_server() -> Iterator[int]:
    """An empty account; yields its port."""
    server = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdin
    assert server.stdout
    try:
        told = server.stdout.readline()
        assert told, "fakesnow did not start"
        yield int(told)
    finally:
        server.stdin.close()
        server.wait()


def connect(port: int) -> Any:
    return snowflake.connector.connect(
        user="fake", password="snow", account="fakesnow", host="127.0.0.1", port=port, protocol="http"
    )
