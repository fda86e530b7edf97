#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says whether a TCP port can be reached from a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tcp_probe_info
short_description: Try whether a TCP port can be reached from here
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Opens one TCP connection and closes it again. Sends nothing.
  - Delegated to another host, it proves from outside that a block holds, or that it is gone.
extends_documentation_fragment:
  - firebreak.incident.context
options:
  host:
    description: Name or address to connect to. Each address of a name is tried.
    type: str
    required: true
  port:
    description: The TCP port.
    type: int
    required: true
  source:
    description: The address to connect from, one of the host's own. The host chooses when it is left out.
    type: str
  timeout:
    description: Seconds that all of it may take, name resolution included; at most 60.
    type: float
    default: 3.0
"""

EXAMPLES = r"""
- name: Is the attacker shut out?
  firebreak.incident.tcp_probe_info:
    host: db1.example.org
    port: 443
    source: 203.0.113.7
  delegate_to: probe1
"""

RETURN = r"""
connected:
  description: Whether the connection was opened.
  returned: success
  type: bool
seconds:
  description: How long that took.
  returned: success
  type: float
  sample: 0.004
peer:
  description: The address that answered, null when none did.
  returned: success
  type: str
error:
  description: Why there was no connection, null when there was one.
  returned: success
  type: str
  sample: timed out, no answer from 203.0.113.7
findings:
  description: That the port cannot be reached.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec, run_info
from ansible_collections.firebreak.incident.plugins.module_utils.tcp_probe.decide import decide
from ansible_collections.firebreak.incident.plugins.module_utils.tcp_probe.observe import SPEC, observe


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **context_spec()}, supports_check_mode=True)
    try:
        result = run_info(
            observe=lambda: observe(module.params), decide=lambda attempt: decide(attempt, module.params)
        )
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
