# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether connections get in, stay and get out: backlogs, tables, routes, interfaces, clock. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Iterator, Mapping, Sequence

from ..clients.clock import Clock
from ..finding import CRITICAL, NOTICE, WARNING, Finding
from ..quantities import speak_count, speak_duration
from .observe import Gateway, Snapshot, Ways
from .resolution import describe, judge_names
from .sockets import Listener, Sockets

CONNTRACK_HIGH, CONNTRACK_FULL = 0.80, 0.95
# Half-open connections of a busy server come and go within a round trip; a flood's stay.
HALF_OPEN, HALF_OPEN_FLOOD = 200, 1000
# A program that works closes what the other side has closed.
LEAKED = 100
ERRORS, ERROR_SHARE = 1000, 0.01
# So far off that one-time passwords, tokens and replication begin to fail.
CLOCK_OFFSET = 1.0
CLOCK_ERROR = 16.0


def judge(seen: Snapshot) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    findings = [
        *_overflows(seen),
        *_flood(seen),
        *(_leaks(seen.sockets) if seen.sockets else ()),
        *_conntrack(seen),
        *(judge_names(seen.names) if seen.names else ()),
        *(_ways(seen.ways) if seen.ways else ()),
        *_interfaces(seen.interfaces),
        *(_clock(seen.clock) if seen.clock else ()),
        *_unseen(seen.unseen),
    ]
    return _data(seen), findings


def _data(seen: Snapshot) -> dict[str, Any]:
    tracked = seen.conntrack[1] if seen.conntrack else None
    sockets = seen.sockets
    return {
        "listeners": [_listener(each) for each in sockets.listeners] if sockets else None,
        "sockets": {**sockets.states, "TIME_WAIT": seen.time_wait} if sockets else None,
        "talkers": {
            "by_connections": [asdict(each) for each in sockets.by_connections],
            "by_bytes": [asdict(each) for each in sockets.by_bytes],
        }
        if sockets
        else None,
        "counters": {
            name: {"since_boot": value, "in_interval": value - seen.before.get(name, value)}
            for name, value in seen.after.items()
        },
        "interval": round(seen.interval, 3),
        "conntrack": asdict(tracked) if tracked else None,
        "interfaces": {name: dict(counters) for name, counters in seen.interfaces.items()},
        "routes": [_route(each) for each in seen.ways.gateways] if seen.ways else None,
        "dns": describe(seen.names) if seen.names else None,
        "clock": asdict(seen.clock) if seen.clock else None,
    }


def _listener(each: Listener) -> dict[str, Any]:
    return {name: value for name, value in asdict(each).items() if name != "inode"}


def _route(each: Gateway) -> dict[str, Any]:
    return {**asdict(each.route), "state": each.state, "carrier": each.carrier}


def _grown(seen: Snapshot, name: str) -> int:
    return seen.after.get(name, 0) - seen.before.get(name, seen.after.get(name, 0))


def _overflows(seen: Snapshot) -> Iterator[Finding]:
    refused = max(_grown(seen, "ListenOverflows"), _grown(seen, "ListenDrops"))
    listeners = seen.sockets.listeners if seen.sockets else ()
    full = [each for each in listeners if each.backlog and each.queue >= each.backlog]
    if not full and refused <= 0:
        return
    names = ", ".join(_spoken(each) for each in full[:3]) or "a listener that has caught up since"
    yield Finding(
        id="network.listen.overflow",
        level=CRITICAL,
        subject=_spoken(full[0]) if full else "listeners",
        summary=f"more connections arrive than are accepted: {names}; {refused} were refused within "
        f"{seen.interval:.1f} s, {seen.after.get('ListenOverflows', 0)} since boot. The program behind it "
        f"hangs or has too few workers",
        evidence={
            "listeners": [_listener(each) for each in full],
            "refused": refused,
            "interval": round(seen.interval, 3),
            "since_boot": seen.after.get("ListenOverflows"),
        },
    )


def _spoken(each: Listener) -> str:
    who = each.process or "a program that is not seen"
    return f"{who} on {each.protocol} port {each.port} ({each.queue} of {each.backlog} wait)"


def _flood(seen: Snapshot) -> Iterator[Finding]:
    half_open = seen.sockets.states.get("SYN_RECV", 0) if seen.sockets else 0
    cookies = _grown(seen, "SyncookiesSent")
    if half_open < HALF_OPEN and cookies <= 0:
        return
    ports = dict(seen.sockets.half_open) if seen.sockets else {}
    shown = ", ".join(f"port {port}: {count}" for port, count in ports.items())
    yield Finding(
        id="network.syn.flood",
        level=CRITICAL if half_open >= HALF_OPEN_FLOOD or cookies > 0 else WARNING,
        subject="half-open connections",
        summary=f"{half_open} connections are half open ({shown or 'none stays'}), and {cookies} SYN cookies "
        f"were sent within {seen.interval:.1f} s: a SYN flood, or a path on which the answers get lost",
        evidence={
            "half_open": half_open,
            "ports": ports,
            "cookies": cookies,
            "interval": round(seen.interval, 3),
        },
    )


def _leaks(sockets: Sockets) -> Iterator[Finding]:
    count = sockets.states.get("CLOSE_WAIT", 0)
    if count < LEAKED:
        return
    who = ", ".join(f"{name} ({number})" for name, number in sockets.leaked.items())
    yield Finding(
        id="network.sockets.close_wait",
        level=WARNING,
        subject="connections in CLOSE_WAIT",
        summary=f"{count} connections were closed by the other side and never by the program here: {who}. It "
        f"leaks sockets, and will run out of them",
        evidence={"close_wait": count, "processes": dict(sockets.leaked)},
    )


def _conntrack(seen: Snapshot) -> Iterator[Finding]:
    if seen.conntrack is None:
        return
    before, now = seen.conntrack
    dropped = (now.dropped or 0) - (before.dropped or 0)
    share = now.count / now.limit
    evidence = {"count": now.count, "limit": now.limit, "dropped": dropped, "dropped_since_boot": now.dropped}
    filled = f"{now.count} of {now.limit} entries ({share:.0%}) are in use"
    if share >= CONNTRACK_FULL or dropped > 0:
        yield Finding(
            id="network.conntrack.full",
            level=CRITICAL,
            subject="connection tracking",
            summary=f"{filled}: new connections are dropped without a word (nf_conntrack: table full)",
            evidence=evidence,
        )
    elif share >= CONNTRACK_HIGH:
        yield Finding(
            id="network.conntrack.high",
            level=WARNING,
            subject="connection tracking",
            summary=f"{filled}: when it is full, new connections are dropped without a word",
            evidence=evidence,
        )


def _ways(ways: Ways) -> Iterator[Finding]:
    routed = {each.route.family for each in ways.gateways}
    for family, scope in ways.families.items():
        if family not in routed:
            yield Finding(
                id="network.route.missing",
                # Addresses of one's own site reach that site all the same.
                level=WARNING if scope == "global" else NOTICE,
                subject=f"IPv{family} default route",
                summary=f"this host has an IPv{family} address and no default route: nobody beyond its own "
                f"networks is reached, and none of them gets an answer",
                evidence={"family": family, "scope": scope},
            )
    for each in ways.gateways:
        if each.state == "FAILED" or each.carrier is False:
            yield _unreachable(
                each, alone=sum(g.route.family == each.route.family for g in ways.gateways) == 1
            )


def _unreachable(each: Gateway, alone: bool) -> Finding:
    problem = (
        f"{each.route.device} has no carrier"
        if each.carrier is False
        else "it does not answer on its network"
    )
    return Finding(
        id="network.gateway.unreachable",
        level=CRITICAL if alone and each.route.family == 4 else WARNING,
        subject=f"IPv{each.route.family} gateway {each.route.gateway or each.route.device}",
        summary=f"the default gateway {each.route.gateway or ''} on {each.route.device} is not "
        f"reached: {problem}",
        evidence=_route(each),
    )


def _interfaces(interfaces: Mapping[str, Mapping[str, int]]) -> Iterator[Finding]:
    for name, counters in interfaces.items():
        for way in ("rx", "tx"):
            packets, errors = counters[f"{way}_packets"], counters[f"{way}_errors"]
            if errors >= ERRORS and errors >= ERROR_SHARE * (packets + errors):
                yield Finding(
                    id="network.interface.errors",
                    level=WARNING,
                    subject=f"interface {name}",
                    summary=f"{errors} of {packets + errors} packets {'received' if way == 'rx' else 'sent'} "
                    f"on {name} since boot were broken: cable, port, driver or a duplex mismatch",
                    evidence=dict(counters),
                )


def _clock(clock: Clock) -> Iterator[Finding]:
    if clock.offset is not None and abs(clock.offset) >= CLOCK_OFFSET:
        problem = f"the clock is off by {speak_duration(abs(clock.offset))} as {clock.keeper} measures it"
    elif clock.keeper and clock.synchronised is False and (clock.error or 0.0) >= CLOCK_ERROR:
        problem = f"{clock.keeper} runs and does not bring the clock in step: it reaches none of its servers"
    else:
        if clock.keeper is None and not clock.container and clock.synchronised is False:
            yield Finding(
                id="network.clock.unattended",
                level=NOTICE,
                subject="clock",
                summary="nothing keeps this host's clock in step: neither chrony nor timesyncd nor ntpd runs",
                evidence=asdict(clock),
            )
        return
    yield Finding(
        id="network.clock.off",
        level=WARNING,
        subject="clock",
        summary=f"{problem}. Certificates, tokens and the times in logs cannot be trusted",
        evidence=asdict(clock),
    )


def _unseen(unseen: Mapping[str, str]) -> Iterator[Finding]:
    if unseen:
        yield Finding(
            id="network.part.unseen",
            level=WARNING,
            subject="network",
            summary=f"{speak_count(len(unseen), 'part')} of the network could not be looked at: "
            + "; ".join(f"{name}: {reason}" for name, reason in unseen.items()),
            evidence=dict(unseen),
        )
