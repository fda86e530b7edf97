# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.credentials.act import Proof
from ansible_collections.firebreak.incident.plugins.module_utils.credentials.decide import decide, inform
from ansible_collections.firebreak.incident.plugins.module_utils.credentials.model import Account, Credential
from ansible_collections.firebreak.incident.plugins.module_utils.credentials.observe import Held, Snapshot

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
CREDENTIAL = Credential("vault_db", "postgres", "web")


def held(**given: Any) -> Held:
    return Held(**{"credential": CREDENTIAL, "account": Account("16384", 1, 8), **given})


def seen(*found: Held) -> Snapshot:
    return Snapshot(found, NOW)


def ids(snapshot: Snapshot) -> dict[str, str]:
    return {finding.id: finding.level for finding in decide(snapshot, None).findings}


def test_a_credential_is_rotated_once_in_an_incident() -> None:
    before, after = decide(seen(held()), "INC-1"), decide(seen(held(here=True)), "INC-1")
    assert [act.target for act in before.plan.acts] == ["postgres web (vault_db)"]
    assert (before.symptom, after.symptom, after.plan.acts) == (1, 0, ())


def test_an_act_is_disruptive_names_the_user_and_says_what_it_ends() -> None:
    (act,) = decide(seen(held()), "INC-1").plan.acts
    assert act.identity == {"name": "vault_db", "kind": "postgres", "user": "web", "is": "16384"}
    assert (act.risk, act.undo) == ("disruptive", None)
    assert "not rotated in incident INC-1" in act.reason
    assert "8 sessions will be ended" in act.reason


@pytest.mark.parametrize(
    ("one", "because", "finding"),
    [
        (held(unseen="redis: refused"), "redis: refused", "credentials.server.unseen"),
        (held(account=Account(problem="there is no such role")), "no such role", "credentials.user.unusable"),
    ],
)
def test_what_has_no_password_is_refused_and_found(one: Held, because: str, finding: str) -> None:
    decision = decide(seen(one), None)
    (refusal,) = decision.plan.refusals
    assert because in refusal.reason
    assert decision.symptom == 1
    assert ids(seen(one)) == {finding: "warning"}


def test_a_healthy_credential_gives_no_finding_and_its_age() -> None:
    data, findings = inform(seen(held(rotated="2026-11-21T03:00:00.000Z")))
    assert list(findings) == []
    (one,) = data["credentials"]
    assert (one["age_seconds"], one["sessions"], one["usable"]) == (86400, 8, True)
    json.dumps(data)


@pytest.mark.parametrize("moment", ["", "yesterday"])
def test_an_odd_time_in_the_ledger_breaks_nothing(moment: str) -> None:
    assert inform(seen(held(rotated=moment)))[0]["credentials"][0]["age_seconds"] is None


def test_a_host_without_credentials_says_so() -> None:
    assert ids(seen()) == {"credentials.list.empty": "notice"}


def test_a_rotation_that_was_cut_off_is_critical() -> None:
    assert ids(seen(held(cut_off="2026-11-22T02:00:00.000Z"))) == {"credentials.rotation.cut_off": "critical"}


def test_several_valid_passwords_are_told() -> None:
    assert ids(seen(held(account=Account("x", 2, 0)))) == {"credentials.user.several_passwords": "notice"}


@pytest.mark.parametrize(
    ("proof", "found"),
    [
        (Proof(in_force="new", old_refused=True), {}),
        (Proof(), {}),
        (Proof(in_force="new", unproven="not known"), {"credentials.old.unproven": "notice"}),
        (
            Proof(in_force="new", old_refused=True, not_persistent="no file"),
            {"credentials.change.not_persistent": "warning"},
        ),
        (Proof(in_force="both"), {"credentials.old.alive": "critical"}),
        (Proof(in_force="unknown"), {"credentials.old.alive": "critical"}),
    ],
)
def test_what_a_rotation_left_open_is_found(proof: Proof, found: dict[str, str]) -> None:
    assert ids(seen(held(proof=proof, here=True))) == found


def test_logins_outlive_the_password_of_an_account() -> None:
    one = held(
        credential=Credential("vault_os", "system", "deploy"),
        account=Account("deploy", 1),
        proof=Proof(in_force="new", old_refused=True),
        here=True,
    )
    assert ids(seen(one)) == {"credentials.sessions.left": "notice"}
