# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody was to fill in and did not: neither recorded for the public nor sent."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput

# `[description]` as in a form; `[text](address)` is a link.
_PLACEHOLDER = re.compile(r"\[[A-Za-z$#][A-Za-z0-9 $#_/'-]{0,40}\](?!\()")
# What programs write in brackets, and people copy.
_MARKS = frozenset(
    f"[{mark}]"
    for mark in (
        *("redacted", "firing", "resolved", "ok", "failed", "trace", "debug", "info", "notice", "warn"),
        *("warning", "error", "err", "crit", "critical", "alert", "emerg", "fatal", "panic"),
    )
)


class Unfilled(BadInput):
    """A text has places that nobody filled in."""


def refuse_placeholders(where: str, value: Any) -> None:
    """For what a person typed, alone or in lists and mappings. Raises `Unfilled`."""
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    found = [each for each in dict.fromkeys(_PLACEHOLDER.findall(text)) if each.lower() not in _MARKS]
    if found:
        raise Unfilled(where, f"{', '.join(found)} is not filled in", "Write what belongs there.")
