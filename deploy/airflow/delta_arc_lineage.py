"""The lineage each night, as a DAG of Airflow 3.2 or later: on the worker, in /opt/delta-arc with the .env there.

Only what may pass by itself is tried again. The task's log is that of the run, and its result (XCom) how much was done.
"""

from __future__ import annotations

import json
import subprocess
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

FOLDER = "/opt/delta-arc"
COMMAND = [".venv/bin/python", "main.py", "--require-tenant", "--quiet", "--json", "-"]
AS_WRONG_THE_NEXT_TIME = (
    2,
    4,
    5,
)  # a wrong setting; no table with a complete chain; fewer than --min-coverage asks for


@dag(
    schedule="0 3 * * *",
    start_date=datetime(2025, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["atlan", "lineage"],
)
def delta_arc_lineage() -> None:
    @task(
        retries=2,
        retry_delay=timedelta(minutes=5),
        retry_exponential_backoff=True,
        execution_timeout=timedelta(hours=2),
    )
    def lineage() -> dict[str, Any]:
        ended = subprocess.run(COMMAND, cwd=FOLDER, stdout=subprocess.PIPE, check=False)
        if ended.returncode in AS_WRONG_THE_NEXT_TIME:
            raise AirflowFailException(f"Delta Arc ended with {ended.returncode}: see its log above")
        if ended.returncode:
            raise AirflowException(f"Delta Arc ended with {ended.returncode}: see its log above")
        report = json.loads(ended.stdout)
        return {"outcome": report["outcome"], "percent": report["coverage"]["percent"], **report["counts"]}

    lineage()


delta_arc_lineage()
