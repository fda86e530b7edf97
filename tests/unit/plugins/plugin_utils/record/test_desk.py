# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.desk import (
    WORDS,
    Said,
    event,
    opening,
    parse_severity,
    spoken,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import Draft
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.incident import Incident
from ansible_collections.firebreak.incident.plugins.plugin_utils.severity.site import Scale

NOW = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)
OPENED = "2026-11-21T22:00:00.000Z"


def said(word: str, **given: Any) -> Said:
    return Said(word, "key", "ann", NOW, **given)


def opened(**given: Any) -> Draft:
    return opening(said("open", title="the shop is down", **given), Scale())


def incident(phase: str = "open", **given: Any) -> Incident:
    phases = ["detected", "open", "acknowledged", "resolved", "closed"]
    times = dict.fromkeys(phases[: phases.index(phase) + 1], OPENED)
    return Incident("inc-1", "the shop is down", "Sev3", phase=phase, times=times, **given)


def told(word: str, about: Incident, **given: Any) -> Draft | None:
    return event(said(word, **given), about, Scale())


def test_it_is_opened_with_a_severity_its_reasons_and_deadlines() -> None:
    data = opened(facts={"outage": "partial"}, detected=OPENED, text="since noon").data
    assert (data["severity"], data["detected"], data["security"]) == ("Sev2", OPENED, False)
    assert data["reasons"] == ["a part of the service is out (outage: partial)"]
    assert data["deadlines"]["respond"] == "2026-11-21T22:15:00.000Z"


@pytest.mark.parametrize("breach", ["suspected", "confirmed", "unsure", True])
def test_a_breach_that_may_be_makes_it_a_security_incident(breach: object) -> None:
    assert opened(facts={"data_breach": breach}).data["security"]


def test_without_a_breach_it_is_none() -> None:
    assert not opened(facts={"data_breach": "no"}).data["security"]
    assert opened(security=True).data["security"]


def test_what_turns_out_to_be_a_breach_makes_it_a_security_incident_from_then_on() -> None:
    suspected = told("severity", incident(), facts={"data_breach": "suspected"})
    assert suspected is not None
    assert suspected.data["security"]
    known = incident(facts={"outage": "partial"})
    said_so = told("severity", known, security=True)
    assert said_so is not None
    assert (said_so.data["security"], said_so.data["severity"]) == (True, "Sev3")
    denied = told("severity", incident(security=True), facts={"data_breach": "no"})
    assert denied is not None
    assert denied.data["security"], "somebody may have read what was not meant for them"


@pytest.mark.parametrize(
    ("word", "given"),
    [
        ("update", {"text": "It affects [service]"}),
        ("update", {"text": "t", "more": {"public": "[issue description]"}}),
        ("resolve", {"more": {"root_cause": "[brief description]"}}),
    ],
)
def test_what_outsiders_read_holds_no_place_that_nobody_filled_in(word: str, given: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="is not filled in"):
        told(word, incident(), **given)
    with pytest.raises(BadInput, match="is not filled in"):
        opened(more={"public": "Reports of [issue description]"})


def test_what_is_told_of_a_phase_may_quote_a_log() -> None:
    assert told("contain", incident(), text="[pool] is empty") is not None


def test_a_severity_that_is_given_overrules_the_facts_and_is_somebody_s() -> None:
    data = opened(facts={"outage": "complete"}, severity="P2").data
    assert (data["severity"], data["reasons"]) == ("Sev3", ["ann says so"])
    same = opened(facts={"outage": "complete"}, severity="Sev1").data
    assert same["reasons"] == ["the service is out for everybody (outage: complete)"]


def test_the_rules_of_a_site_count() -> None:
    scale = Scale.of(
        {"firebreak_severity_rules": [{"level": 1, "fact": "services", "any_of": ["federation"]}]}
    )
    asked = said("open", title="t", facts={"services": ["federation"]})
    assert opening(asked, scale).data["severity"] == "Sev1"


def test_what_the_public_is_told_is_kept_when_there_is_something() -> None:
    data = opened(more={"public": "Logging in fails", "public_impact": ""}).data
    assert data["public"] == "Logging in fails"
    assert "public_impact" not in data


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"title": ""}, "title: the incident has none"),
        ({"title": "t", "detected": "2026-11-21T22:30:01Z"}, "that is in the future"),
        ({"title": "t", "detected": "yesterday"}, "it is not UTC"),
        ({"title": "t", "severity": "bad"}, "'bad' is no severity"),
    ],
)
def test_an_incident_that_cannot_be_meant_is_not_opened(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        opening(said("open", **given), Scale())


@pytest.mark.parametrize(
    ("word", "kind"), [(w, k) for w, k in WORDS.items() if w in ("acknowledge", "contain", "resolve")]
)
def test_a_phase_is_begun(word: str, kind: str) -> None:
    draft = told(word, incident(), text="done", more={"root_cause": "a full disk"})
    assert draft is not None
    assert (draft.kind, draft.data["text"], draft.data["root_cause"]) == (kind, "done", "a full disk")


def test_who_acknowledges_is_named() -> None:
    draft = told("acknowledge", incident())
    assert draft is not None
    assert draft.data["by"] == "ann"
    other = told("acknowledge", incident(), person="ben")
    assert other is not None
    assert other.data["by"] == "ben"


def test_what_is_so_already_is_not_said_again() -> None:
    assert told("resolve", incident("resolved")) is None
    assert told("close", incident("closed")) is None
    assert told("role", incident(roles={"scribe": "ann"}), role="scribe", person="ann") is None
    assert told("severity", incident(), severity="Sev3") is None
    assert told("reopen", incident("acknowledged")) is None


def test_what_is_not_resolved_is_closed_only_when_that_is_asked_for() -> None:
    with pytest.raises(BadInput, match="it is not resolved"):
        told("close", incident("acknowledged"))
    assert told("close", incident("acknowledged"), unresolved=True) is not None
    assert told("close", incident("resolved")) is not None


@pytest.mark.parametrize("word", [word for word in WORDS if word not in ("open", "close", "reopen")])
def test_a_closed_incident_takes_nothing_but_that_it_is_reopened(word: str) -> None:
    with pytest.raises(BadInput, match=r"it was closed at 2026-11-21T22:00:00\.000Z\. Reopen it"):
        told(word, incident("closed"), text="more", severity="Sev1", role="scribe", person="ann")
    assert told("reopen", incident("closed")) is not None


def test_new_facts_are_added_to_those_that_are_known() -> None:
    about = incident(facts={"users_percent": "60", "error_percent": "9"})
    draft = told("severity", about, facts={"error_percent": "1"})
    assert draft is not None
    assert (draft.data["severity"], draft.data["facts"]) == ("Sev2", {"error_percent": "1"})


@pytest.mark.parametrize(
    ("word", "given", "message"),
    [
        ("severity", {}, "nothing is said of it"),
        ("role", {"role": "scribe"}, "who has which is not said"),
        ("role", {"person": "ann"}, "who has which is not said"),
        ("update", {}, "the update has none"),
        ("note", {}, "the note has none"),
    ],
)
def test_what_says_nothing_is_refused(word: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        told(word, incident(), **given)


@pytest.mark.parametrize(
    ("text", "level"), [("Sev1", 1), ("sev4", 4), ("P0", 1), (" p3 ", 4), ("2", 2), ("P1", 2)]
)
def test_both_scales_are_understood(text: str, level: int) -> None:
    assert parse_severity(text) == level


@pytest.mark.parametrize("text", ["", "Sev0", "Sev5", "P4", "0", "worst"])
def test_other_scales_are_not(text: str) -> None:
    with pytest.raises(BadInput):
        parse_severity(text)


def test_who_opens_it_reads_how_bad_it_is_and_what_is_due() -> None:
    first, due, channel = spoken("inc-1", opened(facts={"legal": "yes"}, detected=OPENED), "#inc-1")
    assert first == "inc-1: Sev1 / P0, because the law or a contract is broken (legal: yes)"
    assert due == (
        "somebody responds by 2026-11-21 22:00 UTC; executives are told by 2026-11-21 22:15 UTC; "
        "the status page says so by 2026-11-21 22:15 UTC; an update every 30 min"
    )
    assert channel == "channel #inc-1"
    assert spoken("inc-1", None, None) == ["inc-1: it was so already"]
    assert spoken("inc-1", told("note", incident(), text="x"), None) == []
