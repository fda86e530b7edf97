# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of a module that asks Redis."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  redis:
    description: The Redis or Valkey server of this host, as in C(firebreak_redis).
    type: dict
    suboptions:
      service:
        description:
          - Name of the server in O(services), or of the compose service it runs in. The address of a
            container is taken from Docker.
        type: str
      host:
        description: Where it listens.
        type: str
      port:
        description: Its port.
        type: int
        default: 6379
      socket:
        description: Path of its Unix socket.
        type: str
      user:
        description:
          - The user to log in as. Without one it is the default user. M(firebreak.incident.credentials) needs
            one that may change users.
        type: str
      password:
        description: The password.
        type: str
      tls:
        description: Whether it speaks TLS.
        type: bool
        default: false
      caches:
        description:
          - Patterns of keys that are a cache, as C(SCAN) takes them, such as V(cache:*). What matches one
            may be lost, for the application makes it anew; the rest is somebody's session, job or data.
        type: list
        elements: str
        default: []
"""
