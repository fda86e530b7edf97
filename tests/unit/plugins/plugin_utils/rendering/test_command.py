# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.splitter import parse_kv
from ansible.template import Templar, trust_as_template
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.firebreak.incident.plugins.module_utils.finding import Remedy
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.command import Launcher

CWD = Path("/srv/firebreak")
# Ansible publishes no types for these.
LOADER: Any = DataLoader
PARSE: Any = parse_kv


def as_ansible_reads(command: str) -> dict[str, Any]:
    """The inputs of a command, after the shell and after Ansible's templating."""
    words = shlex.split(command)
    found: dict[str, Any] = {}
    for word in (words[i + 1] for i, flag in enumerate(words) if flag == "-e"):
        text = trust_as_template(word)
        found.update(LOADER().load(text) if word.startswith("{") else PARSE(text))
    templated: dict[str, Any] = Templar(LOADER()).template(found)
    return templated


def test_the_simple_case_is_simple() -> None:
    command = Launcher().command("fix_disk_space", ["zekka1", "zekka2"], {"path": "/var"})
    assert command == "ansible-playbook playbooks/fix_disk_space.yml -l zekka1,zekka2 -e path=/var"


@pytest.mark.parametrize(
    "value",
    [
        "{{ lookup('pipe', 'touch /nowhere') }}",
        "{% raw %}",
        "$(reboot); `reboot`",
        'it\'s "quoted" \\ back',
        "\x1b[2J\n\x07",
        "a=b c=d",
        "漢字 😀 \u202e",
        "@/etc/passwd",
        "",
        10,
        True,
        None,
        ["{{ 1 }}", "x"],
        {"k": "{# #}"},
    ],
)
def test_an_input_arrives_as_it_was_and_is_never_run(value: Any) -> None:
    command = Launcher().command("fix", ["h"], {"value": value, "other": "plain"})
    assert command.isascii() and command.isprintable()
    assert as_ansible_reads(command) == {"value": value, "other": "plain"}


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_survives(text: str) -> None:
    assert as_ansible_reads(Launcher().command("fix", [], {"value": text})) == {"value": text}


def test_hosts_cannot_break_out_of_the_command() -> None:
    assert shlex.split(Launcher().command("fix", ["a;reboot"]))[-1] == "a;reboot"


def test_the_way_it_was_started_is_repeated() -> None:
    launcher = Launcher.of(
        CWD / "playbooks/triage.yml",
        {"inventory": (f"{CWD}/inventories/zekka",), "remote_user": "ops", "become_ask_pass": True},
        {"inventory": [f"{CWD}/inventories/lab"], "remote_user": None},
        CWD,
    )
    assert launcher.command("undo", ["a"]) == (
        "ansible-playbook playbooks/undo.yml -i inventories/zekka -u ops -K -l a"
    )


def test_what_is_the_default_is_not_repeated() -> None:
    arguments = {"inventory": [f"{CWD}/inventories/lab"], "vault_ids": (), "become_ask_pass": False}
    defaults = {"inventory": [f"{CWD}/inventories/lab"], "vault_ids": []}
    assert Launcher.of(CWD / "playbooks/triage.yml", arguments, defaults, CWD).options == ()


def test_an_installed_collection_is_called_by_its_name() -> None:
    path = Path("/usr/share/ansible_collections/firebreak/incident/playbooks/triage.yml")
    assert Launcher.of(path, {}, {}, CWD).command("undo", []) == "ansible-playbook firebreak.incident.undo"


def test_a_playbook_is_no_remedy_for_what_it_is_at() -> None:
    launcher = Launcher(running="fix_disk_space")
    assert launcher.remedy(Remedy("fix_disk_space"), ["a"]) == ""
    assert launcher.remedy(None, ["a"]) == ""
    assert launcher.remedy(Remedy("fix_dns"), ["a"]).endswith("fix_dns.yml -l a")
