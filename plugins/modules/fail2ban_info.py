#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what fail2ban does on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fail2ban_info
short_description: Ask fail2ban for its jails and whom they hold
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Asks fail2ban 0.11 to 1.1 through its own client program. Changes nothing.
  - A host without fail2ban is no finding; one where it is installed and does not answer is.
extends_documentation_fragment:
  - firebreak.incident.context
"""

EXAMPLES = r"""
- name: Whom has fail2ban banned?
  firebreak.incident.fail2ban_info:
"""

RETURN = r"""
installed:
  description: Whether fail2ban is on this host.
  returned: success
  type: bool
running:
  description: Whether its server answers.
  returned: success
  type: bool
version:
  description: Its version, null when it is not installed.
  returned: success
  type: str
  sample: 1.0.2
jails:
  description: Every jail of a running server.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the jail.
      type: str
      sample: sshd
    failed:
      description: Addresses that have failed and are not banned, now.
      type: int
    failed_total:
      description: Failures since the server started.
      type: int
    banned:
      description: Addresses banned now.
      type: int
    banned_total:
      description: Bans since the server started.
      type: int
    bantime:
      description: How long a ban lasts, in seconds; negative when it has no end.
      type: int
      sample: 600
    findtime:
      description: The time in which failures are counted, in seconds.
      type: int
      sample: 600
    maxretry:
      description: So many failures lead to a ban.
      type: int
      sample: 5
    addresses:
      description:
        - Who is banned, at most 500, each with its C(address) and C(until), the end of the ban in UTC.
          That is null when the ban has no end, or when this version of fail2ban does not say.
      type: list
      elements: dict
usable_jails:
  description: Names of the jails whose bans have an end, so that M(firebreak.incident.fail2ban) bans in them.
  returned: success
  type: list
  elements: str
  sample: [sshd]
findings:
  description: A server that does not answer, and jails whose bans have no end.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.fail2ban.decide import inform
from ansible_collections.firebreak.incident.plugins.module_utils.fail2ban.observe import server
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec, run_info


def main() -> None:
    module = AnsibleModule(argument_spec=context_spec(), supports_check_mode=True)
    try:
        result = run_info(observe=server, decide=inform)
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
