# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of a module that looks at a host as its users do."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  endpoints:
    description: Where users reach this host, as in C(firebreak_endpoints).
    type: list
    elements: dict
    default: []
    suboptions:
      url:
        description:
          - The URL, without a password. Of V(http) and V(https) the page is asked for, and redirects are
            followed on the same host. Of V(https), V(postgresql), V(smtp) (both begin TLS later, with an
            SSLRequest and STARTTLS) and V(smtps) the certificate is looked at.
        type: str
        required: true
      connect_to:
        description: Where to connect instead of the host in O(endpoints[].url), as C(host:port).
        type: str
      certificate:
        description: Name of the certbot lineage that is to be served there, or the path of the file.
        type: str
      verify:
        description: Whether the certificate must be trusted by the system and fit the host name.
        type: bool
        default: true
"""
