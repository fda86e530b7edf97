#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what PostgreSQL's upkeep does and what it leaves undone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_maintenance_info
short_description: Ask PostgreSQL which vacuums and index builds run and which are due
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Asks PostgreSQL 13 to 18 which vacuum, analyze, index build and cluster run and how far they are, which
    tables are due by the rules of autovacuum, and which indexes are invalid. Changes nothing.
  - A table is due when its rows that are dead, were modified or inserted exceed what autovacuum allows, or
    its oldest transaction number does. Storage parameters of the table itself count. A table that somebody
    works on is not due. A standby counts no rows, so that nothing is due there.
  - An invalid index is the leftover of a rebuild that failed when its name ends as PostgreSQL makes it then,
    in C(_ccnew) or C(_ccold) and perhaps a number, and another index of the table is defined like it. Any
    other one is of a C(CREATE INDEX CONCURRENTLY) that failed, which only a person can judge.
extends_documentation_fragment:
  - firebreak.incident.postgres
  - firebreak.incident.services
  - firebreak.incident.context
options:
  database:
    description: The database to look into. The one of O(postgres) if it is not given.
    type: str
"""

EXAMPLES = r"""
- name: Which tables does autovacuum not keep up with?
  firebreak.incident.pg_maintenance_info:
    postgres: {database: shop, socket: /var/run/postgresql, user: postgres}
"""

RETURN = r"""
database:
  description: The database that C(due), C(invalid_indexes) and C(leftovers) are of.
  returned: success
  type: str
in_recovery:
  description: Whether the server is a standby.
  returned: success
  type: bool
autovacuum:
  description: Whether the server has it turned on.
  returned: success
  type: bool
running:
  description: What is worked on now, in all databases, the longest first.
  returned: success
  type: list
  elements: dict
  contains:
    operation:
      description: V(vacuum), V(analyze), V(create_index) (rebuilds too) or V(cluster) (C(VACUUM FULL) too).
      type: str
    command:
      description: The server's own word for an index build or a cluster, null for others.
      type: str
      sample: REINDEX CONCURRENTLY
    phase:
      description: The server's own word for how far it is.
      type: str
      sample: scanning heap
    share:
      description: How much of the phase is done, in percent; null where the server does not measure it.
      type: float
      sample: 43.5
    pid:
      description: Of the server process.
      type: int
    since:
      description: When the statement began, in UTC.
      type: str
      sample: "2026-11-22T05:42:30.123Z"
    seconds:
      description: How long it runs, in seconds.
      type: float
    database:
      description: The database it is in.
      type: str
    table:
      description: The table, null in another database.
      type: str
    index:
      description: The index, null where there is none.
      type: str
    user:
      description: Whose session it is, null for autovacuum.
      type: str
    application:
      description: The C(application_name) of the session.
      type: str
    backend_type:
      description: V(client backend) or V(autovacuum worker).
      type: str
    lockers_done:
      description: So many of the transactions that an index build waits for have ended.
      type: int
    lockers_total:
      description: So many transactions an index build waits for in this phase.
      type: int
    waits_for:
      description:
        - The session that an index build waits for now, with its C(pid), C(user), C(application), C(state),
          C(query) and C(transaction_seconds). Null when it waits for nobody.
      type: dict
    index_passes:
      description: How often a vacuum has read all indexes. More than once means that its memory is too small.
      type: int
due:
  description: Tables that are due and nobody works on, at most 200, with most dead or modified rows first.
  returned: success
  type: list
  elements: dict
  contains:
    table:
      description: Its schema and name, in double quotes where they are needed.
      type: str
      sample: public.orders
    reasons:
      description: Some of V(dead), V(inserts), V(statistics) and V(wraparound).
      type: list
      elements: str
    bytes:
      description: Its size without indexes as the server last counted it, in bytes.
      type: int
    rows:
      description: How many rows the server believes it has.
      type: int
    dead:
      description: Dead rows.
      type: int
    dead_allowed:
      description: So many before autovacuum comes.
      type: int
    modified:
      description: Rows changed since the last analyze.
      type: int
    modified_allowed:
      description: So many before autovacuum comes.
      type: int
    inserted:
      description: Rows inserted since the last vacuum.
      type: int
    inserted_allowed:
      description: So many before autovacuum comes, null when that does not bring it.
      type: int
    age:
      description: Of its oldest transaction number, in transactions.
      type: int
    multixacts:
      description: Of its oldest multixact number, in multixacts.
      type: int
    age_allowed:
      description: The age at which autovacuum comes whatever is configured, in transactions.
      type: int
    autovacuum:
      description: Whether autovacuum is on, for the server and for this table.
      type: bool
    vacuumed_seconds:
      description: Since the last vacuum by whomever, in seconds; null for never.
      type: float
    analyzed_seconds:
      description: Since the last analyze by whomever, in seconds; null for never.
      type: float
invalid_indexes:
  description: Indexes that no query uses, that nobody builds and that are no leftovers, with C(index),
    C(table), C(bytes), C(valid), C(ready) (whether writes keep it up to date), C(unique) and C(constraint).
  returned: success
  type: list
  elements: dict
leftovers:
  description: The same of what rebuilds that failed have left.
  returned: success
  type: list
  elements: dict
holders:
  description:
    - What keeps dead rows from being removed, the oldest first. C(kind) is V(backend), V(prepared), V(slot)
      or V(standby); C(name) its pid or name, C(transactions) its age in transactions, C(seconds) in seconds.
  returned: success
  type: list
  elements: dict
free_bytes:
  description: What is free on the filesystem of the data directory, in bytes; null when it cannot be seen.
  returned: success
  type: int
unseen:
  description: Why C(free_bytes) is null.
  returned: success
  type: str
findings:
  description: Tables that autovacuum does not keep up with, index builds that wait, invalid indexes.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec, run_info
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance.findings import inform
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance.job import (
    INFO_SPEC,
    look,
)


def main() -> None:
    module = AnsibleModule(argument_spec={**INFO_SPEC, **context_spec()}, supports_check_mode=True)
    try:
        result = run_info(observe=lambda: look(module.params), decide=inform)
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
