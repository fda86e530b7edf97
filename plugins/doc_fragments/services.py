# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of a module that must know what runs on a host."""

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
"""
