#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what a PostgreSQL database can be restored from, and what speaks for damage."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_restore_info
short_description: Say what a PostgreSQL database can be restored from, and whether its data are damaged
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Finds the newest backup that can be read to its end, and says why not a newer one. It is read as a whole,
    for a dump that was cut off passes C(gzip -t) and C(pg_restore -l).
  - Says what would keep a restore from being done, or the restored database from being put in the place of
    the one in use, and how much room a second copy needs.
  - Looks for damage. The server counts pages whose checksum was wrong, where it has data checksums. With
    O(deep), every table and index is read with amcheck. Nothing is installed for that; where the database
    does not have the extension, a finding says so.
  - Lists the databases that earlier restores have left behind.
extends_documentation_fragment:
  - firebreak.incident.context
  - firebreak.incident.postgres
  - firebreak.incident.services
options:
  database:
    description: The database. That of O(postgres) when it is not given.
    type: str
  backup:
    description: V(latest) for the newest in O(directory) that can be read to its end, or the path of a dump.
    type: str
    default: latest
  directory:
    description: Where the backups are, as in C(firebreak_backup).
    type: path
  timeout:
    description: How long reading backups may take, in seconds or as V(90s), V(10m), V(1h).
    type: str
    default: 1h
  deep:
    description:
      - Read tables (PostgreSQL 14 and later) and indexes with amcheck, those of the users before those of the
        system, the small ones first. That reads the whole database once, and its indexes are held against it.
    type: bool
    default: false
  deep_timeout:
    description: How long O(deep) may take. One table or index gets 15 seconds of it at most.
    type: str
    default: 1m
"""

EXAMPLES = r"""
- name: What could be restored, and is the data sound?
  firebreak.incident.pg_restore_info:
    database: zekka_production
    directory: /var/backups/zekka
    deep: true
    postgres: "{{ firebreak_postgres }}"
"""

RETURN = r"""
database:
  description: The database.
  returned: success
  type: str
  sample: zekka_production
backups:
  description:
    - Its backups, the newest first, each with C(path), C(kind), C(database), C(size_bytes), C(created),
      C(recorded) (its manifest) and C(verified), which is null for those that were not read. C(tables) and
      C(rows) are those read in it, C(reason) is why it cannot be restored.
  returned: success
  type: list
  elements: dict
latest:
  description: Path of the newest that can be read to its end. Null when there is none.
  returned: success
  type: str
passed_over:
  description: The newer ones, each with C(path) and C(reason).
  returned: success
  type: list
  elements: dict
size_bytes:
  description: Size of the database. Null when there is none of that name.
  returned: success
  type: int
sessions:
  description: How many sessions it has.
  returned: success
  type: int
copy_bytes:
  description: What a second copy is expected to take.
  returned: success
  type: int
free_bytes:
  description: What is free where the database lies. Null when that cannot be seen from here.
  returned: success
  type: int
obstacles:
  description: C(copy) is what would keep a copy from being made, C(swap) from being put in its place.
  returned: success
  type: dict
  sample: {copy: [], swap: ["pid 812 (started …) is connected to it and is never ended: it is pg_dump"]}
side_databases:
  description:
    - Copies that restores have made, the newest first, with C(name), C(oid), C(size_bytes), C(backup),
      C(made), C(checked) and C(in_use_since).
  returned: success
  type: list
  elements: dict
kept_databases:
  description: The databases that were in use before a restore took their place, with the same keys.
  returned: success
  type: list
  elements: dict
checksums:
  description: Whether the server has data checksums.
  returned: success
  type: bool
checksum_failures:
  description: Pages of the database whose checksum was wrong, since its statistics were reset.
  returned: success
  type: int
last_checksum_failure:
  description: When that was seen last. Null when it never was.
  returned: success
  type: str
reading:
  description:
    - What came of O(deep). C(amcheck) tells whether the database has the extension, C(available) whether it
      could be installed. C(total) and C(read) count tables and indexes, C(damaged) and C(unread) map their
      names to what was found and to why they were not read. C(seconds) is how long it took. Null without
      O(deep).
  returned: success
  type: dict
data_copy:
  description:
    - How to keep the damaged files themselves, before anything is restored, with C(directory), C(bytes),
      C(free_bytes) on the same filesystem and C(command).
  returned: success
  type: dict
findings:
  description: What is wrong, the worst first.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec, run_info
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.restore.job import (
    INFO_SPEC,
    information,
)


def main() -> None:
    module = AnsibleModule(argument_spec={**INFO_SPEC, **context_spec()}, supports_check_mode=True)
    try:
        result = run_info(lambda: information(module.params), lambda found: found)
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
