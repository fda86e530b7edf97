# SPDX-License-Identifier: GPL-3.0-or-later
"""Replication, WAL and transaction numbers: what works now and stops the server later."""

from __future__ import annotations

from typing import Any, Iterator, Mapping

from ...finding import CRITICAL, WARNING, Finding
from ...quantities import GIB, speak_duration, speak_size

Facts = Mapping[str, Any]

LAG_SECONDS, LAG_BYTES = 60, GIB
RETAINED_BYTES = GIB
# 2^31 transactions fit; the server takes no more writes 3 million before. Vacuum forces itself at
# freeze_max_age, so an age well beyond that says that it does not succeed.
AGE_WARNING, AGE_CRITICAL, BEYOND = 1_000_000_000, 1_900_000_000, 1.2
AGE_LIMIT = 2**31 - 3_000_000


def judge_upkeep(facts: Facts, subject: str) -> Iterator[Finding]:
    """From a row of the look UPKEEP."""
    yield from _replicas(facts, subject)
    yield from _standby(facts, subject)
    yield from _slots(facts, subject)
    yield from _archiver(facts, subject)
    yield from _wraparound(facts, subject)


def _replicas(facts: Facts, subject: str) -> Iterator[Finding]:
    for one in facts["replicas"]:
        seconds, behind = one["lag_seconds"] or 0, one["lag_bytes"] or 0
        # What has a whole copy to catch up with is behind by intention.
        if one["state"] == "backup" or (seconds < LAG_SECONDS and behind < LAG_BYTES):
            continue
        yield Finding(
            id="postgres.replication.lagging",
            level=WARNING,
            subject=f"{subject}, replica {one['name']}",
            summary=f"replica {one['name']} ({one['client'] or 'local'}, {one['state']}) is "
            f"{speak_duration(seconds)} and {speak_size(behind)} behind",
            evidence=one,
        )


def _standby(facts: Facts, subject: str) -> Iterator[Finding]:
    one = facts["standby"]
    if one is None:
        return
    seconds, behind = one["last_transaction_seconds"], one["lag_bytes"] or 0
    if one["paused"]:
        said = "replay is paused"
    elif one["receiver"] and not behind:
        # A primary at rest: nothing to replay is no lag.
        return
    elif seconds is not None and seconds >= LAG_SECONDS:
        said = "it follows its primary" if one["receiver"] else "no primary sends anything"
    else:
        return
    age = "unknown" if seconds is None else speak_duration(seconds)
    yield Finding(
        id="postgres.replication.lagging",
        level=WARNING,
        subject=subject,
        summary=f"this standby shows data of {age} ago, {speak_size(behind)} are not replayed: {said}",
        evidence=one,
    )


def _slots(facts: Facts, subject: str) -> Iterator[Finding]:
    for one in facts["slots"]:
        retained = one["retained_bytes"] or 0
        lost, losing = one["wal_status"] == "lost", one["wal_status"] == "unreserved"
        if one["active"] or (retained < RETAINED_BYTES and not lost and not losing):
            continue
        said = (
            "has lost WAL it needs: its consumer must be set up anew"
            if lost
            else f"keeps {speak_size(retained)} of WAL"
            + (" and loses what it needs with the next checkpoint" if losing else "")
        )
        yield Finding(
            id="postgres.slot.retaining",
            level=WARNING,
            subject=f"{subject}, slot {one['name']}",
            summary=f"nobody reads the {one['kind']} slot {one['name']}, which {said}",
            evidence=one,
        )


def _archiver(facts: Facts, subject: str) -> Iterator[Finding]:
    one = facts["archiver"]
    failed, archived = one["failed_seconds_ago"], one["archived_seconds_ago"]
    if one["mode"] == "off" or failed is None or (archived is not None and archived <= failed):
        return
    last = (
        "nothing was archived yet"
        if archived is None
        else f"the last success was {speak_duration(archived)} ago"
    )
    yield Finding(
        id="postgres.archiver.failing",
        level=WARNING,
        subject=subject,
        summary=f"archiving {one['last_failed_wal']} failed {speak_duration(failed)} ago, {last}: pg_wal "
        f"grows and there is no recovery to this point",
        evidence=one,
    )


def _wraparound(facts: Facts, subject: str) -> Iterator[Finding]:
    one = facts["oldest"]
    ages = (
        ("transaction", one["transactions"], one["freeze_max_age"]),
        ("multixact", one["multixacts"], one["multixact_freeze_max_age"]),
    )
    for kind, age, forced in ages:
        if age < max(AGE_WARNING, BEYOND * forced) and age < AGE_CRITICAL:
            continue
        left = max(0, AGE_LIMIT - age)
        yield Finding(
            id="postgres.wraparound.near",
            level=CRITICAL if age >= AGE_CRITICAL else WARNING,
            subject=f"{subject}, database {one['database']}",
            summary=f"{left // 1_000_000} million {kind} numbers are left before the server takes no more "
            f"writes: look for prepared and old transactions and stale slots, then VACUUM {one['database']}",
            evidence={"kind": kind, "age": age, "left": left, "database": one["database"]},
        )
