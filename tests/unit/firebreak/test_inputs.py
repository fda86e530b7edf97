# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with an input is said in the same words here and by the playbook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import firebreak
from firebreak.environment import environment

WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "unknown": ("triage", {"section": "host"}, "Did you mean 'sections'?"),
    "wrong type": (
        "triage",
        {"section_timeout": "soon"},
        'section_timeout is "soon", and a whole number is needed',
    ),
    "too small": ("triage", {"section_timeout": 0}, "0 is too small. Give 1 or more."),
    "wrong choice": ("undo", {"id": "r1", "max_risk": "huge"}, "reversible, disruptive, destructive"),
    "wrong item": ("triage", {"sections": ["hots"]}, "one or more of: host, services"),
    "no dict": (
        "update_incident",
        {"incident": "i", "event": "note", "facts": "all"},
        'facts is "all", and a mapping is needed',
    ),
    "no file": ("triage", {"report": "/nonexistent/report.md"}, "it cannot be written in /nonexistent"),
    "bad duration": ("contain_security", {"duration": "1 fortnight"}, "1 fortnight"),
    "bad id": ("triage", {"incident": "../inc"}, "it is not an id"),
    "missing": ("undo", {}, "missing required arguments: id"),
}


def of_playbook(name: str, inputs: dict[str, Any], directory: Path) -> str:
    variables = directory / "inputs.json"
    variables.write_text(json.dumps(inputs), encoding="utf-8")
    settings = {
        **os.environ,
        **environment({}),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
    }
    path = firebreak.playbooks()[name].path
    run = subprocess.run(
        ["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", f"@{variables}", str(path)],
        env={**settings, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    _before, found, result = run.stdout.partition("fatal: [localhost]: FAILED! => ")
    assert found, run.stdout + run.stderr
    return str(json.JSONDecoder().raw_decode(result)[0]["msg"])


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_input_is_told_as_by_the_playbook(case: str, here: Path) -> None:
    name, inputs, expected = WRONG[case]
    with pytest.raises(firebreak.BadInput) as raised:
        firebreak.run(name, inputs=inputs, inventory="localhost,", environment={"PATH": "/nonexistent"})
    assert expected in str(raised.value)
    assert str(raised.value) == of_playbook(name, inputs, here)
