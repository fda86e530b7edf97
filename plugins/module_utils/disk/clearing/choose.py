# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of what takes room goes, the mildest first, until there is enough."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, Mapping

from ...plan import DESTRUCTIVE, DISRUPTIVE, Act
from ...quantities import MIB, speak_count, speak_duration, speak_size
from .logs import kind_of
from .model import (
    BACKUPS,
    CACHES,
    COMPRESS,
    CONTAINER_LOGS,
    JOURNAL,
    LEVERS,
    LIVE,
    OLD_LOGS,
    REOPEN,
    ROTATED,
    Batch,
    File,
    Log,
    Policy,
    Snapshot,
    by_directory,
    shown,
)
from .protection import is_evidence, why_not
from .roots import within

# What compressing text gives back at least, in most cases.
GAINED = 0.7
# Below this, compressing gives nothing back; a log that is written to is not worth turning over.
PACK_FROM, TURN_FROM, CUT_FROM = 8192, MIB, MIB
DESTROYING = frozenset({JOURNAL, CONTAINER_LOGS, OLD_LOGS, BACKUPS})


@dataclass
class Choice:
    """`batches` are the files of acts by digest, `gains` the bytes that each lever promised."""

    acts: list[Act] = field(default_factory=list)
    refusals: list[Act] = field(default_factory=list)
    batches: dict[str, Batch] = field(default_factory=dict)
    gains: dict[str, int] = field(default_factory=dict)


class _Need:
    """What is still missing on each place, as promises come in."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._bytes = {place.device: place.missing for place in snapshot.places}
        self._inodes = {place.device: place.missing_inodes for place in snapshot.places}

    def wants(self, device: int, taken: int, inodes: int = 0) -> bool:
        return bool(
            (self._bytes.get(device, 0) > 0 and taken > 0) or (self._inodes.get(device, 0) > 0 and inodes)
        )

    def take(self, device: int, taken: int, inodes: int = 0) -> None:
        self._bytes[device] = self._bytes.get(device, 0) - taken
        self._inodes[device] = self._inodes.get(device, 0) - inodes


def choose(snapshot: Snapshot, policy: Policy) -> Choice:
    """Of the levers in `policy`, in the order of `LEVERS`, what is needed and no more."""
    need, choice = _Need(snapshot), Choice()
    # Whoever may have a log open is not to lose a line of it.
    blind = {COMPRESS, OLD_LOGS} if "open files" in snapshot.unseen else set()
    for lever in LEVERS:
        if lever in policy.levers and lever not in blind:
            before = len(choice.acts)
            gained = _LEVERS[lever](snapshot, policy, need, choice)
            if len(choice.acts) > before:
                choice.gains[lever] = gained
    return choice


def potential(snapshot: Snapshot, policy: Policy) -> Mapping[str, int]:
    """The bytes that levers would give back that were not asked for, where that is known."""
    kept = snapshot.incident is not None
    found = {
        REOPEN: sum(holder.bytes for holder in snapshot.holders if holder.signal),
        CACHES: sum(cache.bytes for cache in snapshot.caches),
        JOURNAL: 0 if kept else sum(max(0, each.bytes - policy.journal_keep) for each in snapshot.journals),
        CONTAINER_LOGS: 0 if kept else sum(log.bytes for log in snapshot.containers if log.bytes >= CUT_FROM),
        COMPRESS: round(
            sum(log.file.bytes for log in snapshot.logs if log.kind == ROTATED and packs(log, snapshot))
            * GAINED
        ),
        OLD_LOGS: sum(log.file.bytes for log in old(snapshot, policy) if not kept_back(log, snapshot)),
    }
    return {lever: found[lever] for lever in LEVERS if lever not in policy.levers and found.get(lever)}


def packs(log: Log, snapshot: Snapshot) -> bool:
    return log.file.bytes >= PACK_FROM and log.file.key not in snapshot.open


def old(snapshot: Snapshot, policy: Policy) -> list[Log]:
    """Those that may go by their age, the oldest first; a plain name is given to the one being written."""
    before = (snapshot.now - policy.older_than) * 1e9
    found = (log for log in snapshot.logs if log.file.mtime_ns < before and log.file.key not in snapshot.open)
    return sorted(found, key=lambda log: (log.kind == LIVE, log.file.mtime_ns))


def kept_back(log: Log, snapshot: Snapshot) -> bool:
    return snapshot.incident is not None and is_evidence(log.file.path)


def _reopen(snapshot: Snapshot, policy: Policy, need: _Need, choice: Choice) -> int:
    gained = 0
    for holder in snapshot.holders:
        logs = [file for file in holder.files if kind_of(file.name)]
        taken = sum(file.bytes for file in logs)
        if not (holder.signal and logs and need.wants(holder.place, taken)):
            continue
        need.take(holder.place, taken)
        gained += taken
        choice.acts.append(
            Act(
                "disk.logs.reopen",
                target=f"{shown(holder.name)} (pid {holder.pid})",
                identity={
                    "pid": holder.pid,
                    "started": holder.started,
                    "name": holder.name,
                    "signal": holder.signal,
                    "bytes": taken,
                    "files": [file.as_dict() for file in logs],
                },
                risk=DISRUPTIVE,
                reason=f"it holds {speak_count(len(logs), 'deleted log')} open, {speak_size(taken)}; "
                f"{holder.signal} has it open its logs anew",
            )
        )
    return gained


def _caches(snapshot: Snapshot, policy: Policy, need: _Need, choice: Choice) -> int:
    gained = 0
    for cache in snapshot.caches:
        if not need.wants(cache.device, cache.bytes, len(cache.files)):
            continue
        need.take(cache.device, cache.bytes, len(cache.files))
        gained += cache.bytes
        batch = Batch(cache.directory, tuple(File.of(path, status) for path, status in cache.files))
        choice.batches[batch.digest] = batch
        choice.acts.append(
            Act(
                "disk.cache.clean",
                target=f"cache {cache.directory}",
                identity=batch.identity(),
                risk=DISRUPTIVE,
                reason=f"{speak_size(cache.bytes)} that can be fetched again; {' '.join(cache.command)}",
            )
        )
    return gained


def _compress(snapshot: Snapshot, policy: Policy, need: _Need, choice: Choice) -> int:
    rotated = [log for log in snapshot.logs if log.kind == ROTATED and packs(log, snapshot)]
    rotated.sort(key=lambda log: -log.file.bytes)
    # The result lies beside for a moment: where there is little room, the small ones make some for others.
    tight = {
        place.device
        for place in snapshot.places
        if rotated and place.space.available < (1 - GAINED) * rotated[0].file.bytes
    }
    rotated.sort(key=lambda log: log.file.bytes if log.place in tight else -log.file.bytes)
    chosen, gained = [], 0
    for log in rotated:
        taken = round(log.file.bytes * GAINED)
        if need.wants(log.place, taken):
            need.take(log.place, taken)
            gained += taken
            chosen.append(log.file)
    for batch in by_directory(chosen):
        choice.batches[batch.digest] = batch
        choice.acts.append(
            Act(
                "disk.logs.compress",
                target=batch.target,
                identity=batch.identity(),
                risk=DISRUPTIVE,
                reason=f"rotated and not compressed, {speak_size(batch.bytes)}; not one line is lost",
            )
        )
    return gained + _turn_over(snapshot, need, choice)


def _turn_over(snapshot: Snapshot, need: _Need, choice: Choice) -> int:
    gained = 0
    live = [log for log in snapshot.logs if log.kind == LIVE and log.file.bytes >= TURN_FROM]
    for log in sorted(live, key=lambda log: -log.file.bytes):
        writers, taken = snapshot.writers.get(log.file.key, ()), round(log.file.bytes * GAINED)
        if len(writers) != 1 or not writers[0].signal or not need.wants(log.place, taken):
            continue
        writer = writers[0]
        need.take(log.place, taken)
        gained += taken
        batch = Batch(log.file.directory, (log.file,))
        choice.batches[batch.digest] = batch
        choice.acts.append(
            Act(
                "disk.log.turn_over",
                target=batch.target,
                # It grows while this is read: its size and time are not what it is known by.
                identity={
                    "path": shown(log.file.path),
                    "device": log.file.device,
                    "inode": log.file.inode,
                    "batch": batch.digest,
                    "pid": writer.pid,
                    "started": writer.started,
                    "name": writer.name,
                    "bytes": log.file.bytes,
                },
                risk=DISRUPTIVE,
                reason=f"{speak_size(log.file.bytes)}, written by {writer.name} (pid {writer.pid}): put "
                f"aside, {writer.signal}, compressed; not one line is lost",
            )
        )
    return gained


def _journal(snapshot: Snapshot, policy: Policy, need: _Need, choice: Choice) -> int:
    gained = 0
    for each in snapshot.journals:
        taken = each.bytes - policy.journal_keep
        if not need.wants(each.place, taken):
            continue
        act = Act(
            "disk.journal.vacuum",
            target=f"journal {each.directory}",
            identity={"directory": each.directory, "keep": policy.journal_keep},
            risk=DESTRUCTIVE,
            reason=f"{speak_size(each.bytes)}, of which the newest {speak_size(policy.journal_keep)} stay",
        )
        if snapshot.incident:
            choice.refusals.append(act.refused(_evidence(snapshot)))
            continue
        need.take(each.place, taken)
        gained += taken
        choice.acts.append(act)
    return gained


def _container_logs(snapshot: Snapshot, policy: Policy, need: _Need, choice: Choice) -> int:
    gained = 0
    for log in snapshot.containers:
        if log.bytes < CUT_FROM or not need.wants(log.device, log.bytes):
            continue
        target = f"container {log.name}"
        identity = {"container": log.container, "name": log.name}
        act = Act(
            "disk.container_log.truncate",
            target=target,
            identity={**identity, "path": log.path, "device": log.device, "inode": log.inode},
            risk=DESTRUCTIVE,
            reason=f"its log takes {speak_size(log.bytes)} and "
            + (f"max-size is {log.max_size}" if log.max_size else "nothing limits it"),
        )
        if snapshot.incident:
            choice.refusals.append(act.refused(_evidence(snapshot)))
            continue
        need.take(log.device, log.bytes)
        gained += log.bytes
        choice.acts.append(act)
        if log.running:
            choice.acts.append(
                Act(
                    "disk.container.restart",
                    target=target,
                    identity={**identity, "started": log.started},
                    risk=DISRUPTIVE,
                    reason="docker logs --tail never answers for a log that was cut, until that is done",
                )
            )
    return gained


def _old_logs(snapshot: Snapshot, policy: Policy, need: _Need, choice: Choice) -> int:
    chosen: list[File] = []
    kept: list[File] = []
    gained = 0
    for log in old(snapshot, policy):
        if not need.wants(log.place, log.file.bytes, 1):
            continue
        if kept_back(log, snapshot):
            kept.append(log.file)
            continue
        need.take(log.place, log.file.bytes, 1)
        gained += log.file.bytes
        chosen.append(log.file)
    for files, because in ((chosen, None), (kept, _evidence(snapshot))):
        for batch in by_directory(files):
            act = Act(
                "disk.logs.delete",
                target=batch.target,
                identity=batch.identity(),
                risk=DESTRUCTIVE,
                reason=f"older than {speak_duration(policy.older_than)}, {speak_size(batch.bytes)}",
            )
            if because:
                choice.refusals.append(act.refused(because))
            else:
                choice.batches[batch.digest] = batch
                choice.acts.append(act)
    return gained + _cut_deleted(snapshot, policy, need, choice)


def _cut_deleted(snapshot: Snapshot, policy: Policy, need: _Need, choice: Choice) -> int:
    """Logs that have no name any more and whose writer knows no signal."""
    gained = 0
    for holder in snapshot.holders:
        logs = [file for file in holder.files if _may_cut(file, policy)]
        taken = sum(file.bytes for file in logs)
        if holder.signal or not logs or not need.wants(holder.place, taken):
            continue
        act = Act(
            "disk.deleted.truncate",
            target=f"{speak_count(len(logs), 'deleted log')} of {shown(holder.name)} (pid {holder.pid})",
            identity={
                "pid": holder.pid,
                "started": holder.started,
                "name": holder.name,
                "files": [file.as_dict() for file in logs],
            },
            risk=DESTRUCTIVE,
            reason=f"{speak_size(taken)} that no name leads to any more",
        )
        if snapshot.incident and any(is_evidence(file.path) for file in logs):
            choice.refusals.append(act.refused(_evidence(snapshot)))
        elif not holder.appends:
            choice.refusals.append(
                act.refused(
                    "it does not append (no O_APPEND): the file would be as long again with "
                    "the next line; restart it"
                )
            )
        else:
            need.take(holder.place, taken)
            gained += taken
            choice.acts.append(act)
    return gained


def _may_cut(file: File, policy: Policy) -> bool:
    return (
        kind_of(file.name) is not None
        and why_not(file.path) is None
        and any(within(file.path, root) for root in policy.roots or ())
    )


def _backups(snapshot: Snapshot, policy: Policy, need: _Need, choice: Choice) -> int:
    gained = 0
    for spare in sorted(snapshot.spares, key=lambda spare: spare.backup.created):
        if not need.wants(spare.place, spare.bytes, 1):
            continue
        need.take(spare.place, spare.bytes, 1)
        gained, backup = gained + spare.bytes, spare.backup
        choice.acts.append(
            Act(
                "disk.backup.delete",
                target=f"backup {shown(backup.path)}",
                identity={
                    "path": backup.path,
                    "inode": backup.inode,
                    "mtime_ns": backup.mtime_ns,
                    "size": backup.size,
                    "keep": policy.keep,
                },
                risk=DESTRUCTIVE,
                reason=f"{policy.keep} newer ones of {backup.database or 'the same'} can be restored",
            )
        )
    return gained


def _evidence(snapshot: Snapshot) -> str:
    said = snapshot.incident.reason if snapshot.incident else ""
    return f"it is evidence, and {said}; security_incident=closed says that it is over"


_Lever = Callable[[Snapshot, Policy, _Need, Choice], int]
_LEVERS: Mapping[str, _Lever] = {
    REOPEN: _reopen,
    CACHES: _caches,
    COMPRESS: _compress,
    JOURNAL: _journal,
    CONTAINER_LOGS: _container_logs,
    OLD_LOGS: _old_logs,
    BACKUPS: _backups,
}
