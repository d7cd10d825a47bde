"""A stand-in for Snowflake: fakesnow, in a process of its own."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import snowflake.connector
from upload_world import free_port


@contextlib.contextmanager
def snowflake_server() -> Iterator[int]:
    """An empty account; yields its port."""
    port = free_port()
    server = subprocess.Popen(
        [Path(sys.executable).with_name("fakesnow"), "-s", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        yield port
    finally:
        server.terminate()
        server.wait()


def connect(port: int) -> Any:
    return snowflake.connector.connect(
        user="fake", password="snow", account="fakesnow", host="127.0.0.1", port=port, protocol="http"
    )
