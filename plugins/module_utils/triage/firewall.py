# SPDX-License-Identifier: GPL-3.0-or-later
"""Which layers filter here, and whether one keeps out somebody who must get in: the firewall and fail2ban
domains as a section of triage.

ufw's own program is slow and tells nothing that its chains and its file do not.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Sequence

from ..addresses import canonical
from ..clients import fail2ban, hosts_deny, iptables, nftables, nginx
from ..clients.command import find
from ..clients.network import OwnAddress, needed_here, own_addresses
from ..deadlines import Deadline, gather
from ..finding import CRITICAL, NOTICE, WARNING, Finding, Remedy
from ..firewall.explain import explain, own
from ..firewall.from_iptables import FAIL2BAN_CHAIN
from ..firewall.layers import Holding, Layers
from ..firewall.model import EVERYONE, EXACT, OWN_LAYER, Block, Unseen
from ..firewall.own_table import FAMILY, TABLE, OwnTable, understand
from ..firewall.span import Span, is_address, span
from ..information import Context
from ..isolation.name import TABLE as ISOLATION
from ..moments import utc_now

UFW_CONF = Path("/etc/ufw/ufw.conf")
FAIL2BAN_WANTED = Path("/etc/systemd/system/multi-user.target.wants/fail2ban.service")
# A rule that says this keeps an address from something, not from the host.
PARTIAL = ("dport", "sport", "limit", "quota", " recent ")
LISTED = 100


@dataclass(frozen=True)
class Fail2ban:
    """`enabled` when it is meant to start with the host; `banned` lists who is held, by jail."""

    enabled: bool
    running: bool = False
    banned: Mapping[str, tuple[fail2ban.Ban, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """`fail2ban` and `ufw_enabled` are None where there is none; `protected` maps who must get in to why."""

    snapshot: Holding
    fail2ban: Fail2ban | None
    ufw_enabled: bool | None
    protected: Mapping[str, str]
    own: tuple[OwnAddress, ...]


def collect(params: Mapping[str, Any], deadline: Deadline) -> Seen:
    """Every layer at once; whichever cannot be seen is named and hides no other."""
    readers: dict[str, Callable[[], Any]] = {
        "nft": _nft,
        "fail2ban": _fail2ban,
        "hosts.deny": hosts_deny.read,
        "nginx": nginx.read,
        "own addresses": own_addresses,
        **{each.name: partial(iptables.read, each) for each in iptables.VARIANTS},
    }
    seen = gather({name: _task(read) for name, read in readers.items()}, deadline.remaining())
    banned: Fail2ban | None = seen["fail2ban"].value
    rules: list[iptables.Rules] = list(filter(None, (seen[each.name].value for each in iptables.VARIANTS)))
    ruleset: nftables.Ruleset | None = seen["nft"].value
    layers = Layers(
        nftables=ruleset,
        # Whom fail2ban holds it has said itself; its chains repeat it, rule by rule.
        iptables=tuple(_without_bans(each) if banned and banned.running else each for each in rules),
        bans=banned.banned if banned else {},
        hosts_deny=seen["hosts.deny"].value or (),
        nginx=seen["nginx"].value or (),
    )
    blind = tuple(Unseen(name, each.unseen) for name, each in seen.items() if each.unseen)
    return Seen(
        snapshot=Holding(utc_now(), _own_table(ruleset), layers=layers, unseen=blind),
        fail2ban=banned,
        ufw_enabled=_ufw_enabled(),
        protected={**needed_here(), **Context.from_params(params).protected},
        own=tuple(seen["own addresses"].value or ()),
    )


def judge(seen: Seen) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    findings = [
        *_isolated(seen),
        *_blocked(seen),
        *_odd(seen),
        *_stopped(seen.fail2ban),
        *_unseen(seen.snapshot.unseen),
    ]
    return _data(seen), findings


def _data(seen: Seen) -> dict[str, Any]:
    layers, held = seen.snapshot.layers, own(seen.snapshot)
    banned = seen.fail2ban
    return {
        "nft": dict(Counter(f"{rule.family} {rule.table}" for rule in layers.nftables.rules))
        if layers.nftables
        else None,
        "iptables": {each.variant.name: len(each.rules) for each in layers.iptables},
        "ufw": None
        if seen.ufw_enabled is None
        else {"enabled": seen.ufw_enabled, "active": _ufw_active(layers)},
        "fail2ban": None
        if banned is None
        else {
            "enabled": banned.enabled,
            "running": banned.running,
            "jails": {name: len(bans) for name, bans in banned.banned.items()},
        },
        "blocks": [block.as_dict() for block in held[:LISTED]],
        "block_count": len(held),
    }


def _isolated(seen: Seen) -> Iterator[Finding]:
    """Said first, for much of what else is wrong then follows from it."""
    ruleset = seen.snapshot.layers.nftables
    if ruleset and any(chain.table == ISOLATION for chain in ruleset.chains):
        yield Finding(
            id="firewall.host.isolated",
            level=CRITICAL,
            subject="network of this host",
            summary="it was cut off from all but its management, on purpose: its users get nothing and it "
            "reaches nobody. network_isolation_info says since when; undo the run that did it to end it",
            evidence={"table": f"{FAMILY} {ISOLATION}"},
        )


def _blocked(seen: Seen) -> Iterator[Finding]:
    """One finding for each address that must get in, and the worst that is done to it."""
    victims: dict[str, list[Block]] = {}
    whose: dict[str, str] = {}
    for block in _blocks(seen):
        victim = (
            canonical(block.address) if block.scope == EXACT and "-" not in block.address else block.asked
        )
        held = victims.setdefault(victim, [])
        if block.as_dict() not in [each.as_dict() for each in held]:
            held.append(block)
        whose.setdefault(victim, seen.protected[block.asked])
    for victim, blocks in victims.items():
        whole = [each for each in blocks if _whole(each)]
        shown = "; ".join(f"{each.layer}, {each.where}" for each in (whole or blocks)[:3])
        yield Finding(
            id="firewall.protected.blocked",
            level=CRITICAL if whole else WARNING,
            subject=f"address {victim}",
            summary=f"{victim} must get in ({whose[victim]}) and is {'' if whole else 'partly '}"
            f"blocked by {shown}",
            evidence={
                "address": victim,
                "reason": whose[victim],
                "blocks": [each.as_dict() for each in blocks[:10]],
            },
            remedy=Remedy("fix_firewall", {"address": victim}),
        )


def _whole(block: Block) -> bool:
    """Whether it is meant for just this address, and leaves it nothing."""
    return block.scope == EXACT and block.layer != "nginx" and not any(sign in block.rule for sign in PARTIAL)


def _blocks(seen: Seen) -> Iterator[Block]:
    mine = [span(each.address) for each in seen.own]
    bridges = [span(each.network) for each in seen.own if each.of_container_bridge]
    wanted = {address: span(address) for address in seen.protected}
    # This host does not knock at its own door.
    wanted = {
        address: each
        for address, each in wanted.items()
        if not any(each.within(own_one) for own_one in (*mine, *bridges, *_LOOPBACK))
    }
    snapshot = replace(
        seen.snapshot,
        layers=replace(seen.snapshot.layers, bans=_relevant(seen.snapshot.layers.bans, wanted)),
    )
    allowed = [span(each) for each in snapshot.own.allowed]
    for block in explain(snapshot, list(wanted)):
        asked, held = wanted[block.asked], span(block.address) if is_address(block.address) else None
        if block.scope == EVERYONE or (held and any(held.within(bridge) for bridge in bridges)):
            continue
        if block.layer == OWN_LAYER and any(asked.within(each) for each in allowed):
            continue
        if block.scope == EXACT or not _let_in(snapshot.layers, asked):
            yield block


_LOOPBACK = (span("127.0.0.0/8"), span("::1"))


def _relevant(
    bans: Mapping[str, Sequence[fail2ban.Ban]], wanted: Mapping[str, Span]
) -> dict[str, tuple[fail2ban.Ban, ...]]:
    """Of ten thousand bans those that concern somebody; most are told apart by their spelling alone."""
    networks = [each for each in wanted.values() if each.first != each.last]

    def concerns(address: str) -> bool:
        if address in wanted:
            return True
        if not is_address(address) or not (networks or "/" in address):
            return False
        held = span(address)
        return any(held.overlaps(each) for each in (wanted.values() if "/" in address else networks))

    return {jail: tuple(ban for ban in held if concerns(ban.address)) for jail, held in bans.items()}


def _let_in(layers: Layers, asked: Span) -> bool:
    """Whether some rule accepts it by name: then one for a wider network is an exception's other half."""
    for rules in layers.iptables:
        for rule in rules.rules:
            words = rule.words
            if (
                words[-1:] == ("ACCEPT",)
                and "-s" in words
                and asked.within(span(words[words.index("-s") + 1]))
            ):
                return True
    return False


def _odd(seen: Seen) -> Iterator[Finding]:
    layers = seen.snapshot.layers
    if seen.ufw_enabled and _ufw_active(layers) is False:
        yield Finding(
            id="firewall.ufw.inactive",
            level=WARNING,
            subject="ufw",
            summary="ufw is enabled in its configuration and none of its rules is in force: everything that "
            "listens is open to everybody",
            evidence={"enabled": True, "active": False},
        )
    filled = {each.variant: len(each.rules) for each in layers.iptables if each.rules}
    legacy = {variant.name: count for variant, count in filled.items() if variant.legacy}
    modern = {variant.name: count for variant, count in filled.items() if not variant.legacy}
    if legacy and modern:
        yield Finding(
            id="firewall.legacy.mixed",
            level=WARNING,
            subject="iptables",
            summary="rules stand in iptables-legacy and in nftables at the same time: both hold, and whoever "
            "looks at one does not see the other",
            evidence={"legacy": legacy, "nft": modern},
        )
    table = seen.snapshot.own
    if table.blocked and not table.armed:
        yield Finding(
            id="firewall.own.disarmed",
            level=WARNING,
            subject=f"nftables table {FAMILY} {TABLE}",
            summary=f"{len(table.blocked)} addresses are listed as blocked by Firebreak, and its rules were "
            f"changed by somebody: they do not hold",
            evidence={"blocked": len(table.blocked)},
        )


def _stopped(found: Fail2ban | None) -> Iterator[Finding]:
    if found and not found.running:
        yield Finding(
            id="firewall.fail2ban.down",
            level=WARNING if found.enabled else NOTICE,
            subject="fail2ban",
            summary="fail2ban is installed and its server does not answer: nobody is banned, whatever "
            "they try" + ("" if found.enabled else " (it is not meant to start with the host)"),
            evidence={"enabled": found.enabled, "running": False},
        )


def _unseen(blind: Sequence[Unseen]) -> Iterator[Finding]:
    if blind:
        yield Finding(
            id="firewall.layer.unseen",
            level=WARNING,
            subject="firewall",
            summary=f"{', '.join(each.layer for each in blind)} could not be looked into, and may block "
            f"somebody: {blind[0].reason}",
            evidence={each.layer: each.reason for each in blind},
        )


def _task(read: Callable[[], Any]) -> Callable[[Deadline], Any]:
    return lambda _deadline: read()


def _nft() -> nftables.Ruleset | None:
    return nftables.ruleset() if find("nft") else None


def _own_table(ruleset: nftables.Ruleset | None) -> OwnTable:
    if ruleset is None:
        return OwnTable()
    own_sets = tuple(each for each in ruleset.sets if (each.family, each.table) == (FAMILY, TABLE))
    rules = tuple(each for each in ruleset.rules if (each.family, each.table) == (FAMILY, TABLE))
    chains = tuple(each for each in ruleset.chains if (each.family, each.table) == (FAMILY, TABLE))
    return understand(nftables.Ruleset(rules, own_sets, chains)) if own_sets else OwnTable()


def _fail2ban() -> Fail2ban | None:
    if not fail2ban.installed():
        return None
    enabled = FAIL2BAN_WANTED.is_symlink()
    if not fail2ban.running():
        return Fail2ban(enabled)
    return Fail2ban(enabled, True, {**dict.fromkeys(fail2ban.jails(), ()), **fail2ban.bans()})


def _without_bans(found: iptables.Rules) -> iptables.Rules:
    return replace(found, rules=tuple(r for r in found.rules if not r.chain.startswith(FAIL2BAN_CHAIN)))


def _ufw_enabled() -> bool | None:
    try:
        lines = UFW_CONF.read_text(errors="replace").splitlines()
    except OSError:
        return None
    return any(line.replace('"', "").strip().lower() == "enabled=yes" for line in lines)


def _ufw_active(layers: Layers) -> bool | None:
    """None when the rules were not seen."""
    if not layers.iptables:
        return None
    return any(
        rule.chain == "INPUT" and "-j ufw-" in rule.spec for rules in layers.iptables for rule in rules.rules
    )
