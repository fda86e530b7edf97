# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of a module that asks PostgreSQL."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
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
            O(postgres.host) or 127.0.0.1, and for a container at its own address.
        type: str
      application_password:
        description: That role's password. Without it nothing is said about whether the application gets in.
        type: str
      application_is_superuser:
        description:
          - Whether that role is a superuser, as the official container image makes it. Sessions of superusers
            are never ended; with this, those of the application may be, but for its C(psql).
        type: bool
        default: false
"""
