# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of tables and indexes as a person types them."""

from __future__ import annotations

import re
from typing import Any, Mapping, Sequence

from ...errors import BadInput
from ...quantities import speak_list

# As PostgreSQL reads a name: folded to small letters unless it stands in double quotes.
_PART = r'(?:"(?:[^"]|"")+"|[A-Za-z_\u0080-\uffff][\w$]*)'
_NAME = re.compile(rf"\s*{_PART}(?:\s*\.\s*{_PART})?\s*")

KINDS: Mapping[str, str] = {
    "r": "a table",
    "p": "a partitioned table",
    "m": "a materialized view",
    "v": "a view",
    "f": "a foreign table",
    "i": "an index",
    "I": "a partitioned index",
    "S": "a sequence",
    "c": "a type",
    "t": "what is stored aside for a table",
}
TABLES, INDEXES = "rpmt", "iI"


def readable(text: str) -> str | None:
    """The name if PostgreSQL can read it as it is typed, else None: it would raise an error."""
    return text if _NAME.fullmatch(text) else None


def settle(
    texts: Sequence[str], rows: Sequence[Mapping[str, Any]], wanted: str, subject: str
) -> tuple[int, ...]:
    """The oid for every text, from the rows of look.NAMES; `wanted` are letters of KINDS.

    What PostgreSQL reads it as counts, or else what is spelled just so; one that it reads as one thing and
    that is spelled as another is refused, and so is one that several schemas have. Raises `BadInput`.
    """
    return tuple(
        _settled(text, [row for row in rows if row["text"] == text], wanted, subject) for text in texts
    )


def _settled(text: str, rows: Sequence[Mapping[str, Any]], wanted: str, subject: str) -> int:
    near = [row for row in rows if row["how"] != "elsewhere"]
    found = near or list(rows)
    if not found:
        raise BadInput(
            f"{subject} {text!r}",
            "there is none of that name in this database",
            'Write schema.name; capitals, spaces and dots in double quotes, as in public."Odd Name".',
        )
    if len(found) > 1:
        names = speak_list([str(row["name"]) for row in found], 5)
        raise BadInput(f"{subject} {text!r}", f"it could be {names}", "Write one of them just so.")
    if found[0]["kind"] not in wanted:
        said = KINDS.get(found[0]["kind"], "something else")
        wants = KINDS[wanted[0]]
        raise BadInput(f"{subject} {text!r}", f"{found[0]['name']} is {said}, not {wants}", f"Name {wants}.")
    return int(found[0]["oid"])
