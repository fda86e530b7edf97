#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes services log more for a while."""

from __future__ import annotations

DOCUMENTATION = r"""
module: enhanced_logging
short_description: Make services and sshd log more, with an end
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Gives a systemd unit other environment variables, C(LOG_LEVEL=debug) unless told otherwise, and restarts
    it. A level that is exported in a shell never reaches a unit.
  - Makes sshd log at C(VERBOSE), with the fingerprint of every key that is tried, by its command line.
    Established sessions outlive the restart where systemd ends only the process that listens.
  - Everything lies under C(/run), so it does not outlive a boot. A timer of systemd is armed before anything
    is changed; it takes the change back and restarts the unit even when nobody comes back.
  - The restart of a service is V(disruptive), and what its process has in memory is lost. With a lower
    O(max_risk) the service is refused and the rest is done.
  - Refused, too, where a filesystem with logs has less than 10 percent and less than 1 GiB left, or as few
    inodes, and for services in containers, whose environment cannot be changed without making them anew.
  - Whether it is in effect is read from the environment and the command line of the running process. One
    that does not come up with it, or does not stay up, gets its old configuration back.
extends_documentation_fragment:
  - firebreak.incident.change
  - firebreak.incident.context
options:
  services:
    description: The services of the host as C(firebreak_services) of the inventory describes them.
    type: dict
    default: {}
  targets:
    description:
      - Names of O(services), and V(sshd). Without it the service C(app), where there is one of that name, and
        V(sshd).
    type: list
    elements: str
  environment:
    description: The variables by which a service is told to log more. They win over those of the unit.
    type: dict
    default: {LOG_LEVEL: debug}
  duration:
    description:
      - When it ends, between V(60s) and V(7d). Something that ends after at least half of that is left as it
        is.
    type: str
    default: 1h
"""

EXAMPLES = r"""
- name: See which keys are tried, without touching any service
  firebreak.incident.enhanced_logging:
    targets: [sshd]
    duration: 4h

- name: Have the application log everything for an hour
  firebreak.incident.enhanced_logging:
    services: "{{ firebreak_services }}"
    targets: [app]
    duration: 1h
    max_risk: disruptive
"""

RETURN = r"""
before:
  description:
    - The state before anything was done. C(targets) holds for each target its C(unit), whether it is
      C(enhanced) and, in UTC, C(until) when, null when it is not or has no end.
  returned: success
  type: dict
  sample: {targets: {app: {unit: app.service, enhanced: false, until: null}}}
after:
  description: The same, measured again afterwards; the state before in check mode.
  returned: success
  type: dict
  sample: {targets: {app: {unit: app.service, enhanced: true, until: "2026-11-21T23:01:07.123Z"}}}
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
  description: Targets that log as usual, with the reason, and places whose room could not be measured.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.enhanced_logging.job import SPEC, job
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
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
