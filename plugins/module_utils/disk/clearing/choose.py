# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of what takes room goes, the mildest first, until there is enough."""

from __future__ import annotations

from typing import Callable, Mapping

from ...plan import DISRUPTIVE, Act
from ...quantities import MIB, speak_count, speak_size
from . import destroy
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
    Holder,
    Log,
    Policy,
    Snapshot,
    by_directory,
    shown,
)
from .need import Choice, Need, as_evidence
from .protection import is_evidence

# What compressing text gives back at least, in most cases.
GAINED = 0.7
# Below this, compressing gives nothing back; a log that is written to is not worth turning over.
PACK_FROM, TURN_FROM = 8192, MIB
# A file that claims so many times what it takes has holes, and reading them takes as long as it claims.
HOLLOW = 16
DESTROYING = frozenset({JOURNAL, CONTAINER_LOGS, OLD_LOGS, BACKUPS})


def choose(snapshot: Snapshot, policy: Policy) -> Choice:
    """Of the levers in `policy`, in the order of `LEVERS`, what is needed and no more."""
    need, choice = Need(snapshot), Choice()
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
        REOPEN: sum(each.bytes for each in snapshot.holders if each.signal and not (kept and tells(each))),
        CACHES: sum(cache.bytes for cache in snapshot.caches),
        JOURNAL: 0 if kept else sum(max(0, each.bytes - policy.journal_keep) for each in snapshot.journals),
        CONTAINER_LOGS: 0
        if kept
        else sum(log.bytes for log in snapshot.containers if log.bytes >= destroy.CUT_FROM),
        COMPRESS: round(
            sum(log.file.bytes for log in snapshot.logs if log.kind == ROTATED and packs(log, snapshot))
            * GAINED
        ),
        OLD_LOGS: sum(log.file.bytes for log in destroy.disposable(snapshot, policy)),
    }
    return {lever: found[lever] for lever in LEVERS if lever not in policy.levers and found.get(lever)}


def packs(log: Log, snapshot: Snapshot) -> bool:
    file = log.file
    return file.bytes >= PACK_FROM and file.size <= HOLLOW * file.bytes and file.key not in snapshot.open


def tells(holder: Holder) -> bool:
    return any(is_evidence(file.path) for file in holder.files)


def _reopen(snapshot: Snapshot, policy: Policy, need: Need, choice: Choice) -> int:
    gained = 0
    for holder in snapshot.holders:
        logs = [file for file in holder.files if kind_of(file.name)]
        taken = sum(file.bytes for file in logs)
        if not (holder.signal and logs and need.wants(holder.place, taken)):
            continue
        act = Act(
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
        # Who broke in deletes the logs that tell of it: until it is closed, this is the last copy.
        if snapshot.incident and tells(holder):
            choice.refusals.append(act.refused(as_evidence(snapshot)))
            continue
        need.take(holder.place, taken)
        gained += taken
        choice.acts.append(act)
    return gained


def _caches(snapshot: Snapshot, policy: Policy, need: Need, choice: Choice) -> int:
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


def _compress(snapshot: Snapshot, policy: Policy, need: Need, choice: Choice) -> int:
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


def _turn_over(snapshot: Snapshot, need: Need, choice: Choice) -> int:
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
                reason=f"{speak_size(log.file.bytes)}, written by {shown(writer.name)} (pid {writer.pid}): "
                f"put aside, {writer.signal}, compressed; not one line is lost",
            )
        )
    return gained


_Lever = Callable[[Snapshot, Policy, Need, Choice], int]
_LEVERS: Mapping[str, _Lever] = {
    REOPEN: _reopen,
    CACHES: _caches,
    COMPRESS: _compress,
    JOURNAL: destroy.journal,
    CONTAINER_LOGS: destroy.container_logs,
    OLD_LOGS: destroy.old_logs,
    BACKUPS: destroy.backups,
}
