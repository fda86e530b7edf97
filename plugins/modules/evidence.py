#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: evidence
short_description: Collect evidence from a host onto the controller, the most volatile first
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Collects the state of a host, its logs, its containers and the places where somebody who broke in stays,
    in the order of volatility (RFC 3227), and writes it on the controller as it comes. What was collected
    before a connection breaks off stays.
  - Nothing is written on the disk of the host, and nothing is changed there. Without pipelining Ansible would
    copy the module onto that disk, so this refuses to run without it. Python unpacks the module in memory.
    What the collecting itself leaves behind (a login, log lines of C(sudo), access times, and where there are
    containers the times of directories in Docker's storage) is in the manifest.
  - The collection has a file for each artefact, C(manifest.json) with the sha256, the UTC times, the command
    and the exit code of each, the offset of the host's clock and what was not collected, and C(SHA256SUMS),
    which C(sha256sum -c) reads. Write RV(manifest_sha256) down elsewhere, and later check with
    M(firebreak.incident.evidence_info).
  - The host is not trusted. Names, sizes and contents that it sends are bounded on the controller.
  - The contents are secret. They are in no result, no log line and no C(-vvv) output; directories are created
    with mode 0700 and files with 0600, and a C(.gitignore) in a newly created O(directory) keeps them out of
    git.
  - In check mode it says what it would collect. It contacts no host then and writes nothing.
  - RV(ignore:changed) is always false, since the host is not changed.
options:
  directory:
    description:
      - Directory on the controller. The collection goes into C(<directory>/<run id>/<host>). A relative path
        starts where C(ansible-playbook) was started.
      - A collection that is there already is never overwritten. It is refused when the filesystem cannot hold
        O(max_bytes) for each host of the batch beside a reserve of 256 MiB.
    type: path
    required: true
  profile:
    description:
      - V(volatile) is the state that a reboot loses, within seconds.
      - V(standard) adds copies of deleted programs that still run, logs of the window, containers (inspect,
        top, diff, logs), the places where somebody stays (cron, units, keys, accounts, PAM), recently changed
        files and the verification of packages.
      - V(full) adds the environment of processes and containers, password hashes, whole logs, hidden files of
        home directories, and listings with sha256.
    type: str
    choices: [volatile, standard, full]
    default: standard
  window:
    description: How far back logs and changed files go, in seconds or as V(90m), V(24h), V(7d).
    type: str
    default: 24h
  max_bytes:
    description:
      - The largest size of the collection of one host, in bytes or as V(512mb), V(2g). One artefact may take
        an eighth of it; of a larger log the end is kept.
      - What did not fit is in RV(not_collected).
    type: str
    default: 512mb
  max_seconds:
    description: How long collecting from one host may take, in seconds or as V(90s), V(10m).
    type: str
    default: 10m
  services:
    description: The services of this host as in C(firebreak_services). Their C(logs) are collected too.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Keep what a reboot or an isolation would lose
  firebreak.incident.evidence:
    directory: evidence
    profile: volatile
  register: firebreak_evidence

- name: Collect everything of the last two days
  firebreak.incident.evidence:
    directory: /srv/evidence
    profile: full
    window: 48h
    max_bytes: 4g
    max_seconds: 30m
    services: "{{ firebreak_services }}"
"""

RETURN = r"""
path:
  description: Directory of the collection on the controller.
  returned: success
  type: str
  sample: /srv/evidence/20261121-220107-3fa9/zekka1
profile:
  description: The profile.
  returned: success
  type: str
artefacts:
  description: Number of artefacts.
  returned: success
  type: int
bytes:
  description: Their size together, in bytes.
  returned: success
  type: int
complete:
  description: Whether everything of the profile that the host has was collected whole.
  returned: success
  type: bool
not_collected:
  description:
    - What is missing, each with its C(name), C(reason) and C(cause).
    - The cause is V(profile) (a larger one has it), V(absent) (the host has no such thing), V(tool) (a
      program is missing), V(unreadable), V(budget) or V(failed). The last three make a collection incomplete.
  returned: success
  type: list
  elements: dict
seconds:
  description: How long collecting took.
  returned: success
  type: float
manifest_sha256:
  description: The sha256 of the manifest. Null in check mode.
  returned: success
  type: str
clock_offset_seconds:
  description: How far the host's clock is ahead of the controller's, in seconds. Null when it cannot be told.
  returned: success
  type: float
would_collect:
  description: What would be collected.
  returned: in check mode
  type: list
  elements: str
findings:
  description: >-
    What is wrong with the collection (C(evidence.collection.incomplete), C(evidence.clock.off),
    C(evidence.tool.missing), C(evidence.answer.refused)), and as a notice where it is
    (C(evidence.collection.kept)).
  returned: success
  type: list
  elements: dict
"""
