#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says which backups of a database there are and which one can be restored."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_backup_info
short_description: Say which backups of a PostgreSQL database there are, and which one can be restored
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Lists the dumps in a directory, those of M(firebreak.incident.pg_backup) and those of the site's own
    scripts. Changes nothing.
  - A dump is what ends in C(.dump), C(.sql), C(.backup), C(.custom), C(.pgdump) or C(.pgsql), with or without
    C(.gz). What it really is, its content tells. Links are not followed, other directories not looked into.
    Dumps in the formats directory and tar, and those compressed with anything but gzip, are not seen.
  - The database is taken from the manifest, else from the head of a custom-format dump, else from the name up
    to its date.
  - To verify is to read all of it. C(pg_restore -l) and C(gzip -t) pass a dump that was cut off.
  - The latest backup is the newest one that verifies. Those newer than it are listed with the reason.
  - The files are looked at even while the server does not answer.
extends_documentation_fragment:
  - firebreak.incident.postgres
  - firebreak.incident.services
  - firebreak.incident.context
options:
  backup:
    description: Where the backups are, as in C(firebreak_backup).
    type: dict
    suboptions:
      directory:
        description: The directory, on this host.
        type: path
        default: /var/backups/firebreak
      keep:
        description: Of use to M(firebreak.incident.pg_backup) only.
        type: int
        default: 7
      command:
        description: Of use to M(firebreak.incident.pg_backup) only.
        type: raw
      command_user:
        description: Of use to M(firebreak.incident.pg_backup) only.
        type: str
  databases:
    description: The databases to look for. Without any, the one that is configured.
    type: list
    elements: str
    default: []
  all_databases:
    description: Whether to look for every database of the server, in the place of O(databases).
    type: bool
    default: false
  timeout:
    description: How long reading one dump may take, for example V(90s) or V(1h).
    type: str
    default: 1h
  verify:
    description:
      - V(newest) reads dumps from the newest on until one is good, V(all) reads each of them, V(none) only
        lists them.
    type: str
    choices: [none, newest, all]
    default: newest
  max_age:
    description: A latest backup older than this is a finding, for example V(26h).
    type: str
    default: 26h
"""

EXAMPLES = r"""
- name: Which backup could be restored now?
  firebreak.incident.pg_backup_info:
    postgres: "{{ firebreak_postgres }}"
    backup: {directory: /var/backups/shop}
"""

RETURN = r"""
directory:
  description:
    - The directory and the room on its filesystem.
  returned: success
  type: dict
  contains:
    path:
      description: The directory.
      type: str
    exists:
      description: Whether it is there.
      type: bool
    size_bytes:
      description: Size of the filesystem.
      type: int
    free_bytes:
      description: What is free of it.
      type: int
    needed_bytes:
      description:
        - What dumps of these databases take at most. That is the size of a database, or twice the size of its
          last good backup when that is less.
      type: int
    reserve_bytes:
      description: What is to stay free. A tenth of the filesystem or 1 GiB, whichever is less.
      type: int
    holds_data:
      description: Whether the data directory of the server lies on the same filesystem.
      type: bool
    room:
      description: Whether M(firebreak.incident.pg_backup) would find room enough.
      type: bool
server:
  description: The server.
  returned: success
  type: str
unseen:
  description: Why the server could not be asked, null when it answered.
  returned: success
  type: str
databases:
  description: Every database that was asked for.
  returned: success
  type: list
  elements: dict
  contains:
    database:
      description: Its name.
      type: str
    latest:
      description: The backup to fall back on, as in C(backups). Null when there is none.
      type: dict
    passed_over:
      description: Those newer than the latest, each with its C(path) and the C(reason) it cannot be used for.
      type: list
      elements: dict
    backups:
      description:
        - Every dump, newest first, with C(path), C(kind) (V(custom), V(custom_gz), V(sql) or V(sql_gz)),
          C(database) (null where nothing says), C(size_bytes), C(created) (UTC, when it was begun),
          C(age_seconds), C(verified) (null when it was not tried), C(reason), the C(tables) and C(rows) that
          were read, and what its manifest says in C(recorded).
      type: list
      elements: dict
findings:
  description: Backups that are missing, too old, broken or not to be read, and too little room for another.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec, run_info
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.job import (
    INFO_SPEC,
    information,
)


def main() -> None:
    module = AnsibleModule(argument_spec={**INFO_SPEC, **context_spec()}, supports_check_mode=True)
    try:
        result = run_info(*information(module.params))
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
