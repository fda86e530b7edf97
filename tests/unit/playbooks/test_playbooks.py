# SPDX-License-Identifier: GPL-3.0-or-later
"""Every playbook keeps the same shape, and its inputs are the ones its meta file names."""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.vars.reserved import get_reserved_names

from ansible_collections.firebreak.incident.plugins.plugin_utils.run import TYPES, Scenario

CHECKOUT = Path(__file__).resolve().parents[3]
PLAYBOOKS = sorted(path for path in (CHECKOUT / "playbooks").glob("*.yml") if ".meta." not in path.name)
LIMITS = {"max_risk", "max_actions", "all_hosts"}


def plays(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
class TestEveryPlaybook:
    def test_begins_with_its_inputs_and_gathers_no_facts(self, path: Path) -> None:
        for play in plays(path):
            assert play["gather_facts"] is False
            assert "firebreak.incident.begin" in play["tasks"][0]
            assert play["tasks"][0]["register"] == "firebreak_run"

    def test_names_every_step(self, path: Path) -> None:
        assert all(task["name"][0].isupper() for play in plays(path) for task in play["tasks"])

    def test_uses_each_input_and_no_other(self, path: Path) -> None:
        options = Scenario.of(path).options
        used = set(re.findall(r"firebreak_run\.inputs\.(\w+)", path.read_text()))
        # begin itself reads these.
        assert used | {"all_hosts", "incident"} >= set(options) >= used

    def test_swallows_no_failure_and_asks_nobody(self, path: Path) -> None:
        text = path.read_text()
        assert not re.search(r"ignore_errors|failed_when: false|vars_prompt|pause:|\bshell:|\bcommand:", text)

    def test_holds_no_logic_beyond_one_filter(self, path: Path) -> None:
        assert all(found.count("|") <= 1 for found in re.findall(r"\{\{.*?\}\}", path.read_text()))

    def test_says_what_each_input_is(self, path: Path) -> None:
        for name, option in Scenario.of(path).options.items():
            assert option["description"].endswith("."), name
            assert option["type"]
            assert option.get("x_type", "id") in TYPES
            assert option.get("required") or "default" in option or name == "incident", name

    def test_takes_no_name_that_ansible_keeps_for_itself(self, path: Path) -> None:
        assert not set(Scenario.of(path).options) & set(get_reserved_names())

    def test_has_limits_when_it_changes_something(self, path: Path) -> None:
        scenario = Scenario.of(path)
        assert scenario.changes == (set(scenario.options) >= LIMITS)


def test_a_compromised_host_is_cut_off_before_a_look_that_may_fail() -> None:
    path = CHECKOUT / "playbooks" / "contain_security.yml"
    steps = re.findall(r"firebreak\.incident\.(\w+):", path.read_text())
    assert steps[:4] == ["begin", "evidence", "network_isolation", "login_attempts_info"]
    (looking,) = (task for task in plays(path)[0]["tasks"] if "always" in task)
    assert [name for task in looking["always"] for name in task if "." in name] == [
        "firebreak.incident.lock_users",
        "firebreak.incident.end_sessions",
    ]


def test_no_meta_file_is_left_without_its_playbook() -> None:
    metas = {path.name.removesuffix(".meta.yml") for path in (CHECKOUT / "playbooks").glob("*.meta.yml")}
    assert metas == {path.stem for path in PLAYBOOKS}


def test_both_configurations_say_the_same_but_for_the_paths() -> None:
    outer, inner = configparser.ConfigParser(), configparser.ConfigParser()
    outer.read(CHECKOUT / "ansible.cfg")
    inner.read(CHECKOUT / "playbooks" / "ansible.cfg")
    for name in ("collections_path", "inventory"):
        outer["defaults"][name] = f"../{outer['defaults'][name]}"
    assert {name: dict(outer[name]) for name in outer} == {name: dict(inner[name]) for name in inner}
