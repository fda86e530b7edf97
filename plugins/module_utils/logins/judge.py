# SPDX-License-Identifier: GPL-3.0-or-later
"""What a source is by what it did: an attacker, one that got in, or somebody who mistypes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from typing import Sequence

from ..addresses import Protected
from ..errors import BadInput
from .observe import Snapshot
from .tally import Source, Success

BROKE_IN, ATTACKER, USER, BELOW = "broke_in", "attacker", "user", "below_threshold"
_WORST_FIRST = (BROKE_IN, ATTACKER, BELOW, USER)

# Who fails on this many accounts does not mistype.
_ACCOUNTS_OF_A_GUESSER = 3
# Whoever has one address of such a network of version 6 has all of them.
_SITE_BITS = 64
# Here one /64 holds many people: version 4 translated into version 6, and Teredo.
_SHARED = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("2001::/32"))
# What can be guessed. A key cannot.
_GUESSABLE = ("password", "keyboard-interactive")


@dataclass(frozen=True)
class Policy:
    """`threshold`: failures of one source, `account_threshold`: sources failing on one account, each
    within the window."""

    threshold: int
    account_threshold: int
    protected: Protected

    def __post_init__(self) -> None:
        for name, given, least in (
            ("threshold", self.threshold, 1),
            ("account_threshold", self.account_threshold, 2),
        ):
            if given < least:
                raise BadInput(f"{name} {given}", "it is too small", f"Give at least {least}.")


@dataclass(frozen=True)
class Judged:
    """A source, what it is, and the success that shows that it got in by guessing."""

    address: str
    source: Source
    judgement: str
    got_in: Success | None
    protected: str | None

    @property
    def failures(self) -> int:
        return self.source.tries.failures

    @property
    def is_attacker(self) -> bool:
        return self.judgement in (BROKE_IN, ATTACKER)


@dataclass(frozen=True)
class Attacker:
    """Who should be banned: an address, or the /64 of `failing` addresses that failed enough together."""

    address: str
    failing: tuple[Judged, ...]

    @property
    def failures(self) -> int:
        return sum(one.failures for one in self.failing)

    @property
    def accounts(self) -> set[str]:
        return set().union(*(one.source.accounts for one in self.failing))

    @property
    def first(self) -> float | None:
        times = (one.source.first for one in self.failing)
        return min((time for time in times if time is not None), default=None)

    @property
    def last(self) -> float | None:
        times = (one.source.last for one in self.failing)
        return max((time for time in times if time is not None), default=None)

    @property
    def got_in(self) -> bool:
        return any(one.got_in for one in self.failing)

    @property
    def is_network(self) -> bool:
        return "/" in self.address


@dataclass(frozen=True)
class Guessed:
    """An account that many sources failed on, and the login that came after that, if any."""

    account: str
    exists: bool
    sources: int
    below_threshold: int
    success: tuple[str, Success] | None


def judge(snapshot: Snapshot, policy: Policy) -> list[Judged]:
    """Every source, the worst first."""
    return sorted(
        (_judge(address, source, policy) for address, source in snapshot.sources.items()),
        key=lambda one: (_WORST_FIRST.index(one.judgement), -one.failures, one.address),
    )


def _judge(address: str, source: Source, policy: Policy) -> Judged:
    failures = source.tries.failures
    got_in = next((one for one in source.successes if _is_break_in(one, policy)), None)
    if got_in:
        judgement = BROKE_IN
    elif failures >= policy.threshold:
        judgement = ATTACKER
    else:
        judgement = USER if source.logins else BELOW
    # Asked of every source, it would take longer than reading the logs.
    protected = policy.protected.why(address) if judgement in (BROKE_IN, ATTACKER) or source.logins else None
    return Judged(address, source, judgement, got_in, protected)


def _is_break_in(success: Success, policy: Policy) -> bool:
    return (
        success.before.failures >= policy.threshold or len(success.accounts_before) >= _ACCOUNTS_OF_A_GUESSER
    )


def attackers(judged: Sequence[Judged], policy: Policy) -> list[Attacker]:
    """Whom to ban, the worst first; a /64 stands in place of its addresses."""
    networks = _guessing_networks(judged, policy)
    within = {_site(one.failing[0].address) for one in networks}
    alone = [
        Attacker(one.address, (one,))
        for one in judged
        if one.is_attacker and one.protected is None and _site(one.address) not in within
    ]
    return sorted([*networks, *alone], key=lambda one: (not one.got_in, -one.failures, one.address))


def _guessing_networks(judged: Sequence[Judged], policy: Policy) -> list[Attacker]:
    """Each /64 of which several addresses failed enough together, and none has only logged in."""
    sites: dict[int, list[Judged]] = defaultdict(list)
    for one in judged:
        site = _site(one.address)
        if site is not None:
            sites[site].append(one)
    found = []
    for site, ones in sites.items():
        # Who mistypes and then logs in does not guess: an office full of them is no attacker.
        failing = tuple(one for one in ones if one.failures and one.judgement != USER)
        enough = len(failing) > 1 and sum(one.failures for one in failing) >= policy.threshold
        if enough and all(one.failures for one in ones):
            network = IPv6Network((site << _SITE_BITS, _SITE_BITS))
            shared = any(network.overlaps(other) for other in _SHARED)
            if not shared and policy.protected.why(str(network)) is None:
                found.append(Attacker(str(network), failing))
    return found


def _site(address: str) -> int | None:
    """The first half of an address of version 6."""
    return int(IPv6Address(address)) >> _SITE_BITS if ":" in address else None


def guessed_accounts(judged: Sequence[Judged], snapshot: Snapshot, policy: Policy) -> list[Guessed]:
    """The accounts that `account_threshold` sources or more failed on, the worst first."""
    failing: dict[str, list[Judged]] = defaultdict(list)
    for one in judged:
        for account in one.source.accounts:
            failing[account].append(one)
    many = {
        account: ones
        for account, ones in failing.items()
        if len(ones) >= policy.account_threshold and account
    }
    let_in: dict[str, tuple[str, Success]] = {}
    for one in judged:
        if one.judgement != BROKE_IN and one.protected is None:
            for success in one.source.successes:
                account = success.account
                if account in many and account not in let_in and _after(success, many[account], one, policy):
                    let_in[account] = (one.address, success)
    accounts = [
        Guessed(
            account,
            account in snapshot.existing,
            len(ones),
            sum(not one.is_attacker for one in ones),
            let_in.get(account),
        )
        for account, ones in many.items()
    ]
    return sorted(accounts, key=lambda one: (one.success is None, not one.exists, -one.sources, one.account))


def _after(success: Success, failing: Sequence[Judged], by: Judged, policy: Policy) -> bool:
    """Whether enough others had begun to fail when this login by something guessable came."""
    if success.last is None or not success.method.startswith(_GUESSABLE):
        return False
    before = sum(
        one is not by and one.source.first is not None and one.source.first <= success.last for one in failing
    )
    return before >= policy.account_threshold
