#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says whether a PostgreSQL database may be written to, and by whom."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_write_access_info
short_description: See whether a PostgreSQL database may be written to, and by whom all the same
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Looks at C(default_transaction_read_only) of a database, of its roles and of the server, at the sessions
    that began before it was set, and at what a new session really meets. Changes nothing.
  - The new session is the application's where its password is configured, else the administrator's. It tries
    a C(DELETE) that would delete nothing.
  - Needs a superuser, on PostgreSQL 13 to 18.
extends_documentation_fragment:
  - firebreak.incident.context
  - firebreak.incident.postgres
  - firebreak.incident.services
options:
  database:
    description: Name of the database. By default that of O(postgres).
    type: str
"""

EXAMPLES = r"""
- name: May anybody write?
  firebreak.incident.pg_write_access_info:
    postgres: "{{ firebreak_postgres }}"
"""

RETURN = r"""
database:
  description: Its name.
  returned: success
  type: str
standby:
  description: Whether the server is a standby, which nobody writes to.
  returned: success
  type: bool
read_only:
  description: Whether a new session may not write, as it was tried where that could be tried.
  returned: success
  type: bool
setting:
  description: What is set for the database, null when nothing is.
  returned: success
  type: str
since:
  description: Since when new sessions begin read-only (UTC), null when they do not or nobody wrote it down.
  returned: success
  type: str
overrides:
  description: Roles that may write all the same, by C(default_transaction_read_only = off) of their own.
  returned: success
  type: list
  elements: str
sessions:
  description:
    - How many sessions are there, without those of tools that look after a server and those of superusers;
      the application's count although it is one.
  returned: success
  type: int
sessions_writing:
  description: How many of them may write. When C(since) is null in a database that is read-only, all of them.
  returned: success
  type: int
superuser_sessions:
  description: How many sessions of superusers are there. Nothing keeps them from writing.
  returned: success
  type: int
proof:
  description: What a new session met, null on a standby.
  returned: success
  type: dict
  contains:
    user:
      description: Who tried.
      type: str
    transaction_read_only:
      description: What it was told, null when it did not get in.
      type: bool
    write_refused:
      description: Whether its write was refused for that reason, null when it could not be tried.
      type: bool
    problem:
      description: Why it was not tried as the application, null when it was.
      type: str
findings:
  description: What is wrong with it. Nothing for a database that may be written to.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec, run_info
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.write_access.job import (
    INFO_SPEC,
    judge,
    look,
)


def main() -> None:
    module = AnsibleModule(argument_spec={**INFO_SPEC, **context_spec()}, supports_check_mode=True)
    try:
        result = run_info(observe=lambda: look(module.params), decide=judge)
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
