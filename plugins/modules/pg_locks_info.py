#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says who waits for locks in PostgreSQL, and behind whom."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_locks_info
short_description: Say who waits for locks in PostgreSQL, and behind whom
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Asks a PostgreSQL server, 13 to 18, in one statement who waits for which lock, and makes a tree of it. Its
    roots block others and wait for nobody. Changes nothing.
  - Whoever waits ahead in a queue blocks too. Everybody stands below the nearest of its blockers, the one
    that waits for the others itself.
  - Of more than 500 that wait, those that wait longest are in the tree. All are counted.
  - The lock manager calls every prepared transaction by pid 0. Which one it is, is found by the locks that it
    holds.
  - A relation has its name in the database that is asked, O(postgres.database), and its oid elsewhere.
extends_documentation_fragment:
  - firebreak.incident.postgres
  - firebreak.incident.services
  - firebreak.incident.context
"""

EXAMPLES = r"""
- name: Who waits for whom?
  firebreak.incident.pg_locks_info:
    postgres: {database: shop, socket: /var/run/postgresql}
  register: locks

- name: Show it
  ansible.builtin.debug:
    msg: "{{ (locks.tree | firebreak.incident.lock_tree).splitlines() }}"
"""

RETURN = r"""
server:
  description: The database and where it is.
  returned: success
  type: str
  sample: postgresql shop on /var/run/postgresql
waiting:
  description: Number of sessions that wait for a lock.
  returned: success
  type: int
longest_seconds:
  description: The longest that one of them has waited.
  returned: success
  type: float
roots:
  description: Number of those that block others and wait for nobody, and of circles.
  returned: success
  type: int
tree:
  description:
    - Everybody who waits or is waited for, once, in the order in which a tree is read. The root with the most
      behind it comes first, and below everybody, who has waited longest.
    - For the filter P(firebreak.incident.lock_tree#filter).
  returned: success
  type: list
  elements: dict
  contains:
    depth:
      description: V(0) for a root; it stands below the last one before it whose depth is one less.
      type: int
    pid:
      description: Its process; V(0) for a prepared transaction.
      type: int
    gid:
      description: Name of the prepared transaction, null for a session.
      type: str
    backend_start:
      description: When the session began, in UTC. With the pid, this tells it from any other one.
      type: str
      sample: "2026-11-21T22:01:07.123456+00:00"
    user:
      description: Its role, or the owner of the prepared transaction.
      type: str
    database:
      description: Its database.
      type: str
    application:
      description: Its application_name.
      type: str
    client:
      description: Address it comes from, null for the socket.
      type: str
    backend_type:
      description: As in pg_stat_activity. Null for one that has ended meanwhile or is not shown to us.
      type: str
      sample: client backend
    state:
      description: As in pg_stat_activity, or V(prepared).
      type: str
      sample: idle in transaction
    state_seconds:
      description: Since when it is in that state; since it was prepared.
      type: float
    transaction_seconds:
      description: Age of its transaction.
      type: float
    wanted:
      description: The lock that it waits for, null for a root.
      type: dict
      contains:
        kind:
          description: The locktype of pg_locks.
          type: str
          sample: relation
        mode:
          description: The mode of the lock.
          type: str
          sample: AccessExclusiveLock
        relation:
          description:
            - The table or index as SQL writes it, or its oid when it is in another database than the one
              asked. For a transaction that is waited for, the table of the row that is wanted.
          type: str
        database:
          description: The database of the relation.
          type: str
        object:
          description: Which row, transaction or advisory lock it is.
          type: str
    waiting_seconds:
      description: How long it has waited; before PostgreSQL 14, how long its query has run. Null for a root.
      type: float
    waiting_behind:
      description: Number of sessions that wait for it, also through others.
      type: int
    blocked_by:
      description: Pids of the nearest of its blockers; it stands below the first.
      type: list
      elements: int
    circular:
      description: It waits for itself through others, a deadlock that is not broken yet.
      type: bool
    query:
      description: The first 200 characters of what it runs, or ran last.
      type: str
prepared:
  description: The prepared transactions, whether somebody waits for them or not.
  returned: success
  type: list
  elements: dict
  contains:
    gid:
      description: Its name.
      type: str
    since:
      description: When it was prepared, in UTC.
      type: str
    user:
      description: Its owner.
      type: str
    database:
      description: Its database.
      type: str
    seconds:
      description: Its age.
      type: float
    transactions:
      description: Its age in transactions.
      type: int
findings:
  description: Sessions that wait for two seconds and more, and old prepared transactions.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec, run_info
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.entry import SPEC
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.locks.inform import inform
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.locks.observe import look


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **context_spec()}, supports_check_mode=True)
    try:
        result = run_info(observe=lambda: look(module.params), decide=inform)
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
