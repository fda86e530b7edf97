#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks addresses on a host, or finds and removes what blocks them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ip_block
short_description: Block addresses on a host, or let them in again
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - With O(state=present), drops everything from and to the addresses, in a nftables table of its own,
    C(inet firebreak_block), which comes before Docker's address translation. So published ports of
    containers are covered, IPv4 and IPv6, and no rule of ufw, fail2ban or Docker is touched.
  - A block counts when new connections fail B(and) the established ones are dead. Packets are dropped in
    both directions, and sockets with the addresses are ended on the host and in the containers' network
    namespaces.
  - With O(state=absent), looks for the addresses in every layer that may block them (Firebreak's own
    table, all of nftables, iptables and ip6tables, legacy too, ufw, fail2ban, hosts.deny, nginx C(deny))
    and removes each rule from the layer that holds it. Entries of hosts.deny and nginx
    are taken out of their files, which undo puts back. Files that load other rules at boot are not edited.
  - A rule that holds other addresses too (a network, a list, everybody) is not removed for one of them. It
    is named in a refusal.
extends_documentation_fragment:
  - firebreak.incident.change
  - firebreak.incident.context
options:
  addresses:
    description:
      - IPv4 and IPv6 addresses or networks. Networks wider than /16 (IPv6 /32) are refused, and so is what
        is protected, which is the responder's own connection, this host and its gateway, name servers and
        container networks, the other hosts of the inventory, the ranges of content delivery networks and
        C(firebreak_protected_addresses).
    type: list
    elements: str
    required: true
  state:
    description: Whether the addresses are to be blocked or to be let in.
    type: str
    choices: [present, absent]
    default: present
  duration:
    description:
      - How long a block lasts, from one minute to 30 days, such as V(10m), V(24h) or V(7d), or seconds.
      - An address whose block still lasts a tenth of this counts as blocked and is left alone, so that a
        second run changes nothing. One that ends sooner is extended.
    type: str
    default: 24h
  kill_connections:
    description:
      - Whether to end the established connections with the addresses. That is a V(disruptive) act and
        cannot be undone. With O(max_risk=reversible) a plan which holds it is refused as a whole.
      - With V(false), the block alone is made. Connections that exist starve, since their packets are
        dropped, but the programs on this host hold their ends open until they give up.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Block an attacker for a day, connections included
  firebreak.incident.ip_block:
    addresses: [203.0.113.7, "2001:db8:66::/64"]
    max_risk: disruptive

- name: Block without ending what is connected now
  firebreak.incident.ip_block:
    addresses: [203.0.113.7]
    duration: 10m
    kill_connections: false

- name: Let a customer in again, whatever shut them out
  firebreak.incident.ip_block:
    addresses: [203.0.113.7]
    state: absent
"""

RETURN = r"""
before:
  description: The state before anything was done. With O(state=present) the addresses that are C(blocked),
    those that are C(missing), and the number of C(connections) with them; with O(state=absent) the
    addresses that are C(blocked), and the C(blocks) as M(firebreak.incident.ip_block_info) returns them
  returned: success
  type: dict
  sample: {blocked: [], missing: [203.0.113.7], connections: 3}
after:
  description: The same, measured again afterwards; the state before in check mode.
  returned: success
  type: dict
  sample: {blocked: [203.0.113.7], missing: [], connections: 0}
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
  description: What is still open, still connected or still blocked, and the layers that could not be read.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.firewall.job import SPEC, job
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
