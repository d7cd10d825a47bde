"""Options of the command line: none is taken and then ignored."""

from __future__ import annotations

import itertools

import pytest

from delta_arc.options import GOES_WITH, MODES, RUN, build_parser, check_combinations, parse_options
from runtime.errors import SettingsError

# A value for each option that takes one.
VALUES = {
    "plan": "p.json", "apply": "a.json", "export_openlineage": "e.jsonl", "json": "j.json", "min_ground": "named",
    "min_coverage": "0", "max_remove": "0", "max_unmatched": "0",
}  # fmt: skip
EVERYWHERE = {"quiet", "detailed_exitcode", "env_file", "sandbox", "require_tenant"}
# What a command line has besides an option for that to have an effect.
NEEDS = {"max_remove": ["--prune"]}


def written(name: str) -> str:
    flag = f"--{name.replace('_', '-')}"
    return f"{flag}={VALUES[name]}" if name in VALUES else flag


def faults(*arguments: str) -> tuple[str, ...]:
    try:
        check_combinations(parse_options(arguments))
    except SettingsError as error:
        return error.faults
    return ()


def test_of_every_option_it_is_known_what_it_goes_with() -> None:
    names = {action.dest for action in build_parser()._actions} - {"help", "version"}
    assert {*GOES_WITH} | {*MODES} | EVERYWHERE == names
    assert not {*GOES_WITH} & {*MODES} & EVERYWHERE


@pytest.mark.parametrize(("one", "other"), itertools.combinations(MODES, 2))
def test_one_thing_is_done_at_a_time(one: str, other: str) -> None:
    (told,) = faults(written(other), written(one))
    assert f"--{one} and --{other} are done one at a time".replace("_", "-") in told


@pytest.mark.parametrize("mode", [RUN, *MODES])
@pytest.mark.parametrize("name", GOES_WITH)
def test_an_option_is_refused_where_it_has_no_effect(name: str, mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [written(name), *([] if mode == RUN else [written(mode)])]
    if (name, mode) == ("plan", "apply"):
        with pytest.raises(SystemExit):
            faults(*arguments)
        return
    if mode in GOES_WITH[name]:
        assert faults(*arguments, *(NEEDS.get(name, []) if mode == RUN else [])) == ()
    else:
        (told,) = faults(*arguments)
        assert told.startswith(f"--{name} belongs to ".replace("_", "-"))


@pytest.mark.parametrize(("one", "other"), itertools.combinations(sorted({*GOES_WITH} - {"plan"}), 2))
def test_two_options_go_together_just_where_one_thing_has_both(one: str, other: str) -> None:
    found = {
        mode
        for mode in (RUN, *MODES)
        if not faults(written(one), written(other), "--quiet", *([] if mode == RUN else [written(mode)]),
                      *(["--prune"] if mode == RUN and "max_remove" in (one, other) and "prune" not in (one, other) else []))
    }  # fmt: skip
    assert found == {*GOES_WITH[one]} & {*GOES_WITH[other]}


def test_what_archives_nothing_has_no_limit_of_it() -> None:
    assert faults("--max-remove=5") == (
        "--max-remove belongs to --prune, --apply or --remove-lineage: nothing else archives anything.",
    )
    assert len(faults("--yes", "--with-s3", "--all-flows")) == 3, "all are told at once"
