# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen, by topic, and which of it is remarkable."""

from __future__ import annotations

from collections import Counter
from typing import Any, Iterable, Iterator, Mapping, Sequence

from ..finding import NOTICE, WARNING, Finding
from ..quantities import parse_duration, speak_count, speak_duration
from .accounts import fingerprint
from .baseline import Baseline, exposure_digest, printable, take
from .judge_files import judge_files, judge_keys
from .judge_packages import judge_packages
from .judge_state import (
    judge_accounts,
    judge_containers,
    judge_modules,
    judge_privileged,
    judge_programs,
)
from .model import Item, Snapshot
from .standing import Judge, stamp

MOST_ITEMS = 500


def decide(
    snapshot: Snapshot, params: Mapping[str, Any], now: float | None = None
) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    """The data to return, with a baseline in it, and the findings."""
    expected = params.get("expected")
    judge = Judge(snapshot, Baseline(expected) if expected else None, now)
    known = frozenset(map(_fingerprint, params.get("known_keys") or ()))
    findings = [
        *_unseen(snapshot),
        *judge_packages(judge),
        *judge_privileged(judge),
        *judge_files(judge),
        *judge_keys(judge, known),
        *judge_accounts(judge),
        *judge_programs(judge),
        *judge_modules(judge),
        *judge_containers(judge),
        *_limits(judge, params),
    ]
    unvouched = [item for item in _items(snapshot) if not judge.vouched(item.path)]
    data = {
        "topics": _topics(judge, unvouched),
        "baseline": take(snapshot, unvouched),
        "compared": judge.baseline is not None,
        "reference": {
            "since": stamp(snapshot.reference.since),
            "born": _stamp(snapshot.reference.born),
            "settled": _stamp(snapshot.reference.settled),
        },
        "counts": _counts(snapshot, unvouched),
        "seconds": dict(snapshot.seconds),
    }
    return data, findings


def _items(snapshot: Snapshot) -> list[Item]:
    return [*(snapshot.files or ()), *(snapshot.privileged.items if snapshot.privileged else ())]


def _topics(judge: Judge, unvouched: Sequence[Item]) -> Mapping[str, Any]:
    """By kind what no package vouches for; keys, accounts and containers whole."""
    snapshot = judge.snapshot
    found: dict[str, list[Any]] = {}
    for item in unvouched:
        found.setdefault(item.kind, []).append(judge.as_dict(item))
    if snapshot.accounts is not None:
        found["key"] = [judge.as_dict(item) for item in snapshot.accounts.keys]
        found["account"] = [
            {
                "name": printable(one.name),
                "uid": one.uid,
                "shell": printable(one.shell),
                "password": one.password,
            }
            for one in snapshot.accounts.accounts
        ]
    if snapshot.containers is not None:
        found["container"] = [
            {"name": printable(one.name), "how": list(one.how), "digest": exposure_digest(one)}
            for one in snapshot.containers
        ]
    if snapshot.programs is not None:
        found["process"] = [
            {
                "pid": one.pid,
                "exe": printable(one.exe),
                "user": judge.user(one.uid),
                "ports": list(one.listening),
            }
            for one in snapshot.programs
            if not one.contained and not judge.vouched(one.exe)
        ]
    if snapshot.verification is not None:
        found["package"] = [
            {"path": printable(one.path), "package": one.package, "how": one.how, "conffile": one.conffile}
            for one in snapshot.verification.differs
        ]
    return {topic: items[:MOST_ITEMS] for topic, items in sorted(found.items())}


def _counts(snapshot: Snapshot, unvouched: Sequence[Item]) -> Mapping[str, Any]:
    verification = snapshot.verification
    return {
        "places": len(snapshot.files or ()),
        "not_from_packages": dict(sorted(Counter(item.kind for item in unvouched).items())),
        "files_walked": snapshot.privileged.files if snapshot.privileged else None,
        "files_verified": verification.checked if verification else None,
        "processes": None if snapshot.programs is None else len(snapshot.programs),
    }


def _unseen(snapshot: Snapshot) -> Iterator[Finding]:
    reasons = dict(snapshot.unseen)
    if snapshot.verification is not None and snapshot.verification.late:
        late, checked = snapshot.verification.late, snapshot.verification.checked
        reasons["packages"] = f"{late} of {late + checked} files of packages were not verified in time"
    if snapshot.privileged is not None and snapshot.privileged.missed:
        missed = printable(snapshot.privileged.missed)
        reasons["privileged"] = f"there was no time for all folders; {missed} and others were not looked into"
    for topic, reason in sorted(reasons.items()):
        yield Finding(
            id="persistence.topic.unseen",
            level=WARNING,
            subject=f"persistence {topic}",
            summary=f"{topic}: not all of it was looked at: {reason}",
            evidence={"topic": topic, "reason": reason, "seconds": snapshot.seconds.get(topic)},
        )


def _limits(judge: Judge, params: Mapping[str, Any]) -> Iterator[Finding]:
    """What this look cannot tell."""
    if judge.baseline is not None:
        return
    snapshot = judge.snapshot
    count = sum(not judge.vouched(item.path) for item in _items(snapshot))
    keys = len(snapshot.accounts.keys) if snapshot.accounts else 0
    yield Finding(
        id="persistence.baseline.absent",
        level=NOTICE,
        subject="persistence baseline",
        summary=f"there is no baseline: {speak_count(count, 'file')} that no package vouches for and "
        f"{speak_count(keys, 'key')} were judged by content and age only. Write one while the host is clean",
        evidence={"files": count, "keys": keys},
    )
    reference = snapshot.reference
    if reference.young and reference.settled is not None:
        age = speak_duration(judge.now - reference.settled)
        window = speak_duration(parse_duration(params["window"]))
        yield Finding(
            id="persistence.reference.young",
            level=NOTICE,
            subject="persistence reference",
            summary=f"this system was set up {age} ago, within the window of "
            f"{window}: what was there by {stamp(reference.settled)} is "
            f"taken for old, planted or not",
            evidence={"born": _stamp(reference.born), "settled": _stamp(reference.settled)},
        )


def _fingerprint(known: str) -> str:
    """Of a public key as it stands in authorized_keys or a .pub file; a fingerprint stays what it is."""
    if known.startswith("SHA256:"):
        return known
    words: Iterable[str] = (word for word in known.split() if word.startswith("AAAA"))
    return fingerprint(next(iter(words), ""))


def _stamp(moment: float | None) -> str | None:
    return None if moment is None else stamp(moment)
