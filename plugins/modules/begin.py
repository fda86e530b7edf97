#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: begin
short_description: Check the inputs and the limits of a playbook before it touches a host
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - The first step of every playbook of this collection. It reads the C(.meta.yml) file beside the playbook,
    checks the inputs against it, casts them and adds their defaults, and refuses inputs that the playbook
    does not know.
  - It refuses a playbook that changes hosts when the play has more than one host and neither C(--limit) nor
    the input C(all_hosts) says that they are meant.
  - It gives the run an id, under which the hosts' ledgers record what is done and C(undo.yml) takes it
    back. Register the result as C(firebreak_run), where the collection's modules look for it.
  - Give it C(run_once), so that all hosts of the play share the run. No host is contacted.
options: {}
"""

EXAMPLES = r"""
- name: Check the inputs and the limits
  firebreak.incident.begin:
  register: firebreak_run
  run_once: true

- name: Find who is guessing passwords
  firebreak.incident.login_attempts_info:
    window: "{{ firebreak_run.inputs.window }}"
"""

RETURN = r"""
run:
  description: The run.
  returned: success
  type: dict
  contains:
    id:
      description: Id of the run; begins with the UTC time of its start.
      type: str
      sample: 20261121-220107-3fa9
    playbook:
      description: Name of the playbook, without its ending.
      type: str
    incident:
      description: Id of the incident, when one was given.
      type: str
    check_mode:
      description: Whether the run only shows its plan.
      type: bool
    changes:
      description: Whether the playbook changes hosts when it is not in check mode.
      type: bool
inputs:
  description: Every input of the playbook by its name, cast, with defaults for those that were not given.
  returned: success
  type: dict
inventory:
  description: Where the hosts of the inventory are, so that no other host is made to work it out again.
  returned: success
  type: dict
  contains:
    addresses:
      description: The addresses of each host by its name.
      type: dict
      sample: {db1: [192.0.2.1]}
    unresolved:
      description: The hosts whose names do not resolve on the controller.
      type: list
      elements: str
"""
