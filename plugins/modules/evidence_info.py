#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: evidence_info
short_description: Verify that collected evidence is what was collected
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Reads collections that M(firebreak.incident.evidence) wrote, holds every artefact against C(manifest.json)
    and C(SHA256SUMS), and names what was changed, is gone or was added.
  - Somebody who can write the collection can rewrite manifest and sums too. That is noticed when the digest
    of the manifest was written down elsewhere and is given as O(manifest_sha256).
  - Works on the controller. No host is contacted and nothing is changed.
options:
  path:
    description:
      - A collection, or a directory of which the collections lie one or two levels below, so a run's or the
        whole evidence directory.
    type: path
    required: true
  manifest_sha256:
    description: The digest that collecting returned. O(path) must be one collection then.
    type: str
"""

EXAMPLES = r"""
- name: Is the evidence what was collected?
  firebreak.incident.evidence_info:
    path: evidence/20261121-220107-3fa9/zekka1
    manifest_sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
"""

RETURN = r"""
collections:
  description: Every collection that was found.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Its directory.
      type: str
    host:
      description: The host it is from.
      type: str
    run:
      description: Id of the run that collected it.
      type: str
    incident:
      description: Id of the incident, when there was one.
      type: str
    profile:
      description: Its profile.
      type: str
    complete:
      description: Whether it was complete when it was made.
      type: bool
    artefacts:
      description: Number of artefacts in the manifest.
      type: int
    bytes:
      description: Their size together when they were collected, in bytes.
      type: int
    manifest_sha256:
      description: The sha256 of the manifest as it is now.
      type: str
    intact:
      description: Whether it is what was collected.
      type: bool
intact:
  description: Whether all of them are.
  returned: success
  type: bool
findings:
  description: >-
    What is wrong (C(evidence.artefact.changed), C(evidence.artefact.missing), C(evidence.artefact.unlisted),
    C(evidence.manifest.changed)), and as a notice C(evidence.collection.incomplete).
  returned: success
  type: list
  elements: dict
"""
