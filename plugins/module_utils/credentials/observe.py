# SPDX-License-Identifier: GPL-3.0-or-later
"""The credentials of a host: does the user exist, when was it rotated, by this incident already?"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Callable, Iterable, Mapping, Sequence

from ..errors import FirebreakError
from ..ledger import Entry
from ..moments import utc_now
from ..plan import DONE, PLANNED
from .act import Case, Proof
from .model import ROTATE, Account, Credential


@dataclass(frozen=True)
class Held:
    """One credential. `unseen` says why its server could not be asked, and then nothing is known of it.

    `rotated` is when it last was (UTC, ISO 8601), `here` whether this incident, or this run, did so;
    `cut_off` is when a rotation began that never ended.
    """

    credential: Credential
    account: Account = field(default_factory=Account)
    unseen: str | None = None
    rotated: str | None = None
    here: bool = False
    cut_off: str | None = None
    proof: Proof | None = None


@dataclass(frozen=True)
class Snapshot:
    held: tuple[Held, ...]
    now: datetime


def observe(
    cases: Sequence[Case],
    entries: Callable[[], Iterable[Entry]],
    incident_or_run: str | None,
    clock: Callable[[], datetime] = utc_now,
) -> Snapshot:
    ledger = [entry for entry in entries() if entry.action == ROTATE]
    return Snapshot(tuple(_held(case, ledger, incident_or_run) for case in cases), clock())


def _held(case: Case, ledger: Sequence[Entry], incident_or_run: str | None) -> Held:
    credential = case.credential
    own = [entry for entry in ledger if _same(credential, entry.identity)]
    done = [entry for entry in own if entry.status == DONE]
    held = Held(
        credential=replace(credential, old=None, new=None),
        rotated=done[-1].time if done else None,
        here=bool(incident_or_run) and any(entry.concerns(str(incident_or_run)) for entry in done),
        cut_off=own[-1].time if own and own[-1].status == PLANNED else None,
        proof=case.proof,
    )
    try:
        return replace(held, account=case.holder.look())
    except FirebreakError as error:
        return replace(held, unseen=f"{error.subject}: {error.problem}")


def _same(credential: Credential, identity: Mapping[str, object]) -> bool:
    """By what it is: its name in the site's vault may have changed since."""
    return (identity.get("kind"), identity.get("user")) == (credential.kind, credential.user)
