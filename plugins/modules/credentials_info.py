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
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import context_spec, run_info


def main() -> None:
    module = AnsibleModule(argument_spec={**INFO_SPEC, **context_spec()}, supports_check_mode=True)
    try:
        result = run_info(observe=lambda: look(module.params), decide=inform)
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
