#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a host everything that matters in an incident, at once."""

from __future__ import annotations

DOCUMENTATION = r"""
module: triage_info
short_description: Ask a host what is wrong, in one look
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Looks at the host, its services and what they stand on, at the network, the logs and the logins, all at
    once, and returns what is wrong, the worst first. Changes nothing.
  - Nothing has to be configured, installed or running. Without O(services), failed units, dead containers and
    what was stopped since boot are reported; without O(postgres) and O(redis), the servers that are plainly
    there are looked at. A section that hangs or breaks is itself a finding,
    C(triage.section.unseen), and costs no other section.
extends_documentation_fragment:
  - firebreak.incident.context
  - firebreak.incident.endpoints
  - firebreak.incident.postgres
  - firebreak.incident.redis
  - firebreak.incident.services
options:
  sections:
    description:
      - What to look at.
      - V(host) is CPU, memory, pressure, disks, cgroups and processes. V(services) is systemd units and
        containers. V(changes) is what was installed, deployed, started and configured lately. V(postgres) and
        V(redis) are the servers themselves. V(tls) is the certificates that are served, V(http) the health of
        O(services) and O(endpoints). V(network) is sockets, routes, name resolution and the clock,
        V(firewall) is rules, jails and blocks. V(logins) is who tried to log in and who did, V(logs) is what
        the logs complain of, V(monitoring) is Prometheus, Alertmanager and Grafana.
    type: list
    elements: str
    choices:
      [host, services, changes, postgres, redis, tls, http, network, firewall, logins, logs, monitoring]
    default:
      [host, services, changes, postgres, redis, tls, http, network, firewall, logins, logs, monitoring]
  timeout:
    description: Seconds that each section may take. One that takes longer is reported as not seen.
    type: int
    default: 10
  monitoring:
    description: The monitoring that watches this host, as in C(firebreak_monitoring). Base URLs.
    type: dict
    default: {}
    suboptions:
      prometheus:
        description: For example V(http://prometheus.example:9090).
        type: str
      alertmanager:
        description: For example V(http://alertmanager.example:9093).
        type: str
      grafana:
        description: For example V(https://grafana.example).
        type: str
  login_window:
    description: How far back login attempts are looked for, in seconds or as V(90m), V(1h), V(2d).
    type: str
    default: 1h
"""

EXAMPLES = r"""
- name: What is wrong with this host?
  firebreak.incident.triage_info:

- name: Are the services up, and do they answer?
  firebreak.incident.triage_info:
    sections: [services, http]
    services:
      app: {runtime: systemd, unit: zekka.service, health: "http://127.0.0.1:3000/health"}
      cadvisor: {runtime: compose, project: matrixon, service: cadvisor, essential: false}
    endpoints:
      - {url: "https://api.zekka.example/", connect_to: "127.0.0.1:443"}
"""

RETURN = r"""
host:
  description:
    - Load, shares of CPU time in percent over C(interval) seconds, pressure in percent of the last 10 s,
      memory and filesystems in bytes, C(swap_in) in bytes a second, C(oom) kills, and the processes that use
      the most CPU (percent of one CPU) and memory (C(rss) in bytes).
    - A value that this host does not tell is null; C(unseen) names what it should have told.
  returned: when the section is asked for; null when it was not seen
  type: dict
services:
  description:
    - Every configured service and every compose service of the host with its C(state), one of C(running),
      C(starting), C(degraded), C(unhealthy), C(restarting), C(down) and C(unseen), and its C(containers).
  returned: when the section is asked for; null when it was not seen
  type: list
  elements: dict
changes:
  description:
    - What changed within C(window_seconds), the newest first in C(changes), each with C(time), C(kind),
      C(subject), C(what) and, where it is known, C(by) whom; what starts together is one change. C(releases)
      is the commit that each service's directory is at.
  returned: when the section is asked for; null when it was not seen
  type: dict
postgres:
  description:
    - Whether the administrator and the application get in, C(connections) against their limit, sessions by
      state, who blocks whom, the longest transactions (seconds), replication (bytes and seconds), slots, the
      archiver and the age of the oldest transaction id.
  returned: when the section is asked for; null when there is no server or it was not seen
  type: dict
redis:
  description:
    - Role, memory (bytes) against its limit and policy, errors, evictions, clients, persistence, replication
      and the slow log (microseconds).
  returned: when the section is asked for; null when there is no server or it was not seen
  type: dict
tls:
  description:
    - For each endpoint with TLS what every address of it serves, and the C(file) it should come from. Of each
      certificate the sha256 C(fingerprint), C(not_before), C(not_after), C(seconds_left), C(share_left) of
      its lifetime, C(issuer), C(serial) and C(names). C(complaint) is why a client would refuse it.
  returned: when the section is asked for; null when no endpoint has TLS or it was not seen
  type: list
  elements: dict
http:
  description: Every URL that was asked with its C(status) or C(error) and the C(seconds) it took.
  returned: when the section is asked for; null when it was not seen
  type: list
  elements: dict
network:
  description:
    - Listeners with their processes, sockets by state, the addresses with the most connections and bytes,
      kernel counters over C(interval) seconds, conntrack, interfaces, default routes, name servers with what
      each answered and in how many seconds, and the clock (offset in seconds).
  returned: when the section is asked for; null when it was not seen
  type: dict
firewall:
  description:
    - How many tables, chains and rules nftables and iptables (v4, v6, legacy) hold, whether ufw is active,
      the jails of fail2ban with their bans, and Firebreak's own blocks.
  returned: when the section is asked for; null when it was not seen
  type: dict
logins:
  description:
    - What M(firebreak.incident.login_attempts_info) returns for O(login_window), and C(sessions), who is
      logged in now, and C(sudo), who used it (each null when this host does not tell).
    - At most 32 MiB of the logs are read, the newest of them.
  returned: when the section is asked for; null when it was not seen
  type: dict
logs:
  description:
    - Errors by source, now against the hour before, answers of nginx by class, denied packets and denials of
      AppArmor or SELinux.
  returned: when the section is asked for; null when it was not seen
  type: dict
monitoring:
  description: Whether Prometheus, Alertmanager and Grafana answer, and the alerts that fire.
  returned: when the section is asked for; null when none is configured or it was not seen
  type: dict
sections:
  description:
    - For each section the C(seconds) it took, its C(status), C(seen) or C(unseen), and for the latter the
      C(reason).
  returned: success
  type: dict
  sample: {host: {seconds: 0.42, status: seen, reason: null}}
seconds:
  description: How long the whole look took on the host.
  returned: success
  type: float
findings:
  description: What is wrong, the worst first.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec, run_info
from ansible_collections.firebreak.incident.plugins.module_utils.triage.sections import judge, look
from ansible_collections.firebreak.incident.plugins.module_utils.triage.table import SPEC, chosen


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **context_spec()}, supports_check_mode=True)
    try:
        sections = chosen(module.params)
        result = run_info(lambda: look(sections, module.params["timeout"]), judge)
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
