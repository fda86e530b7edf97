#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes back the acts of a run or an incident."""

from __future__ import annotations

DOCUMENTATION = r"""
module: undo
short_description: Take back the acts of a run or an incident, the newest first
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Reads the ledger of the host and takes back every act of a run or an incident that can be taken back and
    still stands, the newest first. What cannot be taken back is named in a finding.
  - An act that has been taken back already, here or by hand with another module of this collection, is left
    alone. Taking back an undo by its own run's id does the acts again.
  - An act on PostgreSQL is taken back on the server it was done on, which the ledger names. O(postgres) is
    where its password is taken from, when it is that server.
extends_documentation_fragment:
  - firebreak.incident.change
  - firebreak.incident.context
  - firebreak.incident.postgres
  - firebreak.incident.redis
  - firebreak.incident.services
options:
  id:
    description: Id of the run or of the incident.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Take back what one run did
  firebreak.incident.undo:
    id: 20261121-220107-3fa9
"""

RETURN = r"""
actions:
  description: The acts that were planned, done, refused or failed.
  returned: success
  type: list
  elements: dict
before:
  description: C(standing) names the acts that could be taken back before.
  returned: success
  type: dict
after:
  description: The same afterwards.
  returned: success
  type: dict
verdict:
  description: What came of it.
  returned: success
  type: str
  sample: resolved
plan_digest:
  description: Digest of the identities of the acts, for O(approved_plan).
  returned: success
  type: str
findings:
  description: What cannot be taken back.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.ledger import Ledger
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import change_spec, run_change
from ansible_collections.firebreak.incident.plugins.module_utils.undo.job import SPEC, job


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **change_spec()}, supports_check_mode=True)
    ledger = Ledger()
    try:
        result = run_change(
            module.params, module.check_mode, job(module.params, ledger), ledger, cooldown=False
        )
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
