#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: notify
short_description: Send a message of an incident to some audiences, once
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Sends what a person or a playbook wants told beside what M(firebreak.incident.escalate) sends by itself.
  - The same message, or another one with the same O(key), is sent to an audience once, whoever asks for it
    again.
  - A place that is left unfilled, as in C([description]), is refused with its name, and nothing is sent.
  - Of a security incident only the audience V(security) is told O(values). What the public is to be told of
    it is
    given by values whose names begin with C(public).
  - It runs on the controller, and in check mode says what it would send.
options:
  incident:
    description: Id of the incident.
    type: str
    required: true
  audiences:
    description: Who is told.
    type: list
    elements: str
    choices: [incidents, on_call, executives, customers, status_page, security]
    required: true
  template:
    description: Name of the text, one of the built-in ones or of those in C(firebreak_templates).
    type: str
    default: update
  values:
    description: What the text may use beside what the record knows, as C(update), C(public_update) or
      C(root_cause).
    type: dict
    default: {}
  key:
    description: Messages with the same key are one. By default that of the template and the values.
    type: str
"""

EXAMPLES = r"""
- name: Tell the customers
  firebreak.incident.notify:
    incident: inc-20261121-220107
    audiences: [customers]
    template: customer
    values:
      public: Logging in fails for some of you
      public_impact: About one in ten logins fails
"""

RETURN = r"""
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
"""
