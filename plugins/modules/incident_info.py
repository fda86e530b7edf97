#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: incident_info
short_description: Say how incidents stand, and whether their record is what was recorded
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Reads the record of one incident, or of all that are open. The whole chain of hashes is verified
    each time.
  - Says who is on call, who was told, what is due by now and what follows, and which command comes next. In
    UTC, and in C(firebreak_escalation.time_zone), else on the clock of this machine.
  - What waits on the controller because the record could not be written is reported, and left there.
  - Works on the controller. No host is contacted and nothing is changed.
options:
  id:
    description: Id of one incident. Without it, all that are open.
    type: str
  closed:
    description: Whether also those that are over are listed.
    type: bool
    default: false
  events:
    description: Whether the events of each are returned, with all that was recorded of them.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: What is going on?
  firebreak.incident.incident_info:

- name: What happened, and was the record altered?
  firebreak.incident.incident_info:
    id: incident-20261121-220107
    events: true
"""

RETURN = r"""
incidents:
  description: How each of them stands, by their ids.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its id.
      type: str
    title:
      description: What users see.
      type: str
    severity:
      description: C(Sev1) to C(Sev4).
      type: str
    security:
      description: Whether it is a security incident.
      type: bool
    phase:
      description: How far it is, V(open), V(acknowledged), V(contained), V(resolved) or V(closed).
      type: str
    times:
      description: When it was C(detected) and each phase began, UTC.
      type: dict
    seconds:
      description: From the detection to each phase that has begun.
      type: dict
    roles:
      description: Who has which role.
      type: dict
    facts:
      description: What is known of its impact.
      type: dict
    events:
      description: How many were recorded.
      type: int
    digest:
      description: The hash of the last event. Written down elsewhere, it tells a record that was made anew.
      type: str
    intact:
      description: Whether all of them are what was recorded.
      type: bool
    told:
      description: >-
        Each message that is at one place at least, with C(time) (UTC), C(event), C(audience), C(person),
        C(role) and C(place). This, C(due) and C(ahead) are left out where the record was altered or the
        inventory cannot be read.
      type: list
      elements: dict
    due:
      description: >-
        What has to be told by now and is not, with C(deadline) (UTC), C(event), C(audience), C(person) and
        C(role).
      type: list
      elements: dict
    ahead:
      description: >-
        What follows within a day if nothing is said or done until then, the next first, with C(time) (UTC),
        C(event), C(audience), C(person) and C(role).
      type: list
      elements: dict
    timeline:
      description: >-
        The events, with C(number), C(time), C(kind), C(actor), C(host), C(data), C(key), C(previous) and
        C(digest).
      returned: when O(events=true)
      type: list
      elements: dict
on_call:
  description: >-
    Of each C(rotation) whose turn it is (C(person), C(name)), C(until) when (UTC) and who is C(next); both
    null when that never changes.
  returned: success
  type: list
  elements: dict
means:
  description: >-
    Over all that are listed, C(mean_seconds) from the detection to C(acknowledged), C(contained) and
    C(resolved), and of how many C(incidents).
  returned: success
  type: dict
waiting:
  description: Ids of the incidents that something waits for on this controller.
  returned: always
  type: list
  elements: str
findings:
  description: >-
    What is wrong with the record (C(incident.record.altered)), what waits for it
    (C(incident.outbox.waiting)), that nobody acknowledged in time (C(incident.response.late)), who should
    have been told and was not (C(incident.message.late)), what is resolved and was not closed for two days
    (C(incident.close.late)), and an inventory that cannot be read (C(incident.people.unread)).
  returned: always
  type: list
  elements: dict
"""
