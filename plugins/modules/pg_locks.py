#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends the sessions of PostgreSQL that others wait for."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_locks
short_description: End the sessions of PostgreSQL that block others
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Ends the roots of the tree that M(firebreak.incident.pg_locks_info) shows, when somebody has waited for
    one for O(min_waiting). Who waits itself is never ended, for that only lets the next in the queue wait.
  - A session is told by its pid and its start. It is ended only if somebody still waits for it then.
  - Never ended are walsenders, autovacuum and whatever else is no client's session; roles that are superusers
    or may replicate; C(pg_dump), C(pg_restore), C(pg_basebackup), C(pgbackrest), C(barman), C(patroni) and
    their like by application_name; sessions whose last query is LISTEN; Firebreak's own.
  - A prepared transaction is committed or rolled back when O(gids) names it and O(resolve) says which,
    whether or not somebody waits for it. That is V(destructive), so O(max_risk=destructive) is needed; the
    other half of it may have been committed elsewhere. Everything else is V(disruptive).
  - What was wrong is measured in sessions that have waited for O(min_waiting), plus the prepared transactions
    of O(gids) that are there. Those that waited have 3 s to get on before it is measured again.
extends_documentation_fragment:
  - firebreak.incident.postgres
  - firebreak.incident.services
  - firebreak.incident.change
  - firebreak.incident.context
options:
  min_waiting:
    description:
      - How long somebody must have waited for a root to be ended. Seconds, or with a unit as in V(90s) and
        V(10m).
    type: str
    default: 5s
  method:
    description:
      - V(auto) ends a session that is idle in transaction. Of one that runs a statement, the statement is
        cancelled first, and the session is ended when it still blocks after 2 s.
      - V(cancel) cancels statements only. On a session that runs none it does nothing, so that is refused.
      - V(terminate) ends the session, whatever it does.
    type: str
    choices: [auto, cancel, terminate]
    default: auto
  gids:
    description: Names of prepared transactions to resolve.
    type: list
    elements: str
    default: []
  resolve:
    description:
      - Whether the transactions of O(gids) are rolled back or committed. Only the coordinator that prepared
        them knows which is right.
    type: str
    choices: [rollback, commit]
"""

EXAMPLES = r"""
- name: End whoever has kept others waiting for ten seconds
  firebreak.incident.pg_locks:
    postgres: {database: shop}
    min_waiting: 10s
    max_risk: disruptive

- name: Roll back a transaction that its coordinator has given up
  firebreak.incident.pg_locks:
    postgres: {database: shop}
    gids: [order-4711]
    resolve: rollback
    max_risk: destructive
"""

RETURN = r"""
before:
  description:
    - The state before anything was done. C(waiting) counts the sessions that wait, C(waiting_long) those that
      have for O(min_waiting), C(longest_seconds) is the longest wait, and C(tree) is that of
      M(firebreak.incident.pg_locks_info).
  returned: success
  type: dict
  sample: {waiting: 4, waiting_long: 4, longest_seconds: 41.2, tree: [{pid: 4242, waiting_behind: 4}]}
after:
  description: The same, measured again afterwards; the state before in check mode.
  returned: success
  type: dict
  sample: {waiting: 0, waiting_long: 0, longest_seconds: 0.0, tree: []}
actions:
  description:
    - Every act with its C(target), C(risk), C(status) (V(planned), V(done), V(refused) or V(failed)) and
      C(reason). C(undo) is null.
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
  description: Who still waits, and prepared transactions that are still there, measured afterwards.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import change_spec, run_change
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.locks.job import SPEC, job


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **change_spec()}, supports_check_mode=True)
    try:
        result = run_change(module.params, module.check_mode, job(module.params))
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
