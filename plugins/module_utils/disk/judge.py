# SPDX-License-Identifier: GPL-3.0-or-later
"""What eats the room of a filesystem, and what to do about it. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Iterator, Sequence

from ..finding import NOTICE, WARNING, Finding
from ..host.room import cause_level, inode_shortage, judge_deleted, judge_room, remedy, shortage
from ..quantities import GIB, MIB, share, speak_count, speak_duration, speak_list, speak_path, speak_size
from .judge_kinds import describe, judge_kinds, told
from .judge_owners import judge_owners
from .kinds import LOG
from .model import Log, Seen, Snapshot

NAMED = 3
# A log that was written to so lately is still being written.
RECENT_SECONDS = 300.0
# What grows fills the rest within an hour: measured over this long and so much at least.
SOON_SECONDS, MEASURED_SECONDS, MEASURED_BYTES = 3600.0, 0.5, MIB
# Of those in use: directories with fewer are not what uses up the inodes.
CROWDED_SHARE = 5.0
# A filesystem's own lists and journal: what a walk cannot find need not be lost.
OVERHEAD_SHARE, OVERHEAD_BYTES = 5.0, GIB
RESERVED_SHARE = 1.0
CROWDS: Sequence[tuple[str, str]] = (
    ("sess", "sessions that nobody clears: see the timer or cron job that should, and their lifetime"),
    ("maildrop", "mail of cron jobs that is not delivered: see mailq, and what these jobs complain of"),
    ("mqueue", "mail that is not delivered: see mailq"),
    ("/new", "mail that nobody reads"),
    ("cache", "a cache: its owner can empty it"),
)


def judge(snapshot: Snapshot) -> list[Finding]:
    findings: list[Finding] = []
    for seen in snapshot.seen:
        filesystem = seen.place.filesystem
        findings += [*judge_room(filesystem), *judge_deleted(filesystem, snapshot.deleted.files)]
        findings += [*_logs(seen, snapshot.now), *judge_kinds(seen), *_inodes(seen), *_directories(seen)]
        findings += [*judge_owners(seen, snapshot), *_rest(seen, snapshot), *_seen_in_part(seen)]
    # Several directories of one filesystem have its findings in common.
    return list({(one.id, one.subject): one for one in [*findings, *_unseen(snapshot)]}.values())


def _logs(seen: Seen, now: float) -> Iterator[Finding]:
    for log in seen.logs:
        file, filesystem = log.file, seen.place.filesystem
        full_in = _full_in(log, filesystem.space.available)
        level = WARNING if full_in is not None else cause_level(file.bytes, filesystem)
        if level is None or file.kind != LOG:
            continue
        path = speak_path(file.path)
        evidence = {**describe(file), "rotated": log.rotated, "grown_bytes": log.grown}
        evidence["seconds"] = round(log.seconds, 1)
        if log.grown or now - file.modified < RECENT_SECONDS:
            grew = f"; it grew by {speak_size(log.grown)} in {log.seconds:.1f} s" if log.grown else ""
            soon = "" if full_in is None else f" and fills the rest in {speak_duration(full_in)}"
            never = "" if log.rotated else ". Nothing rotates it"
            yield Finding(
                id="disk.log.growing",
                level=level,
                subject=f"log {path}",
                summary=f"{path} has {told(file.bytes, seen)}, and is being written{grew}{soon}{never}. "
                f"Rotate it so that its writer opens it again, and see what it repeats",
                evidence=evidence,
                remedy=remedy(filesystem, "compress"),
            )
        elif not log.rotated:
            yield Finding(
                id="disk.log.unrotated",
                level=level,
                subject=f"log {path}",
                summary=f"{path} has {told(file.bytes, seen)}, was last written "
                f"{speak_duration(now - file.modified)} ago, and nothing rotates it",
                evidence=evidence,
                remedy=remedy(filesystem, "compress"),
            )


def _full_in(log: Log, available: int) -> float | None:
    """Seconds, when it is soon."""
    if log.seconds < MEASURED_SECONDS or log.grown < MEASURED_BYTES:
        return None
    seconds = available * log.seconds / log.grown
    return seconds if seconds < SOON_SECONDS else None


def _inodes(seen: Seen) -> Iterator[Finding]:
    filesystem = seen.place.filesystem
    level = inode_shortage(filesystem)
    in_use = filesystem.space.inodes - filesystem.space.inodes_available
    for crowd in seen.usage.crowded[:NAMED]:
        part = share(crowd.entries, in_use)
        if level is None or part < CROWDED_SHARE:
            return
        path = speak_path(crowd.path)
        hint = next((said for sign, said in CROWDS if sign in path.lower()), "")
        yield Finding(
            id="disk.inodes.eaten",
            level=WARNING,
            subject=f"directory {path}",
            summary=f"{crowd.entries} files, {part:.0f} % of those on {filesystem.point}, are in and below "
            f"{path}{': ' if hint else ''}{hint}",
            evidence={**asdict(crowd), "path": path},
        )


def _directories(seen: Seen) -> Iterator[Finding]:
    """Where a filesystem has no room, its largest directories, whatever is in them."""
    large = seen.usage.large[:NAMED]
    if not shortage(seen.place.filesystem) or not large:
        return
    named = [f"{speak_path(one.path)} {speak_size(one.bytes)}" for one in large]
    yield Finding(
        id="disk.directory.large",
        level=NOTICE,
        subject=f"directories on {seen.place.name}",
        summary=f"most of it is in {speak_list(named, NAMED)}",
        evidence={"directories": [{**asdict(one), "path": speak_path(one.path)} for one in large]},
    )


def unaccounted(seen: Seen, snapshot: Snapshot) -> int | None:
    """Bytes in use that neither the walk nor a deleted file explains; None where that cannot be said."""
    filesystem = seen.place.filesystem
    if not seen.place.whole or filesystem.kind == "overlay":
        return None
    held = sum(file.bytes for file in snapshot.deleted.files if file.point == filesystem.point)
    return max(0, filesystem.space.total - filesystem.space.free - seen.usage.bytes - held)


def _rest(seen: Seen, snapshot: Snapshot) -> Iterator[Finding]:
    filesystem, usage = seen.place.filesystem, seen.usage
    space = filesystem.space
    reserved = space.free - space.available
    if shortage(filesystem) and share(reserved, space.total) >= RESERVED_SHARE:
        yield Finding(
            id="disk.space.reserved",
            level=NOTICE,
            subject=f"filesystem {filesystem.point}",
            summary=f"{told(reserved, seen)}, is kept for root and cannot be used by services; on ext4 "
            f"tune2fs -m lowers that",
            evidence={"reserved": reserved},
        )
    rest = unaccounted(seen, snapshot)
    sure = usage.complete and not usage.unreadable and snapshot.deleted.complete
    if rest is None or not sure or cause_level(rest, filesystem) is None:
        return
    if share(rest, space.total) < OVERHEAD_SHARE:
        return
    hidden = [speak_path(point) for point in usage.mounts]
    below = f". Files may lie hidden below what is mounted on {speak_list(hidden, NAMED)}" if hidden else ""
    yield Finding(
        id="disk.space.unaccounted",
        level=cause_level(rest, filesystem) or NOTICE,
        subject=f"filesystem {filesystem.point}",
        summary=f"{told(rest, seen)}, is in use and belongs to no file that can be seen{below}. Bind the "
        f"filesystem to another directory to look below mounts; see snapshots and quotas too",
        evidence={"bytes": rest, "mounts": hidden[:20]},
    )


def _seen_in_part(seen: Seen) -> Iterator[Finding]:
    usage = seen.usage
    if not usage.complete:
        yield Finding(
            id="disk.walk.incomplete",
            level=WARNING,
            subject=f"walk of {seen.place.name}",
            summary=f"the time was over after {speak_count(usage.files, 'file')} and "
            f"{speak_duration(usage.seconds)}: all figures are of these only. Give a longer timeout or a "
            f"directory in paths",
            evidence={"files": usage.files, "seconds": round(usage.seconds, 1)},
        )
    if usage.unreadable:
        named = [f"{speak_path(path)} ({said})" for path, said in usage.first_unreadable.items()]
        yield Finding(
            id="disk.walk.unreadable",
            level=WARNING,
            subject=f"walk of {seen.place.name}",
            summary=f"{usage.unreadable} directories could not be looked into: {speak_list(named, NAMED)}. "
            f"Run as root (become: true)",
            evidence={"unreadable": usage.unreadable, "first": named},
        )


def _unseen(snapshot: Snapshot) -> Iterator[Finding]:
    unseen = dict(snapshot.unseen)
    if not snapshot.deleted.complete:
        unseen.setdefault("open files", "not those of all processes: run as root (become: true)")
    if unseen:
        yield Finding(
            id="disk.part.unseen",
            level=WARNING,
            subject="disk space",
            summary="not looked at: " + "; ".join(f"{part} ({said})" for part, said in unseen.items()),
            evidence=unseen,
        )
