#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bans addresses in a jail of fail2ban, or lets them go from all jails."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fail2ban
short_description: Ban addresses with fail2ban, or let them go
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - With O(state=present), bans the addresses in one jail, for as long as that jail bans. A jail whose bans
    have no end is refused.
  - With O(state=absent), lets them go from every jail and from fail2ban's database, so that the ban does
    not come back when fail2ban is restarted. Lifting a ban in one jail alone leaves the one of C(recidive).
  - Whether an address is banned is asked of fail2ban for that very address, before and after.
  - A ban ends no established connection. M(firebreak.incident.ip_block) does.
extends_documentation_fragment:
  - firebreak.incident.change
  - firebreak.incident.context
options:
  addresses:
    description: IPv4 and IPv6 addresses or networks. What is protected is refused.
    type: list
    elements: str
    required: true
  state:
    description: Whether the addresses are to be banned or to be let go.
    type: str
    choices: [present, absent]
    default: present
  jail:
    description: The jail to ban in. O(state=absent) does not look at it.
    type: str
    default: sshd
"""

EXAMPLES = r"""
- name: Ban an address for as long as the jail sshd bans
  firebreak.incident.fail2ban:
    addresses: [203.0.113.7]

- name: Let it go from all jails
  firebreak.incident.fail2ban:
    addresses: [203.0.113.7]
    state: absent
"""

RETURN = r"""
before:
  description: The state before anything was done. C(banned) holds for each address the jails it is banned
    in
  returned: success
  type: dict
  sample: {banned: {203.0.113.7: []}}
after:
  description: The same, measured again afterwards; the state before in check mode.
  returned: success
  type: dict
  sample: {banned: {203.0.113.7: [sshd]}}
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
  description: Always empty; what is wrong with fail2ban itself, M(firebreak.incident.fail2ban_info) says.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.fail2ban.job import SPEC, job
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import change_spec, run_change


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **change_spec()}, supports_check_mode=True)
    try:
        result = run_change(module.params, module.check_mode, job(module.params))
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
