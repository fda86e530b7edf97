# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables that VACUUM and ANALYZE do not keep up with, and sequences that come to their end."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Mapping, Sequence

from ...clients.postgres_session import Row
from ...finding import CRITICAL, NOTICE, WARNING, Finding
from ...quantities import share, speak_duration, speak_list
from .remedy import Place
from .upkeep import AGE_CRITICAL, AGE_LIMIT, AGE_WARNING, BEYOND

# Autovacuum comes when its threshold is passed, and may need a while.
DEAD_ROWS, DEAD_SHARE, DEAD_TIMES, DEAD_MANY = 10_000, 20.0, 2, 100_000
UNANALYZED_ROWS, UNANALYZED_MANY = 10_000, 1_000_000
# Whoever sees the rows of a while ago keeps VACUUM from removing what died since.
HOLDING_SECONDS, HOLDING_TRANSACTIONS = 300, 1_000_000
SEQUENCE_SHOWN, SEQUENCE_HIGH = 50.0, 80.0


def judge_tables(seen: Mapping[str, Any], place: Place) -> Iterator[Finding]:
    """From a row of the look TABLES."""
    yield from _dead(seen, place)
    yield from _unanalyzed(seen["unanalyzed"], place)
    yield from _aging(seen, place)


def judge_sequences(sequences: Iterable[Mapping[str, Any]], place: Place) -> Iterator[Finding]:
    """From what `used` gives."""
    for one in sequences:
        if one["share"] < SEQUENCE_HIGH:
            continue
        left = max(0, one["left"])
        narrow = f", which is {one['type']}" if one["type"] in ("smallint", "integer") else ""
        column = f" of column {one['column']}{narrow}" if one["column"] else ""
        told = f"{left} numbers are left" if left else "the next number is refused, and with it every INSERT"
        yield Finding(
            id="postgres.sequence.exhausting",
            level=WARNING if left else CRITICAL,
            subject=f"{place.subject}, sequence {one['sequence']}",
            summary=f"sequence {one['sequence']}{column} has used {one['share']:g} % of its numbers: {told}",
            evidence=one,
        )


def used(sequences: Iterable[Row]) -> list[dict[str, Any]]:
    """Those that have used up half of their numbers, the fullest first."""
    found = []
    for row in sequences:
        last, step, bits = row["last"], row["step"], row["bits"] or 63
        if last is None:
            continue
        if step > 0:
            first, limit = row["lowest"], min(row["highest"], 2**bits - 1)
        else:
            first, limit = row["highest"], max(row["lowest"], -(2**bits))
        part = share(abs(last - first), abs(limit - first))
        if part >= SEQUENCE_SHOWN:
            found.append(
                {
                    **{name: row[name] for name in ("sequence", "column", "type", "step", "last")},
                    "limit": limit,
                    "left": (limit - last) // step,
                    "share": part,
                }
            )
    return sorted(found, key=lambda one: -one["share"])


def threshold(row: Row, settings: Mapping[str, str]) -> float:
    """So many dead rows bring autovacuum."""
    options = _options(row)

    def setting(name: str, otherwise: str) -> float:
        return float(options.get(name, settings.get(name, otherwise)))

    rows = setting("autovacuum_vacuum_threshold", "50") + setting(
        "autovacuum_vacuum_scale_factor", "0.2"
    ) * max(0.0, float(row["estimated_rows"]))
    # From 18.
    most = setting("autovacuum_vacuum_max_threshold", "-1")
    return min(rows, most) if most >= 0 else rows


def holder(holders: Sequence[Row]) -> str | None:
    """Who keeps VACUUM from removing rows, where somebody does so for long."""
    for one in holders:
        seconds, transactions = one["seconds"] or 0, one["transactions"] or 0
        if seconds < HOLDING_SECONDS and transactions < HOLDING_TRANSACTIONS:
            continue
        of = f" of {one['user']}" if one["user"] else ""
        state = f", {one['state']}" if one["state"] else ""
        since = f" for {speak_duration(seconds)}" if seconds else f", {transactions} transactions ago"
        return f"{one['kind']} {one['name']}{of}{state}{since}"
    return None


def _options(row: Row) -> Mapping[str, str]:
    return dict(option.split("=", 1) for option in row["options"] if "=" in option)


def _dead(seen: Mapping[str, Any], place: Place) -> Iterator[Finding]:
    late = []
    for row in seen["dead"]:
        part = share(row["dead_rows"], row["dead_rows"] + row["live_rows"])
        enough = max(DEAD_ROWS, DEAD_TIMES * threshold(row, seen["settings"]))
        if row["dead_rows"] >= enough and part >= DEAD_SHARE and not row["vacuuming"]:
            late.append({**row, "share": part})
    if not late:
        return
    held = holder(seen["holders"])
    first = late[0]
    if held:
        why = f"; VACUUM cannot remove them before this ends: {held}"
    elif seen["settings"].get("autovacuum") == "off":
        why = "; autovacuum is switched off"
    elif _options(first).get("autovacuum_enabled", "on") in ("off", "false", "no", "0"):
        why = "; autovacuum is switched off for it"
    else:
        why = "; autovacuum does not keep up"
    yield Finding(
        id="postgres.table.vacuum_due",
        level=WARNING if first["dead_rows"] >= DEAD_MANY else NOTICE,
        subject=place.subject,
        summary=f"{first['share']:g} % of the rows of {first['table']} are dead ({first['dead_rows']})"
        f"{_more(late)}{why}",
        evidence={"tables": late, "holders": seen["holders"]},
        remedy=None if held else place.remedy(vacuum=[row["table"] for row in late]),
    )


def _unanalyzed(rows: Sequence[Row], place: Place) -> Iterator[Finding]:
    late = [row for row in rows if row["live_rows"] >= UNANALYZED_ROWS]
    if late:
        yield Finding(
            id="postgres.table.analyze_due",
            level=WARNING if late[0]["live_rows"] >= UNANALYZED_MANY else NOTICE,
            subject=place.subject,
            summary=f"{late[0]['table']} with {late[0]['live_rows']} rows was never analyzed{_more(late)}, "
            f"so the planner guesses",
            evidence={"tables": late},
            remedy=place.remedy(analyze=[row["table"] for row in late]),
        )


def _aging(seen: Mapping[str, Any], place: Place) -> Iterator[Finding]:
    settings, late, worst = seen["settings"], [], 0
    for row in seen["oldest"]:
        for age, name in (
            (row["transactions"], "autovacuum_freeze_max_age"),
            (row["multixacts"], "autovacuum_multixact_freeze_max_age"),
        ):
            if age >= max(AGE_WARNING, BEYOND * int(settings.get(name, 0))) or age >= AGE_CRITICAL:
                late.append(row["table"])
                worst = max(worst, age)
    if late:
        tables = list(dict.fromkeys(late))
        held = holder(seen["holders"])
        yield Finding(
            id="postgres.table.wraparound_near",
            level=CRITICAL if worst >= AGE_CRITICAL else WARNING,
            subject=place.subject,
            summary=f"{speak_list(tables, 3)} must be vacuumed: {max(0, AGE_LIMIT - worst) // 1_000_000} "
            f"million numbers are left before the server takes no more writes"
            + (f"; first this must end: {held}" if held else ""),
            evidence={"tables": seen["oldest"], "holders": seen["holders"]},
            remedy=place.remedy(vacuum=tables),
        )


def _more(rows: Sequence[Row]) -> str:
    return f", and so {len(rows) - 1} more" if len(rows) > 1 else ""
