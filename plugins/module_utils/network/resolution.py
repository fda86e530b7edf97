# SPDX-License-Identifier: GPL-3.0-or-later
"""What the replies of the name servers mean for those who ask them. Pure."""

from __future__ import annotations

from typing import Any, Iterator, Sequence

from ..clients.dns import Lookup, Reply
from ..finding import CRITICAL, NOTICE, WARNING, Finding
from .names import PROBE, Names

SLOW_SECONDS = 0.5
# Docker's own answers for its containers, and need not know anybody outside.
LOCAL_ONLY = "127.0.0.11"


def describe(names: Names) -> dict[str, Any]:
    """JSON-plain. `lookups` is what programs are told, `servers` what each name server replied."""
    return {
        "servers": [_server(names, address, "server") for address in names.servers]
        + [_server(names, address, "upstream") for address in names.upstreams],
        "lookups": [_lookup(names, each) for each in names.lookups.values()],
    }


def judge_names(names: Names) -> list[Finding]:
    findings = [*_failing(names)]
    # When nothing is resolved, that is what matters, and each single server only repeats it.
    if not findings:
        findings += [*_dead(names), *_slow(names)]
    return [*findings, *_differing(names)]


def _of(names: Names, server: str) -> list[Reply]:
    return [reply for reply in names.replies if reply.question.server == server]


def _server(names: Names, address: str, role: str) -> dict[str, Any]:
    replies = _of(names, address)
    return {
        "address": address,
        "role": role,
        "seconds": round(min(reply.seconds for reply in replies), 4) if replies else None,
        "works": any(reply.resolved for reply in replies),
        "replies": {
            reply.question.name: reply.said if reply.rcode else reply.error or "NOERROR" for reply in replies
        },
    }


def _lookup(names: Names, each: Lookup) -> dict[str, Any]:
    return {
        "name": each.name,
        "addresses": list(each.addresses),
        "error": each.error,
        "seconds": round(each.seconds, 3),
        "hosts_file": list(names.hosts_file.get(each.name, ())),
    }


def _failing(names: Names) -> Iterator[Finding]:
    """Programs are told that nobody can answer, and no server they ask gave an answer either."""
    if names.probe is None or not names.probe.failed:
        return
    working = [address for address in names.servers if any(reply.resolved for reply in _of(names, address))]
    if working and all(address == LOCAL_ONLY for address in working):
        return
    asked = [*names.servers, *names.upstreams]
    said = "; ".join(f"{address}: {_said(_of(names, address))}" for address in asked)
    yield Finding(
        id="network.dns.failing",
        level=CRITICAL,
        subject="name resolution",
        summary=f"no name is resolved on this host, and what needs another host by its name fails: {said}",
        evidence={
            "servers": list(names.servers),
            "upstreams": list(names.upstreams),
            "name_service": names.probe.error,
            "asked_for": PROBE,
        },
    )


def _said(replies: Sequence[Reply]) -> str:
    """The answer to the question that says most: one that had to be passed on."""
    wrong = [reply for reply in replies if not reply.resolved]
    return wrong[-1].said if wrong else "it answers for its own host only"


def _dead(names: Names) -> Iterator[Finding]:
    for address in (*names.servers, *names.upstreams):
        replies = _of(names, address)
        if not replies or any(reply.resolved for reply in replies):
            continue
        first = address == names.servers[0] and names.probe is None
        because = (
            "every lookup waits for it before another one is asked"
            if first
            else "it is no help when others fail"
        )
        yield Finding(
            id="network.dns.server_down",
            level=WARNING if first else NOTICE,
            subject=f"name server {address}",
            summary=f"name server {address} does not resolve names ({_said(replies)}): {because}",
            evidence=_server(names, address, "server" if address in names.servers else "upstream"),
        )


def _slow(names: Names) -> Iterator[Finding]:
    for address in names.servers[:1]:
        quickest = min((reply.seconds for reply in _of(names, address) if reply.resolved), default=0.0)
        if quickest >= SLOW_SECONDS:
            yield Finding(
                id="network.dns.slow",
                level=WARNING,
                subject=f"name server {address}",
                summary=f"name server {address} takes {quickest:.1f} s for its own answer, and every "
                f"connection by name begins with that",
                evidence=_server(names, address, "server"),
            )


def _differing(names: Names) -> Iterator[Finding]:
    """Only what cannot be chance: names that many addresses take turns for differ from answer to answer."""
    for name, lookup in names.lookups.items():
        told = {address for address in lookup.addresses if ":" not in address}
        for server in dict.fromkeys((*names.servers, *names.upstreams)):
            found = {
                address
                for reply in _of(names, server)
                if reply.question.name == name
                for address in reply.addresses
            }
            if told and found and not told & found:
                source = "the hosts file" if names.hosts_file.get(name) else "the name service"
                yield Finding(
                    id="network.dns.differs",
                    level=NOTICE,
                    subject=f"name {name}",
                    summary=f"programs here are told {', '.join(sorted(told))} by {source}, and name server "
                    f"{server} says {', '.join(sorted(found))}",
                    evidence={
                        "told": sorted(told),
                        "server": server,
                        "found": sorted(found),
                        "source": source,
                    },
                )
                break
