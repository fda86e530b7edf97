# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be known after the levers were moved. Pure."""

from __future__ import annotations

from typing import Collection, Iterator

from ...finding import CRITICAL, NOTICE, Finding
from ...quantities import speak_size
from .model import Memory
from .probe import OK, refuses


def afterwards(memory: Memory, done: Collection[str], probe: str | None) -> Iterator[Finding]:
    """`done` are the actions that were carried out, `probe` what became of a write after them."""
    if refuses(probe):
        yield Finding(
            id="redis.probe.refused",
            level=CRITICAL,
            subject=memory.subject,
            summary=f"a write is still refused after all that was done: {probe}",
            evidence={"probe": probe},
        )
    elif probe not in (None, OK):
        yield Finding(
            id="redis.probe.unknown",
            level=NOTICE,
            subject=memory.subject,
            summary=f"no write of ours proves that the server takes any: {probe}. Its user needs the right "
            f"to write keys that begin with firebreak:probe:",
            evidence={"probe": probe},
        )
    if "redis.maxmemory" in done and "redis.persist" not in done:
        yield _unsaved(memory)
    if "redis.expire_effort" in done:
        yield Finding(
            id="redis.expire_effort.raised",
            level=NOTICE,
            subject=memory.subject,
            summary="active-expire-effort is at its most until it is taken back or the server restarts, and "
            "costs up to a quarter of its CPU: take it back (undo) when no more keys are past due",
            evidence={"active_expire_effort": memory.config.get("active-expire-effort")},
        )
    if memory.cluster and done:
        yield Finding(
            id="redis.cluster.one_node",
            level=NOTICE,
            subject=memory.subject,
            summary="this is one node of a cluster: what was done concerns its own keys and its own memory; "
            "repeat it on every master",
            evidence={"actions": sorted(done)},
        )


def _unsaved(memory: Memory) -> Finding:
    limit = memory.info.number("maxmemory")
    if memory.config_file:
        where = f"{memory.config_file} could not be written: set maxmemory there"
    elif memory.container:
        where = "it has no configuration file: set --maxmemory in the command of its compose file"
    else:
        where = "it has no configuration file: set --maxmemory where it is started"
    return Finding(
        id="redis.maxmemory.unsaved",
        level=NOTICE,
        subject=memory.subject,
        summary=f"maxmemory {speak_size(limit)} is gone after a restart, for {where}",
        evidence={"maxmemory": limit, "config_file": memory.config_file},
    )
