# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the server takes a write: the one thing that its figures cannot prove."""

from __future__ import annotations

import secrets

from ...clients.redis import Redis, ServerError
from ...errors import FirebreakError

PREFIX = "firebreak:probe:"
LIFE_MS = 1000
VALUE_BYTES = 128
OK, UNREAD, ELSEWHERE = "ok", "unread", "MOVED"
# These say nothing of what other users may write, or where.
SAYS_NOTHING = (None, OK, "NOPERM", ELSEWHERE, "ASK", "TRYAGAIN")
# A node that has one slot in a hundred is hit by one of these, as good as certainly.
ATTEMPTS = 500


def write_probe(connection: Redis) -> str:
    """`ok`, or the code of the refusal: OOM, MISCONF, READONLY, NOREPLICAS, NOPERM, …

    The key is its own and gone after a second. `unread`: what was written was not what was read. On a node of
    a cluster many keys are another node's; one that is its own is found soon.
    """
    for _attempt in range(ATTEMPTS):
        found = _probe(connection)
        if found != ELSEWHERE:
            break
    return found


def refuses(found: str | None) -> bool:
    """Whether it proves that the server takes no writes."""
    return found not in SAYS_NOTHING


def _probe(connection: Redis) -> str:
    key, value = PREFIX + secrets.token_hex(8), secrets.token_hex(VALUE_BYTES // 2)
    written, read, _gone = connection.pipeline(
        [("SET", key, value, "PX", LIFE_MS), ("GET", key), ("UNLINK", key)]
    )
    if isinstance(written, ServerError):
        return written.code
    if isinstance(written, FirebreakError):
        raise written
    return OK if read == value else UNREAD
