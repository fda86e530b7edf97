# SPDX-License-Identifier: GPL-3.0-or-later
"""What is missing, what is done about it, and what is still wrong afterwards."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from ...finding import CRITICAL, NOTICE, WARNING, Finding, Remedy
from ...lifecycle import Decision
from ...plan import DESTRUCTIVE, DISRUPTIVE, Plan
from ...quantities import MIB, speak_count, speak_list, speak_size
from .choose import DESTROYING, TURN_FROM, potential
from .destroy import CUT_FROM, disposable
from .model import LEVERS, LIVE, OLD_LOGS, Place, Policy, Snapshot, shown
from .need import Choice

# What one missing inode counts, where both are missing: the smallest file there can be.
INODE = 4096
NAMED, LISTED = 3, 50


def decide(
    snapshot: Snapshot,
    policy: Policy,
    choice: Choice,
    work: Sequence[Mapping[str, Any]] = (),
    probes: Mapping[str, str | None] | None = None,
) -> Decision:
    """`probes` are the directories that were written to afterwards, with what went wrong.

    The symptom is the number of bytes missing; one inode missing counts as 4 KiB, and a directory that cannot
    be written to as one byte at least.
    """
    failing = {path: reason for path, reason in (probes or {}).items() if reason}
    missing = sum(place.missing + INODE * place.missing_inodes for place in snapshot.places)
    return Decision(
        symptom=missing + len(failing),
        state=_state(snapshot, choice, work, probes),
        findings=(
            *_missing(snapshot, policy),
            *_failing(failing),
            *_held(snapshot),
            *_unturned(snapshot),
            *_unlimited(snapshot),
            *_kept(snapshot, choice),
            *_left(work),
            *_unseen(snapshot),
        ),
        plan=Plan(tuple(choice.acts), tuple(choice.refusals), sequential=False),
    )


def _state(
    snapshot: Snapshot,
    choice: Choice,
    work: Sequence[Mapping[str, Any]],
    probes: Mapping[str, str | None] | None,
) -> Mapping[str, Any]:
    return {
        "filesystems": [
            {
                "point": place.point,
                "total": place.space.total,
                "available": place.space.available,
                "inodes": place.space.inodes,
                "inodes_available": place.space.inodes_available,
                "aim": place.aim,
                "aim_inodes": place.aim_inodes,
                "missing": place.missing,
                "missing_inodes": place.missing_inodes,
            }
            for place in snapshot.places
        ],
        "promised": dict(choice.gains),
        "work": [dict(each) for each in work],
        "freed": sum(each["bytes"] for each in work),
        "writable": {shown(path): reason is None for path, reason in (probes or {}).items()},
        "left_alone": {shown(path): why for path, why in list(snapshot.protected.items())[:LISTED]},
        "security_incident": snapshot.incident.reason if snapshot.incident else None,
    }


def _missing(snapshot: Snapshot, policy: Policy) -> Iterator[Finding]:
    more = potential(snapshot, policy)
    for place in snapshot.places:
        if not place.missing and not place.missing_inodes:
            continue
        none = not place.space.available or (place.space.inodes and not place.space.inodes_available)
        others = ", ".join(f"{lever} {speak_size(taken)}" for lever, taken in more.items())
        yield Finding(
            id="disk.space.missing",
            level=CRITICAL if none else WARNING,
            subject=f"filesystem {place.point}",
            summary=f"{_lacking(place)} on {place.point}"
            + (f"; levers that were not asked for would free: {others}" if others else ""),
            evidence={
                "available": place.space.available,
                "aim": place.aim,
                "inodes_available": place.space.inodes_available,
                "aim_inodes": place.aim_inodes,
                "levers": dict(more),
            },
            remedy=_next_step(snapshot, place, policy, more),
        )


def _lacking(place: Place) -> str:
    said = []
    if place.missing:
        said.append(
            f"{speak_size(place.missing)} of the {speak_size(place.aim)} that are to be free are missing"
        )
    if place.missing_inodes:
        said.append(f"room for {place.missing_inodes} more files is missing")
    return " and ".join(said)


def _next_step(snapshot: Snapshot, place: Place, policy: Policy, more: Mapping[str, int]) -> Remedy | None:
    if not more:
        return None
    levers = [lever for lever in LEVERS if lever in policy.levers or lever in more]
    inputs: dict[str, Any] = {"path": place.point, "levers": levers}
    if OLD_LOGS in more:
        lie = sorted({shown(log.file.directory) for log in disposable(snapshot, policy)})
        inputs["log_roots"] = list(policy.roots or lie[:LISTED])
    inputs["max_risk"] = DESTRUCTIVE if DESTROYING & set(levers) else DISRUPTIVE
    return Remedy("fix_disk_space", inputs)


def _failing(failing: Mapping[str, str]) -> Iterator[Finding]:
    for path, reason in failing.items():
        yield Finding(
            id="disk.write.failing",
            level=CRITICAL,
            subject=f"directory {shown(path)}",
            summary=f"its owner cannot write a file in {shown(path)}: {reason}",
            evidence={"path": shown(path), "reason": reason},
        )


def _held(snapshot: Snapshot) -> Iterator[Finding]:
    """What only the end of a process gives back."""
    for holder in snapshot.holders:
        if holder.signal is None and holder.bytes >= MIB:
            names = [shown(file.path) for file in holder.files]
            of = f" of {shown(holder.unit)}" if holder.unit else ""
            yield Finding(
                id="disk.deleted.held",
                level=WARNING,
                subject=f"process {shown(holder.name)} (pid {holder.pid})",
                summary=f"{shown(holder.name)} (pid {holder.pid}{of}) holds {speak_size(holder.bytes)} in "
                f"{speak_count(len(names), 'deleted file')} ({speak_list(names, NAMED)}), and no signal is "
                f"known that has it let go: restart it",
                evidence={
                    "pid": holder.pid,
                    "unit": holder.unit and shown(holder.unit),
                    "bytes": holder.bytes,
                    "files": names[:20],
                },
            )


def _unturned(snapshot: Snapshot) -> Iterator[Finding]:
    """Big logs whose writer knows no signal."""
    missing = {place.device: place.missing for place in snapshot.places}
    for log in sorted(snapshot.logs, key=lambda log: -log.file.bytes)[:50]:
        writers = snapshot.writers.get(log.file.key, ())
        if (
            log.kind != LIVE
            or not writers
            or log.file.bytes < max(TURN_FROM, missing.get(log.place, 0) // 10)
        ):
            continue
        if len(writers) == 1 and writers[0].signal:
            continue
        who = speak_list([f"{shown(each.name)} (pid {each.pid})" for each in writers], NAMED)
        yield Finding(
            id="disk.log.unturned",
            level=WARNING if missing.get(log.place) else NOTICE,
            subject=f"log {shown(log.file.path)}",
            summary=f"{shown(log.file.path)} takes {speak_size(log.file.bytes)} and {who} writes to it; it "
            f"cannot be put aside without losing lines, for no signal is known that has it open a new one: "
            f"give it a rule for logrotate, or stop it and compress the log",
            evidence={
                "path": shown(log.file.path),
                "bytes": log.file.bytes,
                "pids": [each.pid for each in writers],
            },
        )


def _unlimited(snapshot: Snapshot) -> Iterator[Finding]:
    logs = [log for log in snapshot.containers if not log.max_size and log.bytes >= CUT_FROM]
    if logs:
        taken = sum(log.bytes for log in logs)
        yield Finding(
            id="disk.container_log.unlimited",
            level=NOTICE,
            subject="containers",
            summary=f"nothing limits the logs of {speak_list([log.name for log in logs], NAMED)}, which take "
            f"{speak_size(taken)}: give them the logging options max-size and max-file, which count when a "
            f"container is created anew",
            evidence={"containers": [{"name": log.name, "bytes": log.bytes} for log in logs]},
        )


def _kept(snapshot: Snapshot, choice: Choice) -> Iterator[Finding]:
    if snapshot.incident and choice.refusals:
        yield Finding(
            id="disk.evidence.kept",
            level=NOTICE,
            subject="evidence",
            summary=f"what may be evidence was neither deleted nor cut: {snapshot.incident.reason}",
            evidence={"targets": [act.target for act in choice.refusals][:LISTED]},
        )


def _left(work: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    for each in work:
        if each.get("left"):
            yield Finding(
                id="disk.files.left",
                level=NOTICE,
                subject=str(each["object"]),
                summary=f"{speak_count(each['left'], 'file')} left alone: {each['left_because']}",
                evidence=dict(each),
            )


def _unseen(snapshot: Snapshot) -> Iterator[Finding]:
    if snapshot.unseen:
        yield Finding(
            id="disk.part.unseen",
            level=WARNING,
            subject="disk",
            summary="not looked at: "
            + "; ".join(f"{shown(part)} ({reason})" for part, reason in list(snapshot.unseen.items())[:10]),
            evidence={shown(part): reason for part, reason in snapshot.unseen.items()},
        )
