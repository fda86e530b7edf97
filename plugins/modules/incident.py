#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: incident
short_description: Open an incident, and say in its record what is known and decided
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Adds one event to the record of an incident. The record is append-only, and each event holds the hash of
    the one before. It lies in the database that the variable C(firebreak_record) names (C(sqlite:///...) or
    C(postgresql://...)), else in a file of this user's.
  - What cannot be written now waits on the controller and is delivered later. To be told again what is so
    already changes nothing.
  - Works on the controller. No host is contacted.
options:
  event:
    description:
      - V(open) begins an incident. V(acknowledge), V(contain), V(resolve) and V(close) begin a phase of it,
        and V(reopen) leads back.
      - V(severity) changes how bad it is, V(role) says who has which role, V(update) is what people are told,
        V(note) is for responders.
    type: str
    choices: [open, acknowledge, contain, resolve, close, reopen, severity, role, update, note]
    required: true
  id:
    description: Id of the incident. Needed but to open one, which gets C(incident-YYYYMMDD-HHMMSS) by itself.
    type: str
  title:
    description: What users see, in a few words. Needed to open an incident.
    type: str
    default: ""
  text:
    description: What is told, noted, or why. Needed for an V(update) and a V(note).
    type: str
    default: ""
  severity:
    description:
      - C(Sev1) to C(Sev4), C(P0) to C(P3), 1 to 4, or critical, high, medium and low. It overrules O(facts),
        from which it is judged otherwise, by C(firebreak_severity_rules) where a site has its own. What is
        due when is in C(firebreak_severity_deadlines).
    type: str
  facts:
    description:
      - What is known of the impact. Numbers are C(users_percent), C(error_percent), C(latency_seconds) and
        C(revenue_per_hour) (dollars); a range such as V(10-60) counts with its worse end. V(12%), V($12,000)
        and V(10k) are read too; a comma that can mean two things, as in V(1,5), is refused.
      - C(outage) is V(none), V(partial) or V(complete), C(data_breach) and C(data_loss) are V(no),
        V(suspected) or V(confirmed), C(vulnerability) is V(none), V(minor) or V(urgent), C(login) is
        V(works), V(partly) or V(none), C(functions) is V(all), V(cosmetic), V(minor) or V(major), and
        C(legal) is V(no) or V(yes). What is V(unsure) counts as the worst.
      - C(services) is a list of the services that are impaired, C(findings) what triage found.
      - Who is told depends also on C(revenue_total) (dollars lost so far), C(complaints) (V(none), V(some) or
        V(rising)) and C(user_facing) (V(no) or V(yes)).
      - What is left empty is not known. With V(severity) they are added to those that are known already.
    type: dict
    default: {}
  security:
    description:
      - Whether it is a security incident, of which only a few are told the details. With V(severity) it
        becomes one, and stays one.
    type: bool
    default: false
  detected:
    description: When it was noticed, UTC in ISO 8601; now, when it is not given. All clocks count from it.
    type: str
  role:
    description:
      - The role that O(person) takes, such as V(incident_commander). One that is nearly a known one is
        refused as mistyped.
    type: str
  person:
    description:
      - Who takes it; with V(acknowledge) who is on it, the actor otherwise. Where C(firebreak_people) names
        anybody, it is one of them.
    type: str
  unresolved:
    description: Whether O(event=close) may close an incident that is not resolved.
    type: bool
    default: false
  public:
    description: To open, what the public is told has happened; of an V(update), what it is told now.
    type: str
    default: ""
  public_impact:
    description: To open, what the public is told it notices.
    type: str
    default: ""
  root_cause:
    description: With V(resolve), what had caused it, for the last message.
    type: str
    default: ""
  resolution:
    description: With V(resolve), what ended it, for the last message.
    type: str
    default: ""
  key:
    description: The same key in the same incident is recorded once, so that a retry says nothing twice.
    type: str
"""

EXAMPLES = r"""
- name: Open an incident
  firebreak.incident.incident:
    event: open
    title: The shop answers with errors
    facts: {error_percent: 12, users_percent: unsure}

- name: Somebody is on it
  firebreak.incident.incident:
    event: acknowledge
    id: incident-20261121-220107
"""

RETURN = r"""
incident:
  description: Its id.
  returned: success
  type: str
  sample: incident-20261121-220107
channel:
  description: Name of the channel in which it is worked on.
  returned: with O(event=open)
  type: str
  sample: "#incident-20261121-220107"
recorded:
  description: Whether something was recorded now. Never in check mode.
  returned: success
  type: bool
event:
  description:
    - What was recorded, with its C(kind) and C(time) (UTC, ISO 8601); null when it was so already. To open,
      and with V(severity), it has C(severity), C(reasons) and C(deadlines).
  returned: success
  type: dict
  sample: {kind: incident.opened, severity: Sev2, reasons: ["the law or a contract is broken (legal: yes)"]}
"""
