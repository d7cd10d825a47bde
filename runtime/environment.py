"""Where the settings of both programs come from: `.env` in the current folder, and the environment, which wins."""

from __future__ import annotations

import io
import logging
import os
from pathlib import Path

from runtime.errors import SettingsError

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def read_environment() -> dict[str, str]:
    """Every variable of `.env` and of the environment, by name; raises `SettingsError` where `.env` cannot be read.

    The environment wins, also with an empty value. Nothing is written to it.
    """
    return {**_read_env_file(), **os.environ}


def _read_env_file() -> dict[str, str]:
    """The variables in `.env`; none where there is no such file."""
    if not os.path.lexists(".env"):
        return {}
    from dotenv import dotenv_values

    logging.getLogger("dotenv").setLevel(logging.CRITICAL)
    try:
        # dotenv itself takes a link that leads nowhere, or a folder, for an empty file.
        text = Path(".env").read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError([f".env cannot be read ({type(error).__name__}): save it as UTF-8 text."]) from None
    except OSError as error:
        raise SettingsError([f".env cannot be read ({error.strerror}): let it be a file that you may read."]) from None
    if "\0" in text:
        raise SettingsError([".env cannot be read (it has NUL characters): save it as UTF-8 text."])
    return {name: value or "" for name, value in dotenv_values(stream=io.StringIO(text)).items()}


def check_log_level(text: str, faults: list[str]) -> str:
    """The level's name in capitals, as `logging` knows it; a sentence is added to `faults` where it is none of ours."""
    if text.upper() not in LOG_LEVELS:
        faults.append(f"LOG_LEVEL is {text}: use one of {', '.join(LOG_LEVELS)}.")
    return text.upper()


def is_local(url: str) -> bool:
    """Whether an address is on this machine, where no proxy is of use."""
    import ipaddress
    from urllib.parse import urlsplit

    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
