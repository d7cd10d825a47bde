"""What an S3 key says: its folders, the names that its file may have, and what is no data. Pure functions.

A key is taken apart at its slashes; extensions come off the file's name, and dates, counters and other marks that jobs
add to a name can be taken off its ends. Which table a name then names is for `delta_arc.matching` to decide.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date


def fold(name: str) -> str:
    """A name as it is compared: composed Unicode, without case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


# =====================================================================================================================
# The parts of a key
# =====================================================================================================================

DATA_EXTENSIONS = {
    "csv", "tsv", "psv", "txt", "dat", "json", "jsonl", "ndjson", "parquet", "pq", "avro", "orc", "xml", "xlsx", "arrow",
    "feather",
}  # fmt: skip
COMPRESSIONS = {
    "gz",
    "gzip",
    "bz2",
    "bzip2",
    "zst",
    "zstd",
    "snappy",
    "snz",
    "lz4",
    "lzo",
    "deflate",
    "br",
    "xz",
    "zip",
    "z",
}
OTHER_EXTENSIONS = {
    # checksums and signatures
    "crc", "crc32", "md5", "sha", "sha1", "sha224", "sha256", "sha384", "sha512", "sig", "asc", "sum", "checksum",
    # markers and manifests
    "ok", "done", "success", "ready", "complete", "flag", "trg", "trigger", "ctl", "lock", "lck", "manifest", "inventory",
    # partial, temporary and put aside
    "partial", "part", "filepart", "crdownload", "tmp", "temp", "inprogress", "incomplete", "swp", "bak", "old", "orig",
    "rej", "bad", "err", "error", "errors", "failed",
    # logs, text, code and settings
    "log", "out", "md", "rst", "html", "htm", "pdf", "doc", "docx", "png", "jpg", "jpeg", "gif", "svg", "py", "sh", "sql",
    "ddl", "yml", "yaml", "toml", "ini", "conf", "cfg", "properties", "env", "schema", "avsc", "xsd", "proto", "jar",
}  # fmt: skip
# Names that mean the same in any landing zone: what tools write beside the data, and inside table formats.
OTHER_NAMES = {"manifest", "checksums", "readme", "changelog"}
FORMAT_FOLDERS = {
    "_delta_log", "_delta_index", "_change_data", "_temporary", "_spark_metadata", "_symlink_format_manifest",
    "_checkpoints", "_checkpoint", "_metadata", "__macosx",
}  # fmt: skip
# Words that say that a file is something else than its table's rows.
OTHER_CONTENT = {
    "archive", "archived", "backup", "bak", "old", "error", "errors", "rejected", "rejects", "reject", "bad", "failed",
    "quarantine", "tmp", "temp", "sample", "test", "deleted", "tombstones", "schema", "metadata", "manifest", "log", "logs",
    "checksum", "checksums", "quarantined", "invalid",
}  # fmt: skip
# Words that a job adds to a table's name without changing what the file holds.
JOB_WORDS = (
    r"full|incr|incremental|cdc|delta|snapshot|export|exported|extract|unload|dump|initial|load|fullload|latest|current"
)
# Words that name no table by themselves: files and folders called so belong to the folder around them.
GENERIC_WORDS = (
    r"data|dataset|datafile|part|parts|partition|export|exports|output|out|result|results|file|files|chunk|chunks|batch|"
    r"batches|raw|run|task|job|attempt|csv|tsv|json|jsonl|ndjson|parquet|avro|orc|gz|gzip|snappy"
)


@dataclass(frozen=True)
class KeyParts:
    """A key taken apart: folder names from the outside in, and the possible names of the file, the longest first.

    `names` is empty where the object is no data. A name may hold marks of jobs, which are taken off only later.
    """

    folders: tuple[str, ...]
    names: tuple[str, ...]


def parse_key(key: str) -> KeyParts:
    """Take a key apart. What is no data is recognised here by extensions and names that tools give to such files."""
    folders, file_name = tuple(part for part in key.split("/")[:-1] if part), key.rpartition("/")[2]
    if not file_name or file_name.startswith(".") or file_name.endswith("_$folder$"):
        return KeyParts(folders, ())
    if any(part.startswith(".") or part.lower() in FORMAT_FOLDERS for part in folders):
        return KeyParts(folders, ())
    if "metadata" in (part.lower() for part in folders) and _is_iceberg_metadata(file_name):
        return KeyParts(folders, ())
    names, is_data = [file_name], False
    while "." in names[-1]:
        stem, _, extension = names[-1].rpartition(".")
        extension = extension.lower()
        if extension in OTHER_EXTENSIONS and not is_data:
            return KeyParts(folders, ())
        if not stem or extension not in COMPRESSIONS | (set() if is_data else DATA_EXTENSIONS):
            break
        is_data = is_data or extension in DATA_EXTENSIONS
        names.append(stem)
    last_word = re.split(r"[\W_]+", names[-1].lower())[-1]
    is_table_format = file_name.lower().rpartition(".")[2] in ("csv", "tsv", "parquet", "avro", "orc", "gz")
    if not is_table_format and (names[-1].lower() in OTHER_NAMES or last_word == "manifest"):
        return KeyParts(folders, ())
    return KeyParts(folders, tuple(names))


def _is_iceberg_metadata(file_name: str) -> bool:
    return bool(re.search(r"\.metadata\.json(\.gz)?$|^snap-.*\.avro$|-m\d+\.avro$|^version-hint", file_name.lower()))


# =====================================================================================================================
# Marks: what jobs add to names
# =====================================================================================================================

SEPARATOR = r"[-_. ,;=+()]"
_TIME = r"(?:[-_tT ]?(?P<hour>\d\d)(?:[-_:h]?(?P<minute>\d\d)(?:[-_:m]?(?P<second>\d\d)(?:[-_.,]?\d{3,9}|\d)?)?)?)?(?:[zZ]|[+-]\d\d:?\d\d)?"
# Year first, day first, month first, with and without separators, with and without a time.
DATES = [
    rf"(?P<year>(?:19|20)\d\d)(?P<s>[-_./]?)(?P<month>\d\d)(?P=s)(?P<day>\d\d){_TIME}",
    rf"(?P<day>\d\d)(?P<s>[-_./]?)(?P<month>\d\d)(?P=s)(?P<year>(?:19|20)\d\d){_TIME}",
    rf"(?P<month>\d\d)(?P<s>[-_./]?)(?P<day>\d\d)(?P=s)(?P<year>(?:19|20)\d\d){_TIME}",
    r"(?P<year>(?:19|20)\d\d)(?P<s>[-_./])(?P<month>\d{1,2})(?:(?P=s)(?P<day>\d{1,2}))?",
    r"(?P<year>(?:19|20)\d\d)(?P<month>\d\d)",
    (
        r"(?P<year>(?:19|20)\d\d)[-_]?(?P<name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*(?:[-_]?(?P<day>\d\d))?"
    ),
    (r"(?P<day>\d\d)[-_]?(?P<name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[-_]?(?P<year>(?:19|20)\d\d)"),
]
# Eight digits that are shaped like a date, or parted numbers that are, whether there is such a day or not.
DATE_SHAPES = r"(?<!\d)(?:(?:19|20)\d{6}|\d{4}(?:19|20)\d\d|(?:19|20)\d\d([-_./])\d{1,2}\1\d{1,2}|\d{1,2}([-_./])\d{1,2}\2(?:19|20)\d\d)(?!\d)"
UUID = r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}"
MARKS = (
    rf"(?:{UUID}"
    r"|(?:part|chunk|batch|file|split|shard|slice|segment|seq|run|task|attempt|page|block|tid|p|c|r)[-_]?\d+"
    r"|(?:19|20)\d\d-?[wq]\d{1,2}"
    r"|load[0-9a-f]{8}"
    r"|\d{1,5}[-_]?of[-_]?\d{1,5}"
    r"|\d{1,5}|0\d{5,}|1\d{9}|1\d{12}|\d{15,}"
    rf"|{JOB_WORDS})"
)
# A word that says nothing: a generic one, a single letter, or letters and digits mixed like a hash (`kx7q2`).
ANONYMOUS = rf"(?:{GENERIC_WORDS}|[^\W\d_]|(?=[a-z0-9]*\d[a-z])(?=[a-z0-9]*[a-z])[a-z0-9]{{5,}})"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def is_real_date(text: str) -> bool:
    """Whether the whole text is a date that the calendar has, in any usual order, with or without a time."""
    return any(_is_real(found) for pattern in DATES if (found := re.fullmatch(pattern, text)))


def _is_real(found: re.Match[str]) -> bool:
    parts = found.groupdict()
    month = MONTHS.index(parts["name"]) + 1 if parts.get("name") else int(parts["month"])
    try:
        date(int(parts["year"]), month, int(parts.get("day") or 1))
    except ValueError:
        return False
    return (
        int(parts.get("hour") or 0) < 25 and int(parts.get("minute") or 0) < 60 and int(parts.get("second") or 0) < 61
    )


def has_false_date(text: str) -> bool:
    """Whether something in the text is shaped like a date that no calendar has: then nothing is sure about it."""
    return any(not is_real_date(found.group()) for found in re.finditer(DATE_SHAPES, text))


@functools.lru_cache(maxsize=1 << 16)
def stripped(name: str) -> tuple[str, ...]:
    """What is left of a (folded) name when marks are taken off its ends, one after the other; the longest first.

    The empty text is among them if the name is nothing but marks.
    """
    if has_false_date(name):
        return ()
    found: set[str] = set()
    pending = [name]
    while pending:
        for rest in _without_one_mark(pending.pop()):
            if rest not in found:
                found.add(rest)
                pending.append(rest)
    return tuple(sorted(found, key=lambda rest: (-len(rest), rest)))


def _without_one_mark(name: str) -> Iterator[str]:
    """The name without one mark at its end or its start."""
    for start in _boundaries(name):
        mark, rest = name[start:].strip("-_. ,;=+()"), name[:start].rstrip("-_. ,;=+()")
        if mark and _is_mark(mark) and (rest or start == 0):
            yield rest
    for end in _boundaries(name)[1:]:
        mark, rest = name[:end].strip("-_. ,;=+()"), name[end:].lstrip("-_. ,;=+()")
        if mark and rest and (_is_date_mark(mark) or re.fullmatch(UUID, mark)):
            yield rest
    glued = re.fullmatch(r"(.*[^\W\d_])(?:((?:19|20)\d{6}(?:\d{6})?)|\d{4}_part_\d\d+)", name)
    if glued and (glued.group(2) is None or is_real_date(glued.group(2))):
        yield glued.group(1)


def _boundaries(name: str) -> list[int]:
    return [0, *(found.start() for found in re.finditer(SEPARATOR + "+", name) if found.start())]


def _is_mark(text: str) -> bool:
    if _is_date_mark(text):
        return True
    return bool(re.fullmatch(MARKS, text)) and not _is_false_number(text)


def _is_date_mark(text: str) -> bool:
    return text[:1].isdigit() and is_real_date(text)


def _is_false_number(text: str) -> bool:
    """Numbers that read like a year and a month, or a date and an hour, that do not exist."""
    return bool(re.fullmatch(r"(?:19|20)\d{4}|(?:19|20)\d{8}", text)) and not is_real_date(text)


@functools.lru_cache(maxsize=1 << 16)
def is_anonymous(name: str) -> bool:
    """Whether a (folded) file or folder name says nothing about a table: marks and generic words only."""
    if has_false_date(name):
        return False
    words = [word for word in re.split(SEPARATOR + "+", name) if word]
    if all(re.fullmatch(ANONYMOUS, word) for word in words):
        return True
    rests = (name, *stripped(name))
    return any(
        not rest
        or all(re.fullmatch(ANONYMOUS, w) or re.fullmatch(MARKS, w) for w in re.split(SEPARATOR + "+", rest) if w)
        for rest in rests
    )


def is_partition(folder: str) -> bool:
    """Whether a (folded) folder name parts a dataset: `key=value`, a date, an hour, a counter, an id."""
    return bool(re.fullmatch(r"[^=]+=.*", folder)) or "" in stripped(folder)


def says_other_content(name: str) -> bool:
    return not OTHER_CONTENT.isdisjoint(re.split(SEPARATOR + "+", name))


def without_data_extension(folder: str) -> str:
    """Spark writes a folder where others write a file: `orders.parquet/part-…`."""
    stem, _, extension = folder.rpartition(".")
    return stem if stem and extension in DATA_EXTENSIONS else folder
