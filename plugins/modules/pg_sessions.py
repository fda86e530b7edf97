#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends sessions of PostgreSQL, or cancels what they run."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_sessions
short_description: End sessions of PostgreSQL, or cancel their queries
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Ends the sessions that all given criteria hold for. At least one criterion is needed; an empty list holds
    for no session.
  - A session is told by its pid and its start, both checked by the statement that ends it. Where O(states) or
    O(min_age) is given, it must still be in that state, since the same moment.
  - Never ended, whatever the criteria say, are walsenders, autovacuum and whatever else is no client's
    session; roles that are superusers or may replicate; C(pg_dump), C(pg_restore), C(pg_basebackup),
    C(pgbackrest), C(barman), C(patroni) and their like by application_name; sessions whose last query is
    LISTEN; Firebreak's own. At most 20 of them are listed among the refusals, the rest is counted.
  - Fails when the role it logs in as is not shown the sessions of others; C(pg_monitor) shows them, and
    C(pg_signal_backend) lets it end them.
  - With every connection of ordinary roles taken, only a superuser gets in. Over the local socket that needs
    no password. Where a superuser's application has taken those as well, nobody gets in, and the message says
    how to end a session from the operating system.
  - What was wrong is measured in sessions that match, without the protected ones unless they are named in
    O(pids). With O(free_connections) it is measured in connections that are short of it.
  - Every act is V(disruptive), so O(max_risk=disruptive) is needed. None can be taken back.
extends_documentation_fragment:
  - firebreak.incident.postgres
  - firebreak.incident.services
  - firebreak.incident.change
  - firebreak.incident.context
options:
  states:
    description: What the sessions do.
    type: list
    elements: str
    choices:
      - active
      - idle
      - idle in transaction
      - idle in transaction (aborted)
      - fastpath function call
      - disabled
      - starting
  min_age:
    description:
      - How long at least they are in their state; of an active one, how long its query runs. Seconds, or
        with a unit as in V(90s), V(10m), V(24h).
    type: str
  users:
    description: Roles they are logged in as.
    type: list
    elements: str
  applications:
    description: Their application_name, exactly.
    type: list
    elements: str
  databases:
    description: Databases they are connected to.
    type: list
    elements: str
  clients:
    description: Addresses and networks they come from; V(local) is the socket.
    type: list
    elements: str
  pids:
    description: Their processes.
    type: list
    elements: int
  method:
    description:
      - V(terminate) ends the session. V(cancel) ends the query it runs and leaves the session; on one that
        runs none, idle in transaction included, it does nothing, so it is refused there.
    type: str
    choices: [cancel, terminate]
    default: terminate
  free_connections:
    description:
      - End no more sessions than it takes to have so many connections free for ordinary roles, and for each
        role and database whose own limit is exhausted. Those idle in transaction go first, then those idle
        for longest.
      - V(0) ends all that match.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: End whatever is left idle in a transaction for ten minutes
  firebreak.incident.pg_sessions:
    postgres: {database: shop}
    states: [idle in transaction, idle in transaction (aborted)]
    min_age: 10m
    max_risk: disruptive

- name: Make room for five more connections
  firebreak.incident.pg_sessions:
    postgres: {database: shop}
    states: [idle]
    min_age: 30s
    free_connections: 5
    max_risk: disruptive

- name: Cancel what one report has been running for an hour
  firebreak.incident.pg_sessions:
    postgres: {database: shop}
    states: [active]
    applications: [nightly report]
    min_age: 1h
    method: cancel
    max_risk: disruptive
"""

RETURN = r"""
before:
  description:
    - The state before anything was done. C(connections) are as M(firebreak.incident.pg_sessions_info) returns
      them, C(matching) and C(protected) count sessions, and C(short) the connections that are short of
      O(free_connections).
  returned: success
  type: dict
  sample:
    connections: {max: 100, reserved: 3, budget: 97, used: 97, free: 0, by_state: {idle: 97}, limits: []}
    matching: 96
    protected: 0
    short: 5
after:
  description: The same, measured again afterwards; the state before in check mode.
  returned: success
  type: dict
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
  description: What is still wrong with connections and transactions, measured afterwards.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import change_spec, run_change
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.job import SPEC, job


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **change_spec()}, supports_check_mode=True)
    try:
        result = run_change(module.params, module.check_mode, job(module.params))
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
