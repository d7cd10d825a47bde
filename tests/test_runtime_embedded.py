"""The embedded sandbox: started once, whoever asks, and ended with the interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def in_a_process(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=300
    )


def test_it_starts_once_for_all_and_leaves_the_environment_as_it_is(tmp_path: Path) -> None:
    program = """
import os
from runtime.embedded import start_sandbox
from runtime.parallel import side_by_side
before = dict(os.environ)
tenants = side_by_side(start_sandbox, start_sandbox, start_sandbox)
assert tenants[0] is tenants[1] is tenants[2] is start_sandbox()
assert dict(os.environ) == before
print(tenants[0].folder)
"""
    ended = in_a_process(tmp_path, program)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / ended.stdout.strip()).resolve() == (tmp_path / ".sandbox").resolve()
    # It has ended with the interpreter, so that the folder is free.
    again = in_a_process(tmp_path, "from runtime.embedded import start_sandbox\nstart_sandbox()")
    assert again.returncode == 0, again.stderr


def test_what_keeps_it_from_starting_is_one_sentence(tmp_path: Path) -> None:
    program = """
import os, sys
from runtime.embedded import start_sandbox
from runtime.errors import SettingsError
sys.modules["orjson"] = None
try:
    start_sandbox()
except SettingsError as error:
    print(error)
del sys.modules["orjson"]
open(".sandbox", "w").close()
try:
    start_sandbox()
except SettingsError as error:
    print(error)
os.unlink(".sandbox")
os.makedirs(".sandbox/tenant.db")
try:
    start_sandbox()
except SettingsError as error:
    print(error)
"""
    ended = in_a_process(tmp_path, program)
    assert ended.returncode == 0, ended.stderr
    missing, in_the_way, no_database = ended.stdout.splitlines()
    assert missing.startswith("The sandbox needs a package that is not installed (orjson): run `pip install")
    for told, reason in ((in_the_way, "File exists"), (no_database, "Is a directory")):
        assert told == (
            f"The sandbox did not start, as it cannot use .sandbox ({reason}): let it be a folder that you may write, or "
            "run this in another one."
        )
