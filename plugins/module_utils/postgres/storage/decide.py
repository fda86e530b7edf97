# SPDX-License-Identifier: GPL-3.0-or-later
"""What fills a server and what wears out in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Iterator, Mapping, Sequence

from ...finding import NOTICE, WARNING, Finding
from ...quantities import GIB, speak_count, speak_duration, speak_size
from ..entry import access_to
from ..server import describe
from .indexes import judge_collations, judge_indexes
from .observe import Snapshot
from .remedy import Place
from .tables import judge_sequences, judge_tables, used
from .upkeep import judge_upkeep

# max_wal_size is what the server aims at, and it may go beyond for a while.
WAL_TIMES = 2
TEMPORARY_BYTES = GIB

Facts = Mapping[str, Any]


def inform(seen: Snapshot) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    subject = describe(seen.server)
    database = seen.facts["database"]
    elsewhere = database if database != seen.server.administrator.database else None
    there = replace(seen.server, administrator=access_to(seen.server, database))
    place = Place(describe(there), elsewhere, seen.facts["in_recovery"])
    sequences = used(seen.sequences)
    findings = [*_unseen(seen, subject), *judge_upkeep(seen.facts, subject), *_directories(seen, subject)]
    if "tables" in seen.parts:
        findings += judge_tables(seen.parts["tables"], place)
    if "indexes" in seen.parts:
        findings += judge_indexes(seen.parts["indexes"], seen.facts, place)
    if "collations" in seen.parts:
        findings += judge_collations(seen.parts["collations"], database, place)
    findings += judge_sequences(sequences, place)
    return _data(seen, subject, sequences), findings


def _data(seen: Snapshot, subject: str, sequences: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    facts, parts = seen.facts, seen.parts
    relations, tables = parts.get("relations", {}), parts.get("tables", {})
    indexes, directories = parts.get("indexes", {}), parts.get("directories", {})
    sizes = {row["name"]: row["bytes"] for row in parts.get("database_sizes", ())}
    databases = [{**row, "bytes": sizes.get(row["name"])} for row in facts["databases"]]
    return {
        "server": subject,
        "version": facts["version"],
        "in_recovery": facts["in_recovery"],
        "database": facts["database"],
        "databases": sorted(databases, key=lambda row: -(row["bytes"] or 0)),
        "estimated": relations.get("estimated"),
        "bytes": relations.get("bytes"),
        "table_count": relations.get("table_count"),
        "index_count": relations.get("index_count"),
        "tables": relations.get("tables"),
        "indexes": relations.get("indexes"),
        "dead_tables": tables.get("dead"),
        "unanalyzed_tables": tables.get("unanalyzed"),
        "oldest_tables": tables.get("oldest"),
        "holders": tables.get("holders"),
        "invalid_indexes": indexes.get("invalid"),
        "duplicate_indexes": indexes.get("duplicates"),
        "unused_indexes": indexes.get("unused"),
        "counted_seconds": indexes.get("counted_seconds"),
        "collations": parts.get("collations"),
        "sequences": sequences,
        "sequences_unread": seen.unread,
        "slots": facts["slots"],
        "replicas": facts["replicas"],
        "standby": facts["standby"],
        "archiver": facts["archiver"],
        "wal": {
            "bytes": directories.get("wal_bytes"),
            "files": directories.get("wal_files"),
            "max_bytes": facts["max_wal_bytes"],
            "keep_bytes": facts["keep_wal_bytes"],
            "archive_waiting": directories.get("archive_waiting"),
        },
        "temporary_bytes": directories.get("temporary_bytes"),
        "unseen": dict(seen.unseen),
    }


def _unseen(seen: Snapshot, subject: str) -> Iterator[Finding]:
    if not seen.facts["sees_all"]:
        yield Finding(
            id="postgres.storage.unseen",
            level=WARNING,
            subject=f"{subject}, activity",
            summary="the administrator is shown its own sessions only, so what builds, replicates and keeps "
            "VACUUM back is not known. GRANT pg_monitor to it",
        )
    if seen.unseen:
        first = min(seen.unseen)
        yield Finding(
            id="postgres.storage.unseen",
            level=WARNING,
            subject=subject,
            summary=f"nothing is known of {', '.join(seen.unseen).replace('_', ' ')}: {seen.unseen[first]}",
            evidence=dict(seen.unseen),
        )
    if seen.unread:
        yield Finding(
            id="postgres.storage.unseen",
            level=NOTICE,
            subject=f"{subject}, sequences",
            summary=f"of {speak_count(seen.unread, 'sequence')} it is not known how many numbers are left, "
            f"of {len(seen.sequences)} it is; a superuser is shown all",
        )


def _directories(seen: Snapshot, subject: str) -> Iterator[Finding]:
    found, facts = seen.parts.get("directories"), seen.facts
    if found is None:
        return
    aimed = max(WAL_TIMES * facts["max_wal_bytes"], facts["max_wal_bytes"] + facts["keep_wal_bytes"] + GIB)
    if found["wal_bytes"] > aimed:
        yield Finding(
            id="postgres.wal.large",
            level=WARNING,
            subject=subject,
            summary=f"pg_wal has {speak_size(found['wal_bytes'])} where max_wal_size is "
            f"{speak_size(facts['max_wal_bytes'])}: {_why_wal(found, facts)}. Remove nothing there by hand",
            evidence={**found, "max_wal_bytes": facts["max_wal_bytes"], "slots": facts["slots"]},
        )
    if found["temporary_bytes"] >= TEMPORARY_BYTES:
        yield Finding(
            id="postgres.temporary.large",
            level=NOTICE,
            subject=subject,
            summary=f"queries that run now have {speak_size(found['temporary_bytes'])} of temporary files",
            evidence={"bytes": found["temporary_bytes"]},
        )


def _why_wal(found: Facts, facts: Facts) -> str:
    slot = facts["slots"][0] if facts["slots"] else None
    archiver = facts["archiver"]
    failed = archiver["failed_seconds_ago"]
    if slot and (slot["retained_bytes"] or 0) > facts["max_wal_bytes"]:
        reader = "which is read" if slot["active"] else "which nobody reads"
        return f"slot {slot['name']}, {reader}, keeps {speak_size(slot['retained_bytes'])}"
    if found["archive_waiting"] > 1 and archiver["mode"] != "off":
        failing = f", which failed {speak_duration(failed)} ago" if failed is not None else ""
        return f"{found['archive_waiting']} files wait for the archiver{failing}"
    return "checkpoints do not keep up with what is written, or it has just been much"
