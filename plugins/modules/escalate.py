#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: escalate
short_description: Page, escalate and tell what is due in the incidents that are open
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Works out from the record of each incident who has to be told what by now and has not been, and tells
    them.
    It can be run every minute, by several machines at once, and after any outage. Each message is sent once,
    and of
    updates that were missed only the one that is due now.
  - Pages go along C(firebreak_escalation.path) until somebody acknowledges. Where nobody has the role of a
    step, who comes next is paged at once. Rows of
    C(firebreak_escalation.matrix),
    executives, the status page, customers and status updates do not stop with that, but when the incident is
    resolved, with a last message.
  - Of a security incident only the audience C(security) is told more than that there is one.
  - A message is claimed in the record right before it may arrive. When its sender is killed between that and
    writing down the outcome, it is sent again with the same key to a receiver that knows it again (the
    status page,
    PagerDuty, Opsgenie, and addresses with C(deduplicates=true)). To any other it is not sent again, and a
    warning says that it may not have arrived.
  - It runs on the controller. In check mode it says what is due, sends nothing, and warns of roles that
    nobody has and of addresses that cannot be read.
options:
  incident:
    description: Id of one incident. Without it, all that are open.
    type: str
"""

EXAMPLES = r"""
- name: Say what is due
  firebreak.incident.escalate:

- name: Say what is due in one incident
  firebreak.incident.escalate:
    incident: inc-20261121-220107
"""

RETURN = r"""
incidents:
  description: Ids of the incidents that were looked at.
  returned: success
  type: list
  elements: str
messages:
  description: >-
    What became of each message at each of its places. RV(ignore:state) is V(sent), V(already) (earlier),
    V(failed)
    (it is tried again), V(in_progress) (somebody else hands it over), V(in_doubt) (it was handed over and
    nobody knows
    whether it arrived; it is not sent again) or V(waits).
  returned: success
  type: list
  elements: dict
  contains:
    incident:
      description: Id of the incident.
      type: str
    event:
      description: What it is about.
      type: str
      sample: page
    audience:
      description: The audience, or the id of the person.
      type: str
    place:
      description: Where it went, without anything secret.
      type: str
      sample: Slack 3fa9c1
    state:
      description: How far it came.
      type: str
    why:
      description: Why it came no further.
      type: str
    attempts:
      description: How often it was handed over.
      type: int
due:
  description: What had to be sent, also in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    incident:
      description: Id of the incident.
      type: str
    event:
      description: What it is about.
      type: str
    audience:
      description: The audience, V(person) for a single person.
      type: str
    person:
      description: Id of the person, null for an audience.
      type: str
    role:
      description: In which role that person is told, null for an audience.
      type: str
    deadline:
      description: By when it has to be there, UTC.
      type: str
    places:
      description: Where it goes, without anything secret.
      type: list
      elements: str
    subject:
      description: Its subject.
      type: str
problems:
  description: What was not sent and why, with the cure. It makes the task fail, after everything else was
    sent.
  returned: success
  type: list
  elements: str
names_nobody:
  description: Whether the inventory names neither people nor places. The task fails then where an incident is
    open, for nobody is told of it.
  returned: success
  type: bool
findings:
  description: That nobody is told (C(incident.people.missing)).
  returned: when the inventory names nobody and an incident is open
  type: list
  elements: dict
"""
