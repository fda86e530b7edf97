#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says who is logged in, and what runs for those who are not."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sessions_info
short_description: See who is logged in on a host
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Asks logind, or C(who) on a host without it, and looks for processes of people who are not logged in.
    Changes nothing.
extends_documentation_fragment:
  - firebreak.incident.context
"""

EXAMPLES = r"""
- name: Who is logged in?
  firebreak.incident.sessions_info:
"""

RETURN = r"""
sessions:
  description: Every session that has a process, the responder's included.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its id, null on a host without logind.
      type: str
      sample: "12"
    user:
      description: Who is logged in.
      type: str
      sample: deploy
    from:
      description: Where from, null for a local login.
      type: str
      sample: 203.0.113.7
    terminal:
      description: The terminal, null without one.
      type: str
      sample: pts/0
    service:
      description: What let them in, null when that is not known.
      type: str
      sample: sshd
    since:
      description: Since when, as the host writes it.
      type: str
      sample: Sat 2026-11-21 23:50:03 UTC
    leader:
      description: Process id of what logged them in.
      type: int
      sample: 4242
    own:
      description: Whether it is the responder's, so that it is never ended.
      type: bool
left_behind:
  description: Processes of people who are not logged in, each with C(user), C(pid) and C(name), at most 50 of
    each.
  returned: success
  type: list
  elements: dict
findings:
  description: Who has processes running without being logged in.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.accounts.ending import inform
from ansible_collections.firebreak.incident.plugins.module_utils.accounts.observe import sessions
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec, run_info


def main() -> None:
    module = AnsibleModule(argument_spec=context_spec(), supports_check_mode=True)
    try:
        result = run_info(observe=sessions, decide=inform)
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
