# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this host is isolated, what is wrong with that, and what puts it right."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ..addresses import Network, canonical, parse_network
from ..clients.sockets import Connection
from ..finding import CRITICAL, NOTICE, WARNING, Finding
from ..lifecycle import Decision
from ..plan import DISRUPTIVE, Act, Plan, Undo
from ..quantities import speak_count, speak_duration
from .name import FAMILY, TABLE
from .observe import ISOLATE, RELEASE, Snapshot
from .request import Request
from .table import Table, collapse, within
from .traffic import Traffic, sort

SUBJECT = "network of this host"
TARGET = "all traffic of this host"
# Of the act that releases: the same whoever does it, so that an undo and a release by hand are known as one.
RELEASING: Mapping[str, Any] = {"table": f"{FAMILY} {TABLE}"}
EXAMPLES = 20


def isolate(snapshot: Snapshot, request: Request, armed: str | None) -> Decision:
    """Only management gets through. `armed` is the timer of this very run, which is still to be confirmed.

    The symptom counts what is open: a table that is missing or does not hold, a timer of an earlier run
    that would take it away, and every foreign connection.
    """
    management = _lasting(snapshot, request)
    open_ = _open(snapshot, request)
    traffic = _traffic(snapshot, management, request.port)
    pending = [each.unit for each in snapshot.dead_men if each.unit != armed]
    if pending:
        open_.append(f"{pending[0]} waits to free this host, since an earlier run was not confirmed")
    symptom = len(open_) + len(traffic.foreign)
    plan = Plan((_isolate(management, request, open_, traffic),)) if symptom else Plan()
    findings = _findings(snapshot, traffic)
    state = {**_state(snapshot, traffic), "timer": armed}
    return Decision(symptom, state, tuple(findings), plan)


def release(snapshot: Snapshot) -> Decision:
    """Nothing of ours stands in the way any more. The symptom counts the table and the timers."""
    symptom = (snapshot.table is not None) + len(snapshot.dead_men)
    act = Act(
        RELEASE,
        TARGET,
        RELEASING,
        DISRUPTIVE,
        "asked to let the host back on the network: whatever is on it can talk to anybody again",
    )
    return Decision(
        symptom, _state(snapshot, _standing_traffic(snapshot)), plan=Plan((act,)) if symptom else Plan()
    )


def report(snapshot: Snapshot) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    """What `network_isolation_info` returns."""
    traffic = _standing_traffic(snapshot)
    begun = snapshot.begun
    data = {
        **_state(snapshot, traffic),
        "since": begun.time if begun else None,
        "run": begun.run if begun else None,
        "incident": begun.incident if begun else None,
        "actor": begun.actor if begun else None,
        "dropped": dict(snapshot.table.dropped) if snapshot.table else {},
    }
    return data, _findings(snapshot, traffic)


def intact(snapshot: Snapshot) -> bool:
    """Whether the table stands as it was made and nothing was seen to get past it."""
    return snapshot.table is not None and not _faults(snapshot, snapshot.table)


def _open(snapshot: Snapshot, request: Request) -> list[str]:
    """What the table does not close, or closes too much."""
    if snapshot.table is None:
        return ["the host is not isolated"]
    faults = _faults(snapshot, snapshot.table, request.management)
    if snapshot.table.port != request.port:
        faults.append(f"the table keeps port {snapshot.table.port}, and SSH comes in by {request.port}")
    faults += [
        f"the table does not let {canonical(str(network))} in"
        for network in request.management
        if not within(network, snapshot.table.management)
    ]
    return faults[:1] if faults else []


def _faults(snapshot: Snapshot, table: Table, wanted: Sequence[Network] = ()) -> list[str]:
    known = [*wanted, *_recorded(snapshot)]
    strangers = [each for each in table.management if known and not within(each, known)]
    return [
        *table.faults,
        *(f"the table lets {canonical(str(each))} in, which nobody asked for" for each in strangers),
        *(f"a datagram to {place} left the host" for place in snapshot.passed),
    ]


def _recorded(snapshot: Snapshot) -> list[Network]:
    """Whom the isolation that stands was asked to let in."""
    named = snapshot.begun.identity.get("management", ()) if snapshot.begun else ()
    return [parse_network(str(text)) for text in named]


def _lasting(snapshot: Snapshot, request: Request) -> tuple[Network, ...]:
    """Another responder who isolated this host before keeps the way in."""
    before = _recorded(snapshot) if snapshot.table else []
    return tuple(collapse([*request.management, *before]))


def _traffic(snapshot: Snapshot, management: Sequence[Network], port: int) -> Traffic:
    return sort(snapshot.connections, snapshot.own, management, port, snapshot.bridged)


def _standing_traffic(snapshot: Snapshot) -> Traffic:
    """By what the table lets through; with no table nothing is foreign."""
    if snapshot.table is None:
        return Traffic()
    return _traffic(snapshot, tuple(snapshot.table.management), snapshot.table.port)


def _isolate(management: Sequence[Network], request: Request, why: Sequence[str], traffic: Traffic) -> Act:
    spelled = _spelled(management)
    ended = speak_count(len(traffic.foreign), "other connection")
    named = f" ({', '.join(_ends(each) for each in traffic.foreign[:3])})" if traffic.foreign else ""
    cause = why[0] if why else "connections are left from before"
    return Act(
        action=ISOLATE,
        target=TARGET,
        identity={
            "management": spelled,
            "port": request.port,
            "dead_man_seconds": request.seconds,
        },
        risk=DISRUPTIVE,
        reason=f"{cause}: only SSH (port {request.port}) with {', '.join(spelled)} stays; it ends "
        f"{ended}{named}, and the host frees itself after {speak_duration(request.seconds)} "
        f"unless that is confirmed",
        undo=Undo(RELEASE, RELEASING),
    )


def _state(snapshot: Snapshot, traffic: Traffic) -> dict[str, Any]:
    table = snapshot.table
    return {
        "isolated": table is not None,
        "intact": intact(snapshot),
        "management": _spelled(table.management) if table else [],
        "ssh_port": table.port if table else None,
        "timers": [{"unit": each.unit, "until": each.until or None} for each in snapshot.dead_men],
        "connections": {
            "management": len(traffic.management),
            "foreign": len(traffic.foreign),
            "bridged": len(traffic.bridged),
        },
        "foreign": [_ends(each) for each in traffic.foreign[:EXAMPLES]],
    }


def _findings(snapshot: Snapshot, traffic: Traffic) -> list[Finding]:
    table = snapshot.table
    if table is None:
        return []
    faults = _faults(snapshot, table)
    findings = [_altered(faults) if faults else _isolated(snapshot, table)]
    if traffic.foreign:
        findings.append(_survives(traffic.foreign, holds=not faults))
    if snapshot.dead_men:
        findings.append(_unconfirmed(snapshot))
    if snapshot.unseen:
        findings.append(_unseen(snapshot.unseen))
    if _guests(snapshot):
        findings.append(_bridge_open(snapshot, traffic))
    return findings


def _guests(snapshot: Snapshot) -> bool:
    """Whether containers may talk to each other past the table."""
    return any(
        each.of_container_bridge and parse_network(each.address).version not in snapshot.bridged
        for each in snapshot.own
    )


def _isolated(snapshot: Snapshot, table: Table) -> Finding:
    begun = snapshot.begun
    since = f" since {begun.time}, by {begun.actor or 'somebody'} in run {begun.run}" if begun else ""
    dropped = sum(count for chain, count in table.dropped.items() if chain != "postrouting")
    outward = table.dropped.get("output", 0) + table.dropped.get("forward", 0)
    return Finding(
        id="isolation.host.isolated",
        level=NOTICE,
        subject=SUBJECT,
        summary=f"this host is isolated{since}: only SSH (port {table.port}) with "
        f"{', '.join(_spelled(table.management)) or 'nobody'} passes, {dropped} packets were dropped "
        f"({outward} of them its own or its containers'); a reboot lifts it",
        evidence={"management": _spelled(table.management), "dropped": dict(table.dropped)},
    )


def _unconfirmed(snapshot: Snapshot) -> Finding:
    timers = {each.unit: each.until for each in snapshot.dead_men}
    until = min((text for text in timers.values() if text), default="a time that is not known")
    return Finding(
        id="isolation.host.unconfirmed",
        level=WARNING,
        subject=SUBJECT,
        summary=f"nobody has confirmed the isolation over a new connection: the host frees itself at {until}",
        evidence={"timers": timers},
    )


def _altered(faults: Sequence[str]) -> Finding:
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return Finding(
        id="isolation.table.altered",
        level=CRITICAL,
        subject=f"nftables table {FAMILY} {TABLE}",
        summary=f"the isolation does not hold, for somebody changed it: {faults[0]}{more}",
        evidence={"faults": list(faults[:EXAMPLES])},
    )


def _survives(connections: Sequence[Connection], holds: bool) -> Finding:
    what = (
        "nothing passes through the table, but a stream can go on where it stopped when the host is released"
        if holds
        else "they can carry data out of the host now"
    )
    return Finding(
        id="isolation.connection.survives",
        level=WARNING,
        subject=SUBJECT,
        summary=f"{speak_count(len(connections), 'connection')} that should have ended are there, for "
        f"instance {_ends(connections[0])}: {what}",
        evidence={"connections": [_ends(each) for each in connections[:EXAMPLES]]},
    )


def _unseen(reasons: Sequence[str]) -> Finding:
    return Finding(
        id="isolation.connection.unseen",
        level=WARNING,
        subject=SUBJECT,
        summary=f"not every connection could be looked for: {'; '.join(reasons[:3])}",
        evidence={"unseen": list(reasons[:EXAMPLES])},
    )


def _bridge_open(snapshot: Snapshot, traffic: Traffic) -> Finding:
    networks = sorted({each.network for each in snapshot.own if each.of_container_bridge})
    return Finding(
        id="isolation.bridge.open",
        level=NOTICE,
        subject="containers of this host",
        summary=f"containers on one network still reach each other ({len(traffic.bridged)} connections "
        f"now), though nobody else: bridged packets do not pass the table while br_netfilter is off",
        evidence={"networks": networks, "connections": len(traffic.bridged)},
    )


def _spelled(networks: Sequence[Network] | frozenset[Network]) -> list[str]:
    return sorted(canonical(str(network)) for network in networks)


def _ends(each: Connection) -> str:
    return f"{each.local} port {each.local_port} with {each.peer} port {each.peer_port}, {each.where}"
