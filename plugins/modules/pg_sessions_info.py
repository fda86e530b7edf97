#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says who is connected to PostgreSQL, who sits in a transaction, and who holds back VACUUM."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_sessions_info
short_description: Say who is connected to PostgreSQL, and doing what
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Looks at the sessions of a PostgreSQL server, 13 to 18, in one statement. Changes nothing.
  - Connections are held against what ordinary roles may have, which is less than C(max_connections), and
    against the limits of roles and databases. What a server runs for itself takes none of them.
  - How long a session is idle is measured since it became so, not since its last query began.
  - With every connection taken, only a superuser gets in. Over the local socket that needs no password.
extends_documentation_fragment:
  - firebreak.incident.postgres
  - firebreak.incident.services
  - firebreak.incident.context
"""

EXAMPLES = r"""
- name: Who has the connections?
  firebreak.incident.pg_sessions_info:
    postgres: {database: shop, socket: /var/run/postgresql}
"""

RETURN = r"""
server:
  description: The database and where it is.
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
connections:
  description: Client connections.
  returned: success
  type: dict
  contains:
    max:
      description: The server's max_connections.
      type: int
    reserved:
      description: Kept for superusers, and for C(pg_use_reserved_connections) from release 16 on.
      type: int
    budget:
      description: What is left for ordinary roles.
      type: int
      sample: 97
    used:
      description: Taken, by whomever.
      type: int
    free:
      description: What ordinary roles still get.
      type: int
    by_state:
      description: Sessions by their state.
      type: dict
      sample: {active: 3, idle: 20, idle in transaction: 61}
    holders:
      description: The five roles and applications with most sessions.
      type: list
      elements: dict
    limits:
      description:
        - Roles and databases with a limit of their own, each with C(kind), C(name), C(limit) and C(used).
      type: list
      elements: dict
by_user:
  description:
    - The 50 roles with most sessions, each with C(name) and the numbers C(sessions), C(active), C(idle) and
      C(idle_in_transaction).
  returned: success
  type: list
  elements: dict
by_application:
  description: The same by application_name.
  returned: success
  type: list
  elements: dict
by_client:
  description: The same by the client's address, V(local) for the socket.
  returned: success
  type: list
  elements: dict
by_database:
  description: The same by database.
  returned: success
  type: list
  elements: dict
idle_in_transaction:
  description: The five sessions that are idle in transaction for longest, with keys as in RV(sessions).
  returned: success
  type: list
  elements: dict
transactions:
  description: The five longest transactions of those who work in them, with keys as in RV(sessions).
  returned: success
  type: list
  elements: dict
xmin:
  description:
    - What keeps VACUUM from removing dead rows, at most 20, the one that holds back most first.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: One of V(backend), V(prepared), V(slot) and V(standby).
      type: str
    name:
      description: The pid, the prepared transaction's gid or the slot's name.
      type: str
    user:
      description: Its role, null for a slot.
      type: str
    application:
      description: Its application_name, where it has one.
      type: str
    database:
      description: Its database, where it has one.
      type: str
    state:
      description: The session's state; of a slot V(active) or V(inactive).
      type: str
    transactions:
      description: So many transactions ago it begins.
      type: int
    seconds:
      description: How long the transaction is open, in seconds; null for a slot.
      type: float
    query:
      description: The last query of a session, at most 200 characters.
      type: str
sessions:
  description: Every session, those first that are in their state for longest; at most 1000.
  returned: success
  type: list
  elements: dict
  contains:
    pid:
      description: Process of the session.
      type: int
    backend_start:
      description: When it began, UTC. With the pid it is the session's identity.
      type: str
      sample: "2026-11-21T22:01:07.123456+00:00"
    user:
      description: Its role.
      type: str
    database:
      description: Its database.
      type: str
    application:
      description: Its application_name.
      type: str
    client:
      description: The client's address, null for the socket.
      type: str
    backend_type:
      description: V(client backend) but for walsenders, workers and the like.
      type: str
    state:
      description: What it does.
      type: str
      sample: idle in transaction
    state_change:
      description: Since when, UTC.
      type: str
    state_seconds:
      description: The same in seconds.
      type: float
    query_seconds:
      description: How long ago its last query began, in seconds.
      type: float
    transaction_seconds:
      description: How long its transaction is open, in seconds; null without one.
      type: float
    wait_event_type:
      description: What kind of thing it waits for.
      type: str
    wait_event:
      description: What it waits for.
      type: str
    leader_pid:
      description: For a parallel worker, whose it is.
      type: int
    superuser:
      description: Whether its role is a superuser.
      type: bool
    replication:
      description: Whether its role may replicate.
      type: bool
    query:
      description: Its last query, at most 200 characters, without passwords.
      type: str
    protected:
      description: Why M(firebreak.incident.pg_sessions) never ends it, else null.
      type: str
      sample: role postgres is a superuser
more:
  description: How many sessions are not listed.
  returned: success
  type: int
findings:
  description:
    - Connections that run out, sessions left idle in transaction, transactions that take very long, and what
      holds back VACUUM by more than 50 million transactions.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec, run_info
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.entry import SPEC
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.inform import inform
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.observe import everything


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **context_spec()}, supports_check_mode=True)
    try:
        result = run_info(observe=lambda: everything(module.params), decide=inform)
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
