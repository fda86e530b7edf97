# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

from ansible_collections.firebreak.incident.plugins.plugin_utils.record.incident import RESOLVED
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.state import (
    Recorded,
    findings,
    means,
    state,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.store import Store

from .conftest import draft


def recorded(store: Store) -> Recorded:
    store.append("inc-1", [draft("end", kind=RESOLVED, time="2026-11-21T22:10:00.000Z")])
    return Recorded(*store.recorded("inc-1"))


def test_how_it_stands_is_told_with_the_time_to_each_phase(store: Store) -> None:
    told = state(recorded(store), with_events=False)
    assert (told["id"], told["phase"], told["seconds"]) == ("inc-1", "resolved", {"open": 0, "resolved": 600})
    assert told["intact"]
    assert told["digest"] == store.recorded("inc-1")[2]
    assert "timeline" not in told


def test_the_events_are_told_when_they_are_asked_for(store: Store) -> None:
    timeline = state(recorded(store), with_events=True)["timeline"]
    assert [(event["number"], event["kind"]) for event in timeline] == [
        (1, "incident.opened"),
        (2, "incident.resolved"),
    ]


def test_the_means_are_over_all_that_are_listed(store: Store) -> None:
    assert means([recorded(store)])["resolved"] == {"mean_seconds": 600, "incidents": 1}
    assert means([])["acknowledged"] == {"mean_seconds": None, "incidents": 0}


def test_a_record_that_is_whole_gives_no_finding(store: Store) -> None:
    assert list(findings([recorded(store)], [])) == []


def test_an_altered_event_is_critical_and_named(store: Store) -> None:
    whole = recorded(store)
    events = [whole.events[0], replace(whole.events[1], actor="somebody else")]
    (finding,) = findings([replace(whole, events=events)], [])
    assert (finding.id, finding.level) == ("incident.record.altered", "critical")
    assert "event 2 (incident.resolved, 2026-11-21T22:10:00.000Z) was altered" in finding.summary


def test_an_event_that_was_cut_off_is_noticed(store: Store) -> None:
    whole = recorded(store)
    (finding,) = findings([replace(whole, events=whole.events[:1])], [])
    assert "1 events are there and 2 were recorded" in finding.summary


def test_what_waits_on_the_controller_is_told(store: Store) -> None:
    (finding,) = findings([], ["inc-9"])
    assert (finding.id, finding.level, finding.subject) == ("incident.outbox.waiting", "warning", "inc-9")
