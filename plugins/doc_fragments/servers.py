# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a module that asks a host's services and servers themselves."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  services:
    description:
      - The services of this host by name, as in C(firebreak_services).
      - Keys of each are C(runtime) (V(systemd) or V(compose)), C(unit) for systemd, C(project) and C(service)
        for compose, C(health) (a URL), C(essential) (default V(true); the trouble of a service that is not is
        only a notice), C(logs) (file patterns) and C(directory) (where its release is checked out).
    type: dict
    default: {}
  postgres:
    description: The PostgreSQL server of this host, as in C(firebreak_postgres).
    type: dict
    suboptions:
      service:
        description: Name of the server in O(services). A container is entered through Docker.
        type: str
      host:
        description: Where it listens, when it is to be asked over TCP.
        type: str
      port:
        description: Its port, which is also in the name of its socket.
        type: int
        default: 5432
      socket:
        description: Directory of its Unix socket.
        type: str
      database:
        description: The database of the application.
        type: str
      user:
        description: An administrator. M(firebreak.incident.credentials) needs a superuser.
        type: str
      password:
        description: The administrator's password, where one is needed.
        type: str
      application_user:
        description:
          - The role that the application logs in as. M(firebreak.incident.triage_info) tries it over TCP, at
            O(postgres.host) or 127.0.0.1, and for a container at its own address. Other modules have no use
            for it.
        type: str
      application_password:
        description: That role's password. Without it nothing is said about whether the application gets in.
        type: str
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
"""
