# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys
from pathlib import Path

import pytest

from firebreak.environment import environment

TIMELINE = "firebreak.incident.timeline"


def test_by_default_ansible_does_as_it_always_does(here: Path) -> None:
    found = environment({})
    assert found["ANSIBLE_CALLBACKS_ENABLED"] == TIMELINE
    assert found["ANSIBLE_HOST_KEY_CHECKING"] == "True"
    root, *others = found["ANSIBLE_COLLECTIONS_PATH"].split(":")
    assert (Path(root) / "ansible_collections/firebreak/incident/playbooks/triage.yml").exists()
    assert others == ["~/.ansible/collections", "/usr/share/ansible/collections"]
    assert found["PATH"].split(":")[0] == str(Path(sys.executable).parent)


def test_a_configuration_file_is_added_to(here: Path) -> None:
    (here / "ansible.cfg").write_text(
        "[defaults]\ncallbacks_enabled = tree, timer\nhost_key_checking = false\ncollections_path = mine\n"
    )
    found = environment({})
    assert found["ANSIBLE_CALLBACKS_ENABLED"] == f"tree,timer,{TIMELINE}"
    assert found["ANSIBLE_HOST_KEY_CHECKING"] == "False"
    assert found["ANSIBLE_COLLECTIONS_PATH"].split(":")[1:] == [str(here / "mine")]


@pytest.mark.parametrize("given", [True, False])
def test_the_environment_wins_and_is_added_to(
    here: Path, monkeypatch: pytest.MonkeyPatch, given: bool
) -> None:
    (here / "ansible.cfg").write_text("[defaults]\ncallbacks_enabled = tree\n")
    mine = {
        "ANSIBLE_CALLBACKS_ENABLED": f"timer,{TIMELINE}",
        "ANSIBLE_HOST_KEY_CHECKING": "false",
        "ANSIBLE_COLLECTIONS_PATH": "/a:/b",
    }
    for name, value in ({} if given else mine).items():
        monkeypatch.setenv(name, value)
    found = environment(mine if given else {})
    assert found["ANSIBLE_CALLBACKS_ENABLED"] == f"timer,{TIMELINE}"
    assert found["ANSIBLE_HOST_KEY_CHECKING"].lower() == "false"
    assert found["ANSIBLE_COLLECTIONS_PATH"].split(":")[1:] == ["/a", "/b"]
