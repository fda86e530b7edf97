#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes room on filesystems that are full, the mildest way first."""

from __future__ import annotations

DOCUMENTATION = r"""
module: disk_space
short_description: Make room on a full filesystem, the mildest way first
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Uses the O(levers) that are allowed, in the order in which they are listed here, and stops planning when
    what they promise is enough. Works where not one block and not one inode is free.
  - Nothing is removed that was not written down before, with path, size, time and inode, in
    C(/var/lib/firebreak/manifests), or in C(/run/firebreak/manifests) as long as there is no room.
  - Every file is looked at again right before it is touched, through directories opened one by one without
    following a link. One that has changed since, or that somebody has opened, is left alone.
  - Never touched are links, other filesystems, files with several names, the data directories and
    write-ahead logs of PostgreSQL, Redis and others, the records of Firebreak, and what does not look like
    a log. While a security incident is open, nothing that may be evidence is deleted or cut (the logs of
    logins, sudo, audit, fail2ban, the firewall, web, mail and database servers, cron and package managers,
    the journal, the logs of containers, and backups), nor let go of where it is deleted and still open; it
    is still compressed.
  - None of the acts can be taken back. A log that was compressed is read with C(zcat); unpacking it would
    bring back the trouble.
  - The symptom is the number of bytes that are missing; one missing inode counts as 4 KiB. Afterwards a
    file is written where the services log to and at O(path), by a child process with the rights of the
    directory's owner.
extends_documentation_fragment:
  - firebreak.incident.postgres
  - firebreak.incident.services
  - firebreak.incident.change
  - firebreak.incident.context
options:
  path:
    description:
      - A path on the filesystem that must get room. Without it every local filesystem that triage would
        warn of.
    type: path
  free:
    description:
      - How much must be free for ordinary users afterwards, such as V(15%) or V(5g). 10 %, or 20 GiB where
        that is less, if it is not given. Of inodes, always 10 %.
    type: str
  levers:
    description:
      - V(reopen) has programs let go of logs that are deleted, by the signal that is known for them (nginx,
        rsyslog, syslog-ng, Apache, PHP-FPM, MongoDB, varnishncsa, dnsmasq, supervisord), if they have a
        handler for it. Others are only named.
      - V(caches) empties the caches of package managers.
      - V(compress) compresses rotated logs in place, with owner, rights and time. Of logs that are being
        written it takes those whose only writer is one of these programs. Where the result has no room
        beside the log, it is put together on another filesystem, or in memory.
      - V(journal) drops the oldest of the journal but for O(journal_keep). Destructive.
      - V(container_logs) cuts the logs of containers that the driver json-file writes. Because C(docker
        logs --tail) never answers afterwards, each container is restarted, the next one when it is healthy
        again. Destructive.
      - V(old_logs) deletes logs below O(log_roots) that are older than O(older_than), the oldest first and
        those that were rotated before others. Logs there that are deleted and still open are cut, if their
        writer appends. Destructive.
      - V(backups) deletes dumps of PostgreSQL in O(backup) but for the newest that can be restored.
        Destructive.
    type: list
    elements: str
    choices: [reopen, caches, compress, journal, container_logs, old_logs, backups]
    default: [reopen, caches, compress]
  log_roots:
    description:
      - The directories in which logs may be touched. C(/var/log) and the directories of C(logs) of
        O(services) if not given. V(old_logs) wants them named. Directories that hold other things too, such
        as C(/var), are refused.
    type: list
    elements: path
    default: []
  older_than:
    description: How long ago a log must have been written to last to be deleted, such as V(7d) or V(36h).
    type: str
    default: 7d
  journal_keep:
    description: How much of the journal is kept, such as V(100m).
    type: str
    default: 100m
  backup:
    description: Where backups lie, as in C(firebreak_backup).
    type: dict
    suboptions:
      directory:
        description: The directory, on this host.
        type: path
        default: /var/backups/firebreak
      keep:
        description:
          - How many of each database are kept of those that can be read to their end, whatever their age.
        type: int
        default: 7
      command:
        description: Of use to M(firebreak.incident.pg_backup) only.
        type: raw
      command_user:
        description: Of use to M(firebreak.incident.pg_backup) only.
        type: str
  keep:
    description: The same as C(keep) of O(backup), and counts before it.
    type: int
  security_incident:
    description:
      - Whether a security incident is open. With V(auto) it is, when the incident record has one that is not
        closed or cannot be read, when this host is isolated, or when its ledger has an act of the last 7 days
        against an intruder that stands.
    type: str
    choices: [auto, open, closed]
    default: auto
  max_risk:
    description:
      - The riskiest act that is allowed. V(reversible) allows none of these acts, V(disruptive) those that
        lose nothing, V(destructive) those that can lose data or evidence.
      - A plan with one act above it is refused as a whole.
    type: str
    choices: [reversible, disruptive, destructive]
    default: disruptive
"""

EXAMPLES = r"""
- name: Make room without losing anything
  firebreak.incident.disk_space:
    path: /var/log
    free: 15%

- name: Delete old logs of the application too
  firebreak.incident.disk_space:
    path: /opt/zekka/logs
    levers: [reopen, caches, compress, old_logs]
    log_roots: [/opt/zekka/logs]
    older_than: 14d
    max_risk: destructive
"""

RETURN = r"""
before:
  description: The state before anything was done, with the keys of C(after).
  returned: success
  type: dict
  sample:
    filesystems: [{point: /var/log, available: 0, aim: 6710886, missing: 6710886}]
    promised: {compress: 9000000}
after:
  description:
    - The same, measured again afterwards; the state before in check mode.
    - C(filesystems) with bytes and inodes that are there, that are free and that are missing. C(promised)
      has the bytes that each lever is expected to free from here on. C(work) says what was done, each with
      C(what), C(object), C(bytes) freed, C(files), and how many files were C(left) as they are and why
      (C(left_because)). C(freed) is the sum of these bytes. C(writable) says of directories whether their
      owners could write a file there. C(left_alone) has what is protected, at most 50 paths with the
      reason. C(security_incident) is why evidence is kept.
  returned: success
  type: dict
  sample:
    filesystems: [{point: /var/log, available: 9800000, aim: 6710886, missing: 0}]
    work: [{what: compress, object: /var/log/app/app.log.1, bytes: 9800000, files: 1}]
    freed: 9800000
    writable: {/var/log: true}
actions:
  description:
    - Every act with its C(target), C(risk), C(status) (V(planned), V(done), V(refused) or V(failed)),
      C(reason) and C(undo).
  returned: always, once a plan was made
  type: list
  elements: dict
verdict:
  description:
    - V(resolved), V(improved), V(not_needed), or V(planned) in check mode. V(unchanged) and V(worse) fail
      the task.
  returned: success
  type: str
  sample: resolved
plan_digest:
  description: Digest of what is touched, for O(approved_plan).
  returned: success
  type: str
findings:
  description: What is still missing and what would give it, and what could not be dealt with.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.job import SPEC, job
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import change_spec, run_change


def main() -> None:
    module = AnsibleModule(argument_spec={**change_spec(), **SPEC}, supports_check_mode=True)
    try:
        result = run_change(module.params, module.check_mode, job(module.params))
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
