#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes a backup of databases and proves that it can be restored."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_backup
short_description: Take a backup of PostgreSQL databases and prove that it can be read
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Dumps each database in custom format, and the roles and tablespaces beside it, into a directory on this
    host. The dump is written under another name, synced, read to its end with C(pg_restore), and only then
    gets the name C(DATABASE-YYYYMMDDTHHMMSSZ.dump), in UTC, with a manifest C(.json) beside it. What fails
    leaves nothing behind.
  - A database with a backup that is young enough and can be read gets no other one.
  - Nothing is written where there is too little room for it, or onto the filesystem of the server's data when
    that is nearly full. A dump that grows beyond what was expected is given up before the filesystem is full.
  - A dump is only a reader. A database that was made read-only with C(default_transaction_read_only) can be
    dumped.
  - Taking a backup is V(disruptive), because the dump burdens the server and holds off changes to the schema.
    It has no undo. An undo that deletes the last good copy of the data is none.
  - A standby can be dumped as well, without what is in unlogged tables. A finding says how far it is behind.
  - Roles are dumped without the hashes of their passwords when the administrator is no superuser.
extends_documentation_fragment:
  - firebreak.incident.postgres
  - firebreak.incident.services
  - firebreak.incident.change
  - firebreak.incident.context
options:
  backup:
    description: Where the backups go, as in C(firebreak_backup).
    type: dict
    suboptions:
      directory:
        description: The directory, on this host. It is made with mode 0700 when it is not there.
        type: path
        default: /var/backups/firebreak
      keep:
        description: So many backups of each database stay when O(prune) is set, whatever their age.
        type: int
        default: 7
      command:
        description:
          - The site's own script, by its full path, as a list of words or a string that is split as a shell
            would. It is run in the place of C(pg_dump), without a shell. It must write a new dump into
            O(backup.directory), which is then read to its end and gets a manifest.
          - A script that ends with 0 and has written nothing, or something that cannot be read, has failed.
        type: raw
      command_user:
        description: Whom the script is run as. Without it, as whoever runs the module.
        type: str
  databases:
    description: The databases to dump. Without any, the one that is configured.
    type: list
    elements: str
    default: []
  all_databases:
    description: Whether to dump every database that can be connected to, in the place of O(databases).
    type: bool
    default: false
  timeout:
    description: How long one dump, one reading of it, or the script may take, for example V(10m) or V(1h).
    type: str
    default: 1h
  max_age:
    description:
      - A backup begun so long ago or less is new enough when it can be read. V(0) always takes a new one.
    type: str
    default: 1h
  since:
    description:
      - A backup begun then or later is new enough, whatever O(max_age) says; UTC in ISO 8601. With it, what
        was true at a moment is saved once, however often it is asked for.
    type: str
  lock_timeout:
    description:
      - How long the dump waits for a table that somebody has locked against readers. Meanwhile it holds off
        nobody but those who change the schema.
    type: str
    default: 10s
  prune:
    description:
      - Whether to delete backups beyond the O(backup.keep) newest ones that can be read, and their manifests.
        Needs O(max_risk=destructive). Those that cannot be read are not counted and not deleted.
      - Only what this module has taken, or had O(backup.command) take, is deleted; what else lies there is
        counted and left alone, and so is what was begun in the future by its time.
      - Those without a manifest are read to their end for that.
    type: bool
    default: false
  max_risk:
    description: The riskiest act that is allowed. Taking a backup is V(disruptive), O(prune) V(destructive).
    type: str
    choices: [reversible, disruptive, destructive]
    default: disruptive
"""

EXAMPLES = r"""
- name: A backup not older than ten minutes
  firebreak.incident.pg_backup:
    postgres: "{{ firebreak_postgres }}"
    backup: {directory: /var/backups/shop}
    max_age: 10m

- name: Let the site's own script take one, and hold it to the same
  firebreak.incident.pg_backup:
    postgres: "{{ firebreak_postgres }}"
    backup:
      directory: /var/backups/shop
      command: [/opt/shop/scripts/backup-database.sh]
      command_user: shop
"""

RETURN = r"""
before:
  description:
    - The state before anything was done. C(directory) as M(firebreak.incident.pg_backup_info) returns it,
      C(databases) holds for each database the C(latest) backup and those C(passed_over), and C(surplus) are
      the backups beyond O(backup.keep), with O(prune) only.
  returned: success
  type: dict
after:
  description: The same, measured again afterwards; the state before in check mode.
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
  description: Digest of what is touched, for O(approved_plan).
  returned: success
  type: str
findings:
  description: What is still wrong with the backups, as M(firebreak.incident.pg_backup_info) says it.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import change_spec, run_change
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.job import SPEC, job


def main() -> None:
    module = AnsibleModule(argument_spec={**change_spec(), **SPEC}, supports_check_mode=True)
    try:
        result = run_change(module.params, module.check_mode, job(module.params), cooldown=False)
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
