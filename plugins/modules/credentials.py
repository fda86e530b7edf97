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

options:
  credentials:
    description: The credentials of this host, as in C(firebreak_credentials).
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - What the credential is called, and the variable that holds it in the site's vault. Letters,
            digits and underscores.
        type: str
        required: true
      kind:
        description: Where it lies. A role of PostgreSQL, a user of Redis or Valkey, an account of the
          system.
        type: str
        required: true
        choices: [postgres, redis, system]
      user:
        description: Name of the role, user or account. That of a Redis server with one password is
          V(default).
        type: str
        required: true
      deploy:
        description:
          - Command of the site on this host which gives the new secret to whoever uses it. The secret is
            one line on its standard input; an exit code other than 0 takes everything back.
          - When that happens it is run once more, with the old secret. An empty list means that nobody has
            to be told.
        type: list
        elements: str
        required: true
      verify:
        description:
          - Command of the site on this host that says, by its exit code, whether the new secret works for
            whoever uses it. Logging in with it is tried in any case.
        type: list
        elements: str
        default: []
      old:
        description:
          - The secret in force, so that it can be tried afterwards. Without it, the variable of
            O(credentials[].name) in a vault file is taken; where that is missing too, the old one cannot
            be tried.
        type: str
      new:
        description: Made by the action plugin of M(firebreak.incident.credentials); not given by hand.
        type: str
  postgres:
    description: How to reach PostgreSQL as a superuser, as in C(firebreak_postgres).
    type: dict
    suboptions:
      service:
        description: Name in O(services) of the service it runs in.
        type: str
      host:
        description: Name or address.
        type: str
      port:
        description: Port, also in the name of the socket.
        type: int
        default: 5432
      socket:
        description: Directory of its socket.
        type: str
      database:
        description: Database to connect to.
        type: str
      user:
        description: A superuser.
        type: str
      password:
        description: Its password, if it needs one.
        type: str
      application_user:
        description: The role of the application. This module has no use for it.
        type: str
      application_password:
        description: Its password. This module has no use for it.
        type: str
  redis:
    description: How to reach Redis or Valkey as a user that may change users, as in C(firebreak_redis).
    type: dict
    suboptions:
      service:
        description: Name in O(services), or of the compose service, that it runs in.
        type: str
      host:
        description: Name or address.
        type: str
      port:
        description: Port.
        type: int
        default: 6379
      socket:
        description: Path of its socket.
        type: str
      user:
        description: The user to log in as. Without one it is the default user.
        type: str
      password:
        description: Its password.
        type: str
      tls:
        description: Whether it speaks TLS.
        type: bool
        default: false
  services:
    description: The services of this host, as in C(firebreak_services).
    type: dict
    default: {}
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
