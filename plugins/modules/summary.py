#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: summary
short_description: Sum up what a run found and did on all its hosts
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - The last step of a playbook. It reads the results that earlier steps registered, for all hosts of the
    play, and says what is wrong, the worst first, what several hosts have in common, what was done, and which
    command to type next.
  - A host that could not be reached, or on which a step failed, is in the summary as such.
  - It runs once for the play, on the controller, also in check mode. No host is contacted and findings do not
    make it fail.
options:
  results:
    description:
      - Names of the variables under which earlier steps registered their results, in the order of the steps.
      - When the same finding is in more than one of them, the last one holds.
    type: list
    elements: str
    required: true
  report:
    description:
      - File on the controller to which the summary is written as Markdown. A relative path starts where
        C(ansible-playbook) was started.
      - It is written whole or not at all, readable by its owner only, also in check mode.
    type: path
"""

EXAMPLES = r"""
- name: Sum up
  firebreak.incident.summary:
    results: [triage]
    report: "{{ firebreak_run.inputs.report | default(omit) }}"
"""

RETURN = r"""
findings:
  description: What is wrong, the worst first; the findings of the modules, each with its host.
  returned: success
  type: list
  elements: dict
  contains:
    host:
      description: Name of the host in the inventory.
      type: str
    id:
      description: Id of the finding, see docs/findings.md.
      type: str
      sample: postgres.connections.exhausted
    level:
      description: One of V(critical), V(warning) and V(notice).
      type: str
    subject:
      description: The object that is concerned.
      type: str
    summary:
      description: What is wrong with it, in a sentence.
      type: str
    evidence:
      description: The measured values; durations in seconds, sizes in bytes.
      type: dict
    remedy:
      description: The playbook that deals with it and its inputs; null when there is none.
      type: dict
common:
  description: One sentence for each thing that is wrong on more than one host.
  returned: success
  type: list
  elements: str
  sample: ["3 of 5 hosts (zekka1, zekka2, zekka3): redis.memory.full"]
hosts:
  description: For each host of the play its state.
  returned: success
  type: dict
  contains:
    state:
      description: >-
        One of V(unreachable), V(failed), V(unseen) (no step looked at it), V(critical), V(warning), V(notice)
        and V(clear) (looked at, nothing found).
      type: str
    level:
      description: Level of the worst finding, null when there is none.
      type: str
    message:
      description: Why it was not reached or what failed, else the summary of the worst finding.
      type: str
    verdicts:
      description: The verdicts of the steps that change something.
      type: list
      elements: str
    acts:
      description: Number of acts by their status (V(planned), V(done), V(refused), V(failed)).
      type: dict
next:
  description: Commands to type next, the most urgent first.
  returned: success
  type: list
  elements: str
  sample: ["ansible-playbook playbooks/fix_redis_memory.yml -l zekka1,zekka2,zekka3"]
msg:
  description: All of that as text.
  returned: success
  type: str
report:
  description: Path of the report.
  returned: when O(report) is given
  type: str
"""
