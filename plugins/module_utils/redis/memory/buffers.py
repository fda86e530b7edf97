# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds buffers, from CLIENT LIST. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import Mapping

from ...clients.redis import shown
from ..figures import whole
from .model import Client, Clients

NORMAL, REPLICA, PUBSUB = "normal", "replica", "pubsub"
BIGGEST = 3


def clients(lines: str) -> Mapping[str, Clients]:
    """By kind. Before version 6 a line has no tot-mem; what it has is added up then."""
    found: defaultdict[str, list[Client]] = defaultdict(list)
    for line in lines.splitlines():
        fields = dict(pair.partition("=")[::2] for pair in line.split(" "))
        if "omem" in fields:
            client = _client(fields)
            found[client.kind].append(client)
    return {
        kind: Clients(
            count=len(members),
            output=sum(client.output for client in members),
            total=sum(client.total for client in members),
            biggest=tuple(sorted(members, key=lambda client: client.total, reverse=True)[:BIGGEST]),
        )
        for kind, members in found.items()
    }


def _client(fields: Mapping[str, str]) -> Client:
    output = whole(fields.get("omem")) + whole(fields.get("obl"))
    asked = whole(fields.get("qbuf")) + whole(fields.get("qbuf-free"))
    return Client(
        id=whole(fields.get("id")),
        address=fields.get("addr", ""),
        name=shown(fields.get("name", "")),
        user=shown(fields.get("user", "")),
        kind=_kind(fields),
        command=fields.get("cmd", ""),
        age_seconds=whole(fields.get("age")),
        idle_seconds=whole(fields.get("idle")),
        output=output,
        total=whole(fields.get("tot-mem")) or output + asked,
    )


def _kind(fields: Mapping[str, str]) -> str:
    flags = fields.get("flags", "")
    if "S" in flags and "O" not in flags:
        return REPLICA
    return PUBSUB if any(whole(fields.get(name)) for name in ("sub", "psub", "ssub")) else NORMAL
