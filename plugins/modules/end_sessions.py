#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends login sessions and what their users have left running."""

from __future__ import annotations

DOCUMENTATION = r"""
module: end_sessions
short_description: End login sessions and the processes left behind
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Ends sessions with everything in them, SSH connections and jobs that were detached from their terminal
    included. What does not end by itself within two seconds is killed.
  - A session is told by its id, its leading process and the start of that process, as logind knows them; on
    a host without logind by its process as C(who) knows it.
  - Never ends the responder's own session, nor others of the same account; of root's, none that come from
    the responder's own address.
  - Processes are told by account, control group and pid namespace. A container's processes that show the
    same number on the host are not the user's and are left alone, and so are services that run under the
    account. Both are said in the findings or not touched at all.
  - Every act is V(disruptive), so O(max_risk=disruptive) is needed. None can be taken back. Collect evidence
    before, and lock the account with M(firebreak.incident.lock_users) first, or they log in again.
extends_documentation_fragment:
  - firebreak.incident.change
  - firebreak.incident.context
options:
  users:
    description:
      - End all sessions of these users. An empty list names nobody, which is fine; one of O(users),
        O(addresses), O(sessions) and O(all_but_mine) must be given.
    type: list
    elements: str
  addresses:
    description:
      - End the sessions that come from these addresses or networks, whoever's they are. Their users' other
        sessions and processes are left alone. A session from a protected address is refused when nothing
        else names it.
    type: list
    elements: str
  sessions:
    description: End the sessions with these ids, as M(firebreak.incident.sessions_info) lists them.
    type: list
    elements: str
  all_but_mine:
    description: End everybody's sessions but those of the responder.
    type: bool
    default: false
  keep:
    description: Names of users, addresses, networks and ids of sessions that are left alone.
    type: list
    elements: str
    default: []
  processes:
    description:
      - Whether to end what O(users) have running outside of their sessions as well, such as jobs of cron and
        their service manager; with O(all_but_mine) that of everybody whose sessions end. Those of root and
        of the accounts of the system are never ended.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Throw somebody out who has broken into an account
  firebreak.incident.end_sessions:
    users: [deploy]
    max_risk: disruptive

- name: End whatever comes from one address
  firebreak.incident.end_sessions:
    addresses: [203.0.113.7]
    max_risk: disruptive
"""

RETURN = r"""
before:
  description:
    - The state before anything was done. C(sessions) lists those that are to end, and C(processes) counts
      for each user what runs outside of them.
  returned: success
  type: dict
  sample: {sessions: [{id: "12", user: deploy, from: 203.0.113.7, leader: 4242}], processes: {deploy: 3}}
after:
  description: The same, measured again afterwards; the state before in check mode.
  returned: success
  type: dict
  sample: {sessions: [], processes: {}}
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
  description:
    - Accounts that are still open, services that run under them, and processes that were started from their
      logins and have become somebody else's.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.accounts.job import END_SPEC, end_job
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import change_spec, run_change


def main() -> None:
    module = AnsibleModule(argument_spec={**END_SPEC, **change_spec()}, supports_check_mode=True)
    try:
        result = run_change(module.params, module.check_mode, end_job(module.params))
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
