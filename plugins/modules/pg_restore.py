#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores a PostgreSQL database beside the one in use, checks it, and puts it in its place when asked to."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_restore
short_description: Restore a PostgreSQL database beside the one in use, check it, and put it in its place
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Takes the newest backup that can be read to its end, makes an empty database beside the one in use (same
    owner, encoding, locale and tablespace), loads the backup into it, and checks it. Every table is counted
    and held against the backup, the rows in use are counted for comparison, and indexes are read with amcheck
    where the backup brings that extension. Nobody but superusers gets into the copy. The database in use is
    not touched, and goes on working.
  - Only with O(swap), the copy is then put in its place. The database in use takes no more sessions, those it
    has are ended, both change names in one statement, and sessions are let in again. Settings, privileges,
    comment and connection limit go along; a database that was made read-only stays so. When any of that
    fails, everything is as it was. A module that is killed in between leaves the database closed; a finding
    says so, and the undo playbook or a second run opens it.
  - The old database is kept as C(<name>_before_<UTC time>), with everything that was written to it since the
    backup. The undo playbook changes the names back. Neither way is any database dropped, but for a copy that
    was never in use.
  - Nothing is done before it is known that it can be. Refused are a standby, an administrator who is no
    superuser, and too little room for a second copy. O(swap) is also refused for a database with logical
    replication slots, subscriptions or prepared transactions, or with a session that is never ended, such as
    that of a C(pg_dump), of replication or of a superuser.
  - What is in a backup is run by the server as a superuser, so whoever can write to O(directory) can have the
    server do anything. A plain dump is given to a C(psql) that is restricted (C(\restrict)), so that it
    starts no program on this host, and one that is too old for that is not used.
  - A copy without a single row, or with an empty table that has rows in use and that the backup brings no
    data of (C(--schema-only), C(--exclude-table-data)), fails the check.
  - A failure while loading drops the copy again. One that does not hold what the backup holds is kept for you
    to look at, and is not put in place.
  - A copy that is checked is used by the next run, and made a second time only for another backup. A backup
    that was put in place is not restored again within the hour.
  - The old database is no copy of damaged files, for those are still in use by the server.
    M(firebreak.incident.pg_restore_info) says in C(data_copy) how to keep those first.
  - A plain dump that was taken with C(--create), or of a whole cluster, is refused, for it would leave the
    copy it is loaded into.
extends_documentation_fragment:
  - firebreak.incident.change
  - firebreak.incident.context
  - firebreak.incident.postgres
  - firebreak.incident.services
options:
  database:
    description: The database. That of O(postgres) when it is not given; O(swap) needs it given here.
    type: str
  backup:
    description: V(latest) for the newest in O(directory) that can be read to its end, or the path of a dump.
    type: str
    default: latest
  directory:
    description: Where the backups are, as in C(firebreak_backup).
    type: path
  timeout:
    description:
      - How long reading backups, loading and checking may take, each of them, in seconds or as V(90s),
        V(10m), V(1h).
    type: str
    default: 1h
  swap:
    description:
      - Whether the copy is put in the place of the database in use. What was written since the backup is not
        in it, so O(max_risk=destructive) is needed.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Restore the newest good backup beside the database in use, and check it
  firebreak.incident.pg_restore:
    database: zekka_production
    directory: /var/backups/zekka
    postgres: "{{ firebreak_postgres }}"

- name: Put it in its place
  firebreak.incident.pg_restore:
    database: zekka_production
    directory: /var/backups/zekka
    swap: true
    max_risk: destructive
    postgres: "{{ firebreak_postgres }}"
"""

RETURN = r"""
before:
  description:
    - C(backup) with its C(path), C(created), C(sha256) and the C(rows) of each table where they are known,
      C(side_database) (the checked copy of it), C(in_use_since) (when it was put in place),
      C(kept_databases), C(copy_bytes), C(free_bytes).
  returned: success
  type: dict
  sample: {database: zekka_production, side_database: null, in_use_since: null}
after:
  description:
    - The same, measured again. C(tables) holds for each table the rows in the C(backup), in the C(restored)
      copy and in the C(live) database before, null where they were not counted. C(indexes_read) is how many
      amcheck has read, null without it.
  returned: success
  type: dict
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
  description: Digest of what is touched, for O(approved_plan). The same backup gives the same.
  returned: success
  type: str
findings:
  description: What is still wrong, newer backups that cannot be restored, tables whose rows differ, and what
    earlier restores have left behind.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import change_spec, run_change
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.restore.job import CHANGE_SPEC, job


def main() -> None:
    module = AnsibleModule(argument_spec={**CHANGE_SPEC, **change_spec()}, supports_check_mode=True)
    try:
        result = run_change(module.params, module.check_mode, job(module.params))
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
