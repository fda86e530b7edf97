#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts a host off from everything but its responders, or lets it back on the network."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network_isolation
short_description: Cut a host off from everything but its responders, or let it back on the network
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - With O(state=isolated), only SSH with the management addresses, loopback and what IPv6 needs on its own
    link pass in and out, for the host and for its containers, over IPv4 and IPv6. It is done in a table of
    its own, C(inet firebreak_isolation); no other rule set is touched. Every other TCP connection is ended,
    here and in the network namespaces of containers.
  - Before anything else, a timer of systemd is armed that deletes the table after O(dead_man_seconds). The
    module's action plugin then opens a new SSH connection, which shares nothing with the one that isolated
    the host, and stops the timer over it. When that does not succeed, the task fails and the host frees
    itself, even when neither Ansible nor Python can run on it any more.
  - Management is the address at the far end of the SSH connection that the module was started from, the
    controller's addresses and C(firebreak_management_addresses). When there is no such connection, the module
    refuses. So does its action plugin when the host is not reached over SSH.
  - What is proved is in RV(proof). A second run changes nothing, unless the table was altered, a connection
    is left, or an earlier run was never confirmed.
  - Logins that ask a directory server (LDAP) do not work while the host is isolated, so it is not confirmed
    with one and frees itself. Use an account of the host.
  - Somebody who is root on the host can remove the table, and a reboot removes it. Isolate at the switch, the
    hypervisor or the cloud's firewall as well where that can be done.
  - Traffic that is only bridged passes the table while C(br_netfilter) is on. While it is off, containers on
    one network still reach each other, and so do virtual machines on a bridge with a network card; a finding
    says so. A container or machine with a network card of its own (macvlan, ipvlan, passed through) does not
    pass the host's tables at all.
  - With O(state=released), the table and all timers are removed. Connections that were ended stay ended.
extends_documentation_fragment:
  - firebreak.incident.change
  - firebreak.incident.context
options:
  state:
    description: Whether the host is to be cut off or to be back on the network.
    type: str
    choices: [isolated, released]
    default: isolated
  management_addresses:
    description:
      - Addresses and networks that SSH is kept for, beside the one the module is reached from. Networks wider
        than /16 (IPv6 /32) are refused. The action plugin adds C(firebreak_management_addresses) and the
        controller's own addresses.
    type: list
    elements: str
    default: []
  dead_man_seconds:
    description:
      - After how long the host frees itself when nobody confirms the isolation, in seconds or as V(2m). From
        30 seconds to one hour.
    type: str
    default: "120"
  confirm:
    description:
      - Stop the timer of an isolation instead of doing anything else. Used by the action plugin over its new
        connection; there is no need to give it by hand.
    type: dict
    suboptions:
      timer:
        description: The unit of systemd without its ending, from C(after.timer) of the run that isolated.
        type: str
        required: true
      connection:
        description: RV(connection) of the run that isolated. Over this connection nothing is confirmed.
        type: str
        required: true
"""

EXAMPLES = r"""
- name: Cut the host off from everybody but the responders
  firebreak.incident.network_isolation:
    max_risk: disruptive

- name: Let it back on the network
  firebreak.incident.network_isolation:
    state: released
    max_risk: disruptive
"""

RETURN = r"""
before:
  description:
    - The state before anything was done. C(isolated) and C(intact) of the table, C(management) and
      C(ssh_port) that it lets in, C(timers) that wait to free the host (C(unit), C(until) in UTC), the number
      of C(connections) by kind (C(management), C(foreign), C(bridged)), and the first 20 C(foreign) ones.
  returned: success
  type: dict
after:
  description:
    - The same, measured again afterwards; the state before in check mode. C(timer) is the one that this run
      armed and that is not confirmed yet.
  returned: success
  type: dict
confirmed:
  description: Whether the isolation was confirmed over a new connection and stays.
  returned: when the host was isolated by this task
  type: bool
proof:
  description:
    - What shows that the isolation holds. C(management) names the new connection; C(inbound) the TCP ports
      that the host listens on and the controller could not connect to, up to three; C(outbound) the places
      that no datagram of the host leaves for.
  returned: when the isolation was confirmed
  type: dict
  sample:
    management: 198.51.100.7 50312
    inbound: [80, 443]
    outbound: [192.0.2.1, "2001:db8::1"]
connection:
  description: Address and port at the far end of the SSH connection that the module ran over.
  returned: success, with O(state=isolated)
  type: str
  sample: 198.51.100.7 50311
listening:
  description: The TCP ports of the host that listen on more than loopback, without the one of SSH.
  returned: success, with O(state=isolated)
  type: list
  elements: int
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
  description: That the host is isolated, and what is wrong with that.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.isolation.job import SPEC, run
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import change_spec


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **change_spec()}, supports_check_mode=True)
    try:
        result = run(module.params, module.check_mode)
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
