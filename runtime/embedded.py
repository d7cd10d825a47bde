"""The embedded sandbox: the one place where a program starts it."""

from __future__ import annotations

import atexit
import contextlib
import functools
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.errors import PipelineError, SettingsError
from runtime.terminal import logger

if TYPE_CHECKING:
    from sandbox import Tenant

SANDBOX_FOLDER = Path(".sandbox")

_starting = threading.Lock()


def start_sandbox() -> Tenant:
    """The embedded tenant, started on first use in `.sandbox` of the current folder; it ends with the interpreter.

    Raises `SettingsError` where a package is missing, another sandbox has the folder, or it cannot be used, and
    `PipelineError` where it cannot start.
    """
    with _starting:
        return _start_once()


@functools.cache
def _start_once() -> Tenant:
    running = contextlib.ExitStack()
    try:
        import sandbox
        from sandbox.database import FolderInUse
        from sandbox.seed import InventoryError
        from sandbox.storage import StorageError

        tenant = running.enter_context(sandbox.start(SANDBOX_FOLDER))
    except ImportError as error:
        raise SettingsError(
            [
                f"The sandbox needs a package that is not installed ({error.name}): run `pip install -r "
                "sandbox/requirements.txt`, or let the settings point to your tenant."
            ]
        ) from None
    except FolderInUse:
        raise SettingsError(
            [
                f"{SANDBOX_FOLDER} is in use by another sandbox: stop it, or point .env to it with the lines that "
                "`python -m sandbox` printed."
            ]
        ) from None
    except OSError as error:
        raise SettingsError(
            [
                f"The sandbox did not start, as it cannot use {SANDBOX_FOLDER} ({error.strerror or error}): let it be a "
                "folder that you may write, or run this in another one."
            ]
        ) from None
    except (InventoryError, StorageError) as error:
        raise PipelineError(f"The sandbox did not start: {error}.") from None
    atexit.register(running.close)
    if tenant.empty:
        logger.warning("⚠️ The sandbox is empty: `python -m sandbox --reset` fills it with the sample")
    return tenant
