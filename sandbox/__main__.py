"""`python -m sandbox`: run a tenant until it is stopped, and print the settings that lead to it."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

import sandbox


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code, which is 2 if the tenant cannot start."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--folder", type=Path, default=Path(".sandbox"), help="where its state lives (default: .sandbox)"
    )
    parser.add_argument("--port", type=port_number, default=8585, help="port of the API (default: 8585; 0: a free one)")
    parser.add_argument(
        "--s3-port", type=port_number, default=8586, help="port of the S3 server (default: 8586; 0: a free one)"
    )
    parser.add_argument(
        "--storage-port", type=port_number, default=8587, help="port of Atlan's storage (default: 8587; 0: a free one)"
    )
    parser.add_argument("--reset", action="store_true", help="empty the folder first")
    parser.add_argument(
        "--inventory", type=Path, action="append", metavar="FILE",
        help="fill a new tenant from this file instead of the sample, like a cache file of a run; once for each connection",
    )  # fmt: skip
    options = parser.parse_args(argv)
    try:
        return run_until_stopped(options)
    except ImportError as error:
        print(f"❌ {error.name} is missing: pip install -r sandbox/requirements.txt", file=sys.stderr)
    return 2


def port_number(text: str) -> int:
    """A port on the command line. Raises ValueError, which argparse tells as an invalid value."""
    number = int(text)
    if not 0 <= number <= 65535:
        raise ValueError(text)
    return number


def run_until_stopped(options: argparse.Namespace) -> int:
    """Run a tenant until SIGINT or SIGTERM; returns the exit code."""
    from sandbox.database import FolderInUse
    from sandbox.ports import PortUnavailable
    from sandbox.seed import InventoryError
    from sandbox.storage import StorageError

    stop = threading.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, lambda *_: stop.set())
    try:
        ports = (options.port, options.s3_port, options.storage_port)
        inventories = tuple(options.inventory or ())
        with sandbox.start(options.folder, *ports, options.reset, inventories) as tenant:
            if tenant.empty:
                print("⚠️ The sandbox is empty: stop it, and start it with --reset to fill it with the sample")
            print(settings_lines(tenant), flush=True)
            stop.wait()
        return 0
    except FolderInUse:
        print(f"❌ {options.folder} is in use by another sandbox: stop it, or name another --folder", file=sys.stderr)
    except PortUnavailable as error:
        option = f"--{error.parameter.replace('_', '-')}"
        print(f"❌ Cannot start on port {error.port}: {error.reason}; name another {option}", file=sys.stderr)
    except OSError as error:
        print(f"❌ Cannot use {options.folder}: {error.strerror or error}; name another --folder", file=sys.stderr)
    except (InventoryError, StorageError) as error:
        print(f"❌ {error}", file=sys.stderr)
    return 2


def settings_lines(tenant: sandbox.Tenant) -> str:
    """The lines for .env that point a program to this tenant."""
    return f"""\
✅ A sandbox tenant is running, with its state in {tenant.folder}. Look at it: {tenant.page_url}
Put these lines in .env (Ctrl-C stops it):

ATLAN_BASE_URL={tenant.base_url}
ATLAN_API_TOKEN={tenant.api_token}
AWS_ENDPOINT_URL_S3={tenant.s3_endpoint_url}
AWS_ACCESS_KEY_ID={tenant.s3_key[0]}
AWS_SECRET_ACCESS_KEY={tenant.s3_key[1]}
POSTGRES_CONNECTION_NAME=postgres-ary
SNOWFLAKE_CONNECTION_NAME=snowflake-ary
S3_BUCKET_NAME=atlan-tech-challenge
POSTGRES_CACHE_FILE={tenant.folder / "postgres_assets_cache.json"}
SNOWFLAKE_CACHE_FILE={tenant.folder / "snowflake_assets_cache.json"}
S3_PREFIX=2025/csa-tech-challenge-ary/
LINEAGE_EVENTS={tenant.folder / "events"}
COMPONENTS_PATH={tenant.components}
UPSTREAM_OBJECT_STORE_NAME=atlan-storage
ATLAN_AUTH_CLIENT_ID={tenant.storage_key[0]}
ATLAN_AUTH_CLIENT_SECRET={tenant.storage_key[1]}
"""


if __name__ == "__main__":
    sys.exit(main())
