# SPDX-License-Identifier: GPL-3.0-or-later
"""The credentials of a host, of the modules that look at them and that rotate them."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
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
"""
