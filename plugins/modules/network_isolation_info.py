#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host is cut off from the network, since when, for whom it is open, and until when."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network_isolation_info
short_description: Whether a host is isolated, since when, and who still gets through
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Looks at the table that M(firebreak.incident.network_isolation) makes, whether its rules are still the
    ones it was made with, at the timers that would free the host, and at the connections that are left.
  - While the table stands, an empty datagram is sent to an address set aside for documentation over IPv4 and
    IPv6 each, to see that it does not leave the host.
extends_documentation_fragment:
  - firebreak.incident.context
"""

EXAMPLES = r"""
- name: See whether the host is isolated
  firebreak.incident.network_isolation_info:
"""

RETURN = r"""
isolated:
  description: Whether the table stands.
  returned: success
  type: bool
intact:
  description: Whether it stands as it was made, and nothing was seen to get past it.
  returned: success
  type: bool
since:
  description: When the host was isolated, UTC; null when it is not, or not by this collection.
  returned: success
  type: str
  sample: "2026-11-21T22:01:07.123Z"
run:
  description: Id of the run that isolated it.
  returned: success
  type: str
incident:
  description: Id of the incident that the run belonged to.
  returned: success
  type: str
actor:
  description: Who isolated it.
  returned: success
  type: str
management:
  description: Addresses and networks that SSH passes for.
  returned: success
  type: list
  elements: str
ssh_port:
  description: The port that SSH passes on.
  returned: success
  type: int
timers:
  description: What waits to free the host, C(unit) of systemd and C(until) when, UTC. Empty once confirmed.
  returned: success
  type: list
  elements: dict
dropped:
  description: Packets that were dropped, by chain (C(input), C(forward), C(output), C(postrouting)).
  returned: success
  type: dict
connections:
  description:
    - The number of TCP connections by kind. C(management) are kept, C(foreign) should not be there,
      C(bridged) are between containers and do not pass the table. All 0 when the host is not isolated.
  returned: success
  type: dict
foreign:
  description: The first 20 foreign connections.
  returned: success
  type: list
  elements: str
findings:
  description: That the host is isolated, and what is wrong with that.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec, run_info
from ansible_collections.firebreak.incident.plugins.module_utils.isolation.decide import report
from ansible_collections.firebreak.incident.plugins.module_utils.isolation.observe import look
from ansible_collections.firebreak.incident.plugins.module_utils.ledger import Ledger


def main() -> None:
    module = AnsibleModule(argument_spec=context_spec(), supports_check_mode=True)
    try:
        result = run_info(lambda: look(Ledger()), report)
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
