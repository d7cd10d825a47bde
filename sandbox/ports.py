"""Taking a port of the loopback interface, and saying which one could not be had."""

from __future__ import annotations

import os
import socket


class PortUnavailable(OSError):
    """A port that cannot be listened on; `parameter` is its name among the arguments of `sandbox.start`."""

    def __init__(self, parameter: str, port: int, reason: str) -> None:
        super().__init__(reason)
        self.parameter = parameter
        self.port = port
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot listen on port {self.port} ({self.parameter}): {self.reason}"


def listen(port: int, parameter: str) -> socket.socket:
    """A socket that listens on a port of 127.0.0.1 (0: a free one). Raises `PortUnavailable`."""
    # Named as TCP, it gets TCP_NODELAY from asyncio; without it each answer waits 40 ms for an acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere the option would let two programs have the same port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise PortUnavailable(parameter, port, getattr(error, "strerror", None) or str(error)) from error
    return listener
