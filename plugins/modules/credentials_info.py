#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says which credentials a host has and when they were last rotated."""

from __future__ import annotations

DOCUMENTATION = r"""
module: credentials_info
short_description: See which credentials a host has, and how old they are
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Looks whether the users of O(credentials) are there and have a password, how many sessions they have
    now, and when M(firebreak.incident.credentials) last rotated them. Changes nothing and reads no secret.
extends_documentation_fragment:
  - firebreak.incident.context
  - firebreak.incident.credentials
  - firebreak.incident.postgres
  - firebreak.incident.redis
  - firebreak.incident.services
"""

EXAMPLES = r"""
- name: How old are the credentials of this host?
  firebreak.incident.credentials_info:
    credentials: "{{ firebreak_credentials }}"
    postgres: "{{ firebreak_postgres }}"
    redis: "{{ firebreak_redis }}"
"""

RETURN = r"""
credentials:
  description: Each of O(credentials), in their order.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    kind:
      description: Its kind.
      type: str
    user:
      description: Its user.
      type: str
    usable:
      description: Whether the user is there and has a password.
      type: bool
    problem:
      description: Why not, null when it is.
      type: str
    passwords:
      description: How many passwords are valid for the user, null when its server could not be asked.
      type: int
    sessions:
      description: Sessions that the user has now, null for a kind without.
      type: int
    rotated:
      description: When it was last rotated (UTC), null when the ledger of the host does not know.
      type: str
    age_seconds:
      description: How long ago that is, in seconds.
      type: int
findings:
  description: Users that are missing, have no password or several, and rotations that never ended.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.credentials.decide import inform
from ansible_collections.firebreak.incident.plugins.module_utils.credentials.job import look
from ansible_collections.firebreak.incident.plugins.module_utils.credentials.model import INFO_SPEC
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec, run_info


def main() -> None:
    module = AnsibleModule(argument_spec={**INFO_SPEC, **context_spec()}, supports_check_mode=True)
    try:
        result = run_info(observe=lambda: look(module.params), decide=inform)
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
