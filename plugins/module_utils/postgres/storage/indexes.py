# SPDX-License-Identifier: GPL-3.0-or-later
"""Indexes that answer nothing, that nobody asks, that there are twice, or whose order may be wrong."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from ...clients.postgres_session import Row, identifier
from ...finding import NOTICE, WARNING, Finding
from ...quantities import speak_count, speak_duration, speak_list, speak_size
from .remedy import Place

# Before, nobody can say that an index is of no use: not every report is asked for daily.
COUNTED_SECONDS = 7 * 86400


def judge_indexes(seen: Mapping[str, Any], facts: Row, place: Place) -> Iterator[Finding]:
    """From rows of the look INDEXES and of the looks of the whole server."""
    yield from _leftovers(seen["invalid"], place)
    yield from _invalid(seen["invalid"], place)
    yield from _duplicates(seen["duplicates"], place)
    # A standby counts what it is asked itself, and only that.
    if not facts["in_recovery"] and seen["counted_seconds"] >= COUNTED_SECONDS:
        yield from _unused(seen, facts, place)


def judge_collations(seen: Mapping[str, Any], database: str, place: Place) -> Iterator[Finding]:
    """From a row of the look of `collations`."""
    affected = seen["affected"]
    names = [one["index"] for one in affected]
    count = affected[0]["of"] if affected else 0
    told = f"{speak_count(count, 'index')} on text: {speak_list(names, 3)}" if count == 1 else ""
    if count > 1:
        told = f"{count} indexes on text, among them {speak_list(names[:3], 3)}"
    remedy = place.remedy(cures=False, reindex=names) if names and count == len(names) else None
    for one in seen["databases"] or ():
        here = one["name"] == database
        yield Finding(
            id="postgres.collation.mismatch",
            level=WARNING,
            subject=f"{place.subject}, database {one['name']}",
            summary=f"{_versions(one)}: text may be sorted otherwise than its indexes are. REINDEX "
            f"{(told or 'no index here') if here else 'those on text'}; then ALTER DATABASE "
            f"{identifier(one['name']).replace('%%', '%')} REFRESH COLLATION VERSION",
            evidence={**one, "affected": affected if here else []},
            remedy=remedy if here else None,
        )
    if seen["collations"]:
        first = seen["collations"][0]
        yield Finding(
            id="postgres.collation.mismatch",
            level=WARNING,
            subject=f"{place.subject}, collation {first['name']}",
            summary=f"{_versions(first)}: text may be sorted otherwise than its indexes are. "
            f"REINDEX {told}; then "
            + "; ".join(f"ALTER COLLATION {one['name']} REFRESH VERSION" for one in seen["collations"][:5]),
            evidence={"collations": seen["collations"], "affected": affected},
            remedy=remedy,
        )


def droppable(indexes: Sequence[Row]) -> Sequence[Row]:
    """Of indexes on the same columns, those that another one makes superfluous. The first is kept."""
    kept = indexes[0]
    return [
        one
        for one in indexes[1:]
        if not one["constraint"]
        and not one["identity"]
        and (not one["unique"] or (kept["unique"] and kept["nulls"] == one["nulls"]))
    ]


def _leftovers(invalid: Sequence[Row], place: Place) -> Iterator[Finding]:
    for row in invalid:
        if row["leftover"] and not row["building"]:
            cost = "every write keeps it up to date" if row["ready"] else "nothing uses it"
            yield Finding(
                id="postgres.index.leftover",
                level=WARNING if row["ready"] else NOTICE,
                subject=f"{place.subject}, index {row['index']}",
                summary=f"{row['index']} on {row['table']} is what a REINDEX CONCURRENTLY that failed left: "
                f"{cost}",
                evidence=row,
                remedy=place.remedy(invalid_indexes=True),
            )


def _invalid(invalid: Sequence[Row], place: Place) -> Iterator[Finding]:
    for row in invalid:
        subject = f"{place.subject}, index {row['index']}"
        if row["building"]:
            yield Finding(
                id="postgres.index.invalid",
                level=NOTICE,
                subject=subject,
                summary=f"index {row['index']} is not valid while pid {row['building']['pid']} builds on "
                f"{row['table']} ({row['building']['phase']})",
                evidence=row,
            )
        elif row["partitioned"]:
            yield Finding(
                id="postgres.index.invalid",
                level=WARNING,
                subject=subject,
                summary=f"index {row['index']} of the partitioned {row['table']} is not valid: some "
                f"partition has none to it. Build it there and ATTACH it",
                evidence=row,
            )
        elif not row["leftover"]:
            unique = (
                " and does not keep duplicates out; where there are some, remove them first"
                if row["unique"]
                else ""
            )
            yield Finding(
                id="postgres.index.invalid",
                level=WARNING,
                subject=subject,
                summary=f"index {row['index']} of {row['table']} is not valid, its building failed: it "
                f"answers no query{unique}",
                evidence=row,
                remedy=place.remedy(reindex=[row["index"]]),
            )


def _duplicates(groups: Sequence[Row], place: Place) -> Iterator[Finding]:
    found = [
        {"table": group["table"], "kept": group["indexes"][0]["index"], **one}
        for group in groups
        for one in droppable(group["indexes"])
    ]
    if found:
        listed = speak_list([f"{one['index']} (like {one['kept']})" for one in found], 3)
        yield Finding(
            id="postgres.index.duplicate",
            level=NOTICE,
            subject=place.subject,
            summary=f"{speak_size(sum(one['bytes'] for one in found))} are indexes that are there twice: "
            f"{listed}",
            evidence={"indexes": found},
        )


def _unused(seen: Mapping[str, Any], facts: Row, place: Place) -> Iterator[Finding]:
    rows = seen["unused"]
    if rows:
        listed = speak_list([f"{one['index']} ({speak_size(one['bytes'])})" for one in rows], 3)
        replicas = "; a replica may need them, ask it too" if facts["replicas"] or facts["slots"] else ""
        yield Finding(
            id="postgres.index.unused",
            level=NOTICE,
            subject=place.subject,
            summary=f"no query used them within {speak_duration(seen['counted_seconds'])}: {listed}"
            f"{replicas}",
            evidence={"indexes": list(rows)},
        )


def _versions(one: Row) -> str:
    return (
        f"{one['name']} was made with version {one['recorded']} of its collation, "
        f"the system has {one['actual']}"
    )
