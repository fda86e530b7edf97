# SPDX-License-Identifier: GPL-3.0-or-later
"""Incident response from Python: the collection's playbooks, run through ansible-runner.

import firebreak

outcome = firebreak.run("contain_security", limit="prod", inventory="inventories/mine")
if not outcome.ok:
    print(outcome.message)
"""

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, FirebreakError

from .catalogue import Input, Playbook, playbooks
from .outcome import EventError, Host, Outcome
from .runner import Cancel, plan, run

__all__ = [
    "BadInput",
    "Cancel",
    "EventError",
    "FirebreakError",
    "Host",
    "Input",
    "Outcome",
    "Playbook",
    "plan",
    "playbooks",
    "run",
]
