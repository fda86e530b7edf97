#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what fills a PostgreSQL server and what wears out in it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_storage_info
short_description: Say what fills a PostgreSQL server, and what wears out in it
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Looks at a PostgreSQL server, 13 to 18, as a whole (databases, WAL, replication, archiving, transaction
    numbers) and at one of its databases (tables, indexes, sequences). Changes nothing.
  - What cannot be seen is said, part by part, and costs no other part.
  - Measuring a table waits for whoever has it exclusively. Such tables are taken as large as the last VACUUM
    or ANALYZE counted them, and so are all when measuring takes longer than 5 seconds. Only the main files
    are measured.
  - Bloat is not estimated. The dead rows are those that the server has counted, and no catalog tells how much
    of a table or index is empty.
extends_documentation_fragment:
  - firebreak.incident.postgres
  - firebreak.incident.services
  - firebreak.incident.context
options:
  database:
    description: The database whose contents are looked at. The one of O(postgres) if it is not given.
    type: str
  top:
    description: How many tables and indexes to list of each kind, 1 to 500.
    type: int
    default: 20
"""

EXAMPLES = r"""
- name: What fills the server?
  firebreak.incident.pg_storage_info:
    postgres: {database: shop, socket: /var/run/postgresql}

- name: Which tables of another database are the largest?
  firebreak.incident.pg_storage_info:
    postgres: {socket: /var/run/postgresql}
    database: archive
    top: 50
"""

RETURN = r"""
server:
  description: The database of O(postgres) and where it is.
  returned: success
  type: str
  sample: postgresql shop on /var/run/postgresql
version:
  description: Its release.
  returned: success
  type: str
  sample: 15.8 (Debian 15.8-0+deb12u1)
in_recovery:
  description: Whether it is a standby.
  returned: success
  type: bool
database:
  description: The database whose contents are listed.
  returned: success
  type: str
databases:
  description:
    - Every database (at most 500), the largest first, with C(name), C(bytes) (null where that may not be
      seen), C(transactions) and C(multixacts) (the age of its oldest numbers), and since C(stats_reset)
      C(temp_bytes), C(temp_files) and C(deadlocks).
  returned: success
  type: list
  elements: dict
tables:
  description:
    - The largest tables and materialized views, with C(table) (its name in quotes where it needs them),
      C(bytes) of everything, C(heap_bytes), C(toast_bytes), C(index_bytes), C(estimated) (not measured),
      C(live_rows) and C(dead_rows). Null, like all lists here, where it could not be seen.
  returned: success
  type: list
  elements: dict
indexes:
  description: The largest indexes, with C(index), C(table), C(bytes), C(estimated) and C(scans).
  returned: success
  type: list
  elements: dict
estimated:
  description: Whether no size was measured, for it would have taken too long.
  returned: success
  type: bool
bytes:
  description: All tables and indexes of the database, catalogs included.
  returned: success
  type: int
table_count:
  description: How many tables there are, catalogs included.
  returned: success
  type: int
index_count:
  description: How many indexes there are, catalogs included.
  returned: success
  type: int
dead_tables:
  description:
    - The tables with the most dead rows, from 1000, with C(table), C(live_rows), C(dead_rows),
      C(estimated_rows) (as of the last VACUUM or ANALYZE), C(vacuumed) (when, by whomever), C(vacuuming)
      (now) and C(options) (its own settings).
  returned: success
  type: list
  elements: dict
unanalyzed_tables:
  description:
    - Tables with 1000 rows and more that were never analyzed, with C(table), C(live_rows) and
      C(changed_rows).
  returned: success
  type: list
  elements: dict
oldest_tables:
  description:
    - The 5 tables with the oldest C(transactions) or C(multixacts), those of catalogs included; C(toast) for
      what is stored aside, which a VACUUM of the table takes with it; C(pages) as last counted.
  returned: success
  type: list
  elements: dict
holders:
  description: The 3 sessions, prepared transactions, slots or standbys that keep dead rows for longest, with
    C(kind), C(name), C(user), C(application), C(state), C(transactions) and C(seconds).
  returned: success
  type: list
  elements: dict
invalid_indexes:
  description:
    - At most 50, with C(index), C(table), C(unique), C(ready) (kept up at every write), C(partitioned),
      C(leftover) (V(new) or V(old) of a REINDEX CONCURRENTLY) and C(building) (who builds on the table now).
  returned: success
  type: list
  elements: dict
duplicate_indexes:
  description:
    - Groups of indexes on the same columns in the same order with the same conditions, with C(table) and
      C(indexes), the one that is worth keeping first.
  returned: success
  type: list
  elements: dict
unused_indexes:
  description:
    - Indexes of 8 MiB and more without a scan, with C(index), C(table) and C(bytes). Those that enforce
      something are left out.
  returned: success
  type: list
  elements: dict
counted_seconds:
  description: For how long scans have been counted at least.
  returned: success
  type: float
collations:
  description:
    - What was made with another version of its collation than the system has, as C(databases) (null up to
      PostgreSQL 14, which does not record it), C(collations), and C(affected), at most 20 indexes of this
      database.
  returned: success
  type: dict
sequences:
  description:
    - Sequences that have used up half of their numbers, or of what their column can hold, with C(sequence),
      C(column), C(type), C(step), C(last), C(limit), C(left) and C(share) in percent.
  returned: success
  type: list
  elements: dict
sequences_unread:
  description: How many sequences were not read, for there are too many or the role may not.
  returned: success
  type: int
slots:
  description:
    - The replication slots, at most 20, with C(name), C(kind), C(active), C(wal_status), C(retained_bytes)
      and C(safe_bytes), what may still be written before it is lost.
  returned: success
  type: list
  elements: dict
replicas:
  description:
    - Who replicates, at most 20, with C(name), C(client), C(state), C(sync), C(lag_bytes) and
      C(lag_seconds).
  returned: success
  type: list
  elements: dict
standby:
  description: Of a standby, its C(receiver), C(paused), C(lag_bytes) and C(last_transaction_seconds).
  returned: success
  type: dict
archiver:
  description:
    - C(mode), C(failed_count), C(last_failed_wal), C(failed_seconds_ago) and C(archived_seconds_ago).
  returned: success
  type: dict
wal:
  description:
    - C(bytes) and C(files) of pg_wal, C(max_bytes) (max_wal_size), C(keep_bytes) (wal_keep_size) and
      C(archive_waiting), how many files are not archived yet.
  returned: success
  type: dict
temporary_bytes:
  description: Temporary files of what runs now, in the default tablespace.
  returned: success
  type: int
unseen:
  description: Why something is null, by the name of the part.
  returned: success
  type: dict
findings:
  description:
    - Slots, archiving and WAL that fill the disk, transaction numbers that run out, dead rows, tables that
      were never analyzed, indexes that are invalid, unused or there twice, collations that changed,
      sequences near their end, and what could not be seen.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.storage.job import SPEC, look


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **context_spec()}, supports_check_mode=True)
    try:
        result = look(module.params)
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
