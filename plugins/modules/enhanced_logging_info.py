#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what logs more than usual, and until when."""

from __future__ import annotations

DOCUMENTATION = r"""
module: enhanced_logging_info
short_description: See what logs more than usual
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Lists the units that M(firebreak.incident.enhanced_logging) has changed, with the end of that. Changes
    nothing.
extends_documentation_fragment:
  - firebreak.incident.context
"""

EXAMPLES = r"""
- name: Does anything still log everything?
  firebreak.incident.enhanced_logging_info:
"""

RETURN = r"""
enhanced:
  description: The units with a drop-in of Firebreak.
  returned: success
  type: list
  elements: dict
  contains:
    unit:
      description: The unit.
      type: str
      sample: app.service
    until:
      description: When it ends, in UTC, null when that cannot be read.
      type: str
      sample: "2026-11-21T23:01:07.123Z"
    armed:
      description: Whether a timer waits to end it.
      type: bool
findings:
  description: Each unit that logs more than usual; one that nothing will end is a warning.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.enhanced_logging.decide import inform
from ansible_collections.firebreak.incident.plugins.module_utils.enhanced_logging.observe import everything
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec, run_info
from ansible_collections.firebreak.incident.plugins.module_utils.moments import utc_now


def main() -> None:
    module = AnsibleModule(argument_spec=context_spec(), supports_check_mode=True)
    try:
        result = run_info(observe=everything, decide=lambda current: inform(current, utc_now()))
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
