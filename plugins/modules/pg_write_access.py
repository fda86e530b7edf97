#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a PostgreSQL database read-only, or writable again."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_write_access
short_description: Make a PostgreSQL database read-only, or writable again
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - With O(state=read_only), new sessions of a database begin with C(default_transaction_read_only = on), by
    C(ALTER DATABASE). Sessions that are there keep what they began with, so they are ended, and a pool comes
    back read-only. Their transactions are rolled back.
  - It is a fence, not a wall. It holds programs that mean no harm. Any client can set the parameter back in
    its session, superusers too, and some functions write past it, such as those for large objects before
    PostgreSQL 16. To keep somebody from writing for certain, use C(REVOKE), pg_hba.conf or stop the server.
  - Since when the setting holds is written beside it, as C(firebreak.read_only_since) of the database, so
    that the sessions from before can be told from the others at any later time.
  - Undo puts back what was set before, and ends the sessions that began read-only. So does
    O(state=read_write), which leaves nothing set. Where somebody has set it back by hand, that ends the
    sessions from after the setting that are still there. One that was restored in its place and has its
    settings is opened instead of it; without that, one with another name by now is left as it is.
  - Proven by a new session of the application's where its password is configured, else of the
    administrator's, whose write must be refused.
  - A role that has C(default_transaction_read_only = off) of its own overrides the database. It is reported
    and left as it is.
  - Never ended are Firebreak's own sessions, those of superusers and of roles that replicate, sessions that
    listen for notifications, and those of pg_dump, pg_basebackup, pgBackRest, Barman and their like. A
    session is ended only while its pid and its start are those that were planned.
  - On a standby there is nothing to do. Needs a superuser, on PostgreSQL 13 to 18.
extends_documentation_fragment:
  - firebreak.incident.change
  - firebreak.incident.context
  - firebreak.incident.postgres
  - firebreak.incident.services
options:
  database:
    description: Name of the database. By default that of O(postgres).
    type: str
  state:
    description:
      - V(read_only) keeps new sessions from writing and ends those that may still write. V(read_write) lets
        new sessions write and ends those that may not.
    type: str
    choices: [read_only, read_write]
    required: true
"""

EXAMPLES = r"""
- name: Nobody writes while we find out what corrupts the data
  firebreak.incident.pg_write_access:
    state: read_only
    postgres: "{{ firebreak_postgres }}"
    max_risk: disruptive

- name: Writable again
  firebreak.incident.pg_write_access:
    state: read_write
    postgres: "{{ firebreak_postgres }}"
    max_risk: disruptive
"""

RETURN = r"""
before:
  description:
    - The database as it was, as M(firebreak.incident.pg_write_access_info) returns it.
    - The symptom of O(state=read_only) is 1 when new sessions may write, and 1 for each session in
      C(sessions_writing); that of O(state=read_write) is 1 when they may not, and 1 for each that began so.
  returned: success
  type: dict
  sample: {database: zekka_production, read_only: false, setting: null, sessions: 12, sessions_writing: 12}
after:
  description: The same, measured again.
  returned: success
  type: dict
  sample: {database: zekka_production, read_only: true, setting: "on", sessions: 12, sessions_writing: 0}
actions:
  description:
    - Every act with its C(target), C(risk), C(status) (V(planned), V(done), V(refused) or V(failed)) and
      C(reason).
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
  description: That the database is read-only, and who may write to it all the same.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import change_spec, run_change
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.write_access.job import SPEC, job


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **change_spec()}, supports_check_mode=True)
    try:
        # Closing a database is never refused because it was opened again before.
        result = run_change(module.params, module.check_mode, job(module.params), cooldown=False)
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
