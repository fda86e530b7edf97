# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether names are resolved: every name server asked directly, beside what programs are told."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

from ..clients import dns
from ..clients.dns import Lookup, Question, Reply
from ..clients.http import ENDPOINT_PORTS, parse_target
from ..deadlines import Deadline, gather
from ..errors import BadInput

SERVER_SECONDS, LOOKUP_SECONDS = 1.0, 2.0
NAMES = 3
# No server knows it, and every one that works says so (RFC 6761).
PROBE = "resolver-check.invalid"


@dataclass(frozen=True)
class Names:
    """What each server replied, and for each name of an endpoint what the hosts file and programs say.

    `probe` is what programs are told of a name that nobody has; it is only asked when no server replied
    as it should.
    """

    servers: tuple[str, ...]
    upstreams: tuple[str, ...]
    replies: tuple[Reply, ...]
    lookups: Mapping[str, Lookup] = field(default_factory=dict)
    hosts_file: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    probe: Lookup | None = None


def observe_names(endpoints: Sequence[Mapping[str, Any]], deadline: Deadline) -> Names:
    """Ask for what any resolver can answer, its host's name and the root, and for the endpoints' names."""
    found, names = dns.configured(), _names(endpoints)
    own = socket.gethostname() or "localhost"
    questions = [
        question
        for server in dict.fromkeys((*found.servers, *found.upstreams))
        for question in (
            Question(server, own),
            Question(server, ".", dns.NS),
            *(Question(server, name) for name in names),
        )
    ]
    tasks: dict[str, Callable[[Deadline], Any]] = {
        "": lambda inner: dns.ask(questions, inner.remaining(SERVER_SECONDS)),
        **{name: _looker(name) for name in names},
    }
    seen = gather(tasks, deadline.remaining())
    replies = seen.pop("").value or ()
    lookups = {name: outcome.value for name, outcome in seen.items() if outcome.value}
    answered = any(reply.resolved and reply.question.name != own for reply in replies)
    return Names(
        servers=found.servers,
        upstreams=found.upstreams,
        replies=replies,
        lookups=lookups,
        hosts_file={name: dns.in_hosts_file(name) for name in names},
        probe=None if answered else dns.look_up(PROBE, deadline.remaining(LOOKUP_SECONDS)),
    )


def _looker(name: str) -> Callable[[Deadline], Lookup]:
    return lambda inner: dns.look_up(name, inner.remaining(LOOKUP_SECONDS))


def _names(endpoints: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names that users know this host by, without those that are addresses already."""
    found: dict[str, None] = {}
    for endpoint in endpoints:
        try:
            name = parse_target(str(endpoint.get("url")), ports=ENDPOINT_PORTS).host
        except BadInput:
            # The section http says what is wrong with it.
            continue
        if ":" not in name and not name.replace(".", "").isdigit():
            found[name] = None
    return list(found)[:NAMES]
