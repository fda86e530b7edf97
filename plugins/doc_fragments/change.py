# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of every module that changes something, beside those of the fragment `context`."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  max_risk:
    description:
      - The riskiest act that is allowed. V(reversible) can be taken back with the undo playbook,
        V(disruptive) is noticed by people but loses no data, V(destructive) can lose data or evidence.
      - A plan with one act above it is refused as a whole.
    type: str
    choices: [reversible, disruptive, destructive]
    default: reversible
  max_actions:
    description: The largest number of acts that is allowed. A longer plan is refused as a whole.
    type: int
    default: 100
  approved_plan:
    description:
      - The C(plan_digest) of an earlier run in check mode. The module refuses to act when its plan is no
        longer that one.
    type: str
"""
