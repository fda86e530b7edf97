# SPDX-License-Identifier: GPL-3.0-or-later
"""What speaks for damaged data, and what has not been looked at."""

from __future__ import annotations

from typing import Iterator

from ...finding import CRITICAL, NOTICE, Finding, Remedy
from ...quantities import speak_count, speak_list
from .observe import Reading

LISTED = 3
CURE = (
    "stop what writes to it, copy the data directory before anything else (see data_copy), then restore "
    "beside it"
)


def judge_damage(
    database: str, subject: str, failures: int, last: str | None, reading: Reading | None
) -> Iterator[Finding]:
    """`failures` are those of the checksums since the statistics were reset. No reading: not asked for."""
    remedy = Remedy("restore_database", {"database": database})
    if failures:
        yield Finding(
            id="postgres.data.corrupt",
            level=CRITICAL,
            subject=subject,
            summary=f"{speak_count(failures, 'page')} of {database} failed the checksum, the last one at "
            f"{last}: {CURE}",
            evidence={"checksum_failures": failures, "last_checksum_failure": last},
            remedy=remedy,
        )
    if reading and reading.damaged:
        names = list(reading.damaged)
        yield Finding(
            id="postgres.data.corrupt",
            level=CRITICAL,
            subject=subject,
            summary=f"amcheck finds damage in {speak_list(names, LISTED)} of {database}: "
            f"{reading.damaged[names[0]]}. REINDEX repairs what is an index, and only that; otherwise {CURE}",
            evidence={"damaged": dict(reading.damaged)},
            remedy=remedy,
        )


def judge_unchecked(
    database: str, subject: str, checksums: bool, reading: Reading | None
) -> Iterator[Finding]:
    unchecked = _unchecked(database, checksums, reading)
    if unchecked:
        yield Finding(
            id="postgres.data.unchecked",
            level=NOTICE,
            subject=subject,
            summary=unchecked,
            evidence={"checksums": checksums, **({"reading": reading.as_dict()} if reading else {})},
        )


def _unchecked(database: str, checksums: bool, reading: Reading | None) -> str:
    if reading is None and checksums:
        return ""
    if reading is None:
        return (
            f"the server has no data checksums, so damage to {database} shows only where something trips "
            f"over it; deep: true reads it with amcheck"
        )
    if not reading.amcheck:
        how = (
            "it is there to be installed: CREATE EXTENSION amcheck"
            if reading.available
            else "it comes with the package of PostgreSQL's contrib modules"
        )
        return f"{database} was not read, for it does not have the extension amcheck; {how}"
    if reading.unread:
        names = list(reading.unread)
        return (
            f"{len(names)} of {reading.total} tables and indexes of {database} were not read: "
            f"{speak_list(names, LISTED)} ({reading.unread[names[0]]})"
        )
    return ""
