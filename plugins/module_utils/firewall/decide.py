# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses have to be blocked or let go, and what that takes. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Any, Iterable, Mapping, Sequence

from ..addresses import canonical
from ..clients.sockets import Connection
from ..errors import Unreachable
from ..finding import NOTICE, WARNING, Finding, Remedy
from ..lifecycle import Decision
from ..plan import DISRUPTIVE, REFUSED, REVERSIBLE, Act, Plan, Undo
from ..quantities import speak_count, speak_duration
from .explain import SHORTEST_SECONDS, explain, own, unseen
from .from_services import EDIT_HOSTS_DENY, EDIT_NGINX, refitted
from .model import EVERYONE, EXACT, Block, Removal, Unseen
from .observe import Snapshot
from .request import Request
from .span import span

# A block that still lasts this share of what is asked for is left alone, so that a second run changes
# nothing.
ENOUGH = 0.1
EXAMPLES = 10
# fail2ban comes early, for what it takes back itself in the layers below need not be deleted.
ORDER = (
    "firewall.unblock",
    "fail2ban.unban",
    "firewall.delete_ufw_rule",
    "firewall.delete_iptables_rule",
    "firewall.delete_nft_rule",
    "firewall.delete_nft_element",
    EDIT_HOSTS_DENY,
    EDIT_NGINX,
)


def inform(snapshot: Snapshot, addresses: Sequence[str]) -> tuple[Mapping[str, Any], list[Finding]]:
    """What blocks these addresses; without addresses, everything that Firebreak blocks."""
    blind = unseen(snapshot)
    found = explain(snapshot, addresses) if addresses else own(snapshot)
    findings = _blocked(found) if addresses else []
    data = {"blocks": [block.as_dict() for block in found], "unseen": [each.as_dict() for each in blind]}
    return data, [*findings, *_unseen(blind)]


def block(snapshot: Snapshot, request: Request) -> Decision:
    """Every address blocked, and nobody of them connected any more.

    The symptom counts the addresses that are not blocked, and the connections with all of them unless
    these are to be left alone.
    """
    acts: list[Act] = []
    disconnects: list[Act] = []
    refusals: list[Act] = []
    missing: list[str] = []
    alive: dict[str, list[Connection]] = {}
    for address in request.addresses:
        need = _need(snapshot, address, request.seconds)
        if need is not None:
            missing.append(address)
            (refusals if need.status == REFUSED else acts).append(need)
        alive[address] = _alive(snapshot, address, blocked=need is None)
        if alive[address] and request.kill_connections:
            disconnects.append(_disconnect(address, alive[address]))
    connections = sum(map(len, alive.values()))
    counted = connections if request.kill_connections else 0
    state = {
        "blocked": [address for address in request.addresses if address not in missing],
        "missing": missing,
        "connections": connections,
    }
    findings = [_open(address) for address in missing] + _lingering(alive, missing) + _unseen(snapshot.unseen)
    return Decision(
        symptom=len(missing) + counted,
        state=state,
        findings=tuple(findings),
        plan=Plan((*acts, *disconnects), tuple(refusals), sequential=False),
    )


def release(snapshot: Snapshot, request: Request) -> Decision:
    """No layer holds one of the addresses any more.

    The symptom counts the addresses that something blocks. A rule that keeps everybody out is no block
    of an address: it is shown as refused and not counted.
    """
    found = explain(snapshot, request.addresses)
    blind = unseen(snapshot)
    if blind and not found:
        raise Unreachable(
            ", ".join(each.layer for each in blind),
            f"nothing that could be read blocks {', '.join(request.addresses)}, and this could not be read: "
            + "; ".join(dict.fromkeys(each.reason for each in blind)),
            "Look into it by hand; nothing was changed.",
        )
    held = [each for each in request.addresses if any(b.asked == each and b.scope != EVERYONE for b in found)]
    state = {"blocked": held, "blocks": [each.as_dict() for each in found]}
    return Decision(
        symptom=len(held),
        state=state,
        findings=(*_blocked(each for each in found if each.scope != EVERYONE), *_unseen(blind)),
        plan=Plan(tuple(_removals(found)), tuple(_kept(found)), sequential=False),
    )


def _need(snapshot: Snapshot, address: str, seconds: int) -> Act | None:
    """The act that blocks an address, a refusal, or None when the block is in place."""
    table = snapshot.own
    holding = table.holding(address)
    if table.armed and holding is not None and holding.seconds >= seconds * ENOUGH:
        return None
    identity: dict[str, Any] = {"address": address, "seconds": seconds}
    undo: dict[str, Any] = {"address": address}
    reason = f"asked to be blocked for {speak_duration(seconds)}"
    if table.blocked and not table.armed:
        reason += "; the table's rules were changed by somebody, and are made anew"
    replaced = list(table.inside(address))
    if holding is not None and holding.address == address:
        reason += f", of which {speak_duration(holding.seconds)} are left"
        undo["restore"] = [_again(holding.address, holding.seconds)]
    elif holding is not None and table.armed:
        return _act(address, identity, undo, reason).refused(
            f"it lies in {holding.address}, which is blocked for {speak_duration(holding.seconds)} more: "
            f"ask for that network, or wait until its block ends"
        )
    if replaced:
        identity["replaces"] = sorted(each.address for each in replaced)
        undo["restore"] = [_again(each.address, each.seconds) for each in replaced]
        reason += f"; takes the place of {len(replaced)} smaller blocks inside it"
    return _act(address, identity, undo, reason)


def _act(address: str, identity: Mapping[str, Any], undo: Mapping[str, Any], reason: str) -> Act:
    return Act("firewall.block", address, identity, REVERSIBLE, reason, Undo("firewall.unblock", undo))


def _again(address: str, seconds: float) -> dict[str, Any]:
    return {"address": address, "seconds": max(SHORTEST_SECONDS, round(seconds))}


def _alive(snapshot: Snapshot, address: str, blocked: bool) -> list[Connection]:
    """The connections with an address. One that only connection tracking remembers is dead once the
    address is blocked, for not a packet of it passes any more."""
    wanted = span(address)
    return [
        each
        for each in snapshot.connections
        if span(each.peer).overlaps(wanted) and not (blocked and each.where == "conntrack")
    ]


def _disconnect(address: str, connections: Sequence[Connection]) -> Act:
    ports = Counter(f"{each.protocol}/{each.local_port}" for each in connections)
    shown = ", ".join(f"{port} ({number})" for port, number in ports.most_common(3))
    return Act(
        action="firewall.disconnect",
        target=address,
        identity={"address": address},
        risk=DISRUPTIVE,
        reason=f"{speak_count(len(connections), 'open connection')} with it, most of them on {shown}",
    )


def _removals(found: Iterable[Block]) -> list[Act]:
    """One act for each rule. A line from which several entries go is handed on from act to act."""
    acts: dict[str, Act] = {}
    lines: dict[tuple[str, int], str | None] = {}
    for block in sorted(found, key=_place):
        removal = block.removal
        if removal is None:
            continue
        if removal.action in (EDIT_HOSTS_DENY, EDIT_NGINX):
            line = (removal.identity["path"], removal.identity["number"])
            left = lines.get(line, removal.identity["old"])
            if left is None:
                continue
            removal = refitted(block, removal, left)
            lines[line] = removal.identity["new"]
        acts.setdefault(f"{removal.action} {sorted(removal.identity.items())}", _removal(block, removal))
    return list(acts.values())


def _place(block: Block) -> tuple[int, str, int]:
    """By action, then from the last rule of a chain or line of a file to the first: so the numbers that
    the plan speaks of stay true, and those that the undo puts rules back at, which goes the other way."""
    if block.removal is None:
        return (len(ORDER), "", 0)
    undo = block.removal.undo.identity
    position = undo.get("number", undo.get("index", 0))
    return (ORDER.index(block.removal.action), str(undo.get("path", "")), -position)


def _removal(block: Block, removal: Removal) -> Act:
    return Act(
        action=removal.action,
        target=f"{block.address} ({block.where})",
        identity=removal.identity,
        risk=REVERSIBLE,
        reason=f"{block.layer} blocks {block.asked}: {block.rule}",
        # With the address, so that whoever takes this back can be kept from blocking a protected one.
        undo=Undo(removal.undo.action, {**removal.undo.identity, "address": block.address}),
    )


def _kept(found: Iterable[Block]) -> list[Act]:
    return [_refusal(block) for block in found if block.removal is None]


def _refusal(block: Block) -> Act:
    because = block.because
    if block.scope == EVERYONE:
        because = "it keeps everybody out, and is no block of this address"
    elif block.scope != EXACT:
        because = f"it covers all of {block.address}; ask for that, or change the rule by hand"
    act = Act(
        action="firewall.unblock",
        target=f"{block.asked} ({block.layer}: {block.where})",
        identity={"address": block.asked, "layer": block.layer, "where": block.where, "rule": block.rule},
        risk=REVERSIBLE,
        reason="",
        undo=Undo("firewall.block", {"address": block.asked}),
    )
    return act.refused(f"the rule {block.rule!r} in {block.where} is not removed: {because}")


def _blocked(found: Iterable[Block]) -> list[Finding]:
    by_address: dict[str, list[Block]] = {}
    for each in found:
        by_address.setdefault(each.asked, []).append(each)
    return [
        Finding(
            id="firewall.address.blocked",
            level=NOTICE,
            subject=f"address {address}",
            summary=f"{address} is blocked by {len(blocks)} rules: "
            + "; ".join(f"{each.layer}, {each.where}" for each in blocks[:3])
            + (" ..." if len(blocks) > 3 else ""),
            evidence={"blocks": [each.as_dict() for each in blocks[:EXAMPLES]]},
            remedy=Remedy("fix_firewall", {"address": address}),
        )
        for address, blocks in by_address.items()
    ]


def _unseen(blind: Iterable[Unseen]) -> list[Finding]:
    return [
        Finding(
            id="firewall.layer.unseen",
            level=WARNING,
            subject=each.layer,
            summary=f"{each.layer} could not be looked into, and may hold a block: {each.reason}",
            evidence=each.as_dict(),
        )
        for each in blind
    ]


def _open(address: str) -> Finding:
    return Finding(
        id="firewall.address.open",
        level=WARNING,
        subject=f"address {address}",
        summary=f"{address} is to be blocked and can still reach this host",
        evidence={"address": canonical(address)},
    )


def _lingering(alive: Mapping[str, Sequence[Connection]], missing: Sequence[str]) -> list[Finding]:
    return [
        Finding(
            id="firewall.connections.alive",
            level=WARNING,
            subject=f"address {address}",
            summary=f"{len(connections)} connections with {address} are still open, though its packets are "
            f"dropped: they end when their programs give up",
            evidence={
                "connections": len(connections),
                "examples": [_shown(c) for c in connections[:EXAMPLES]],
            },
        )
        for address, connections in alive.items()
        if connections and address not in missing
    ]


def _shown(connection: Connection) -> dict[str, Any]:
    return {
        "protocol": connection.protocol,
        "peer": f"{connection.peer} port {connection.peer_port}",
        "local": f"{connection.local} port {connection.local_port}",
        "where": connection.where,
    }
