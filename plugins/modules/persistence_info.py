#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the ways an intruder stays."""

from __future__ import annotations

DOCUMENTATION = r"""
module: persistence_info
short_description: Find the ways by which an intruder stays on a host
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Looks at everything that Linux starts or trusts by itself. Jobs of cron and at, units, timers and
    generators of systemd (of users, too), authorized_keys of every account, sshd, ld.so.preload, PAM, sudo,
    SUID files and capabilities, shell start files, boot scripts, udev, hooks of apt and others, accounts,
    kernel modules, processes and containers. Changes nothing and needs root.
  - What a package owns and has not been changed since is never remarkable. Every file of a package is
    compared with its checksum (dpkg and apk from their databases, rpm with C(rpm -Va)), documentation
    excepted. A program or library that differs is critical.
  - With O(baseline), whatever is not in it or differs from it is at least a warning. B(That is the way to
    be sure.) Take one while the host is known to be clean.
  - Without a baseline, what a file does is judged at any age (it runs what it fetches, opens connections,
    hides), and besides that what changed within O(window) and after the system's own first set-up. Time is
    ctime, which C(touch) does not set. What was planted earlier and looks ordinary is not told from what
    was meant. So is an image that was poisoned before the first boot.
  - An intruder who is root can turn the clock back, edit the database of packages, or make the kernel lie.
    What is found here is proof; that nothing is found is none.
extends_documentation_fragment:
  - firebreak.incident.context
options:
  window:
    description: Without a baseline, what changed so long ago or less is new. In seconds or as V(24h), V(7d).
    type: str
    default: 7d
  timeout:
    description:
      - Seconds for the topics, which are looked at at once, and half of that for whose the files are. A
        topic that takes longer is a finding, C(persistence.topic.unseen).
    type: int
    default: 60
  known_keys:
    description:
      - Public keys that are meant to be authorized, as they stand in a C(.pub) file, or their fingerprints
        (C(SHA256:...)). They are no findings unless options stand in front of them.
      - The action plugin adds the keys that the controller logs in with.
    type: list
    elements: str
    default: []
  baseline:
    description:
      - Folder on the controller with C(<inventory_hostname>.json) in it, written by O(write_baseline); or
        that file, when the name ends in C(.json). Where there is none yet, the look is one without a
        baseline.
    type: path
  write_baseline:
    description:
      - Folder or file on the controller that what is there now is written to, as for O(baseline). Readable
        by its owner only. Not written in check mode, nor while there is a critical finding.
    type: path
  expected:
    description:
      - The content of O(baseline). Filled in by the action plugin; there is no need to give it by hand.
    type: dict
"""

EXAMPLES = r"""
- name: Has somebody made himself at home here?
  firebreak.incident.persistence_info:
    window: 3d

- name: Keep what a clean host has
  firebreak.incident.persistence_info:
    write_baseline: /srv/firebreak/baselines

- name: What is there that was not there then?
  firebreak.incident.persistence_info:
    baseline: /srv/firebreak/baselines
    known_keys:
      - SHA256:T9nLiSA8BkwXxZHNL2ucy+jBelZKMocFYQyhfWZY2+I
"""

RETURN = r"""
topics:
  description:
    - By kind (C(cron), C(unit), C(suid), C(pam), ...) the files that no package vouches for, at most 500 of
      each, with C(path), C(owner), C(mode) in octal, C(size) in bytes, C(mtime) and C(ctime) in UTC,
      C(sha256) (null for links and what is larger than 64 MiB), C(package) (null when none owns it) and
      C(detail).
    - C(key) holds every authorized key, C(name) being its fingerprint; C(account) every account, C(process)
      what runs from a file of no package, C(container) those that reach their host, and C(package) what
      differs from its package.
  returned: success
  type: dict
baseline:
  description: What there is, in the form that O(baseline) reads. Digests only, no content.
  returned: success
  type: dict
baseline_file:
  description: Where the baseline was written to on the controller; null when it was not.
  returned: always
  type: str
compared:
  description: Whether there was a baseline to compare with.
  returned: success
  type: bool
reference:
  description:
    - What counted as new without a baseline. Everything that changed after C(since). C(born) is the first
      boot of this system and C(settled) the end of its set-up, null when nothing tells. All in UTC.
  returned: success
  type: dict
  sample: {since: "2026-11-15T22:00:00.000Z", born: "2024-03-01T09:12:44.120Z",
           settled: "2024-03-01T09:13:02.771Z"}
counts:
  description:
    - How many C(places), C(files_walked), C(files_verified) and C(processes) were looked at, and by kind
      how many are C(not_from_packages). Null for what was not seen.
  returned: success
  type: dict
seconds:
  description: How long each topic took.
  returned: success
  type: dict
  sample: {packages: 2.1, privileged: 0.5, files: 0.1}
findings:
  description: What is remarkable, the worst first.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec, run_info
from ansible_collections.firebreak.incident.plugins.module_utils.persistence.decide import decide
from ansible_collections.firebreak.incident.plugins.module_utils.persistence.observe import SPEC, observe


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **context_spec()}, supports_check_mode=True)
    params = module.params
    try:
        result = run_info(lambda: observe(params), lambda snapshot: decide(snapshot, params))
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
