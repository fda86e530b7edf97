# SPDX-License-Identifier: GPL-3.0-or-later
"""The levers that lose data, each named by the caller; not what is evidence of an incident that is open."""

from __future__ import annotations

from ...plan import DESTRUCTIVE, DISRUPTIVE, Act
from ...quantities import MIB, speak_count, speak_duration, speak_size
from .logs import kind_of
from .model import LIVE, File, Log, Policy, Snapshot, by_directory, shown
from .need import Choice, Need, as_evidence
from .protection import is_evidence, why_not
from .roots import within

# Below this, a container's log is not worth its restart.
CUT_FROM = MIB


def old(snapshot: Snapshot, policy: Policy) -> list[Log]:
    """Those that may go by their age, the oldest first; a plain name is given to the one being written."""
    before = (snapshot.now - policy.older_than) * 1e9
    found = (log for log in snapshot.logs if log.file.mtime_ns < before and log.file.key not in snapshot.open)
    return sorted(found, key=lambda log: (log.kind == LIVE, log.file.mtime_ns))


def disposable(snapshot: Snapshot, policy: Policy) -> list[Log]:
    """Of the old ones, those that are no evidence."""
    return [log for log in old(snapshot, policy) if not kept_back(log, snapshot)]


def kept_back(log: Log, snapshot: Snapshot) -> bool:
    return snapshot.incident is not None and is_evidence(log.file.path)


def journal(snapshot: Snapshot, policy: Policy, need: Need, choice: Choice) -> int:
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
            choice.refusals.append(act.refused(as_evidence(snapshot)))
            continue
        need.take(each.place, taken)
        gained += taken
        choice.acts.append(act)
    return gained


def container_logs(snapshot: Snapshot, policy: Policy, need: Need, choice: Choice) -> int:
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
            choice.refusals.append(act.refused(as_evidence(snapshot)))
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


def old_logs(snapshot: Snapshot, policy: Policy, need: Need, choice: Choice) -> int:
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
    for files, because in ((chosen, None), (kept, as_evidence(snapshot))):
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


def _cut_deleted(snapshot: Snapshot, policy: Policy, need: Need, choice: Choice) -> int:
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
            choice.refusals.append(act.refused(as_evidence(snapshot)))
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


def backups(snapshot: Snapshot, policy: Policy, need: Need, choice: Choice) -> int:
    gained = 0
    for spare in sorted(snapshot.spares, key=lambda spare: spare.backup.created):
        if not need.wants(spare.place, spare.bytes, 1):
            continue
        backup = spare.backup
        act = Act(
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
        # What was changed by who broke in is told from a backup of before.
        if snapshot.incident:
            choice.refusals.append(act.refused(as_evidence(snapshot)))
            continue
        need.take(spare.place, spare.bytes, 1)
        gained += spare.bytes
        choice.acts.append(act)
    return gained
