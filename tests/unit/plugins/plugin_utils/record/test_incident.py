# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import (
    BEGINNING,
    CLOSED,
    OPENED,
    REOPENED,
    Event,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.incident import (
    ACKNOWLEDGED,
    CONTAINED,
    RESOLVED,
    ROLE,
    SEVERITY,
    Incident,
    fold,
    seconds_to_all,
)

from .conftest import draft, opening


def after(*kinds: str | tuple[str, dict[str, Any]], **opened: Any) -> Incident:
    """The incident after these events, one a minute."""
    events = [Event.following(opening(**opened), "inc-1", 1, BEGINNING)]
    for number, given in enumerate(kinds, 1):
        kind, data = (given, {}) if isinstance(given, str) else given
        told = draft(f"{number}", kind=kind, data=data, time=f"2026-11-21T22:{number:02}:00.000Z")
        events.append(Event.following(told, "inc-1", number + 1, events[-1].digest))
    return fold(events)


def test_an_incident_that_is_open_has_what_it_was_opened_with() -> None:
    incident = after(severity="Sev1", security=True)
    assert (incident.title, incident.severity, incident.security) == ("the shop is down", "Sev1", True)
    assert (incident.phase, incident.events, incident.closed) == ("open", 1, False)


def test_phases_count_from_the_detection_which_may_lie_before_the_opening() -> None:
    incident = after(ACKNOWLEDGED, CONTAINED, RESOLVED, CLOSED, detected="2026-11-21T21:55:00.000Z")
    assert [incident.seconds_until(phase) for phase in ("acknowledged", "contained", "resolved")] == [
        360,
        420,
        480,
    ]
    assert incident.closed


def test_a_phase_begins_once() -> None:
    assert after(ACKNOWLEDGED, ACKNOWLEDGED).times["acknowledged"] == "2026-11-21T22:01:00.000Z"


def test_a_phase_that_comes_late_does_not_lead_back() -> None:
    assert after(RESOLVED, CONTAINED).phase == "resolved"


def test_a_phase_that_has_not_begun_has_no_time() -> None:
    assert after().seconds_until("resolved") is None


def test_what_was_resolved_and_comes_back_is_not_resolved() -> None:
    incident = after(ACKNOWLEDGED, CONTAINED, RESOLVED, CLOSED, REOPENED)
    assert (incident.phase, incident.closed) == ("contained", False)
    assert incident.seconds_until("resolved") is None
    assert after(ACKNOWLEDGED, RESOLVED, REOPENED, RESOLVED).seconds_until("resolved") == 240


def test_severity_and_roles_are_the_last_ones_given() -> None:
    incident = after(
        (SEVERITY, {"severity": "Sev2"}),
        (ROLE, {"role": "commander", "person": "ann"}),
        (SEVERITY, {"severity": "Sev1"}),
        (ROLE, {"role": "commander", "person": "bob"}),
        (ROLE, {"role": "scribe", "person": "ann"}),
    )
    assert incident.severity == "Sev1"
    assert incident.roles == {"commander": "bob", "scribe": "ann"}


def test_what_was_about_security_once_stays_so() -> None:
    assert after(
        (SEVERITY, {"severity": "Sev1", "security": True}), (SEVERITY, {"severity": "Sev2"})
    ).security


def test_who_opens_it_a_second_time_takes_nothing_back() -> None:
    again = (OPENED, {"title": "another one", "severity": "Sev4"})
    incident = after(ACKNOWLEDGED, again, severity="Sev1")
    assert (incident.title, incident.severity, incident.phase) == ("the shop is down", "Sev1", "acknowledged")


def test_the_mean_is_over_those_in_which_the_phase_has_begun() -> None:
    incidents = [after(ACKNOWLEDGED), after("act.done", ACKNOWLEDGED), after()]
    assert seconds_to_all(incidents, "acknowledged") == {"mean_seconds": 90, "incidents": 2}
    assert seconds_to_all([], "resolved") == {"mean_seconds": None, "incidents": 0}
