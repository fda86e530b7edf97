#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postmortem
short_description: Write the draft of a post-mortem from the record of an incident
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Writes one Markdown file and one HTML page that needs nothing but itself, both readable by their owner
    only. They tell what was recorded (phases and deadlines, timeline, impact, findings before and after, acts
    done and undone, lock trees), and mark what only people know as to be filled in.
  - A file in which people have written since is not overwritten; the task fails and names it.
  - Whatever the record holds is shown as plain text. A record that was altered is told of in the documents
    and in a warning.
  - It runs on the controller. In check mode nothing is written.
options:
  id:
    description: Id of the incident, which may be open, resolved or closed.
    type: str
    required: true
  directory:
    description: Where C(<id>.md) and C(<id>.html) are written, on the controller. It is made when needed.
    type: str
    default: postmortems
"""

EXAMPLES = r"""
- name: Write the post-mortem
  firebreak.incident.postmortem:
    id: incident-20261121-220107
    directory: /srv/postmortems
"""

RETURN = r"""
msg:
  description: The files and what is left to fill in, as a person reads it.
  returned: success
  type: str
incident:
  description: Id of the incident.
  returned: success
  type: str
  sample: incident-20261121-220107
files:
  description: The two documents, also when they were so already.
  returned: success
  type: list
  elements: str
  sample: [/srv/postmortems/incident-20261121-220107.md, /srv/postmortems/incident-20261121-220107.html]
gaps:
  description: What is left for people to fill in.
  returned: success
  type: list
  elements: str
  sample: [Root cause, Action items]
record_altered:
  description: Where the record is not what was recorded; empty when it is.
  returned: success
  type: list
  elements: str
  sample: ["event 7 (act.done, 2026-11-21T22:01:08.000Z) was altered"]
"""
