"""What the tenants of the benchmarks hold: tables orders_bbbbb, orders_bbbbc, … with columns c00, c01, …, on both sides."""

from __future__ import annotations

POSTGRES = "default/postgres/1757530687"
SNOWFLAKE = "default/snowflake/1757530705"
S3 = "default/s3/1757530999"
BUCKET = "landing"
ARN = f"arn:aws:s3:::{BUCKET}"


def table_names(tables: int) -> list[str]:
    letters = str.maketrans("0123456789", "bcdfghjklm")  # as people's tables seldom end in digits
    return [f"orders_{f'{number:05}'.translate(letters)}" for number in range(tables)]


def column_names(columns: int) -> list[str]:
    return [f"c{number:02}" for number in range(columns)]


def inventory_of(connection: str, tables: int, columns: int) -> list[list[str]]:
    """Its rows as a cache file has them: a database, a schema, the tables and their columns."""
    schema = f"{connection}/shop/sales"
    rows = [[f"{connection}/shop", "shop", "Database"], [schema, "sales", "Schema"]]
    for table in table_names(tables):
        rows.append([f"{schema}/{table}", table, "Table"])
        rows += [[f"{schema}/{table}/{column}", column, "Column"] for column in column_names(columns)]
    return rows
