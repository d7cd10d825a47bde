"""What an S3 key says by itself: pure functions that know no table.

A key is taken apart at its slashes. Extensions come off the file's name; what is left is read word by word, from both
ends: dates, counters, ids and the words of jobs are marks that say nothing about which table it is. A folder may part a
dataset (`dt=2025-09-21`), say that what is in it is something else (`rejected`), or name another system (`mysql`).
Which table a name then names is for `delta_arc.matching` to decide.

Work is bounded: a name is read once from each end, names beyond `LONGEST_NAME` and `MOST_WORDS` have no marks, and
caches hold a fixed number of readings.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple
from urllib.parse import unquote

LONGEST_NAME = 255
"""Characters of a file's name that is read for marks: PostgreSQL's names have 63 bytes, marks need fewer than the rest."""
MOST_WORDS = 48
LONGEST_MARK = 12
"""Words of the longest compound mark: an id of Airflow's with a time and a zone."""
CACHED = 1 << 14


def fold(name: str) -> str:
    """A name as it is compared: composed Unicode, without case."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


# =====================================================================================================================
# Words
# =====================================================================================================================

DATA_EXTENSIONS = {
    "csv", "tsv", "tab", "psv", "txt", "dat", "json", "jsonl", "jsonlines", "ndjson", "parquet", "pq", "avro", "orc", "xml",
    "xls", "xlsx", "arrow", "feather",
}  # fmt: skip
COMPRESSIONS = {
    "gz", "gzip", "bz2", "bzip2", "zst", "zstd", "snappy", "snz", "lz4", "lzo", "deflate", "br", "xz", "zip", "z",
}  # fmt: skip
# What holds or hides a file without changing what it is: archives; GnuPG, PGP, age and OpenSSL as they are used.
WRAPPINGS = COMPRESSIONS | {"tar", "tgz", "tbz2", "txz", "7z", "gpg", "pgp", "age", "enc", "aes"}
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
OTHER_NAMES = {"manifest", "checksums", "readme", "changelog"}
# Where table formats and committers keep their own files (Delta's and Iceberg's specifications, Hadoop, Spark, macOS).
FORMAT_FOLDERS = {
    "_delta_log", "_delta_index", "_change_data", "_temporary", "_spark_metadata", "_symlink_format_manifest",
    "_checkpoints", "_checkpoint", "_metadata", "__macosx",
}  # fmt: skip

# A folder with one of these words holds something else than the tables' rows, whatever its files are called. They are
# words, not layouts of tools: what they miss is said by an override.
OTHER_CONTENT = {
    # put aside
    "archive", "archives", "archived", "backup", "backups", "bak", "bkp", "old", "obsolete", "deprecated", "legacy",
    "trash", "recycle", "recycled", "delete", "deletes", "deleted", "removed", "dropped", "purged", "expired",
    "superseded", "unused", "ignore", "ignored", "not", "tombstones", "duplicates", "copies",
    # refused
    "error", "errors", "err", "errored", "rejected", "rejects", "reject", "rejection", "rejections", "rej", "bad",
    "broken", "corrupt", "corrupted", "failed", "failure", "failures", "faulty", "invalid", "malformed", "quarantine",
    "quarantined", "dlq", "dead", "deadletter", "deadletters", "poison", "exception", "exceptions", "discard",
    "discarded", "skipped", "suspect", "unparsed", "unprocessed", "unmatched", "retry", "retries", "incomplete",
    "partial", "aborted",
    # describing
    "schema", "schemas", "metadata", "meta", "ddl", "doc", "docs", "documentation", "dictionary", "dictionaries",
    "config", "configs", "configuration", "conf", "settings", "manifest", "manifests", "template", "templates", "spec",
    "specs", "definition", "definitions", "mapping", "mappings", "contracts", "sql", "queries", "scripts", "notebooks",
    # checking, logging and adding up
    "log", "logs", "logging", "audit", "audits", "check", "checks", "checksum", "checksums", "validation", "validations",
    "verification", "quality", "dq", "expectations", "anomalies", "recon", "reconciliation", "diff", "diffs", "stats",
    "statistics", "counts", "rowcounts", "metrics", "monitoring", "profiling", "diagnostics", "alerts", "lineage",
    "report", "reports", "reporting", "dashboards", "summary", "summaries", "aggregates", "aggregated", "forecast",
    "forecasts", "predictions", "state", "status", "checkpoint", "checkpoints", "offset", "offsets", "watermarks", "lock",
    "locks", "control",
    # tried out
    "test", "tests", "testing", "sample", "samples", "example", "examples", "demo", "demos", "dummy", "mock", "mocks",
    "fake", "fixture", "fixtures", "synthetic", "simulated", "sandbox", "sandboxes", "playground", "scratch", "dev",
    "development", "qa", "uat", "sit", "preprod", "nonprod", "tmp", "temp", "temporary", "poc", "trial", "debug",
    "draft", "drafts", "wip", "tutorial", "tutorials", "training", "benchmark", "benchmarks", "experiment",
    "experiments", "masked", "anonymized", "anonymised", "redacted",
    # of others
    "partner", "partners", "vendor", "vendors", "supplier", "suppliers", "competitor", "competitors", "thirdparty", "amazon",
}  # fmt: skip
# Systems that PostgreSQL's rows do not come from, and `dbo`, the default schema of SQL Server. Engines that also read
# and write copies (Redshift, Snowflake, BigQuery, DuckDB, Spark) are not among them, nor are names that are also
# everyday words of paths (Segment, Access, Progress).
OTHER_SYSTEMS = {
    # databases
    "mysql", "mariadb", "oracle", "sqlserver", "mssql", "dbo", "db2", "as400", "sybase", "informix", "teradata", "netezza",
    "vertica", "sqlite", "firebird", "mongo", "mongodb", "documentdb", "dynamo", "dynamodb", "cassandra", "scylla",
    "couchbase", "couchdb", "cosmosdb", "firestore", "firebase", "hbase", "neo4j", "redis", "influxdb", "elasticsearch",
    "opensearch",
    # applications
    "salesforce", "sfdc", "sap", "hana", "netsuite", "dynamics365", "d365", "navision", "odoo", "peoplesoft", "siebel",
    "workday", "servicenow", "successfactors", "hubspot", "pipedrive", "zoho", "zendesk", "freshdesk", "intercom",
    "marketo", "pardot", "eloqua", "mailchimp", "klaviyo", "sendgrid", "shopify", "magento", "woocommerce", "stripe",
    "paypal", "adyen", "chargebee", "recurly", "zuora", "quickbooks", "xero", "google", "ga4", "adwords", "facebook",
    "linkedin", "tiktok", "amplitude", "mixpanel", "airtable", "sharepoint", "jira", "asana", "github", "gitlab", "slack",
    "twilio",
}  # fmt: skip

# Words of folders that files of tables are put into on their way: where they come from or go to, what carries them, whose
# they are. Of any other folder nobody knows whether what is in it are the rows of our table: words for what is not are
# without end, and so are the names of other systems.
LANDING_WORDS = {
    # on the way
    "in", "inbound", "incoming", "inbox", "input", "inputs", "import", "imports", "imported", "out", "outbound",
    "outgoing", "outbox", "output", "outputs", "export", "exports", "exported", "exp", "extract", "extracts",
    "extracted", "unload", "unloads", "dump", "dumps", "load", "loads", "loaded", "loader", "feed", "feeds", "drop",
    "drops", "dropzone", "ext", "landing", "landed", "landingzone", "zone", "lz", "stage", "staged", "staging", "stg",
    "ingest", "ingested", "ingestion", "ingress", "upload", "uploads", "uploaded", "download", "downloads", "delivery",
    "deliveries", "delivered", "received", "transfer", "transfers", "sync", "synced", "replica", "replicas",
    "replication", "slot", "target", "destination", "sink", "to", "from", "replicated", "publish", "published",
    "processed", "done", "completed", "ready", "spool", "pickup", "sftp", "ftp", "pull", "push", "unpacked", "bulk",
    "batch", "batches", "stream", "streams", "streaming", "changes", "cdc", "delta", "deltas", "increment",
    "increments", "incremental", "incr", "full", "fullload", "initial", "snapshot", "snapshots", "backfill",
    "file", "files",
    "backfills", "hotfix", "replay", "etl", "elt", "pipeline", "pipelines", "workflow", "workflows", "flow", "flows",
    "job", "jobs", "raw", "tables", "topic", "topics", "db", "database", "databases",
    # stores and their layers
    "s3", "s3:", "aws", "gcs", "azure", "adls", "blob", "bucket", "path", "lake", "datalake", "lakehouse", "warehouse",
    "dwh", "dw", "edw", "bronze", "silver", "source", "sources", "src", "postgres", "postgresql", "pg", "psql",
    "pgdump", "rds", "aurora", "redshift", "snowflake", "snowpipe", "bq", "bigquery", "hive", "iceberg", "hudi",
    "athena", "trino", "presto",
    # what carries them
    "airbyte", "airflow", "aiven", "arcion", "arrow", "artie", "attunity", "awswrangler", "beam", "benthos",
    "clickpipes", "conduit", "confluent", "connect", "connector", "connectors", "ctas", "dagster", "dask", "databricks",
    "dataflow", "datafactory", "datastream", "adf", "debezium", "dlt", "dms", "duckdb", "embulk", "emr", "estuary",
    "fabric", "fastparquet", "firehose", "fivetran", "flink", "fluentbit", "fluentd", "glue", "goldengate", "ogg",
    "hevo", "hvr", "informatica", "kafka", "kestra", "kinesis", "lenses", "logstash", "luigi", "mage", "matillion",
    "meltano", "msk", "nifi", "pandas", "pd", "peerdb", "pentaho", "polars", "portable", "prefect", "pulsar", "qlik",
    "redpanda", "rivery", "rudder", "rudderstack", "singer", "sling", "spark", "sqoop", "ssis", "stitch", "streamsets",
    "striim", "supermetal", "synapse", "talend", "tap", "upsolver", "vector", "wr",
    # whose they are, and where
    "prod", "production", "prd", "live", "main", "primary", "team", "tech", "dept", "department", "org", "company",
    "corp", "group", "client", "tenant", "project", "projects", "app", "apps", "service", "services", "platform",
    "analytics", "engineering", "dataeng", "ops", "core", "common", "shared", "eu", "us", "emea", "apac", "amer",
    "region", "east", "west", "north", "south", "central", "global", "default",
    # when
    "jan", "january", "feb", "february", "mar", "march", "apr", "april", "may", "jun", "june", "jul", "july", "aug",
    "august", "sep", "sept", "september", "oct", "october", "nov", "november", "dec", "december",
}  # fmt: skip
# A whole area, whoever it is named after: `northwind-lake`. What is handed out is its owner's: `bigcommerce_feed`, and
# so is an environment: `sylius_prod`.
PLACE_WORDS = {
    "landing", "landingzone", "dropzone", "zone", "lake", "datalake", "lakehouse", "bucket", "s3", "platform", "pg", "postgres",
    "postgresql",
}  # fmt: skip
# Whose an area is, whatever that is called; and an export of RDS has the name that its task was given.
OWNER_WORDS = {
    "team", "dept", "department", "org", "company", "client", "tenant", "project", "app", "backend", "cluster", "store",
    "site", "analytics", "platform", "export", "pg", "postgres", "postgresql",
}  # fmt: skip
OWNER_ENDINGS = ("company", "corp", "project")  # mycompany
# Words that a job adds to a table's name without changing what the file holds.
JOB_WORDS = {
    "full", "incr", "incremental", "cdc", "delta", "snapshot", "export", "exported", "extract", "extracted", "unload",
    "dump", "initial", "load", "fullload", "latest", "current",
}  # fmt: skip
FRONT_WORDS = JOB_WORDS - {"initial", "latest", "current"}
# Words that count, where a number follows: `part-00000`, `run8675309`, `bucket_00000`.
COUNTING_WORDS = {
    "part", "chunk", "batch", "file", "split", "shard", "slice", "segment", "seq", "run", "task", "attempt", "page",
    "block", "tid", "bucket", "partition", "worker", "thread", "offset",
}  # fmt: skip
# Words that lead to a date or a number: `from_20250901_to_20250930`, `dt=2025-09-21`.
LEADING_WORDS = {
    "from", "to", "until", "till", "thru", "through", "since", "asof", "dt", "date", "ds", "ts", "day", "week", "month",
    "year", "hour",
}  # fmt: skip
# Words that name no table by themselves: files and folders called so belong to the folder around them.
GENERIC_WORDS = COUNTING_WORDS | JOB_WORDS | {
    "data", "dataset", "datafile", "parts", "exports", "output", "out", "result", "results", "files", "chunks", "batches",
    "raw", "job", "rows", "records", "csv", "tsv", "json", "jsonl", "ndjson", "parquet", "avro", "orc", "gz", "gzip",
    "snappy",
}  # fmt: skip
# How often a job runs: a folder, not a file's name, where it may say how rows are added up.
FREQUENCIES = {"hourly", "daily", "nightly", "weekly", "monthly", "quarterly", "yearly"}
# `key=value` folders whose value names a table, a schema, a system; all others part a dataset, as Hive writes it.
TABLE_KEYS = {"table", "table_name", "tablename", "entity", "stream", "dataset"}
SCHEMA_KEYS = {"schema", "schema_name", "schemaname", "namespace", "owner"}
SOURCE_KEYS = {"source", "source_system", "sourcesystem", "system", "src", "origin"}

# =====================================================================================================================
# Dates
# =====================================================================================================================

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?)"
)
_YEAR = r"(?:19|20)\d\d"
_UUID = r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}"
_UUIDS = re.compile(rf"(?<![a-z0-9]){_UUID}(?![a-z0-9])")
# Digits that have the shape of a date, whether the calendar has it or not. What follows a date and a separator may be
# a time (20:15:30 is no month 15 of 2020), and eight digits that begin with 00 are a counter.
_SHAPES = re.compile(
    rf"(?<![0-9a-z])(?:(?P<long>{_YEAR}\d{{4}})(?:\d\d|\d{{4}}|\d{{6}})?(?![0-9a-f])"
    rf"|(?P<late>(?!00)\d{{4}}{_YEAR})(?![0-9a-f])"
    rf"|(?P<parted>{_YEAR}(?P<s>[-_./])\d{{1,2}}(?P=s)\d{{1,2}}|\d{{1,2}}(?P<t>[-_./])\d{{1,2}}(?P=t){_YEAR})(?![0-9])"
    rf"|(?<!\d[-_ .t])(?P<short>{_YEAR}\d\d|2\d(?:02(?:30|31)|(?:04|06|09|11)31))(?![0-9a-z]))"
)


def _is_day(year: str, month: str, day: str) -> bool:
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return False
    return True


def _is_real(found: re.Match[str]) -> bool:
    kind, text = found.lastgroup or "", found.group()
    if kind == "long":
        text = found.group("long")
        return _is_day(text[:4], text[4:6], text[6:]) or (len(found.group()) == 8 and _ends_with_year(text))
    if kind == "late":
        return _ends_with_year(text)
    if kind == "short":
        return 1 <= int(text[4:]) <= 12 or _is_day(f"20{text[:2]}", text[2:4], text[4:])
    one, two, three = re.split(r"[-_./]", found.group("parted"))
    if len(one) == 4:
        return _is_day(one, two, three)
    return _is_day(three, two, one) or _is_day(three, one, two)


def _ends_with_year(text: str) -> bool:
    return _is_day(text[4:], text[2:4], text[:2]) or _is_day(text[4:], text[:2], text[2:4])


def has_false_date(text: str) -> bool:
    """Whether something in a (folded) text is shaped like a date that no calendar has: then nothing is sure about it.

    `2025/13/45`, `20250230` and `30.02.2025` are such shapes; day and month may stand in either order.
    """
    return any(not _is_real(found) for found in _SHAPES.finditer(text))


# =====================================================================================================================
# Marks: what jobs and tools add to names
# =====================================================================================================================

_WORD = re.compile(r"[^-_. ,;=+()]+")
_END = r"(?![^-_. ,;=+()])"
_DAY = rf"{_YEAR}([-_.]?)\d\d\1\d\d"
_TIME = (
    r"(?:[-_ ]{0,2}t?[-_ ]?(?:[01]\d|2[0-4])"
    r"(?:[-_:.h]?[0-5]\d(?:[-_:.m]?[0-6]\d(?:[.,_-]?(?:\d{9}|\d{6}|\d{3}|\d\d?))?)?)?)(?:z|utc|gmt|[+-]\d\d:?\d\d)?"
)
_DATE_AND_TIME = re.compile(rf"{_DAY}{_TIME}{_END}")
_DATE_ALONE = re.compile(rf"{_DAY}(?:z|utc)?{_END}")
# Marks of more than one word, or of digits and letters.
_COMPOUND = re.compile(
    f"(?:{_UUID}"
    rf"|{_YEAR}[-_]?(?:w(?:0[1-9]|[1-4]\d|5[0-3])(?:-?[1-7])?|q[1-4]|h[12])"
    r"|(?:part[-_]?)?\d{1,5}[-_]?of[-_]?\d{1,5}"
    r"|\d{8}_\d{6}_\d{5}_[a-z0-9]{5}"  # Trino and Athena: the query's id
    r"|\d{10}\.\d{1,7}\.[0-9a-f]{10}"  # dlt: load id, file id
    r"|\d{6}_\d+_copy_\d+"  # Hive, INSERT INTO
    rf"|q[1-4][-_]?{_YEAR}"
    r"|part-[rmf]-\d+"  # MapReduce, Sqoop, Glue
    r"|(?:globalwindow-)?pane-\d+(?:-(?:first|last|final)){0,2}"  # Beam, DefaultFilenamePolicy
    r"|base_\d{7}(?:_v\d{7})?"  # Hive ACID
    rf"|ls\.s3\.[a-z0-9-]+\.{_DAY}t\d\d\.\d\d"  # Logstash's S3 output
    # Airflow, DagRun.generate_run_id; a random end since 3.0
    rf"|(?:manual|scheduled|backfill|dataset_triggered|asset_triggered)__{_DAY.replace('1', '2')}{_TIME}(?:__?[a-z0-9]{{8}})?"
    f"|january|february|april|june|july|august|september|october|november|december){_END}"
)
_COMPOUND_STARTS = frozenset("0123456789abcdefqpglmsjon")
_HAS_MONTH = re.compile("jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec")
_MONTH_DATES = [
    re.compile(pattern + _END)
    for pattern in (
        rf"(?:(?P<day>\d{{1,2}})[-_ ]?)?{_MONTH}(?:[-_ ](?:to[-_ ])?{_MONTH})?[-_ ]?(?P<year>{_YEAR}|\d\d)",
        rf"(?P<month>{_MONTH})[-_ ]?(?P<day>\d{{1,2}}),?[-_ ](?P<year>{_YEAR})",
        rf"(?P<year>{_YEAR})[-_ ]?(?P<month>{_MONTH})(?:[-_ ]?(?P<day>\d{{1,2}}))?",
    )
]
_COUNTER = re.compile(rf"(?:{'|'.join(sorted(COUNTING_WORDS, key=len, reverse=True))}|p|c|n)\d+|load[0-9a-f]{{8}}")
_HEX = re.compile(r"[0-9a-f]{7,}")
_MONTH_OF_HEX = re.compile(r"\d{0,2}(?:feb|dec)\d{2,4}")
_ALTERNATIONS = re.compile(r"\d+|[a-z]+")
_LONG_ID = re.compile(r"[a-z0-9]{16,}")
# A date, a counter of Redshift's UNLOAD (`orders000`) or BigQuery's export (`orders000000000012`) without separator.
_GLUED = re.compile(
    rf"[^\W\d_](?P<mark>(?P<day>{_YEAR}\d{{4}})(?:t?\d{{4,6}}z?)?|0\d\d|0{{6}}\d{{6}}|(?P<slice>\d{{4}}))$"
)
_UNLOAD_PART = re.compile(r"_part_\d+$")
_LOGSTASH_TAG = re.compile(rf"ls\.s3\.[a-z0-9-]+\.{_DAY}t\d\d\.\d\d\.tag_")
# Names that a tool makes whole, with a text of the user's within.
# Data Firehose: stream, version, second, UUID (developer guide, "Configure Amazon S3 object name format").
_FIREHOSE = re.compile(rf"(?P<text>.+)-\d{{1,4}}-{_YEAR}-\d\d-\d\d-\d\d-\d\d-\d\d-{_UUID}")
# Glue Studio: `run-AmazonS3_node1695286000000-4-part-block-0-r-00000-snappy`; `run-DataSink0-1-part-r-00000`.
_GLUE = re.compile(r"run-(?P<text>[a-z0-9_]+)(?:-\d+)?-part-(?:block-[\d-]{1,16})?[rm]-\d+(?:-[a-z]+)?")
_MAY_BE_FRONT = re.compile(rf"\d|{_MONTH}")
_VECTOR = re.compile(rf"\d{{10}}-{_UUID}\.log")
_HAS_DATE = re.compile(r"\d{6}|\d[-_.]\d")
_HAS_DIGIT_OR_MONTH = re.compile(rf"\d|{_MONTH}")
_COPY = re.compile(r"\(\d{1,3}\)$|[^\W\d_] \d$")


class NameReading(NamedTuple):
    """A (folded) name of a file or folder, read for marks.

    `rests` is what may be left of it when marks are taken off its ends, the longest first. `anonymous` is a name that
    is nothing but marks and generic words; `parting` one that is nothing but marks. `text` is what a user chose within
    a name that a tool made. Of a name with a `false_date` nothing is sure.
    """

    rests: tuple[str, ...] = ()
    anonymous: bool = False
    parting: bool = False
    text: str = ""
    false_date: bool = False


_NO_MARKS = NameReading()
_FALSE_DATE = NameReading(false_date=True)


@functools.lru_cache(maxsize=CACHED)
def read_name(name: str) -> NameReading:
    """What a (folded) name says without its marks. Browser copies (`orders (1)`) and over-long names say nothing."""
    if not 0 < len(name) <= LONGEST_NAME or _is_copy(name):
        return _NO_MARKS
    if len(name) >= 32:
        if found := _FIREHOSE.fullmatch(name):
            return NameReading(anonymous=True, parting=True, text=found.group("text"))
        name = _UUIDS.sub("0", name)  # a mark like a number, and no part of a table's name
    if name.startswith("run-") and (found := _GLUE.fullmatch(name)):
        return NameReading(anonymous=True, parting=True, text=found.group("text"))
    if _HAS_DATE.search(name) and has_false_date(name):
        return _FALSE_DATE
    words = [found.span() for found in _WORD.finditer(name)]
    if not words or len(words) > MOST_WORDS or words[0][0] or name[words[-1][1] :] not in ("", ")"):
        return _NO_MARKS
    if not _HAS_DIGIT_OR_MONTH.search(name) and not any(weigh(name[start:end]) for start, end in words):
        return _NO_MARKS
    marks, generic = _marks_from_the_end(name, words)
    if generic[0]:
        return NameReading(anonymous=True, parting=marks[0])
    rests = set()
    ends = [end for end in range(1, len(words) + 1) if marks[end]]
    for start in _after_front_marks(name, words):
        for end in ends:
            if end > start:
                rests.add(name[words[start][0] : words[end - 1][1]])
                if cut := _glued_mark(name, words[end - 1], end == len(words)):
                    rests.add(name[words[start][0] : words[end - 1][1] - cut])
    rests.discard(name)
    return NameReading(tuple(sorted(rests, key=_longest_first)))


def _is_copy(name: str) -> bool:
    """`orders (1)` of browsers and Windows, `orders 2` of macOS."""
    return (name[-1] == ")" or name[-2:-1] == " ") and bool(_COPY.search(name))


def _longest_first(rest: str) -> tuple[int, str]:
    return -len(rest), rest


def _marks_from_the_end(name: str, words: list[tuple[int, int]]) -> tuple[list[bool], list[bool]]:
    """For each word, whether from it to the end all is marks; and whether all is marks and generic words."""
    count = len(words)
    marks, generic = [False] * count + [True], [False] * count + [True]
    leads = False  # whether a date or a number of four digits or more begins at the word behind
    nearest = count
    months = _HAS_MONTH.search(name)
    for index in range(count - 1, -1, -1):
        if nearest - index > LONGEST_MARK:
            break
        start, end = words[index]
        word = name[start:end]
        weight = weigh(word)
        if weight < 2 and (
            (word in COUNTING_WORDS and index + 1 < count and _is_count(name, words[index + 1]))
            or (leads and word in LEADING_WORDS)
        ):
            weight = 2
        leads = end - start >= 4 and word.isdigit()
        if weight:
            generic[index] = generic[index + 1]
            marks[index] = weight == 2 and marks[index + 1]
        if months or (not marks[index] and name[start] in _COMPOUND_STARTS):
            ends, dated = _compound_ends(name, start)
            leads = leads or dated
            for after in [bisect_left(words, (to, 0)) for to in ends]:
                marks[index] = marks[index] or marks[after]
                generic[index] = generic[index] or generic[after]
        if generic[index]:
            nearest = index
    return marks, generic


@functools.lru_cache(maxsize=CACHED)
def weigh(word: str) -> int:
    """2: a mark by itself; 1: a word that says nothing; 0: a word that says something."""
    if word.isascii():
        if word.isdigit() or word in JOB_WORDS or _COUNTER.fullmatch(word) or is_hash(word):
            return 2
        if word in GENERIC_WORDS or (len(word) == 1 and word.isalpha()):
            return 1
    return 0


def is_hash(word: str) -> bool:
    """Whether a (folded) word is random: hexadecimal digits that alternate, or a long id (ULID, KSUID).

    `2dd664f9` is; `p2ppayments`, `q4report`, `covid19` and `facade2025` are words.
    """
    if _HEX.fullmatch(word):
        if _MONTH_OF_HEX.fullmatch(word):
            return False
        return len(_ALTERNATIONS.findall(word)) >= 3
    return bool(_LONG_ID.fullmatch(word)) and len(_ALTERNATIONS.findall(word)) >= 6


def _is_count(name: str, span: tuple[int, int]) -> bool:
    word = name[span[0] : span[1]]
    return word.isdigit() or is_hash(word)


def _compound_ends(name: str, start: int) -> tuple[list[int], bool]:
    """Where compound marks that begin here end, and whether one of them is a date."""
    ends, dated = [], False
    if name.startswith(("20", "19"), start):
        ends = [found.end() for pattern in (_DATE_AND_TIME, _DATE_ALONE) if (found := pattern.match(name, start))]
        dated = bool(ends)
    if name[start] in _COMPOUND_STARTS and (found := _COMPOUND.match(name, start)):
        ends.append(found.end())
    if _HAS_MONTH.search(name, start, start + 20):
        for pattern in _MONTH_DATES:
            if (found := pattern.match(name, start)) and _is_month_date(found):
                ends.append(found.end())
                dated = True
    return ends, dated


def _is_month_date(found: re.Match[str]) -> bool:
    parts = found.groupdict()
    letters = re.search("[a-z]+", found.group())
    month = _MONTHS.index(letters.group()[:3]) + 1 if letters else 0
    return _is_day(parts["year"] if len(parts["year"]) == 4 else f"20{parts['year']}", str(month), parts["day"] or "1")


def _after_front_marks(name: str, words: list[tuple[int, int]]) -> list[int]:
    """The words with which a name may begin when dates, ids and words of jobs are taken off its start."""
    starts, index = [0], 0
    if logstash := _LOGSTASH_TAG.match(name):
        return [next((at for at, (start, _) in enumerate(words) if start >= logstash.end()), 0)]
    while index < len(words) - 1 and len(starts) < 8:
        start, end = words[index]
        word = name[start:end]
        if word in FRONT_WORDS or (word.isdigit() and (len(word) >= 8 or (word[0] == "0" and len(word) <= 4))):
            after = index + 1
        elif word == "initial" and name.startswith("load", words[index + 1][0]):
            after = index + 2
        else:
            after = index
        if _MAY_BE_FRONT.match(name, start):
            ends, dated = _compound_ends(name, start)
            if dated:
                after = max(after, bisect_left(words, (max(ends), 0)))
        if after == index:
            break
        index = after
        if index < len(words):
            starts.append(index)
    return starts


def _glued_mark(name: str, span: tuple[int, int], is_last: bool) -> int:
    """The length of a mark that is glued to a word: `orders20250921`, `customers000`, `orders0003_part_00`; or 0."""
    start, end = span
    if not ("0" <= name[end - 1] <= "9" or name[end - 1] == "z") or not (found := _GLUED.search(name, start, end)):
        return 0
    if day := found.group("day"):
        return len(found.group("mark")) if _is_day(day[:4], day[4:6], day[6:]) else 0
    if found.group("slice"):
        return 4 if _UNLOAD_PART.match(name, end) else 0
    return len(found.group("mark")) if is_last else 0


# =====================================================================================================================
# Folders
# =====================================================================================================================


class FolderReading(NamedTuple):
    """One folder of a key, folded and decoded: `folder` as it is, `name` as a table would be called, its `reading`.

    `transparent` folders say nothing about a table, `parting` ones part a dataset (`key=value` is a pair). `schema` is
    what the folder calls a schema if it is one, `told_schema` what `schema=` says that it is. `other` is the word that
    says that what is in it is something else, `system` the one that names another system. `unknown` are the words
    that do not say that files of tables are put there.
    """

    folder: str
    name: str
    reading: NameReading
    schema: str
    is_pair: bool = False
    transparent: bool = False
    parting: bool = False
    told_schema: str = ""
    other: str = ""
    system: str = ""
    unknown: tuple[str, ...] = ()


@functools.lru_cache(maxsize=CACHED)
def read_folder(folder: str) -> FolderReading:
    """What a folder's name, as it is written in the key, says."""
    name = fold(decode(folder))
    key, _, value = name.partition("=")
    if key and value:
        if key in TABLE_KEYS:
            return FolderReading(name, value, read_name(value), "", is_pair=True)
        return FolderReading(
            name,
            name,
            _FALSE_DATE if has_false_date(value) else _NO_MARKS,
            plain(value) if key in SCHEMA_KEYS else "",
            is_pair=True,
            transparent=True,
            parting=True,
            told_schema=value if key in SCHEMA_KEYS else "",
            other=_other_content(value),
            system=_other_system(value) if key in SOURCE_KEYS else "",
            unknown=_unknown_words(value) if key in SOURCE_KEYS else (),
        )
    stem, _, extension = name.rpartition(".")
    stem = stem if stem and extension in DATA_EXTENSIONS else name  # Spark's `orders.parquet/part-…`
    reading = read_name(stem)
    transparent = reading.anonymous or name in FREQUENCIES
    return FolderReading(
        name,
        stem,
        reading,
        plain(name.removesuffix(".db")),  # Hive's databases
        transparent=transparent,
        parting=reading.parting,
        other=name if name.startswith("_") else _other_content(name),
        system=_other_system(name),
        unknown=() if transparent else _unknown_words(name),
    )


class Directory(NamedTuple):
    """The folders of a key from the outside in, as they are written and as they read.

    `is_format` is a directory of a table format's own files, `suspect` one with a folder that may be a reason against,
    `unsure` one with a folder of which it is not known what it holds.
    """

    written: tuple[str, ...] = ()
    folders: tuple[FolderReading, ...] = ()
    is_format: bool = False
    false_date: bool = False
    suspect: bool = False
    unsure: bool = False


@functools.lru_cache(maxsize=CACHED)
def read_directory(directory: str) -> Directory:
    """The folders of the part of a key before its last slash. Names that begin with a dot are hidden."""
    written = tuple([part for part in directory.split("/") if part])
    folders = tuple([read_folder(part) for part in written])
    names = [folder.folder for folder in folders]
    false_date = any(folder.reading.false_date for folder in folders)
    if not false_date and sum(name.isdigit() for name in names) > 2:
        false_date = has_false_date("/".join(names))  # 2025/13/45
    return Directory(
        written,
        folders,
        any(name in FORMAT_FOLDERS or name.startswith(".") for name in names),
        false_date,
        any(folder.other or folder.system or folder.told_schema for folder in folders),
        any(folder.unknown for folder in folders),
    )


def _other_content(name: str) -> str:
    words = _WORD.findall(name)
    return "" if OTHER_CONTENT.isdisjoint(words) else next(word for word in words if word in OTHER_CONTENT)


def _other_system(name: str) -> str:
    """The system that a word names, with a version behind it or not: `mysql`, `mysql8`, `db2`."""
    words = _WORD.findall(name)
    words += [word.rstrip("0123456789") for word in words if word[-1] in "0123456789"]
    return "" if OTHER_SYSTEMS.isdisjoint(words) else next(word for word in words if word in OTHER_SYSTEMS)


def _unknown_words(name: str) -> tuple[str, ...]:
    """The words of a folder's name that do not say that files of tables are put there, if any.

    Four words with hyphens are a name that somebody gave to all that is theirs.
    """
    words = _WORD.findall(name)
    if not words or words[0] in OWNER_WORDS or words[-1] in PLACE_WORDS or name.count("-") > 2 or name.endswith(".db"):
        return ()
    return tuple([word for word in words if not _is_landing_word(word)])


def _is_landing_word(word: str) -> bool:
    bare = word.rstrip("0123456789")
    if bare in LANDING_WORDS or bare in ("", "fy", "p", "q", "v") or bare.endswith(OWNER_ENDINGS):
        return True
    said = word in LANDING_WORDS or word in FREQUENCIES or (word in GENERIC_WORDS and word not in COUNTING_WORDS)
    return said or len(word) == 1 or is_hash(word)


def says_something_else(name: str) -> bool:
    """Whether a (folded) text has a word for other content or another system."""
    return bool(_other_content(name) or _other_system(name))


def plain(name: str) -> str:
    """A (folded) name as files write it that avoid `_`: kebab-case, and with spaces."""
    return name.replace("-", "_").replace(" ", "_")


def decode(text: str) -> str:
    """A part of a key with `%20` and its like decoded, as listings encode them; what does not decode stays."""
    if "%" not in text:
        return text
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        return text
    return text if "/" in decoded or not decoded.isprintable() else decoded


# =====================================================================================================================
# Keys
# =====================================================================================================================


class KeyParts(NamedTuple):
    """A key taken apart: its directory, and the possible names of the file as they are written, the longest first.

    `names` is empty where the object is no data. A name may hold marks of jobs, which `read_name` takes off.
    """

    directory: Directory
    names: tuple[str, ...]


_NO_DATA_START, _NO_DATA_END = (".", "~", "#"), ("~", "#", "_$folder$")
_ICEBERG_METADATA = re.compile(r"\.metadata\.json(\.gz)?$|^snap-.*\.avro$|-m\d+\.avro$|^version-hint")
_LAST_WORD_IS_MANIFEST = re.compile(r"(?:^|[\W_])manifest$")
_EXTENSION_WITHIN = re.compile(rf"\.(?:{'|'.join(sorted(DATA_EXTENSIONS))})(?=[._-])")


def parse_key(key: str) -> KeyParts:
    """Take a key apart. What is no data is recognised here by extensions and names that tools give to such files.

    Names that begin with a dot or an underscore are hidden from Hadoop and Spark (`InMemoryFileIndex`); `~$`, `~` and
    `#` are lock files and copies of editors.
    """
    path, _, file_name = key.rpartition("/")
    directory = read_directory(path)
    if not file_name or file_name.startswith(_NO_DATA_START) or file_name.endswith(_NO_DATA_END):
        return KeyParts(directory, ())
    lowered = file_name.lower()
    if directory.is_format or ("metadata" in path.lower() and _is_iceberg_metadata(directory, lowered)):
        return KeyParts(directory, ())
    names = _names_of(file_name)
    if not names:
        return KeyParts(directory, ())
    stem = names[-1].lower()
    is_table_format = lowered.endswith((".csv", ".tsv", ".parquet", ".avro", ".orc", ".gz"))
    if not is_table_format and (stem in OTHER_NAMES or _LAST_WORD_IS_MANIFEST.search(stem)):
        return KeyParts(directory, ())
    if "%" in file_name and (decoded := decode(file_name)) != file_name:
        names = [*names, *_names_of(decoded)]
    return KeyParts(directory, tuple(names))


def _is_iceberg_metadata(directory: Directory, file_name: str) -> bool:
    in_metadata = any(folder.folder == "metadata" for folder in directory.folders)
    return in_metadata and bool(_ICEBERG_METADATA.search(file_name))


def _names_of(file_name: str) -> list[str]:
    """The name with its extensions, and without one after the other; none where an extension says that it is no data."""
    names, is_data = [file_name], False
    while True:
        stem, _, extension = names[-1].rpartition(".")
        extension = extension.lower()
        if not stem:
            return names
        if extension in OTHER_EXTENSIONS and not is_data:
            # Dask writes `0.part`, Vector `1695286000-<uuid>.log`.
            if not (extension == "part" and stem.isdigit()) and not _VECTOR.fullmatch(names[-1].lower()):
                return []
            is_data = True
        elif extension in DATA_EXTENSIONS and not is_data:
            is_data = True
        elif extension not in WRAPPINGS:
            break
        names.append(stem)
    if not is_data:
        # Volumes and rotated files: `orders.csv.001`, `orders.csv_part2`, `orders.csv.2025-09-21`.
        found = _EXTENSION_WITHIN.search(lowered := names[-1].lower())
        if found and found.start() and read_name(lowered[found.end() + 1 :]).parting:
            names.append(names[-1][: found.start()])
    return names


# =====================================================================================================================
# Shapes
# =====================================================================================================================

# A day that every calendar has, and a time of it, as words of their own. What could make one shape with the day's digits
# (another number before it, a February by its name, which may have a 29th or not) must not be there.
_ANY_DAY = (
    rf"(?<!feb[-_.])(?<!uary[-_.])(?:^|(?<=[a-z]{{2}}[-_.])|(?<==)|(?<=[^\d]/)){_YEAR}(?P<s>[-_]?)"
    r"(?:(?:0[1-9]|1[0-2])(?P=s)(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])(?P=s)(?:29|30)|(?:0[13578]|1[02])(?P=s)31)"
    rf"(?:[-_](?:[01]\d|2[0-3])[0-5]\d[0-5]\d)?(?=$|[-_./])"
)
_ANY_UUID = r"(?:^|(?<=[-_.]))[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=$|[-_.])"
_IN_FOLDERS = re.compile(_ANY_DAY, re.ASCII | re.IGNORECASE)
_IN_FILE_NAME = re.compile(f"{_ANY_DAY}|{_ANY_UUID}", re.ASCII | re.IGNORECASE)
_BLANKED = str.maketrans(dict.fromkeys("0123456789abcdefABCDEF", "\0"))
_MAY_BE_BLANKED = re.compile(r"\d\d|\d{6}|[0-9a-f]{4}|[0-9a-f]{8}|[0-9a-f]{12}")


def words_to_keep(names: Iterable[str]) -> frozenset[str]:
    """The words of (folded) names that may also be a part of a day, a time or a UUID: `2024`, `09`, `cafe`."""
    words = {word for name in names for word in re.findall("[0-9a-z]+", name)}
    return frozenset(word for word in words if _MAY_BE_BLANKED.fullmatch(word))


def shape_of(key: str, kept: frozenset[str]) -> str:
    """A key with the days, times and UUIDs blanked that are marks, whatever their value is; or an empty text, for a key
    that shares its shape with no other.

    Two keys of one shape name the same, as long as none of the names that are looked for has a word of the blanked ones;
    that is what `kept` is for, see `words_to_keep`.
    """
    if not key.isascii() or "%" in key or "\0" in key:
        return ""
    path, slash, file_name = key.rpartition("/")

    def blank(found: re.Match[str]) -> str:
        text = found.group()
        words = re.split("[-_]", text.lower())
        is_uuid = len(words) == 5
        if (kept and not kept.isdisjoint(words)) or (is_uuid and says_something_else(text)):
            return text
        return text.translate(_BLANKED)

    shape = _IN_FOLDERS.sub(blank, path) + slash + _IN_FILE_NAME.sub(blank, file_name)
    return shape if "\0" in shape else ""
