# SPDX-License-Identifier: GPL-3.0-or-later
"""Which credentials are to be rotated, and what is wrong with them. Pure."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Iterator, Mapping, Sequence

from ..finding import CRITICAL, NOTICE, WARNING, Finding
from ..lifecycle import Decision
from ..plan import DISRUPTIVE, Act, Plan
from ..quantities import speak_count
from .act import BOTH, NEW, OLD, UNKNOWN
from .model import ROTATE, SYSTEM
from .observe import Held, Snapshot


def inform(seen: Snapshot) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    findings = [*_none(seen), *(finding for held in seen.held for finding in _wrong(held))]
    return {"credentials": [_data(held, seen.now) for held in seen.held]}, findings


def decide(seen: Snapshot, incident: str | None) -> Decision:
    """The symptom counts the credentials that this incident, or this run, has not rotated yet."""
    acts, refusals = [], []
    waiting = [held for held in seen.held if not held.here]
    for held in waiting:
        act = _act(held, incident)
        because = held.unseen or held.account.problem
        if because:
            refusals.append(act.refused(because))
        else:
            acts.append(act)
    return Decision(
        symptom=len(waiting),
        state={"credentials": [{**_data(held, seen.now), **_proof(held)} for held in seen.held]},
        findings=(
            *_none(seen),
            *(finding for held in seen.held for finding in (*_wrong(held), *_unproven(held))),
        ),
        plan=Plan(tuple(acts), tuple(refusals)),
    )


def _act(held: Held, incident: str | None) -> Act:
    credential = held.credential
    why = f"not rotated in incident {incident}" if incident else "asked to be rotated"
    sessions = held.account.sessions
    ends = f"; its {speak_count(sessions, 'session')} will be ended" if sessions else ""
    return Act(
        action=ROTATE,
        target=credential.target,
        identity={
            "name": credential.name,
            "kind": credential.kind,
            "user": credential.user,
            "is": held.account.identity,
        },
        risk=DISRUPTIVE,
        reason=f"{why}, last rotated {held.rotated or 'never as far as the ledger knows'}{ends}",
    )


def _data(held: Held, now: datetime) -> dict[str, Any]:
    credential, account = held.credential, held.account
    return {
        "name": credential.name,
        "kind": credential.kind,
        "user": credential.user,
        "usable": not (held.unseen or account.problem),
        "problem": held.unseen or account.problem,
        "passwords": None if held.unseen else account.passwords,
        "sessions": account.sessions,
        "rotated": held.rotated,
        "age_seconds": _age(held.rotated, now),
    }


def _proof(held: Held) -> dict[str, Any]:
    proof = held.proof
    if proof is None:
        return {}
    return {
        "rotated_here": held.here,
        "in_force": proof.in_force,
        "old_refused": proof.old_refused,
        "old_unproven": proof.unproven,
        "sessions_ended": proof.sessions_ended,
        "persistent": proof.not_persistent is None if proof.in_force == NEW else None,
    }


def _age(moment: str | None, now: datetime) -> int | None:
    if moment is None:
        return None
    try:
        then = datetime.strptime(moment[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return max(0, int((now - then).total_seconds()))


def _none(seen: Snapshot) -> Iterator[Finding]:
    if not seen.held:
        yield Finding(
            id="credentials.list.empty",
            level=NOTICE,
            subject="credentials",
            summary="no credential of this host is configured, so none is rotated: see firebreak_credentials",
            evidence={},
        )


def _wrong(held: Held) -> Iterator[Finding]:
    target = held.credential.target
    if held.unseen:
        yield Finding(
            id="credentials.server.unseen",
            level=WARNING,
            subject=target,
            summary=f"nothing is known of it: {held.unseen}",
            evidence={"reason": held.unseen},
        )
    elif held.account.problem:
        yield Finding(
            id="credentials.user.unusable",
            level=WARNING,
            subject=target,
            summary=f"there is no password to rotate: {held.account.problem}",
            evidence={"reason": held.account.problem},
        )
    if held.account.passwords > 1:
        yield Finding(
            id="credentials.user.several_passwords",
            level=NOTICE,
            subject=target,
            summary=f"{held.account.passwords} passwords are valid for it: one that leaked may be among them",
            evidence={"passwords": held.account.passwords},
        )
    if held.cut_off:
        yield Finding(
            id="credentials.rotation.cut_off",
            level=CRITICAL,
            subject=target,
            summary=f"a rotation began at {held.cut_off} and never ended: the new secret may be in force and "
            f"not deployed; the store has it as pending. Rotate again",
            evidence={"began": held.cut_off},
        )


def _unproven(held: Held) -> Iterator[Finding]:
    """What a rotation of this run left open."""
    proof, target = held.proof, held.credential.target
    if proof is None:
        return
    if proof.in_force in (BOTH, UNKNOWN):
        yield Finding(
            id="credentials.old.alive",
            level=CRITICAL,
            subject=target,
            summary="it is not known that the old secret is dead, nor which one is in force",
            evidence={"in_force": proof.in_force},
        )
    if not held.here:
        return
    if proof.unproven and proof.old_refused is None and proof.in_force != OLD:
        yield Finding(
            id="credentials.old.unproven",
            level=NOTICE,
            subject=target,
            summary=f"the old secret was replaced; that it is refused was not tried: {proof.unproven}",
            evidence={"reason": proof.unproven},
        )
    if proof.not_persistent:
        yield Finding(
            id="credentials.change.not_persistent",
            level=WARNING,
            subject=target,
            summary=f"a restart of the server brings the old secret back: {proof.not_persistent}. Change it "
            f"where the server is started",
            evidence={"reason": proof.not_persistent},
        )
    if held.credential.kind == SYSTEM and proof.in_force == NEW:
        yield Finding(
            id="credentials.sessions.left",
            level=NOTICE,
            subject=target,
            summary="whoever is logged in with the old password still is: a login does not remember it",
            evidence={},
        )
