#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says which statements of PostgreSQL run for long, and which take the time."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_statements_info
short_description: Say which statements of PostgreSQL run for long, and which take the time
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Looks at the statements of a PostgreSQL server, 13 to 18, of all databases. Changes nothing.
  - What runs now needs no extension. What took the time is asked of C(pg_stat_statements), in any version and
    schema, in the database of O(postgres) or else in the first other one that has it. Where it is not there,
    a finding says what to type to have it.
  - Statements that wait for a lock are told apart, for whoever holds the lock is to blame; and so are
    dumps, backups and upkeep, which take their time.
  - Passwords within statements are left out. Statements of this collection are not counted.
extends_documentation_fragment:
  - firebreak.incident.postgres
  - firebreak.incident.services
  - firebreak.incident.context
options:
  top:
    description: How many statements to list, 1 to 500.
    type: int
    default: 10
  order:
    description: By what they are ordered, all the time they took, the time of one call, or the calls.
    type: str
    choices: [total, mean, calls]
    default: total
  min_running:
    description: Statements that run for so long are listed, as V(90s), V(10m), V(24h).
    type: str
    default: 30s
"""

EXAMPLES = r"""
- name: What takes the time?
  firebreak.incident.pg_statements_info:
    postgres: {database: shop, socket: /var/run/postgresql}

- name: What has been running for five minutes, and which are the slowest by the call?
  firebreak.incident.pg_statements_info:
    postgres: {database: shop}
    min_running: 5m
    order: mean
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
running:
  description: What runs for at least O(min_running), the longest first, at most 50.
  returned: success
  type: list
  elements: dict
  contains:
    pid:
      description: Its process.
      type: int
    backend_start:
      description: When the session began, as the server says it. With the pid it names the session.
      type: str
    user:
      description: The role.
      type: str
    database:
      description: The database.
      type: str
    application:
      description: The application_name.
      type: str
    client:
      description: Address of the client, null for the socket.
      type: str
    backend_type:
      description: V(client backend), or what the server runs for itself.
      type: str
    query_seconds:
      description: How long the statement runs.
      type: float
    transaction_seconds:
      description: How old its transaction is.
      type: float
    wait_event_type:
      description: What kind of thing it waits for, null when it computes.
      type: str
    wait_event:
      description: What it waits for.
      type: str
    workers:
      description: How many parallel workers it has.
      type: int
    query:
      description: The statement, at most 1000 characters.
      type: str
    expected:
      description: Whether it is a dump, a backup or upkeep.
      type: bool
    blocked:
      description: Whether it waits for a lock.
      type: bool
    protected:
      description: Why M(firebreak.incident.pg_sessions) would not cancel it, or null.
      type: str
running_count:
  description: How many run for so long, also where not all are listed.
  returned: success
  type: int
slow_pids:
  description: Processes of those that are neither expected, nor blocked, nor protected.
  returned: success
  type: list
  elements: int
statements:
  description: The statements at the top, without literals. Empty where nothing is collected.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its queryid.
      type: str
    user:
      description: The role.
      type: str
    database:
      description: The database, null when that is gone.
      type: str
    toplevel:
      description: Whether a client sent it. Otherwise its time is in that of another statement as well.
      type: bool
    calls:
      description: How often it ran.
      type: int
    rows:
      description: Rows that it returned or changed, of all calls.
      type: int
    total_seconds:
      description: Time of execution, of all calls.
      type: float
    mean_seconds:
      description: Of one call.
      type: float
    max_seconds:
      description: Of the slowest call.
      type: float
    share:
      description: Percent of the time of all statements.
      type: float
    plans:
      description: How often it was planned, null where the extension is older than 1.8.
      type: int
    plan_seconds:
      description: Time of planning; 0 unless C(pg_stat_statements.track_planning) is on.
      type: float
    read_seconds:
      description: Time of reading from files, null unless C(track_io_timing) is on.
      type: float
    hit_bytes:
      description: What was found in the server's cache.
      type: int
    read_bytes:
      description: What was not, and was read.
      type: int
    hit_share:
      description: Percent that was found in the cache, null when nothing was needed.
      type: float
    temp_bytes:
      description: Written to temporary files.
      type: int
    wal_bytes:
      description: Written to the WAL, null where the extension is older than 1.8.
      type: float
    query:
      description: The statement, at most 1000 characters.
      type: str
total:
  description: Of all statements; null where nothing is collected.
  returned: success
  type: dict
  contains:
    seconds:
      description: Time of execution.
      type: float
    calls:
      description: How often they ran.
      type: int
    statements:
      description: How many different ones there are.
      type: int
    since:
      description: Since when it is counted, in UTC; null where the extension is older than 1.9.
      type: str
    since_seconds:
      description: The same in seconds.
      type: float
extension:
  description: The extension pg_stat_statements.
  returned: success
  type: dict
  contains:
    available:
      description: Whether it is installed on the server's host.
      type: bool
    preloaded:
      description: Whether the server has loaded it.
      type: bool
    database:
      description: Where it was created, null for nowhere that was looked into.
      type: str
    schema:
      description: Its schema.
      type: str
    version:
      description: Its version, which can be older than the server's.
      type: str
    readable:
      description: Whether its view was read.
      type: bool
    track:
      description: What it tracks.
      type: str
    max:
      description: How many statements it keeps.
      type: int
    deallocated:
      description: How often it dropped the rarest of them to have room, null where it does not say.
      type: int
    io_timing:
      description: Whether C(track_io_timing) is on.
      type: bool
    steps:
      description: What is to be typed, in order, to have statements collected. Empty when they are.
      type: list
      elements: str
findings:
  description:
    - Statements that run for too long, those that take a quarter of all time, those that spill to temporary
      files, and what cannot be seen.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.statements.job import SPEC, look


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **context_spec()}, supports_check_mode=True)
    try:
        result = look(module.params)
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
