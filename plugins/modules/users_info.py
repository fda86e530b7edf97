#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says which accounts are open and by what."""

from __future__ import annotations

DOCUMENTATION = r"""
module: users_info
short_description: See which accounts of a host are open
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Reads the local accounts with the state of their passwords and their expiry. Changes nothing, and
    returns no password hash.
extends_documentation_fragment:
  - firebreak.incident.context
options:
  users:
    description: Names of accounts. Without any, those of people and all with a password.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Who can log in here?
  firebreak.incident.users_info:
"""

RETURN = r"""
users:
  description: The accounts.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
      sample: deploy
    uid:
      description: Its number.
      type: int
      sample: 1001
    shell:
      description: Its shell.
      type: str
      sample: /bin/bash
    password:
      description: V(set), V(locked), V(empty) (none is asked for) or V(none) (none fits).
      type: str
      sample: set
    expires:
      description: The day it expires, null for never.
      type: str
      sample: "2026-12-31"
    closed:
      description: Whether neither a password nor anything else lets anybody in.
      type: bool
    processes:
      description: How many processes of its owner run, without services and containers; null below uid 1000.
      type: int
      sample: 3
    jobs:
      description: What can start without a login.
      type: list
      elements: str
      sample: [a crontab]
    own:
      description: Whether it is the responder's own.
      type: bool
findings:
  description: Accounts that are closed, locked by half, or need no password.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.accounts.decide import inform
from ansible_collections.firebreak.incident.plugins.module_utils.accounts.job import INFO_SPEC
from ansible_collections.firebreak.incident.plugins.module_utils.accounts.observe import users
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec, run_info


def main() -> None:
    module = AnsibleModule(argument_spec={**INFO_SPEC, **context_spec()}, supports_check_mode=True)
    named = module.params["users"]
    try:
        result = run_info(observe=lambda: users(named), decide=lambda seen: inform(seen, named))
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
