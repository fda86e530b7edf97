#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads evidence on the host; the action plugin `evidence` calls it until it has everything."""

from __future__ import annotations

DOCUMENTATION = r"""
module: artefacts_info
short_description: List what a host has as evidence of a break-in
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Reads the state of a host, its logs, its containers and the places where somebody who broke in stays, in
    the order of volatility (RFC 3227), as much as fits into one answer.
  - M(firebreak.incident.evidence) calls it until it has everything, and keeps the contents. Called as a
    task it returns what there is and its sha256, without the contents, so that no secret is shown.
  - Processes, sockets and files are read by Python from C(/proc) and the disk. Where a program of the host
    has to be asked, it is named with the sha256 of its file, since it may have been replaced.
  - Writes nothing. Access times are kept for root.
extends_documentation_fragment:
  - firebreak.incident.context
options:
  profile:
    description:
      - V(volatile) is the state that a reboot loses. V(standard) adds deleted programs that run, logs of the
        window, containers and the places where somebody stays. V(full) adds the environment of the processes,
        whole logs, password hashes and listings with sha256. docs/compromise.md has the whole table.
    type: str
    choices: [volatile, standard, full]
    default: standard
  steps:
    description: Names out of that table, to read only these. All of the profile when it is empty.
    type: list
    elements: str
    default: []
  window:
    description: How far back logs and changed files go, in seconds or as V(90m), V(24h), V(7d).
    type: str
    default: 24h
  services:
    description: The services of this host as in C(firebreak_services). Their C(logs) are collected too.
    type: dict
    default: {}
  resume:
    description: Where to go on, as RV(next) of the call before said.
    type: dict
    suboptions:
      step:
        description: Name of the step.
        type: str
        required: true
      part:
        description: Which of its artefacts.
        type: str
        required: true
      token:
        description: Where in it.
        type: str
        required: true
  max_bytes:
    description: How much one call may return, in bytes before they are packed.
    type: int
    default: 8388608
  artefact_bytes:
    description: >-
      How large one artefact may become over all calls, in bytes. Of a larger file its end is taken.
    type: int
    default: 67108864
  max_seconds:
    description: Seconds that one call may take.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: What would be collected of the state of this host?
  firebreak.incident.artefacts_info:
    profile: volatile
"""

RETURN = r"""
artefacts:
  description:
    - The pieces of artefacts that fit into this call, each with its C(step), C(part), C(kind) (V(file),
      V(command) or V(api)), C(source), C(command), C(exit_code), C(started) and C(finished) (UTC), C(bytes),
      C(sha256), and C(cut), what was left out of it.
  returned: success
  type: list
  elements: dict
not_collected:
  description: >-
    What is missing, with its C(name), C(cause) (V(profile), V(absent), V(tool), V(unreadable), V(budget),
    V(failed)) and C(reason).
  returned: success
  type: list
  elements: dict
next:
  description: Where the next call goes on, for O(resume); null when there is nothing more.
  returned: success
  type: dict
epoch_seconds:
  description: The host's clock at the end of the call, in seconds since 1970.
  returned: success
  type: float
python:
  description: Version of the Python that read it.
  returned: success
  type: str
findings:
  description: Always empty. What is wrong is found by M(firebreak.incident.evidence).
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.reader import SPEC, collect
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec, run_info


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **context_spec()}, supports_check_mode=True)
    try:
        result = run_info(lambda: collect(module.params), lambda found: (found, ()))
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
