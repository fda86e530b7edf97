# SPDX-License-Identifier: GPL-3.0-or-later
"""How incidents stand, who has to do with them, and what to type next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.finding import WARNING, Finding

from ..record.state import Recorded, state
from ..rendering.command import Launcher
from .policy import ESCALATION, Policy
from .standing import Standing, on_call, spoken, spoken_turns

# More than these nobody reads.
SHOWN = 10
# What comes next in each phase: when, which playbook, and with what beside the id.
NEXT: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "open": ("to take it on", "update_incident", {"event": "acknowledge"}),
    "acknowledged": ("when users are well again", "update_incident", {"event": "resolve"}),
    "contained": ("when users are well again", "update_incident", {"event": "resolve"}),
    "resolved": ("when nothing is left to do", "close_incident", {}),
    "closed": ("for the review, within 48 h", "write_postmortem", {}),
}


def overview(
    found: Sequence[Recorded],
    with_events: bool,
    variables: Mapping[str, Any],
    now: datetime,
    launcher: Launcher,
) -> dict[str, Any]:
    """What is told of each incident, with findings; an inventory that cannot be read hides no incident."""
    incidents = [state(each, with_events) for each in found]
    try:
        policy = Policy.of(variables)
        # Nothing can be concluded from what somebody altered.
        standings = {
            each.events[0].incident: Standing.of(each.events, policy, now)
            for each in found
            if not each.problems
        }
    except BadInput as error:
        unread = Finding(
            id="incident.people.unread",
            level=WARNING,
            subject="inventory",
            summary=f"who is on call and who is told next is not known: {error}",
        )
        return {"incidents": incidents, "on_call": [], "findings": [unread]}
    turns, zone = on_call(policy, now), _zone(variables, policy)
    lines = list(_lines(list(standings.values())[:SHOWN], policy, now, zone, launcher))
    if lines:
        # What is to be typed comes last.
        lines = [*spoken_turns(turns, now, zone), *lines]
    return {
        "incidents": [
            {**each, **(standings[each["id"]].as_dict() if each["id"] in standings else {})}
            for each in incidents
        ],
        "on_call": turns,
        "findings": [
            finding for standing in standings.values() for finding in standing.findings(policy, now)
        ],
        **({"msg": "\n".join(lines)} if lines else {}),
    }


def _lines(
    standings: Sequence[Standing], policy: Policy, now: datetime, zone: tzinfo, launcher: Launcher
) -> Iterator[str]:
    for standing in standings:
        yield from spoken(standing, policy, now, zone)
        when, playbook, inputs = NEXT[standing.incident.phase]
        yield f"{when}: {launcher.command(playbook, [], {'incident': standing.incident.id, **inputs})}"


def _zone(variables: Mapping[str, Any], policy: Policy) -> tzinfo:
    """That of the site, else that of this machine."""
    named = (variables.get(ESCALATION) or {}).get("time_zone")
    here = datetime.now().astimezone().tzinfo
    return policy.zone if named or here is None else here
