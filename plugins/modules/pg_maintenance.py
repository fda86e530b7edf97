#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Vacuums and analyzes tables, rebuilds indexes, drops what rebuilds that failed have left."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_maintenance
short_description: Vacuum, analyze and reindex in PostgreSQL without locking anybody out
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Works on one object after the other in PostgreSQL 13 to 18. Nobody who reads or writes is kept waiting
    and no row is lost; but it reads and writes a lot and cannot be taken back, so every act is V(disruptive).
  - Never C(VACUUM FULL), never a C(REINDEX) that is not C(CONCURRENTLY). On a standby everything is refused.
  - A vacuum does not cut off the empty end of a table, because that locks everybody out for a moment. So it
    gives space back to the table and not to the filesystem. It is a plain one even where transaction numbers
    run out; before PostgreSQL 14 it leaves the indexes alone when a table is 1.6 billion numbers old.
  - A table or index that somebody works on is refused, autovacuum included, which would give way.
  - A rebuild needs the size of the index free where it lies, and as much again under the data directory for
    sorting and for the WAL. Where it does not fit, or the space cannot be seen, it is refused.
  - A rebuild waits for transactions that were there before it. For writers of the table, and for whoever sits
    in a transaction that has touched it, it waits before anything is started; when it gives up later, the
    invalid index that remains is dropped. Whom it waited for is in the message.
  - The symptom counts the objects asked for that were not worked on within O(fresh), or in vain (with more
    dead or modified rows than autovacuum allows, or invalid). Of O(operation=clean_up) it counts leftovers.
extends_documentation_fragment:
  - firebreak.incident.postgres
  - firebreak.incident.services
  - firebreak.incident.change
  - firebreak.incident.context
options:
  database:
    description: The database to work in. The one of O(postgres) if it is not given.
    type: str
  operation:
    description:
      - With V(vacuum), V(analyze) and V(vacuum_analyze), and neither tables nor schemas named, the tables
        that are due by the rules of autovacuum.
      - V(reindex) rebuilds every index that is asked for, in order of size. With nothing named it rebuilds
        those that are invalid. Indexes of catalogs and of exclusion constraints are left out, for they cannot
        be rebuilt without locking everybody out.
      - V(clean_up) drops what rebuilds that failed have left, when nobody builds an index on the table and no
        constraint rests on it. See M(firebreak.incident.pg_maintenance_info) for what counts as that.
    type: str
    required: true
    choices: [vacuum, analyze, vacuum_analyze, reindex, clean_up]
  tables:
    description:
      - Tables and materialized views, as C(schema.name) or C(name). Double quotes around either part are read
        as PostgreSQL reads them, as in C(public."Odd name"); without any, a name is taken as it is spelled if
        there is no other way to read it. One that can be read in two ways is refused.
      - Of a partitioned table the partitions are meant, but for V(analyze), which reads them all.
      - With O(operation=reindex), all indexes of the tables, those of what is stored aside included.
    type: list
    elements: str
    default: []
  indexes:
    description: Indexes, named in the same way. For O(operation=reindex) and O(operation=clean_up).
    type: list
    elements: str
    default: []
  schemas:
    description: Everything in these schemas, as they are spelled.
    type: list
    elements: str
    default: []
  whole_database:
    description: Everything in the database. O(operation=reindex) leaves out the catalogs.
    type: bool
    default: false
  lock_timeout:
    description: How long to wait for somebody's lock or transaction, such as V(2s).
    type: str
    default: 2s
  timeout:
    description: How long each object may take, such as V(30m). The server itself ends what takes longer.
    type: str
    default: 30m
  fresh:
    description:
      - What was done within this time, as the server or the ledger of this host says, is not done again,
        unless there are more dead or modified rows again than autovacuum allows.
    type: str
    default: 1h
  assume_space:
    description: Rebuild indexes although the free space cannot be seen. Space that is seen still counts.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Vacuum and analyze what autovacuum has not kept up with
  firebreak.incident.pg_maintenance:
    operation: vacuum_analyze
    max_risk: disruptive

- name: Rebuild one index
  firebreak.incident.pg_maintenance:
    operation: reindex
    indexes: [public.orders_customer_idx]
    max_risk: disruptive

- name: Drop what rebuilds that failed have left
  firebreak.incident.pg_maintenance:
    operation: clean_up
    max_risk: disruptive
"""

RETURN = r"""
before:
  description: The state before anything was done, with the keys of C(after).
  returned: success
  type: dict
  sample: {database: shop, work: [], tables: [{table: public.orders, dead: 120000, modified: 9, age: 800}]}
after:
  description:
    - The same, measured again afterwards; the state before in check mode.
    - C(tables) or C(indexes) or C(leftovers) hold what was asked for, at most 200. C(work) holds what was
      done, each with its C(object), its C(seconds) and, of a table, its dead rows before and after
      (C(dead_before), C(dead_after)), of an index its bytes (C(bytes_before), C(bytes_after)).
      C(oldest_transaction) is what keeps dead rows.
  returned: success
  type: dict
  sample:
    database: shop
    work: [{object: public.orders, operation: vacuum, seconds: 3.2, dead_before: 120000, dead_after: 0}]
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
  description: What is still wrong with the tables asked for and with the indexes of the database.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import change_spec, run_change
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance.job import SPEC, job


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **change_spec()}, supports_check_mode=True)
    try:
        result = run_change(module.params, module.check_mode, job(module.params))
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
