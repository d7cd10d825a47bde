"""Worlds with their truth: a PostgreSQL and a Snowflake inventory, a landing zone, and the lineage that is true of them.

A world is put together from scenes, each about tables of its own names: a plain copy, two schemas with the same table,
twins in the target, a file of another system, and so on. What is true is what a careful data engineer would say from
names, folders and what is in the files. What nobody could tell without being told is undecided: neither wrong nor
missed. Everything else is wrong.

Pure, and the same for the same seed.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from enum import Enum
from random import Random
from typing import NamedTuple

from worlds.contents import WORDS, make_rows, write_csv, write_json_lines, write_table

SCENES_A_WORLD = 13
NOW = datetime(2025, 9, 22, 6, tzinfo=timezone.utc)


class Kind(str, Enum):
    """Which hop an edge is."""

    EXTRACT = "extract"  # source table → key
    LOAD = "load"  # key → target table
    COLUMN = "column"  # source column → target column


class Edge(NamedTuple):
    """One step of lineage; tables and columns by their qualified names, objects by their keys."""

    kind: Kind
    left: str
    right: str


@dataclass(frozen=True)
class Table:
    """A table or view as Atlan has it; `place` is the qualified name of its schema."""

    place: str
    name: str
    columns: tuple[str, ...]
    type_name: str = "Table"

    @property
    def qualified_name(self) -> str:
        return f"{self.place}/{self.name}"

    @property
    def schema(self) -> str:
        return self.place.rpartition("/")[2]

    def column(self, name: str) -> str:
        return f"{self.qualified_name}/{name}"


@dataclass(frozen=True)
class StoredObject:
    """An object of the landing zone; `columns` are those that its content tells, None where it tells none."""

    key: str
    body: bytes
    modified: datetime
    columns: tuple[str, ...] | None


@dataclass
class GeneratedWorld:
    """What there is, and what is true of it. Only keys under `prefix` are looked at; `scenes` says what each table and key
    is there for."""

    seed: int
    postgres: str
    snowflake: str
    prefix: str = ""
    sources: list[Table] = field(default_factory=list)
    targets: list[Table] = field(default_factory=list)
    objects: dict[str, StoredObject] = field(default_factory=dict)
    true: set[Edge] = field(default_factory=set)
    undecided: set[Edge] = field(default_factory=set)
    scenes: dict[str, str] = field(default_factory=dict)

    def is_proven(self, edge: Edge) -> bool:
        """Whether a file tells an edge: it names its columns, and the column is among them."""
        if edge.kind is Kind.COLUMN:
            table, _, column = edge.left.rpartition("/")
            keys = [other.right for other in self.true if other.kind is Kind.EXTRACT and other.left == table]
        else:
            keys, column = [edge.left if edge.kind is Kind.LOAD else edge.right], ""
        told = [self.objects[key].columns or () for key in keys]
        return any(columns and (not column or same(column) in map(same, columns)) for columns in told)

    def scene_of(self, edge: Edge) -> str:
        """The scene that an edge belongs to: that of its object, or of the tables of its columns."""
        names = (edge.left, edge.right, edge.left.rpartition("/")[0], edge.right.rpartition("/")[0])
        return " / ".join(dict.fromkeys(self.scenes[name] for name in names if name in self.scenes))


def rows_of(tables: Iterable[Table]) -> list[list[str]]:
    """The tables as an inventory has them: `[qualified name, name, type]`, databases and schemas included, sorted."""
    rows: dict[str, list[str]] = {}
    for table in tables:
        database = table.place.rpartition("/")[0]
        for name, type_name in (
            (database, "Database"),
            (table.place, "Schema"),
            (table.qualified_name, table.type_name),
        ):
            rows[name] = [name, name.rpartition("/")[2], type_name]
        for column in table.columns:
            rows[table.column(column)] = [table.column(column), column, "Column"]
    return sorted(rows.values())


# =====================================================================================================================
# Names
# =====================================================================================================================

GENERIC = ("id", "created_at", "updated_at", "name")
ENTITIES: dict[str, tuple[str, ...]] = {
    "customers": ("customer_id", "email", "first_name", "last_name", "phone", "country"),
    "orders": ("order_id", "customer_id", "order_date", "status", "total_amount", "currency"),
    "order_items": ("order_item_id", "order_id", "product_id", "quantity", "unit_price", "discount"),
    "products": ("product_id", "sku", "title", "list_price", "weight_grams"),
    "shipments": ("shipment_id", "carrier", "tracking_number", "shipped_at", "delivered_at"),
    "invoices": ("invoice_id", "customer_id", "issued_on", "due_on", "net_amount", "vat_amount"),
    "payments": ("payment_id", "invoice_id", "method", "paid_at", "gross_amount"),
    "employees": ("employee_id", "surname", "given_name", "hired_on", "salary", "department"),
    "suppliers": ("supplier_id", "company_name", "contact_person", "vat_number", "city"),
    "stores": ("store_id", "store_name", "street", "postcode", "opened_on"),
    "refunds": ("refund_id", "order_id", "reason_code", "refunded_at", "refund_amount"),
    "campaigns": ("campaign_id", "channel", "budget", "starts_on", "ends_on"),
    "page_views": ("view_id", "session_key", "url", "referrer", "viewed_at", "user_agent"),
    "tickets": ("ticket_id", "subject", "priority", "opened_at", "closed_at", "assignee"),
    "inventory_levels": ("store_id", "product_id", "on_hand", "reserved", "counted_at"),
    "price_list": ("price_id", "valid_from", "valid_to", "gross_price", "price_group"),
    "subscriptions": ("subscription_id", "plan_code", "renewed_at", "cancelled_at", "seats"),
    "warehouses": ("warehouse_id", "region", "capacity", "manager_name", "dock_count"),
    "vouchers": ("voucher_id", "voucher_code", "percent_off", "redeemed_at", "expires_on"),
    "reviews": ("review_id", "product_id", "stars", "body_text", "published_at"),
    "users": ("login", "display_name", "locale", "last_seen", "time_zone"),
    "deliveries": ("delivery_id", "driver", "route_code", "departed_at", "signature"),
    "contracts_signed": ("contract_id", "party", "signed_on", "term_months", "governing_law"),
    # Tables whose names have words that, as folders, say that something else is in them, or name another system.
    "audit_log": ("audit_id", "actor", "verb", "happened_at", "ip_address"),
    "order_status": ("status_id", "order_id", "status_text", "valid_from", "changed_by"),
    "test_results": ("result_id", "lab_code", "measured_at", "reading_amount", "unit_name"),
    "stripe_charges": ("charge_id", "card_brand", "charged_at", "charge_amount", "payer"),
    "error_codes": ("error_number", "severity", "explanation", "introduced_on", "retired_on"),
    # Tables whose names have words of jobs, dates and counters.
    "daily_sales": ("sale_id", "sold_on", "till", "gross_takings_amount", "cashier"),
    "current_balances": ("account_number", "balance_amount", "as_of_date", "branch", "overdraft_amount"),
    "export_jobs": ("job_id", "requested_by", "target_path", "finished_at", "attempts_made"),
    "batch_runs": ("run_id", "batch_label", "started_at", "host_name", "exit_signal"),
    "orders_2024": ("legacy_order_id", "buyer", "ordered_on", "net_total_amount", "clerk"),
    "raw_materials": ("material_id", "grade", "melting_point", "supplier_ref", "stocked_on"),
    "part_numbers": ("part_id", "drawing", "revision_letter", "released_on", "engineer"),
    "machines": ("machine_id", "serial_number", "model", "commissioned_on", "firmware"),
}
MARTS: tuple[str, ...] = ("day", "revenue_sum", "row_total", "share_of_wallet", "rank_in_region", "moving_average")
OTHER_COLUMNS: tuple[str, ...] = ("belegnr", "kundennr", "menge", "waehrung", "buchungstag", "sachbearbeiter")
LOADERS = ("_FILE", "_LOADED_AT", "_LINE", "_MODIFIED", "_ROW_NUMBER", "_FIVETRAN_SYNCED")

# Places in a key: {schema} and {table} as the source has them, {db} its database, the rest differs from file to file.
FORMS = (
    "{table}.{ext}",
    "{table}_{day}.{ext}",
    "{table}_{day}_{time}.{ext}",
    "{table}-{dashed}.{ext}",
    "full_{table}_{day}.{ext}",
    "{table}_part{n}.{ext}",
    "{table}/{dashed}.{ext}",
    "{table}/{year}/{month}/{dom}/part-0000{n}-{uuid}-c000.{ext}",
    "{table}/dt={dashed}/part-0000{n}.{ext}",
    "{table}/year={year}/month={month}/day={dom}/{hex}.{ext}",
    "{table}/part-0000{n}-{uuid}-c000.snappy.parquet",
    "daily/{dashed}/{table}.{ext}",
    "{table}/{table}_{day}.{ext}",
    "{table}/{year}/{month}/{table}-{dashed}.{ext}",
    "{kebab}/{dashed}/data.{ext}",
)
FORMS_WITH_SCHEMA = (
    "{schema}/{table}.{ext}",
    "{schema}/{table}_{day}.{ext}",
    "{schema}.{table}_{day}.{ext}",
    "{schema}/{table}/{table}_{day}_{time}.{ext}",
    "{schema}/{table}/LOAD0000000{n}.csv",
    "topics/{db}.{schema}.{table}/partition={n}/{db}.{schema}.{table}+{n}+000000{number}.json",
    "exp/export-{number}/{db}/{db}.{schema}.{table}/1/part-0000{n}-{uuid}.gz.parquet",
    "airbyte/{schema}/{table}/{year}_{month}_{dom}_{epoch}000_{n}.csv",
    "dlt/{schema}/{table}/{epoch}.{number}.{hex10}.jsonl.gz",
    "schema={schema}/table={table}/dt={dashed}/part-{n}.{ext}",
)
EXTENSIONS = ("csv", "csv", "csv", "csv.gz", "json", "jsonl", "jsonl.gz", "tsv", "txt")
REJECTS = ("rejected/{table}.csv", "{table}/_quarantine/part-00000.json", "errors/{table}/{day}.csv", "_rejected/{table}_{day}.csv",
           "{table}/rejects/{dashed}.csv", "archive/{table}_{day}.csv", "backup/{table}.csv", "test/{table}.csv")  # fmt: skip
STRAYS = ("dq_report.csv", "summary.csv", "notes.txt", "README.md", "_SUCCESS", "manifest.json", "row_counts.csv",
          "{table}_summary.csv", "{table}_errors.csv", "schema.json", "{table}.csv.md5")  # fmt: skip
NEAR_NAMES = ("{table}_archive.csv", "pre{table}.csv", "{table}_history_{day}.csv", "{table}_backup.csv", "old_{table}.csv",
              "{table}_errors_{day}.csv", "{table}_test.csv", "{table}_summary_{day}.csv")  # fmt: skip
OTHER_SYSTEMS = ("mysql/{table}.csv", "oracle/{table}_{day}.csv", "salesforce/{table}/{dashed}.csv", "erp2/{table}.csv",
                 "partner_feed/{table}_{day}.csv", "sap/{table}/part-00000.csv")  # fmt: skip


def same(name: str) -> str:
    """The letters and digits of a name: what is left where case and underscores differ."""
    return "".join(character for character in name.casefold() if character.isalnum())


def pairs_of(source: Table, target: Table) -> list[tuple[str, str]]:
    """The columns of the same names: but for case, and, where that leaves no doubt, but for underscores."""
    own = [name for name in target.columns if not name.startswith("_")]
    pairs = []
    for name in source.columns:
        alike = [other for other in own if same(other) == same(name)]
        exact = [other for other in alike if other.casefold() == name.casefold()]
        pairs += [(name, other) for other in exact or alike]
    return pairs


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


# =====================================================================================================================
# The builder
# =====================================================================================================================


class Builder:
    """Puts one world together; scenes add to it."""

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        number = 1_700_000_000 + seed
        self.world = GeneratedWorld(seed, f"default/postgres/{number}", f"default/snowflake/{number}")
        self.database = random.choice(("shop", "shop", "prod"))
        self.target_database = {"shop": random.choice(("SHOP", "ANALYTICS")), "prod": "PROD"}[self.database]
        self.dev_database = {"SHOP": "SHOP_DEV", "ANALYTICS": "ANALYTICS_DEV", "PROD": "DEV"}[self.target_database]
        self.schema = random.choice(("public", "sales", "app"))
        self.target_schema = random.choice(("RAW", "LANDING", self.schema.upper()))
        self.root = random.choice(("", "landing/", "in/", "exports/", "raw/"))
        self.world.prefix = random.choice(("", self.root))
        self.entities = random.sample(list(ENTITIES), len(ENTITIES))
        self.clock = NOW - timedelta(days=30)
        self.scene = ""

    # Tables

    def new_entity(self) -> str:
        return self.entities.pop()

    def columns_of(self, entity: str) -> tuple[str, ...]:
        """The entity's own columns, perhaps one fewer, and some that every table has."""
        own = list(ENTITIES[entity])
        if self.random.random() < 0.3:
            own.pop(self.random.randrange(1, len(own)))
        more = self.random.sample(GENERIC[:3], self.random.randrange(3))
        columns = [*own, *more] if self.random.random() < 0.6 else [*more, *own]
        return tuple(camel(name) for name in columns) if self.random.random() < 0.15 else tuple(columns)

    def source(self, name: str, columns: Sequence[str], schema: str = "", type_name: str = "Table") -> Table:
        table = Table(f"{self.world.postgres}/{self.database}/{schema or self.schema}", name, tuple(columns), type_name)
        self.world.sources.append(table)
        self.world.scenes[table.qualified_name] = self.scene
        return table

    def target(
        self, name: str, columns: Sequence[str], schema: str = "", database: str = "", type_name: str = "Table"
    ) -> Table:
        place = f"{self.world.snowflake}/{database or self.target_database}/{schema or self.target_schema}"
        table = Table(place, name.upper(), tuple(columns), type_name)
        self.world.targets.append(table)
        self.world.scenes[table.qualified_name] = self.scene
        return table

    def as_landed(self, columns: Sequence[str]) -> list[str]:
        """The columns as a loader makes them in Snowflake: in upper case, with its own beside them."""
        style = self.random.choice((str.upper, str.upper, lambda name: name.replace("_", "").upper()))
        loaders = self.random.sample(LOADERS, self.random.choice((0, 1, 2, 3)))
        return [*(style(name) for name in columns), *loaders]

    # Objects

    def fill(self, form: str, table: str, schema: str = "", at: datetime | None = None) -> str:
        random, at = self.random, at or self.clock
        identifier = uuid.UUID(int=random.getrandbits(128), version=4)
        return form.format(
            table=table, schema=schema or self.schema, db=self.database, kebab=table.replace("_", "-"),
            day=f"{at:%Y%m%d}", time=f"{at:%H%M%S}", dashed=f"{at:%Y-%m-%d}", year=f"{at:%Y}", month=f"{at:%m}",
            dom=f"{at:%d}", n=random.randrange(10), number=random.randrange(1000, 9999), epoch=int(at.timestamp()),
            uuid=identifier, hex=identifier.hex, hex10=f"a1{identifier.hex[:6]}b2", ext=random.choice(EXTENSIONS),
        )  # fmt: skip

    def put(self, key: str, body: bytes, columns: Sequence[str] | None, rooted: bool = True) -> StoredObject:
        """Store an object, later than all before it; a key that is there already stays as it is."""
        self.clock += timedelta(minutes=self.random.randrange(1, 90))
        key = f"{self.root}{key}" if rooted else key
        item = StoredObject(key, body, self.clock, None if columns is None else tuple(columns))
        item = self.world.objects.setdefault(key, item)
        self.world.scenes.setdefault(key, self.scene)
        return item

    def put_table(self, key: str, columns: Sequence[str], told: bool = True, rooted: bool = True) -> StoredObject:
        """Store rows of these columns in the format of the key's extension; `told`: with the columns' names."""
        name = key.rpartition("/")[2].lower()
        extension = name.partition(".")[2]
        extension = next(
            (one for one in ("parquet", "jsonl.gz", "csv.gz", "jsonl", "json", "tsv") if name.endswith(one)), extension
        )
        rows = make_rows(self.random, columns)
        body = write_table(extension, columns, rows, self.random) if told else write_csv(columns, rows, header=False)
        return self.put(key, body, columns if told else None, rooted)

    def keys(self, table: str, count: int, schema: str = "", forms: Sequence[str] = ()) -> list[str]:
        """Keys of one dataset as one job writes them, a day apart. Parquet is dear, and kept to some of the forms."""
        form = self.random.choice(forms or (*FORMS, *FORMS_WITH_SCHEMA))
        days = [NOW - timedelta(days=count - at, minutes=self.random.randrange(600)) for at in range(count)]
        extension = self.random.choice(EXTENSIONS)
        return list(dict.fromkeys(self.fill(form.replace("{ext}", extension), table, schema, day) for day in days))

    def dataset(self, table: Table, count: int | None = None, forms: Sequence[str] = ()) -> list[StoredObject]:
        """Objects with all columns of a table, by one job."""
        keys = self.keys(table.name, count or self.random.choice((1, 1, 2, 3)), table.schema, forms)
        return [self.put_table(key, self._as_exported(table.columns)) for key in keys]

    def _as_exported(self, columns: Sequence[str]) -> list[str]:
        """The columns as a job writes them: as they are, rarely in upper case, rarely with columns of its own."""
        chance = self.random.random()
        if chance < 0.1:
            return [name.upper() for name in columns]
        if chance < 0.15:
            return [name.replace("_", " ").title() for name in columns]
        return ["Op", *columns] if chance < 0.2 else list(columns)

    # Truth

    def connect(self, source: Table | None, objects: Iterable[StoredObject], target: Table | None) -> None:
        """Say that the objects carry the source, and are loaded into the target; and which columns follow from that."""
        objects = list(objects)
        for item in objects:
            if source:
                self.true(Kind.EXTRACT, source.qualified_name, item.key)
            if target:
                self.true(Kind.LOAD, item.key, target.qualified_name)
        if source and target:
            told = [{same(name) for name in item.columns} for item in objects if item.columns is not None]
            for name, landed in pairs_of(source, target):
                if not told or any(same(name) in columns for columns in told):
                    self.true(Kind.COLUMN, source.column(name), target.column(landed))

    def true(self, kind: Kind, left: str, right: str) -> None:
        self.world.true.add(Edge(kind, left, right))

    def may_be(self, kind: Kind, left: str, right: str) -> None:
        self.world.undecided.add(Edge(kind, left, right))

    def may_be_of(self, source: Table | None, item: StoredObject, target: Table | None, columns: bool = False) -> None:
        """Say that nobody can tell whether an object carries the source and is loaded into the target."""
        if source:
            self.may_be(Kind.EXTRACT, source.qualified_name, item.key)
        if target:
            self.may_be(Kind.LOAD, item.key, target.qualified_name)
        if source and target and columns:
            for name, landed in pairs_of(source, target):
                self.may_be(Kind.COLUMN, source.column(name), target.column(landed))

    def copy(self, entity: str | None = None, schema: str = "") -> tuple[Table, Table]:
        """A source table and the table that it lands in."""
        entity = entity or self.new_entity()
        source = self.source(entity, self.columns_of(entity), schema)
        return source, self.target(entity, self.as_landed(source.columns))


# =====================================================================================================================
# Scenes
# =====================================================================================================================


def plain_copy(make: Builder) -> None:
    """A table, its files, its landing."""
    source, target = make.copy()
    make.connect(source, make.dataset(source), target)


def mixed_formats(make: Builder) -> None:
    """One table by two jobs: other names, other formats."""
    source, target = make.copy()
    make.connect(source, [*make.dataset(source), *make.dataset(source)], target)


def dropped_and_renamed_columns(make: Builder) -> None:
    """The landing lacks a column, calls another one differently, and has one that comes from elsewhere."""
    entity = make.new_entity()
    source = make.source(entity, make.columns_of(entity))
    dropped, renamed = make.random.sample(source.columns[1:], 2)
    landed = make.as_landed([name for name in source.columns if name not in (dropped, renamed)])
    target = make.target(entity, [*landed, f"{entity}_{renamed}_text".upper(), "BATCH_NUMBER"])
    make.connect(source, make.dataset(source), target)
    make.may_be(Kind.COLUMN, source.column(renamed), target.column(f"{entity}_{renamed}_text".upper()))


def loader_columns_of_the_same_names(make: Builder) -> None:
    """The loader's `_MODIFIED` is no column of the source's, which has one that is called so."""
    entity = make.new_entity()
    source = make.source(entity, [*ENTITIES[entity], "modified", "line"])
    landed = [name.upper() for name in ENTITIES[entity]]
    if make.random.random() < 0.5:
        landed.append("MODIFIED")
    target = make.target(entity, [*landed, "_MODIFIED", "_LINE", "_FILE"])
    make.connect(source, make.dataset(source), target)


def files_that_lack_columns(make: Builder) -> None:
    """Old or new files have fewer columns than the table; each carries the table all the same."""
    source, target = make.copy()
    keys = make.keys(source.name, 3, source.schema, [form for form in (*FORMS, *FORMS_WITH_SCHEMA) if "{d" in form])
    fewer = source.columns[: max(3, len(source.columns) - 2)]
    lacking = make.random.randrange(len(keys))
    make.connect(
        source,
        [make.put_table(key, fewer if at == lacking else source.columns) for at, key in enumerate(keys)],
        target,
    )


def all_files_lack_a_column(make: Builder) -> None:
    """A column that the job leaves out goes nowhere, whatever the landing has."""
    source, target = make.copy()
    left_out = make.random.randrange(1, len(source.columns))
    written = [name for at, name in enumerate(source.columns) if at != left_out]
    keys = make.keys(source.name, make.random.choice((1, 2)), source.schema)
    make.connect(source, [make.put_table(key, written) for key in keys], target)


def schemas_that_share_a_name(make: Builder) -> None:
    """Two schemas have a table of one name; keys and targets tell the schema, but for one key."""
    entity = make.new_entity()
    columns = make.columns_of(entity)
    alike = make.random.random() < 0.5
    for schema, own in (("sales", columns), ("crm", columns if alike else OTHER_COLUMNS)):
        source = make.source(entity, own, schema)
        target = make.target(entity, make.as_landed(own), schema.upper())
        make.connect(source, make.dataset(source, forms=FORMS_WITH_SCHEMA), target)
    if alike:
        make.put_table(f"{entity}.csv", columns)  # of which of the two, nobody can say


def schemas_that_columns_tell_apart(make: Builder) -> None:
    """Two schemas have a table of one name, the key tells neither; the columns in the file do."""
    entity = make.new_entity()
    own = make.source(entity, make.columns_of(entity), "sales")
    make.source(entity, OTHER_COLUMNS, "crm")
    target = make.target(entity, make.as_landed(own.columns), "SALES")
    item = make.put_table(f"{entity}_20250921.csv", own.columns)
    # A name alone would be ambiguous, and some would rather be told than go by the columns.
    make.may_be_of(own, item, target, columns=True)


def contested_landing(make: Builder) -> None:
    """Two schemas have a table of one name, and one landing has the columns of one of them."""
    entity = make.new_entity()
    own = make.source(entity, make.columns_of(entity), "sales")
    other = make.source(entity, OTHER_COLUMNS, "crm")
    target = make.target(entity, make.as_landed(own.columns), "RAW")
    make.connect(own, make.dataset(own, forms=FORMS_WITH_SCHEMA), target)
    make.connect(other, make.dataset(other, forms=FORMS_WITH_SCHEMA), None)


def raw_and_mart(make: Builder) -> None:
    """A table of the same name in a mart has other columns: the file lands in the raw one."""
    entity = make.new_entity()
    source = make.source(entity, make.columns_of(entity))
    target = make.target(entity, make.as_landed(source.columns), "RAW")
    shared = [source.columns[0].upper()] if make.random.random() < 0.5 else []
    make.target(entity, [*shared, *MARTS], "MART")
    make.connect(source, make.dataset(source), target)


def mart_alone(make: Builder) -> None:
    """The only table of the name is a mart's, which shares nothing with the file."""
    entity = make.new_entity()
    source = make.source(entity, make.columns_of(entity))
    make.target(entity, MARTS, "MART")
    make.connect(source, make.dataset(source), None)


def production_and_development(make: Builder) -> None:
    """The same landing in two databases: the name of the source's tells, or that the other is for development."""
    entity = make.new_entity()
    source = make.source(entity, make.columns_of(entity))
    landed = make.as_landed(source.columns)
    target = make.target(entity, landed)
    development = landed if make.random.random() < 0.5 else landed[: max(2, len(landed) // 3)]
    make.target(entity, development, database=make.dev_database)
    objects = make.dataset(source)
    if same(make.database) == same(make.target_database) or len(development) < len(source.columns) / 2:
        make.connect(source, objects, target)
        return
    make.connect(source, objects, None)
    for item in objects:
        make.may_be_of(source, item, target, columns=True)


def one_variant_column(make: Builder) -> None:
    """A landing of whole records: a single column beside the loader's own."""
    entity = make.new_entity()
    source = make.source(entity, make.columns_of(entity))
    variant = make.random.choice(("RECORD", "V", "RAW_DATA", "EVERYTHING"))
    target = make.target(entity, [variant, *make.random.sample(LOADERS, 2)])
    forms = [form for form in (*FORMS, *FORMS_WITH_SCHEMA) if "{ext}" in form]
    keys = make.keys(source.name, 2, source.schema, [form.replace("{ext}", "jsonl") for form in forms])
    make.connect(source, [make.put_table(key, source.columns) for key in keys], target)
    for name in source.columns:
        make.may_be(Kind.COLUMN, source.column(name), target.column(variant))


def no_landing(make: Builder) -> None:
    """Exported, and loaded nowhere that Atlan knows of; or only into a near name, or under a view."""
    entity = make.new_entity()
    source = make.source(entity, make.columns_of(entity))
    near = make.random.choice(
        ("", "", f"STG_{entity}", f"{entity}_STAGING", entity.removesuffix("s"), f"{entity}_HISTORY")
    )
    if near:
        make.target(near if near != entity else f"{entity}_ALL", make.as_landed(source.columns))
    elif make.random.random() < 0.5:
        make.target(entity, make.as_landed(source.columns), type_name="View")
    make.connect(source, make.dataset(source), None)


def no_landing_and_no_proof(make: Builder) -> None:
    """Without a landing, rows without a header prove nothing, and columns of another table are against it."""
    entity = make.new_entity()
    source = make.source(entity, make.columns_of(entity))
    (key,) = make.keys(source.name, 1, source.schema, [form for form in FORMS if "{ext}" in form])
    if make.random.random() < 0.5:
        make.put_table(key, ["id", *ENTITIES[make.new_entity()], "created_at"])
    else:
        make.may_be_of(source, make.put_table(key, source.columns, told=False), None)


def no_source_and_no_proof(make: Builder) -> None:
    """Without a source, rows without a header prove nothing, and columns of another table are against it."""
    entity = make.new_entity()
    columns = make.columns_of(entity)
    target = make.target(entity, make.as_landed(columns))
    (key,) = make.keys(entity, 1, "", [form for form in FORMS if "{ext}" in form])
    if make.random.random() < 0.5:
        make.put_table(key, ["id", *ENTITIES[make.new_entity()], "created_at"])
    else:
        make.may_be_of(None, make.put_table(key, columns, told=False), target)


def no_source(make: Builder) -> None:
    """Landed from files of something that is not in PostgreSQL."""
    entity = make.new_entity()
    columns = make.columns_of(entity)
    target = make.target(entity, make.as_landed(columns))
    keys = make.keys(entity, make.random.choice((1, 2)), forms=FORMS)
    make.connect(None, [make.put_table(key, columns) for key in keys], target)


def no_source_in_a_schema_of_its_own(make: Builder) -> None:
    """Files of another system, told by its folder, land in the schema that is called so."""
    entity = make.new_entity()
    columns = make.columns_of(entity)
    target = make.target(entity, make.as_landed(columns), "SALESFORCE")
    item = make.put_table(f"salesforce/{entity}/{make.fill('{dashed}', entity)}.csv", columns)
    make.connect(None, [item], target)


def another_system_lands_beside(make: Builder) -> None:
    """Another system's table of the same name, told by a folder, lands in the schema that is called so."""
    source, target = make.copy()
    make.connect(source, make.dataset(source), target)
    beside = make.target(source.name, make.as_landed(OTHER_COLUMNS), "SALESFORCE")
    item = make.put_table(f"salesforce/{source.name}/{make.fill('{dashed}', source.name)}.csv", OTHER_COLUMNS)
    make.connect(None, [item], beside)


def no_files(make: Builder) -> None:
    """The same table on both sides, and nothing in the landing zone."""
    make.copy()


def wrong_content(make: Builder) -> None:
    """The name fits, the columns are another table's: nothing is true of it."""
    source, _ = make.copy()
    other = make.new_entity()
    keys = make.keys(source.name, make.random.choice((1, 2)), source.schema)
    columns = [*make.random.sample(GENERIC[:3], make.random.randrange(3)), *ENTITIES[other]]
    for key in keys:
        make.put_table(key, columns)


def wrong_content_among_right(make: Builder) -> None:
    """One of several files is another table's, whether the oldest or the newest: it alone is none of the table's."""
    source, target = make.copy()
    keys = make.keys(source.name, 4, source.schema, [form for form in (*FORMS, *FORMS_WITH_SCHEMA) if "{d" in form])
    wrong = make.random.randrange(len(keys))
    right = []
    for at, key in enumerate(keys):
        if at == wrong:
            make.put_table(key, OTHER_COLUMNS)
        else:
            right.append(make.put_table(key, source.columns))
    make.connect(source, right, target)


def strays(make: Builder) -> None:
    """Reports, notes and markers beside the files, whatever their time."""
    source, target = make.copy()
    form = make.random.choice(
        ("{table}/{dashed}.csv", "{table}/dt={dashed}/part-00000.csv", "{table}/{year}/{month}/{dom}/data.csv")
    )
    keys = make.keys(source.name, 2, source.schema, [form])
    objects = [make.put_table(key, source.columns) for key in keys]
    make.connect(source, objects, target)
    for stray in make.random.sample(STRAYS, 3):
        name = make.fill(stray, source.name)
        folder = make.random.choice(keys).rpartition("/")[0]
        if name.endswith(".csv"):
            make.put_table(f"{folder}/{name}", [source.columns[0], "check_name", "passed", "row_total"])
        else:
            make.put(
                f"{folder}/{name}", b'{"entries": []}' if name.endswith(".json") else b"Of interest to nobody.\n", None
            )


def rejects(make: Builder) -> None:
    """Rows that were put aside have the table's name and columns, and flow nowhere."""
    source, target = make.copy()
    if make.random.random() < 0.7:
        make.connect(source, make.dataset(source), target)
    for form in make.random.sample(REJECTS, 2):
        make.put_table(make.fill(form, source.name), source.columns)


def other_system(make: Builder) -> None:
    """Another system has a table of the same name, with other columns, in the same bucket."""
    source, target = make.copy()
    if make.random.random() < 0.7:
        make.connect(source, make.dataset(source), target)
    for form in make.random.sample(OTHER_SYSTEMS, 2):
        make.put_table(make.fill(form, source.name), OTHER_COLUMNS)


def another_table_in_a_folder(make: Builder) -> None:
    """A file in a table's partitions that is called like another table: of which of the two is anybody's guess."""
    (source, target), (other, other_target) = make.copy(), make.copy()
    objects = make.dataset(source, forms=["{table}/dt={dashed}/part-0000{n}.csv"])
    make.connect(source, objects, target)
    folder = objects[0].key.rpartition("/")[0]
    item = make.put_table(f"{folder}/{other.name}.csv", other.columns, rooted=False)
    # Its name and its columns are the other's, and only the folder is not.
    make.may_be_of(other, item, other_target, columns=True)


def nothing_to_read(make: Builder) -> None:
    """Empty and broken files found nothing by themselves."""
    source, _ = make.copy()
    keys = make.keys(source.name, 2, source.schema, [form for form in FORMS if "{ext}" in form])
    for key in keys:
        make.put(key, make.random.choice((b"", b"\x1f\x8bno gzip", bytes(make.random.randbytes(200)) + b"\0")), None)


def nothing_to_read_among_files(make: Builder) -> None:
    """Beside good files, an empty or a broken one changes nothing for them."""
    source, target = make.copy()
    keys = make.keys(source.name, 3, source.schema, [form for form in FORMS if "{d" in form])
    odd = make.random.randrange(len(keys))
    for at, key in enumerate(keys):
        if at == odd:
            item = make.put(key, make.random.choice((b"", b"\x1f\x8bno gzip", b"PAR1 and nothing else")), None)
            make.may_be_of(source, item, target)
        else:
            make.connect(source, [make.put_table(key, source.columns)], target)


def no_header(make: Builder) -> None:
    """Rows without a header contradict nothing: the names decide."""
    source, target = make.copy()
    forms = [form.replace("{ext}", "csv") for form in (*FORMS, *FORMS_WITH_SCHEMA) if "{ext}" in form]
    keys = make.keys(source.name, make.random.choice((1, 2)), source.schema, forms)
    make.connect(source, [make.put_table(key, source.columns, told=False) for key in keys], target)


def words_without_header(make: Builder) -> None:
    """A first row of words is no header of another table."""
    entity = make.new_entity()
    source = make.source(entity, ("postcode", "town", "country_code"))
    target = make.target(entity, make.as_landed(source.columns))
    lines = [f"{make.random.choice(('SW1A', 'EC2M', 'NW8'))},{word},GB" for word in make.random.sample(WORDS, 5)]
    item = make.put(f"{entity}.csv", "\n".join(lines).encode(), None)
    make.connect(source, [item], target)


def odd_headers(make: Builder) -> None:
    """Headers as Hive, Excel and careful people write them."""
    source, target = make.copy()
    rows = make_rows(make.random, source.columns)
    header, body = ",".join(source.columns), write_csv(source.columns, rows, header=False)
    style = make.random.choice(("hive", "comment", "sep", "bom", "latin"))
    text = {
        "hive": ",".join(f"{source.name}.{name}" for name in source.columns).encode() + b"\n" + body,
        "comment": b"# exported at night\n" + header.encode() + b"\n" + body,
        "sep": b"sep=,\n" + header.encode() + b"\n" + body,
        "bom": b"\xef\xbb\xbf" + header.encode() + b"\n" + body,
        "latin": header.encode() + b"\n" + body + ",".join(["caf\xe9"] * len(source.columns)).encode("latin-1") + b"\n",
    }[style]
    make.connect(source, [make.put(f"{source.name}_{make.clock:%Y%m%d}.csv", text, source.columns)], target)


def wrapped_records(make: Builder) -> None:
    """Airbyte's raw records hold the columns in a JSON value, or in a text of JSON."""
    source, target = make.copy()
    rows = make_rows(make.random, source.columns)
    records = [write_json_lines(source.columns, [row]).decode().strip() for row in rows]
    wrapper = ("_airbyte_ab_id", "_airbyte_emitted_at", "_airbyte_data")
    wrapped = [[f"{make.random.getrandbits(64):016x}", "1758500000000", record] for record in records]
    as_csv = make.random.random() < 0.5
    body = write_csv(wrapper, wrapped) if as_csv else write_json_lines(wrapper, wrapped)
    key = f"airbyte/{source.schema}/{source.name}/{make.fill('{year}_{month}_{dom}_{epoch}000_0', source.name)}"
    make.connect(source, [make.put(f"{key}.{'csv' if as_csv else 'jsonl'}", body, None)], target)


def generic_columns_only(make: Builder) -> None:
    """A table of nothing but everybody's columns, and a file that has just these."""
    entity = make.new_entity()
    source = make.source(entity, GENERIC)
    target = make.target(entity, make.as_landed(GENERIC))
    make.connect(source, make.dataset(source, 1), target)


def everybodys_columns_prove_nothing(make: Builder) -> None:
    """A file shares `id` and `created_at` with the table of its name, and nothing else."""
    entity, other = make.new_entity(), make.new_entity()
    source = make.source(entity, ["id", *ENTITIES[entity], "created_at"])
    make.target(entity, make.as_landed(source.columns))
    for key in make.keys(entity, 1, source.schema):
        make.put_table(key, ["id", *ENTITIES[other], "created_at"])


def near_names_of_files(make: Builder) -> None:
    """A file of a near name has the table's columns, and says that it is something else."""
    source, target = make.copy()
    if make.random.random() < 0.7:
        make.connect(source, make.dataset(source), target)
    for form in make.random.sample(NEAR_NAMES, 2):
        make.put_table(make.fill(form, source.name), source.columns)


def a_schema_without_files(make: Builder) -> None:
    """Of two tables of one name and with the same columns, one is exported, and there is one landing."""
    entity = make.new_entity()
    columns = make.columns_of(entity)
    source = make.source(entity, columns, "sales")
    kind = make.random.choice(("Table", "View"))
    make.source(entity, columns if kind == "Table" else columns[:3], "reporting", type_name=kind)
    target = make.target(entity, make.as_landed(columns), "RAW")
    objects = make.dataset(source, forms=FORMS_WITH_SCHEMA)
    make.connect(source, objects, target if kind == "View" else None)
    for item in objects:  # tomorrow the other one may be exported, too
        make.may_be_of(source, item, target, columns=True)


def two_landings(make: Builder) -> None:
    """Two tables of the target are alike: which of them is loaded, or whether both are, nobody can tell."""
    entity = make.new_entity()
    source = make.source(entity, make.columns_of(entity))
    landed = make.as_landed(source.columns)
    targets = [make.target(entity, landed, schema) for schema in ("LAKE_A", "LAKE_B")]
    objects = make.dataset(source)
    make.connect(source, objects, None)
    for item in objects:
        for target in targets:
            make.may_be_of(source, item, target, columns=True)


def columns_that_are_alike(make: Builder) -> None:
    """The landing has two columns whose letters are the same; one of them is called just so."""
    entity = make.new_entity()
    source = make.source(entity, ENTITIES[entity])
    twin = next(name for name in source.columns if "_" in name)
    target = make.target(entity, [*(name.upper() for name in source.columns), twin.replace("_", "").upper()])
    make.connect(source, make.dataset(source), target)


def view_as_source(make: Builder) -> None:
    """What is exported may be a view."""
    entity = make.new_entity()
    source = make.source(f"active_{entity}", make.columns_of(entity), type_name="View")
    target = make.target(source.name, make.as_landed(source.columns))
    make.connect(source, make.dataset(source), target)


def target_of_other_columns(make: Builder) -> None:
    """The file is the source's, the landing of the same name has other columns, and is loaded from elsewhere."""
    entity = make.new_entity()
    source = make.source(entity, make.columns_of(entity))
    make.target(entity, [name.upper() for name in OTHER_COLUMNS])
    make.connect(source, make.dataset(source), None)


Scene = Callable[[Builder], None]
SCENES: tuple[Scene, ...] = (
    plain_copy, mixed_formats, dropped_and_renamed_columns, loader_columns_of_the_same_names, files_that_lack_columns,
    all_files_lack_a_column, schemas_that_share_a_name, schemas_that_columns_tell_apart, contested_landing, raw_and_mart,
    mart_alone, production_and_development, one_variant_column, no_landing, no_landing_and_no_proof, no_source, no_source_and_no_proof, no_source_in_a_schema_of_its_own, another_system_lands_beside,
    no_files, wrong_content, wrong_content_among_right, strays, rejects, other_system, another_table_in_a_folder,
    nothing_to_read, nothing_to_read_among_files, no_header, words_without_header, odd_headers, wrapped_records,
    generic_columns_only, everybodys_columns_prove_nothing, near_names_of_files, a_schema_without_files, two_landings, columns_that_are_alike, view_as_source, target_of_other_columns,
)  # fmt: skip


def generate_world(seed: int, scenes: Sequence[Scene] = ()) -> GeneratedWorld:
    """The world of a seed: one plain copy, and scenes that differ from seed to seed; or the given scenes."""
    make = Builder(seed)
    for scene in scenes or (plain_copy, *make.random.sample(SCENES, SCENES_A_WORLD)):
        make.scene = scene.__name__
        scene(make)
    make.world.undecided -= make.world.true
    return make.world


# =====================================================================================================================
# One more file
# =====================================================================================================================


def any_file(random: Random, world: GeneratedWorld) -> StoredObject:
    """A file that could turn up in the landing zone of a world, under a key that it does not have yet: any name of the
    generator's, any content, before or after all others or between them."""
    at = random.choice((NOW - timedelta(days=900), NOW - timedelta(days=random.randrange(40)), NOW + timedelta(days=1)))
    key = _any_key(random, world, at)
    while key in world.objects:
        key = f"{key.rpartition('/')[0]}/more/{key.rpartition('/')[2]}"
    columns = _any_columns(random, world)
    body = random.choice(
        (b"", b"\x1f\x8bno gzip", random.randbytes(300), b"PAR1 and nothing else", b"{", b"Some words.\n")
    )
    if columns:
        rows = make_rows(random, columns)
        extension = random.choice(("csv", "csv.gz", "json", "jsonl", "tsv"))
        body = (
            write_table(extension, columns, rows, random)
            if random.random() < 0.8
            else write_csv(columns, rows, header=False)
        )
    return StoredObject(key, body, at, tuple(columns))


def _any_key(random: Random, world: GeneratedWorld, at: datetime) -> str:
    """A key beside another one, with its name or a name of no table; or a key of any form under the prefix."""
    make = Builder(random.randrange(1 << 30))
    beside, _, file_name = random.choice(sorted(world.objects)).rpartition("/")
    stem, _, extension = file_name.partition(".")
    name = random.choice([table.name.lower() for table in (*world.sources, *world.targets)] + [*ENTITIES])
    sibling = random.choice(
        (f"{stem}_{at:%Y%m%d}", f"{stem}_part{random.randrange(90)}", "part-00077", "data", "summary")
    )
    form = random.choice((*FORMS, *FORMS_WITH_SCHEMA, *STRAYS, *REJECTS, *OTHER_SYSTEMS, *NEAR_NAMES))
    folder = f"{beside}/" if beside else ""
    if random.random() < 0.6:
        return f"{folder}{sibling}.{random.choice((extension, 'csv', 'json'))}"
    return random.choice((world.prefix, folder)) + make.fill(
        form, name, random.choice([table.schema.lower() for table in (*world.sources, *world.targets)]), at
    )


def _any_columns(random: Random, world: GeneratedWorld) -> list[str]:
    """Columns of a table of the world, or some of them, or of another one, or everybody's; or none at all."""
    own = list(random.choice((*world.sources, *world.targets)).columns)
    return random.choice(
        (
            [], own, random.sample(own, random.randrange(1, len(own) + 1)), [*own, "batch"], [*OTHER_COLUMNS],
            [own[0], "check_name", "passed"], [*GENERIC], [*ENTITIES[random.choice(list(ENTITIES))]], ["id", "created_at"],
        )
    )  # fmt: skip
