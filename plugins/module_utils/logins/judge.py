# SPDX-License-Identifier: GPL-3.0-or-later
"""What a source is by what it did: an attacker, one that got in, or somebody who mistypes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Sequence

from ..addresses import Protected
from ..errors import BadInput
from .observe import Snapshot
from .tally import Source, Success

BROKE_IN, ATTACKER, USER, BELOW = "broke_in", "attacker", "user", "below_threshold"
_WORST_FIRST = (BROKE_IN, ATTACKER, BELOW, USER)

# Who fails on this many accounts does not mistype.
_ACCOUNTS_OF_A_GUESSER = 3
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
        if self.threshold < 1 or self.account_threshold < 2:
            raise BadInput(
                "threshold, account_threshold", "they are too small", "Give at least 1 and at least 2."
            )


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
