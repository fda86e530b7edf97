#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks once whether users are served."""

from __future__ import annotations

DOCUMENTATION = r"""
module: recovery_info
short_description: Look once whether users are served
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Asks the health URLs of O(services), the O(endpoints), and a Prometheus for the share of failed
    requests and the latency, all at once. Changes nothing. M(firebreak.incident.recovery) looks again and
    again.
  - What Prometheus does not tell is a warning and makes nothing unhealthy; that there is nothing at all
    to ask does.
extends_documentation_fragment:
  - firebreak.incident.context
  - firebreak.incident.endpoints
  - firebreak.incident.recovery
  - firebreak.incident.services
"""

EXAMPLES = r"""
- name: Are users served?
  firebreak.incident.recovery_info:
    endpoints:
      - {url: "https://api.zekka.example/health", connect_to: "127.0.0.1:443"}
    prometheus: http://prometheus.example:9090
"""

RETURN = r"""
healthy:
  description: Whether nothing critical was found at the last look.
  returned: success
  type: bool
reasons:
  description: What was not well at the last look.
  returned: success
  type: list
  elements: str
probes:
  description: Each URL with its C(status), C(error) and C(seconds).
  returned: success
  type: list
  elements: dict
measured:
  description: >-
    What Prometheus says of C(errors) (percent) and C(latency) (seconds), each with C(value), null when there
    is nothing to count, and C(unseen), why it is not known.
  returned: success
  type: dict
findings:
  description: What is wrong, the worst first.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec, run_info
from ansible_collections.firebreak.incident.plugins.module_utils.recovery.decide import judge
from ansible_collections.firebreak.incident.plugins.module_utils.recovery.job import SPEC, limits, look


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **context_spec()}, supports_check_mode=True)
    try:
        result = run_info(lambda: look(module.params), lambda seen: judge(seen, limits(module.params)))
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
