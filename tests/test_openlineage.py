"""What is exported as OpenLineage: valid by the standard's own words, and the same when it is read again."""

from __future__ import annotations

import json
import os
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from event_world import BUCKET, POSTGRES, SNOWFLAKE, SOURCE, SOURCES, TARGET, TARGETS, scope, tell
from hypothesis import given, settings
from hypothesis import strategies as st

from delta_arc import openlineage
from delta_arc.entities import Flow, make_column_process, make_extract, make_load
from delta_arc.jobs.event_files import read_documents
from delta_arc.jobs.events import fault_of_event, read_told
from delta_arc.jobs.told import ToldHop
from delta_arc.openlineage import Event, hops_of_processes, make_events, make_naming, to_lines

ASSETS = [*SOURCES, *TARGETS]
NAMING = make_naming(POSTGRES, SNOWFLAKE, BUCKET, ASSETS)
NOW = datetime(2026, 1, 31, 2, tzinfo=timezone.utc)
BUCKET_ASSET = f"default/s3/3/arn:aws:s3:::{BUCKET}"
FLOW = Flow("default/postgres/1", BUCKET_ASSET, "", "default/snowflake/2")
PAIRS = {"ORDERS": ("STG_ORDERS", [("ID", "ORDER_ID"), ("CUST", "CUSTOMER")]), "CUSTOMERS": ("STG_CUSTOMERS", [("ID", "ID")])}  # fmt: skip


def processes(chains: dict[str, list[str]], ground: str = "names only") -> list[Any]:
    """The processes of chains, as the run makes them: source table → keys."""
    made: list[Any] = []
    rows = {row[0]: row for row in ASSETS}
    for table, keys in chains.items():
        target, columns = PAIRS[table]
        objects: Any = [
            {"key": key, "qualified_name": f"{BUCKET_ASSET}/{key}", "bucket": BUCKET_ASSET} for key in sorted(keys)
        ]
        left, right = rows[f"{SOURCE}/{table}"], rows[f"{TARGET}/{target}"]
        context = json.dumps({"ground": ground})
        load = make_load(FLOW, left[0], objects, right, ("DWH", "RAW"), context)
        made += [make_extract(FLOW, left, ("SHOP", "SALES"), objects, context), load]
        for one, other in columns:
            name = str(load["attributes"]["qualifiedName"])
            made.append(make_column_process(name, left, rows[f"{left[0]}/{one}"], right, rows[f"{right[0]}/{other}"]))
    return made


def exported(chains: dict[str, list[str]]) -> tuple[list[ToldHop], list[Event]]:
    found = hops_of_processes(processes(chains), ASSETS, NOW)
    return found, list(make_events(found, NAMING))


CHAINS = {"ORDERS": ["in/o_1.csv", "in/o_2.csv"], "CUSTOMERS": ["in/c.csv"]}


def test_the_hops_of_the_processes() -> None:
    found, _ = exported(CHAINS)
    told = {(hop.table.rpartition("/")[2], hop.key): hop.columns for hop in found}
    assert told == {
        ("ORDERS", "in/o_1.csv"): (),
        ("ORDERS", "in/o_2.csv"): (("CUST", "CUST"), ("ID", "ID")),
        ("STG_ORDERS", "in/o_1.csv"): (),
        ("STG_ORDERS", "in/o_2.csv"): (("CUST", "CUSTOMER"), ("ID", "ORDER_ID")),
        ("CUSTOMERS", "in/c.csv"): (("ID", "ID"),),
        ("STG_CUSTOMERS", "in/c.csv"): (("ID", "ID"),),
    }
    assert {hop.ground for hop in found} == {"names only"}


def test_an_event_says_what_it_is_known_by() -> None:
    _, events = exported({"ORDERS": ["in/o_1.csv"]})
    (load,) = [event for event in events if event["outputs"][0]["name"] == "DWH.RAW.STG_ORDERS"]
    facets = load["job"]["facets"]
    assert (
        facets["documentation"]["description"]
        == "Loads 1 objects into DWH.RAW.STG_ORDERS. Known to Delta Arc; ground: names only."
    )
    assert facets["sql"]["query"].startswith("-- Not from a query log")
    assert (load["eventType"], load["producer"]) == ("COMPLETE", "urn:delta-arc")
    assert load["inputs"] == [{"namespace": f"s3://{BUCKET}", "name": "in/o_1.csv"}]


KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20).filter(
    lambda key: key.strip("/") == key
)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(PAIRS)), st.lists(KEYS, min_size=1, max_size=5, unique=True)),
    st.integers(1, 3),
)
def test_what_is_exported_and_read_again_is_the_same(chains: dict[str, list[str]], most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openlineage, "MOST_IN_EVENT", most)
        found, events = exported(chains)
    again = tell(*map(json.loads, to_lines(events)))
    assert again.problems == ()
    assert list(again.hops) == sorted(found, key=lambda hop: (hop.source, hop.target, hop.key))
    # And once more, from what was read.
    assert tell(*make_events(again.hops, NAMING)).hops == again.hops


def test_a_jobs_word_is_kept_though_an_export_is_newer() -> None:
    _, events = exported({"ORDERS": ["in/o_1.csv"]})
    older = [{**event, "eventTime": "2025-01-01T00:00:00Z", "run": {"runId": str(uuid.UUID(int=number))}} for number, event in enumerate(events)]  # fmt: skip
    for event in older:
        event["job"] = {"namespace": "n", "name": "job"}
    assert {hop.ground for hop in tell(*events, *older).hops} == {"told"}


def test_a_file_of_an_export_is_one_of_events(tmp_path: Path) -> None:
    found, events = exported(CHAINS)
    (tmp_path / "export.jsonl").write_text("".join(to_lines(events)), encoding="utf-8")
    again = read_told(read_documents(str(tmp_path / "export.jsonl"), lambda: None), scope())
    assert (len(again.hops), again.events, again.problems) == (len(found), len(events), ())


def test_exported_events_are_those_of_the_standards_classes() -> None:
    from openlineage.client import event_v2, facet_v2

    for event in exported(CHAINS)[1]:
        assert fault_of_event(event) == ""
        job, lineage = event["job"], facet_v2.column_lineage_dataset
        sql = facet_v2.sql_job.SQLJobFacet(job["facets"]["sql"]["query"])
        words = facet_v2.documentation_job.DocumentationJobFacet(job["facets"]["documentation"]["description"])
        made = event_v2.RunEvent(
            eventType=event_v2.RunState(event["eventType"]),
            eventTime=event["eventTime"],
            producer=event["producer"],
            run=event_v2.Run(**event["run"]),
            job=event_v2.Job(job["namespace"], job["name"], {"sql": sql, "documentation": words}),
            inputs=[event_v2.InputDataset(item["namespace"], item["name"]) for item in event["inputs"]],
        )
        assert made.schemaURL == event["schemaURL"]
        assert (sql._schemaURL, words._schemaURL) == tuple(job["facets"][name]["_schemaURL"] for name in ("sql", "documentation"))  # fmt: skip
        for item in event["outputs"]:
            for facet in [item["facets"]["columnLineage"]] if "facets" in item else []:
                fields = {
                    name: lineage.Fields([lineage.InputField(**given) for given in entry["inputFields"]])
                    for name, entry in facet["fields"].items()
                }
                assert lineage.ColumnLineageDatasetFacet(fields)._schemaURL == facet["_schemaURL"]


@pytest.mark.skipif("OPENLINEAGE_SPEC" not in os.environ, reason="needs the folder spec/ of OpenLineage's repository")
def test_exported_events_are_valid_by_the_standards_schema() -> None:
    import jsonschema
    import referencing

    spec = Path(os.environ["OPENLINEAGE_SPEC"])
    schemas = [json.loads(path.read_text()) for path in [spec / "OpenLineage.json", *spec.glob("facets/*.json")]]
    registry: Any = referencing.Registry().with_contents([(schema["$id"], schema) for schema in schemas])

    def check(value: Any, reference: str) -> None:
        checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
        jsonschema.Draft202012Validator({"$ref": reference}, registry=registry, format_checker=checker).validate(value)

    for event in exported(CHAINS)[1]:
        check(event, event["schemaURL"])
        for item in (event["job"], *event["inputs"], *event["outputs"]):
            for facet in item.get("facets", {}).values():
                check(facet, facet["_schemaURL"])
