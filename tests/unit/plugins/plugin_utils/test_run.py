# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.plugin_utils.run import (
    Scenario,
    check_fleet,
    new_run_id,
    parse_id,
    parse_report,
)

SCENARIO = Scenario(
    "fix_things",
    True,
    {
        "window": {"type": "str", "x_type": "duration", "default": "1h", "description": "How far back."},
        "threshold": {"type": "int", "default": 10},
        "max_risk": {"type": "str", "choices": ["reversible", "disruptive"], "default": "reversible"},
        "address": {"type": "str", "x_type": "address", "required": True},
        "all_hosts": {"type": "bool", "default": False},
        "numbers": {"type": "list", "elements": "int", "default": []},
        "services": {"type": "dict", "default": {}},
    },
)


def inputs(**given: Any) -> dict[str, Any]:
    return SCENARIO.inputs({"address": "192.0.2.1", **given}, given)


def test_defaults_are_added_and_what_was_typed_is_cast() -> None:
    assert inputs(threshold="3", all_hosts="yes") == {
        "window": "1h",
        "threshold": 3,
        "max_risk": "reversible",
        "address": "192.0.2.1",
        "all_hosts": True,
        "numbers": [],
        "services": {},
    }


def test_a_misspelt_input_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(
        BadInput, match=r"input 'treshold': fix_things has no such input\. Did you mean 'threshold'"
    ):
        inputs(treshold=3)


def test_an_unknown_input_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(
        BadInput, match="It takes address, all_hosts, max_risk, numbers, services, threshold, window"
    ):
        inputs(colour="red")


@pytest.mark.parametrize("name", ["ansible_user", "firebreak_services", "awx_job_id", "tower_user_id"])
def test_variables_that_are_not_inputs_are_let_through(name: str) -> None:
    assert name not in inputs(**{name: "x"})


def test_a_misspelt_choice_is_refused_with_the_choices() -> None:
    with pytest.raises(BadInput, match="max_risk must be one of: reversible, disruptive, got: reversable"):
        inputs(max_risk="reversable")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"threshold": "many"}, 'threshold is "many", and a whole number is needed'),
        ({"all_hosts": "perhaps"}, 'all_hosts is "perhaps", and true or false is needed'),
        ({"numbers": [1, "two"]}, r'numbers is \[1, "two"\], and a whole number is needed'),
        ({"services": "all"}, 'services is "all", and a mapping is needed'),
    ],
)
def test_a_value_of_the_wrong_type_is_told_without_classes_of_python(given: Any, said: str) -> None:
    with pytest.raises(BadInput, match=f"inputs of fix_things: {said}. docs"):
        inputs(**given)


def test_a_missing_input_is_named() -> None:
    with pytest.raises(BadInput, match="missing required arguments: address"):
        SCENARIO.inputs({}, {})


def test_who_names_no_incident_is_told_where_those_that_are_open_are() -> None:
    scenario = Scenario("close_incident", False, {"incident": {"type": "str", "required": True}})
    with pytest.raises(BadInput, match=r"missing required arguments: incident\. .* escalate with --check"):
        scenario.inputs({}, {})


@pytest.mark.parametrize(("name", "value"), [("window", "1 fortnight"), ("address", "db1")])
def test_a_value_of_the_wrong_shape_is_refused_by_the_name_of_its_input(name: str, value: str) -> None:
    with pytest.raises(BadInput, match=f"input '{name}': .*{value.split()[-1]}"):
        inputs(**{name: value})


def test_several_hosts_need_a_limit() -> None:
    with pytest.raises(BadInput, match=r"2 hosts: .* --limit .* -e all_hosts=true"):
        check_fleet(["a", "b"], None, all_hosts=False)


@pytest.mark.parametrize(
    ("hosts", "limit", "all_hosts"),
    [(["a"], None, False), (["a", "b"], "prod", False), (["a", "b"], None, True)],
)
def test_one_host_a_limit_or_a_word_is_enough(hosts: list[str], limit: str | None, all_hosts: bool) -> None:
    check_fleet(hosts, limit, all_hosts)


def test_run_ids_sort_by_time_and_differ_within_a_second() -> None:
    moment = datetime(2026, 11, 21, 22, 1, 7, tzinfo=UTC)
    first, second = new_run_id(moment), new_run_id(moment)
    assert first.startswith("20261121-220107-")
    assert first != second
    assert parse_id(first) == first


@pytest.mark.parametrize("text", ["", "-x", "../../etc", "a b", "x" * 65, "a\nb"])
def test_an_id_that_could_be_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="it is not an id"):
        parse_id(text)


def test_a_playbook_without_its_meta_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"playbook x\.yml: x\.meta\.yml is missing"):
        Scenario.of(tmp_path / "x.yml")


@pytest.mark.parametrize("text", ["", "x_changes: true", "argument_specs: []", "{"])
def test_a_meta_file_of_another_shape_says_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.meta.yml").write_text(text)
    with pytest.raises(BadInput, match="not a scenario's meta file"):
        Scenario.of(tmp_path / "x.yml")


def test_a_number_below_its_minimum_is_refused() -> None:
    scenario = Scenario("look", False, {"threshold": {"type": "int", "x_min": 1, "default": 10}})
    with pytest.raises(BadInput, match=r"input 'threshold': 0 is too small\. Give 1 or more"):
        scenario.inputs({"threshold": 0}, {"threshold"})


def test_a_report_that_cannot_be_written_is_told_before_any_host_is_asked(tmp_path: Path) -> None:
    assert parse_report(str(tmp_path / "report.md")) == tmp_path / "report.md"
    for path in (tmp_path, tmp_path / "no" / "such.md"):
        with pytest.raises(BadInput, match="cannot be written"):
            parse_report(str(path))
