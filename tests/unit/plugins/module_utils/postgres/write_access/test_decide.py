# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done so that a database may be written to no more, or again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import Decision
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.protection import (
    Protection,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.write_access.decide import (
    READ_ONLY,
    READ_WRITE,
    Request,
    decide,
    inform,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.write_access.observe import (
    Proof,
    Setting,
    Snapshot,
)

from .conftest import EARLY, LATE, SINCE, present

WAY_IN = {"server": {"host": "/run/postgresql"}}


def _decide(seen: Snapshot, state: str = READ_ONLY, application_is_superuser: bool = False) -> Decision:
    return decide(
        seen, "shop", Request("database shop", state, Protection(application_is_superuser, "web"), WAY_IN)
    )


def _acts(decision: Decision) -> list[tuple[str, str]]:
    return [(act.action, act.target) for act in decision.plan.acts]


def _ids(decision: Decision) -> set[str]:
    return {finding.id.replace("postgres.database.", "") for finding in decision.findings}


def test_the_setting_comes_first_and_then_who_is_there(writable: Snapshot) -> None:
    decision = _decide(writable)
    assert decision.symptom == 3
    assert _acts(decision) == [
        ("postgres.write_access.read_only", "database shop"),
        ("postgres.terminate", f"pid 1 (started {EARLY})"),
        ("postgres.terminate", f"pid 2 (started {EARLY})"),
    ]
    assert decision.findings == ()


def test_a_database_that_is_read_only_needs_nothing_and_says_so(closed: Snapshot) -> None:
    decision = _decide(closed)
    assert (decision.symptom, decision.plan.acts, decision.plan.refusals) == (0, (), ())
    assert _ids(decision) == {"read_only", "not_enforced"}
    assert decision.state["since"] == SINCE


def test_a_session_from_before_is_ended_without_setting_anything(closed: Snapshot) -> None:
    decision = _decide(replace(closed, present=(present(1, EARLY), present(2, LATE))))
    assert decision.symptom == 1
    assert _acts(decision) == [("postgres.terminate", f"pid 1 (started {EARLY})")]
    assert "writing_sessions" in _ids(decision)


def test_a_setting_of_unknown_age_is_made_again_only_when_there_are_sessions(closed: Snapshot) -> None:
    unknown = replace(closed, mark=None)
    assert [action for action, _target in _acts(_decide(unknown))] == [
        "postgres.write_access.read_only",
        "postgres.terminate",
        "postgres.terminate",
    ]
    assert _decide(unknown).plan.acts[0].identity["open"] == "on"
    empty = _decide(replace(unknown, present=()))
    assert (empty.symptom, empty.plan.acts) == (0, ())


def test_protected_sessions_are_refused_and_still_count(writable: Snapshot) -> None:
    seen = replace(writable, present=(present(1, query="LISTEN jobs"), present(2, superuser=True)))
    decision = _decide(seen)
    assert decision.symptom == 3
    assert [act.target.split(" (")[0] for act in decision.plan.refusals] == ["pid 1", "pid 2"]
    assert "listens" in decision.plan.refusals[0].reason
    assert "application_is_superuser" in decision.plan.refusals[1].reason


def test_the_application_s_superuser_is_ended_when_the_site_says_so(writable: Snapshot) -> None:
    decision = _decide(
        replace(writable, present=(present(2, superuser=True),)), application_is_superuser=True
    )
    assert ("postgres.terminate", f"pid 2 (started {EARLY})") in _acts(decision)


def test_an_administrator_s_session_is_neither_ended_nor_counted_and_is_named(closed: Snapshot) -> None:
    decision = _decide(replace(closed, present=(present(9, user="postgres", superuser=True),)))
    assert (decision.symptom, decision.plan.acts, decision.plan.refusals) == (0, (), ())
    (notice,) = [each for each in decision.findings if each.id == "postgres.database.not_enforced"]
    assert notice.evidence == {"superuser_pids": [9]}


def test_an_application_whose_role_overrides_may_still_write(closed: Snapshot) -> None:
    decision = _decide(
        replace(
            closed,
            settings=(*closed.settings, Setting(True, "web", "off", True)),
            proof=Proof("web", application=True, read_only=False, refused=False),
        )
    )
    assert decision.symptom == 1
    assert not decision.state["read_only"]
    assert "writable_override" in _ids(decision)
    (refusal,) = decision.plan.refusals
    assert refusal.target == "role web, database shop"
    assert "of its own" in refusal.reason


def test_a_write_that_gets_through_for_no_known_reason_is_said(closed: Snapshot) -> None:
    decision = _decide(replace(closed, proof=Proof("web", application=True, read_only=False, refused=False)))
    assert decision.symptom == 1
    assert {"writable", "read_only"} <= _ids(decision)


def test_what_the_application_did_not_try_itself_is_said(closed: Snapshot) -> None:
    decision = _decide(
        replace(closed, proof=Proof("postgres", False, True, True, "web did not get in: full"))
    )
    assert decision.symptom == 0
    assert "unproven" in _ids(decision)


def test_a_standby_needs_nothing_whatever_is_asked(writable: Snapshot) -> None:
    standby = replace(writable, in_recovery=True, proof=None)
    for state in (READ_ONLY, READ_WRITE):
        decision = _decide(standby, state)
        assert (decision.symptom, decision.plan.acts, _ids(decision)) == (0, (), {"standby"})


def test_opening_ends_who_began_read_only(closed: Snapshot) -> None:
    decision = _decide(closed, READ_WRITE)
    assert decision.symptom == 3
    (act,) = decision.plan.acts
    assert (act.action, act.identity["open"]) == ("postgres.write_access.read_write", None)
    assert "2 sessions" in act.reason


def test_opening_by_hand_is_what_takes_the_closing_back(writable: Snapshot, closed: Snapshot) -> None:
    closing, opening = _decide(writable).plan.acts[0], _decide(closed, READ_WRITE).plan.acts[0]
    assert closing.undo and opening.undo
    assert (closing.undo.action, closing.undo.identity) == (opening.action, opening.identity)
    assert (opening.undo.action, opening.undo.identity) == (closing.action, closing.identity)


@pytest.mark.parametrize(
    ("default", "everybody", "value"), [("on", (), "off"), ("off", (Setting(False, None, "on"),), "off")]
)
def test_where_everybody_begins_read_only_opening_needs_a_setting(
    closed: Snapshot, default: str, everybody: tuple[Setting, ...], value: str
) -> None:
    seen = replace(closed, default=default, settings=(*closed.settings, *everybody))
    assert _decide(seen, READ_WRITE).plan.acts[0].identity["open"] == value


def test_opening_ends_who_began_read_only_before_it_was_set_back_by_hand(closed: Snapshot) -> None:
    proof = Proof("web", application=True, read_only=False, refused=False)
    reset = replace(closed, settings=(), proof=proof, present=(present(1, EARLY), present(2, LATE)))
    decision = decide(reset, "postgresql shop", Request("database shop", "read_write"))
    assert decision.symptom == 1
    assert "1 session that may have begun read-only" in decision.plan.acts[0].reason
    assert [finding.id for finding in decision.findings] == ["postgres.database.reading_sessions"]


def test_opening_what_is_open_needs_nothing(writable: Snapshot) -> None:
    decision = _decide(writable, READ_WRITE)
    assert (decision.symptom, decision.plan.acts) == (0, ())


def test_what_was_set_before_is_remembered(writable: Snapshot) -> None:
    act = _decide(replace(writable, settings=(Setting(True, None, "off"),))).plan.acts[0]
    assert act.undo and act.undo.identity["open"] == "off"


def test_no_identity_holds_a_password(writable: Snapshot) -> None:
    for act in _decide(writable).plan.acts:
        assert "password" not in str(act.as_dict())


def test_the_information_is_the_state_of_the_change(closed: Snapshot) -> None:
    data, findings = inform(closed, "shop", "web")
    assert data == _decide(closed).state
    assert findings == _decide(closed).findings
