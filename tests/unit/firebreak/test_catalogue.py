# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

import firebreak
from firebreak.catalogue import playbook

PLAYBOOKS = Path(__file__).resolve().parents[3] / "playbooks"


def test_every_playbook_is_there_with_its_inputs_as_data() -> None:
    found = firebreak.playbooks()
    assert set(found) == {path.name.split(".")[0] for path in PLAYBOOKS.glob("*.meta.yml")}
    contain = found["contain_security"]
    assert contain.changes
    assert not found["triage"].changes
    inputs = {each.name: each for each in contain.inputs}
    assert inputs["max_risk"].choices == ("reversible", "disruptive", "destructive")
    assert (inputs["incident"].kind, inputs["max_actions"].type) == ("id", "int")


def test_inputs_come_back_cast_and_with_their_defaults() -> None:
    checked = playbook("triage").check({"sections": "host,logs"})
    assert checked["sections"] == ["host", "logs"]
    assert checked["section_timeout"] == 10


@pytest.mark.parametrize("name", ["triag", "../playbooks/triage", "", "triage.meta", "tasks/record"])
def test_a_playbook_that_is_not_there_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(firebreak.BadInput, match="contain_security"):
        playbook(name)
