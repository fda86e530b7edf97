# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from firebreak import catalogue

META = """
short_description: &short Wait
description: Wait.
argument_specs:
  main:
    short_description: *short
    x_changes: false
    options:
      seconds: {type: int, default: 60, description: How long.}
      token: {type: str, description: A secret.}
      incident: {type: str, x_type: id, description: Id of the incident.}
"""
WAIT = """
- name: Wait
  hosts: all
  gather_facts: false
  tasks:
    - name: Check the inputs
      firebreak.incident.begin:
      register: firebreak_run
      run_once: true

    - name: Show
      ansible.builtin.debug:
        msg: "{{ firebreak_run.inputs.token | default('') }} {{ lookup('env', 'ANSIBLE_CALLBACKS_ENABLED') }}"

    - name: Wait
      ansible.builtin.command: sleep {{ firebreak_run.inputs.seconds }}
      changed_when: false
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory that everything is started in; temporary files lie in `scratch` of it."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ANSIBLE_CONFIG", raising=False)
    # The record of incidents.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def wait(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The collection has one playbook, `wait`."""
    directory = here / "playbooks"
    directory.mkdir()
    (directory / "wait.meta.yml").write_text(META)
    (directory / "wait.yml").write_text(WAIT)
    monkeypatch.setattr(catalogue, "directory", lambda: directory)
    return directory
