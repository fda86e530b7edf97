#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replaces secrets, and proves that the old ones are dead."""

from __future__ import annotations

DOCUMENTATION = r"""
module: credentials
short_description: Rotate credentials, and prove that the old ones are dead
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - For each of O(credentials), in this order. A new secret is made on the controller and stored where
    O(store) says. It is set on the server. The site's command deploys it. It is verified by logging in
    with it. The old one is dropped and tried, which must fail. The sessions from before are ended.
  - When deploying or verifying fails, the old secret is put back, deployed again and tried, the new one is
    taken out of force, and the task fails. The message says which one is in force.
  - A role of PostgreSQL has one password, so the old one ends as the new one is set, and clients that
    connect before it is deployed are refused. A user of Redis has both until the new one is verified.
  - Sessions of PostgreSQL older than the change are ended, except replication. Connections of a Redis user
    are all ended, for the server does not know which secret they have shown. Logins of a system account are
    left to M(firebreak.incident.end_sessions).
  - Redis keeps the change over a restart with C(ACL SAVE) or C(CONFIG REWRITE); where neither works, a
    finding says so. C(CONFIG REWRITE) also writes down whatever else was changed at run time.
  - A credential that the incident of this run (C(incident) of the playbook) has rotated already is left
    alone. Without an incident every run rotates it again.
  - A secret is never on a command line, in a log, in the ledger or in the result.
extends_documentation_fragment:
  - firebreak.incident.change
  - firebreak.incident.context
  - firebreak.incident.credentials
  - firebreak.incident.postgres
  - firebreak.incident.redis
  - firebreak.incident.services
options:
  names:
    description: Only these of O(credentials), by their names. All of them when it is empty.
    type: list
    elements: str
    default: []
  store:
    description: Where the new secrets are kept. Asked before anything is changed; read on the controller.
    type: dict
    required: true
    suboptions:
      vault_file:
        description:
          - YAML file encrypted with Ansible Vault, of its own, for comments in it are lost. The run must
            have been started with the vault password that opens it. A file that does not exist is made.
          - The variable of O(credentials[].name) in it holds the secret in force. C(firebreak_rotations)
            holds how far each rotation is, the new secret while it is C(pending), and under C(kept) what
            is not proven dead.
        type: path
      command:
        description:
          - Command on the controller that stores a secret. It gets a JSON object on its standard input,
            with C(name), C(kind), C(user), C(host), C(run), C(incident), C(time), C(secret), C(status)
            (C(pending), C(current) or C(abandoned)) and C(old_is_dead), once before and once after the
            rotation.
        type: list
        elements: str
  hook_timeout:
    description: Seconds that each of the site's commands on the host may take.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Rotate what the application uses
  firebreak.incident.credentials:
    credentials:
      - name: vault_postgres_password
        kind: postgres
        user: zekka_user
        deploy: [/opt/zekka/scripts/set-secret, PGPASSWORD]
      - name: vault_redis_password
        kind: redis
        user: default
        deploy: [/opt/zekka/scripts/set-secret, REDIS_PASSWORD]
    postgres: "{{ firebreak_postgres }}"
    redis: "{{ firebreak_redis }}"
    store: {vault_file: group_vars/prod/secrets.yml}
    max_risk: disruptive
"""

RETURN = r"""
before:
  description: C(credentials) holds each of them as it was.
  returned: success
  type: dict
  sample: {credentials: [{name: vault_redis_password, usable: true, sessions: 3}]}
after:
  description:
    - The same, measured again. C(in_force) is V(old), V(new), V(both) or V(unknown); C(old_refused)
      whether the old one was tried and refused, null when it could not be tried, for the reason in
      C(old_unproven); C(sessions_ended) how many there were; C(persistent) whether it outlives a restart
      of the server, null when nothing was changed.
  returned: success
  type: dict
  sample: {credentials: [{name: vault_redis_password, in_force: new, old_refused: true, sessions_ended: 3}]}
actions:
  description:
    - Every act with its C(target), C(risk), C(status) (V(planned), V(done), V(refused) or V(failed)) and
      C(reason).
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
  description: What could not be proven, what does not outlive a restart, and what
    M(firebreak.incident.credentials_info) says.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.credentials.job import SPEC, job
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
