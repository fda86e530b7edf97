#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Closes accounts against every way in, or opens them again."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lock_users
short_description: Close accounts against every way in, or open them again
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - With O(state=locked), locks the password of each account and lets the account expire, in one step. A
    locked password alone leaves SSH keys, C(su) and cron open. PAM, and sshd without PAM as well, let nobody
    into an account that has expired, whatever they bring. Shell, keys and files stay as they are.
  - With O(state=unlocked), puts the account back to what it was before Firebreak locked it, as the ledger
    says. An account that somebody else has locked gets its password unlocked and never expires.
  - Never locks root, the account the responder works with, an account of a directory such as LDAP, or an
    account of the system that has processes running.
  - A lock keeps out who comes. Who is in stays in until M(firebreak.incident.end_sessions) ends that.
  - Whether an account is closed is read from C(/etc/shadow), before and after. No password hash is returned
    or kept.
extends_documentation_fragment:
  - firebreak.incident.change
  - firebreak.incident.context
options:
  users:
    description: Names of accounts.
    type: list
    elements: str
    required: true
  state:
    description: Whether the accounts are to be closed or to be open.
    type: str
    choices: [locked, unlocked]
    default: locked
"""

EXAMPLES = r"""
- name: Close an account that somebody has broken into
  firebreak.incident.lock_users:
    users: [deploy]

- name: Open it again, exactly as it was
  firebreak.incident.lock_users:
    users: [deploy]
    state: unlocked
"""

RETURN = r"""
before:
  description:
    - The state before anything was done. C(users) holds for each account what its C(password) is (V(set),
      V(locked), V(empty) or V(none)), the day it C(expires) (null for never) and whether it is C(closed).
  returned: success
  type: dict
  sample: {users: {deploy: {password: set, expires: null, closed: false}}}
after:
  description: The same, read again afterwards; the state before in check mode.
  returned: success
  type: dict
  sample: {users: {deploy: {password: locked, expires: "1970-01-02", closed: true}}}
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
  description:
    - What goes on although an account is closed, such as running processes, another account with the same
      number, jobs that wait, and services of PAM that do not look at the expiry date.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.accounts.job import LOCK_SPEC, lock_job
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.ledger import Ledger
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import change_spec, run_change


def main() -> None:
    module = AnsibleModule(argument_spec={**LOCK_SPEC, **change_spec()}, supports_check_mode=True)
    ledger = Ledger()
    try:
        result = run_change(module.params, module.check_mode, lock_job(module.params, ledger), ledger)
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
