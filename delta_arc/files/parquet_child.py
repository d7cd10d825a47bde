"""The process that reads the footers of strangers' Parquet and ORC files, so that what is in them can do no harm elsewhere.

Run by `delta_arc.files.footers` as a script, isolated (`python -I`): it imports nothing of ours. Its one argument is JSON:
`{"paths": [where pyarrow is looked for], "columns": at most, "name": characters at most, "seconds": for one footer,
"wrapping": [names of columns that may hold whole records]}`.

It first writes one answer for itself, then one for each footer that it is sent: four bytes of length, then JSON,
`{"columns": [names], "nested": true or false}`, or `{"reason": why not, "unread": true}` of a damaged one. It ends with
its input.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from typing import IO, Any

MEMORY_BYTES = 1024**3  # of addresses; Python with pyarrow has about 250 MB of them

# 14.0.1 is the first that does not run code which a file brings along (CVE-2023-47248, arrow.apache.org/security); older
# ones than 17 are not what metadata_extraction/requirements.txt asks for, and are not tested.
OLDEST_PYARROW = 17


def main(argument: str) -> None:
    settings = json.loads(argument)
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):  # what a library prints is no answer
        os.dup2(nowhere, number)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process, by the end of the input
    _limit_what_it_may_take()
    sys.path[:] = settings["paths"]  # to find the same packages as the parent
    reason = _why_unfit()
    _answer(sink, {"reason": reason})
    while not reason and (footer := _next(source)):
        _limit_time(settings["seconds"])
        _answer(sink, _read_columns(footer, settings))


def _why_unfit() -> str:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        return "Parquet needs the package pyarrow"
    version = str(pyarrow.__version__)
    first = version.partition(".")[0]
    if not first.isdecimal() or int(first) < OLDEST_PYARROW:
        return f"Parquet needs pyarrow {OLDEST_PYARROW} or later, as older ones are not safe; here is {version}"
    return ""


def _read_columns(footer: bytes, settings: dict[str, Any]) -> dict[str, Any]:
    import pyarrow

    kind, most, longest = "ORC" if footer[-4:-1] == b"ORC" else "Parquet", settings["columns"], settings["name"]
    try:
        schema = _read_orc(footer) if kind == "ORC" else _read_parquet(footer)
        if len(schema) > most:
            return {"reason": f"it has more than {most} columns"}
        nested = any(pyarrow.types.is_nested(type_) or pyarrow.types.is_binary(type_) for type_ in schema.types)
        nested = nested or any(name.lower() in settings["wrapping"] for name in schema.names)
        return {"columns": [name[:longest] for name in schema.names], "nested": nested}
    except ImportError:
        return {"reason": f"the pyarrow that is here does not read {kind}"}
    except UnicodeDecodeError:
        return {"reason": f"the name of a column in its {kind} footer is no UTF-8"}
    except Exception:  # whatever strange bytes do in pyarrow
        return {"reason": f"its {kind} footer is damaged", "unread": True}


def _read_parquet(footer: bytes) -> Any:
    import pyarrow
    import pyarrow.parquet

    # The footer is found from the end, and the rest of the file is not looked at.
    return pyarrow.parquet.ParquetFile(
        pyarrow.BufferReader(b"PAR1" + footer),
        thrift_string_size_limit=len(footer),
        thrift_container_size_limit=len(footer),
    ).schema_arrow


def _read_orc(footer: bytes) -> Any:
    import pyarrow
    import pyarrow.orc

    return pyarrow.orc.ORCFile(pyarrow.BufferReader(b"ORC" + footer)).schema


def _next(source: IO[bytes]) -> bytes:
    return source.read(int.from_bytes(source.read(4), "big"))


def _answer(sink: IO[bytes], answer: dict[str, Any]) -> None:
    content = json.dumps(answer).encode()
    sink.write(len(content).to_bytes(4, "big") + content)
    sink.flush()


def _limit_what_it_may_take() -> None:
    """Bound memory, and write no file, not even of a crash; where the system knows no such limit, there is none."""
    try:
        import resource
    except ImportError:
        return  # Windows
    for limit, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(limit, (most, most))


def _limit_time(seconds: int) -> None:
    """End this process by itself when one footer takes too long, as its parent may be gone by then."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        spent = resource.getrusage(resource.RUSAGE_SELF)
        until = int(spent.ru_utime + spent.ru_stime) + seconds + 1
        resource.setrlimit(resource.RLIMIT_CPU, (until, resource.getrlimit(resource.RLIMIT_CPU)[1]))


if __name__ == "__main__":
    main(sys.argv[1])
