# SPDX-License-Identifier: GPL-3.0-or-later
"""The option that the collection's action plugins fill in."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  context:
    description:
      - Who is doing this and what must not be touched. Filled in by the module's action plugin; there is no
        need to give it by hand.
    type: dict
    suboptions:
      run:
        description: Id of the run, the same on all hosts of a play.
        type: str
      incident:
        description: Id of the incident that the run belongs to.
        type: str
      playbook:
        description: Name of the playbook, without its ending.
        type: str
      actor:
        description: The person or the service that started the run.
        type: str
      protected:
        description:
          - Addresses and networks that nothing is done against, each with the reason. The hosts of the
            inventory, C(firebreak_protected_addresses) and C(firebreak_management_addresses).
        type: dict
      evidence:
        description: Why nothing may be deleted that could be evidence, as the incident record knows.
        type: str
"""
