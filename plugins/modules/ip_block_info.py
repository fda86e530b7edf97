#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what blocks an address on a host, or what Firebreak blocks."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ip_block_info
short_description: Find out why an address is blocked, or list Firebreak's blocks
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - With O(addresses), looks for them in every layer of the host that may keep them out, which is
    Firebreak's own table, all tables, sets and verdict maps of nftables, iptables and ip6tables (legacy
    and C(DOCKER-USER) too), ufw, the jails of fail2ban, hosts.deny and C(deny) in nginx. Changes nothing.
  - A rule is reported once, by the layer that it belongs to, so what ufw and fail2ban make of their rules
    in iptables or nftables is not reported again.
  - Without O(addresses), lists everything that Firebreak itself blocks.
  - nginx inside a container is not looked into.
extends_documentation_fragment:
  - firebreak.incident.context
options:
  addresses:
    description: IPv4 and IPv6 addresses or networks to look for.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Why can this customer not reach us?
  firebreak.incident.ip_block_info:
    addresses: [203.0.113.7]

- name: What has Firebreak blocked here?
  firebreak.incident.ip_block_info:
"""

RETURN = r"""
blocks:
  description: Every rule that keeps one of the addresses out.
  returned: success
  type: list
  elements: dict
  contains:
    address:
      description: The address, network or list as the rule names it.
      type: str
      sample: 203.0.113.7
    layer:
      description:
        - One of V(firebreak), V(nft), V(iptables), V(ip6tables), V(iptables-legacy), V(ip6tables-legacy),
          V(ufw), V(fail2ban), V(hosts.deny) and V(nginx).
      type: str
      sample: iptables
    where:
      description: The table and chain, the jail, or the file and line.
      type: str
      sample: table filter chain DOCKER-USER
    rule:
      description: The rule as its layer writes it.
      type: str
      sample: -A DOCKER-USER -s 203.0.113.7/32 -j DROP
    until:
      description: When the block ends by itself, UTC; null when it does not, or when the layer does not
        say.
      type: str
      sample: "2026-11-22T08:00:00.000Z"
    packets:
      description: How many packets it has dropped, null where nobody counts. In both directions for
        V(firebreak).
      type: int
      sample: 4711
unseen:
  description: Layers that could not be read, each with its C(layer) and the C(reason).
  returned: success
  type: list
  elements: dict
findings:
  description: The addresses that are blocked, and the layers that could not be read.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.firewall.look import INFO_SPEC, inform, look
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec, run_info


def main() -> None:
    module = AnsibleModule(argument_spec={**INFO_SPEC, **context_spec()}, supports_check_mode=True)
    try:
        result = run_info(
            observe=lambda: look(module.params), decide=lambda snapshot: inform(snapshot, module.params)
        )
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
