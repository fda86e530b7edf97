# SPDX-License-Identifier: GPL-3.0-or-later
"""Who failed to log in how often, and whether they succeeded afterwards, in bounded memory."""

from __future__ import annotations

import ipaddress
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field, replace
from itertools import chain, compress, count, islice
from operator import itemgetter
from typing import Iterable, NamedTuple, Sequence, Tuple

from ..log_times import Clock
from .parse import ACCEPTED, CUT, GUESSED, SSH_LINES, Rare, account_of, parse_rare

# The groups of SSH_LINES.
Row = Tuple[bytes, ...]
_STAMP, _REST = 0, 5
_rest_of = itemgetter(_REST)

# Sources told apart by one counter, and pairs of source and account remembered by it: at most 35 MB.
MAX_SOURCES = 10_000
MAX_PAIRS = 200_000
_BLOCKS_BETWEEN_CUTS = 64
_MAX_SUCCESSES = 64
_ENOUGH_ACCOUNTS = 16
_SSH = frozenset({"ssh"})


class Tries(NamedTuple):
    """How often a source was seen to fail, each in its own way.

    A guess, the end of its connection, and that it was cut for too many attempts, are three lines about
    one failure. sshd does not always write each, so what was written most often is the number.
    """

    guessed: int = 0
    ended: int = 0
    cut: int = 0

    @property
    def failures(self) -> int:
        return max(self.guessed, self.ended, self.cut)

    def plus(self, other: Tries) -> Tries:
        return Tries(self.guessed + other.guessed, self.ended + other.ended, self.cut + other.cut)


_NO_TRIES = Tries()


@dataclass(frozen=True)
class Success:
    """Logins of one source to one account, `first` to `last`, with no failure of that source in between.

    Times in seconds since the epoch, None when the log's stamp is none. `before` and `accounts_before` (at
    most 16 of them) are what the source had failed before.
    """

    first: float | None
    last: float | None
    account: str
    method: str
    before: Tries = _NO_TRIES
    accounts_before: frozenset[str] = frozenset()

    def after(self, tries: Tries, accounts: set[str]) -> Success:
        """The same when these turn out to have come before it."""
        together = sorted(self.accounts_before.union(accounts))
        return replace(
            self, before=self.before.plus(tries), accounts_before=frozenset(together[:_ENOUGH_ACCOUNTS])
        )


@dataclass
class Source:
    """What one address did. Times in seconds since the epoch.

    `accounts` are those it failed on; `accounts_complete` is False when there were too many to remember.
    `logins` counts the successes, of which the first 64 series and the last are in `successes`.
    """

    tries: Tries = _NO_TRIES
    first: float | None = None
    last: float | None = None
    accounts: set[str] = field(default_factory=set)
    accounts_complete: bool = True
    services: frozenset[str] = frozenset()
    logins: int = 0
    successes: tuple[Success, ...] = ()

    def absorb(self, later: Source) -> None:
        """Add what this source did after that, or at the same time in another way."""
        if later.successes:
            after = tuple(success.after(self.tries, self.accounts) for success in later.successes)
            together = self.successes + after
            self.successes = together[:_MAX_SUCCESSES] + together[_MAX_SUCCESSES:][-1:]
        self.logins += later.logins
        self.tries = self.tries.plus(later.tries)
        self.first = min((time for time in (self.first, later.first) if time is not None), default=None)
        self.last = max((time for time in (self.last, later.last) if time is not None), default=None)
        self.accounts |= later.accounts
        self.accounts_complete = self.accounts_complete and later.accounts_complete
        self.services |= later.services


@dataclass
class Tally:
    """Sources by their address in canonical spelling.

    `existing`: accounts that sshd knew. `forgotten_*`: the sources with the fewest failures, let go because
    there were too many. `nameless`: failures whose line names no address.
    """

    sources: dict[str, Source] = field(default_factory=dict)
    existing: set[str] = field(default_factory=set)
    forgotten_sources: int = 0
    forgotten_failures: int = 0
    nameless: int = 0

    def absorb(self, later: Tally) -> None:
        """Add what happened after what is in here."""
        for address, source in later.sources.items():
            known = self.sources.setdefault(address, source)
            if known is not source:
                known.absorb(source)
        self.existing |= later.existing
        self.forgotten_sources += later.forgotten_sources
        self.forgotten_failures += later.forgotten_failures
        self.nameless += later.nameless

    def add(self, raw_address: bytes | None, source: Source) -> None:
        """Add what one line, or one raw spelling of an address, says."""
        address = canonical_address(raw_address) if raw_address else None
        if address is None:
            self.nameless += source.tries.failures
        else:
            self.sources.setdefault(address, Source()).absorb(source)


def canonical_address(raw: bytes) -> str | None:
    """One spelling for one address: no zone, no v4 address mapped into v6. None when it is no address."""
    try:
        address = ipaddress.ip_address(raw.decode("ascii").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


class _Column:
    """One way to fail: how often by address, with the stamps of the first and the last time."""

    def __init__(self) -> None:
        self.counts: Counter[bytes] = Counter()
        self.first: dict[bytes, bytes] = {}
        self.last: dict[bytes, bytes] = {}

    def add(self, addresses: Sequence[bytes], stamps: Sequence[bytes]) -> None:
        known = len(self.last)
        self.counts.update(addresses)
        self.last.update(zip(addresses, stamps))
        # A dictionary keeps the order of insertion: the new ones are its tail, in the order of the log.
        position = 0
        for address in reversed(list(islice(reversed(self.last), len(self.last) - known))):
            position = addresses.index(address, position)
            self.first[address] = stamps[position]

    def forget(self, address: bytes) -> None:
        for table in (self.counts, self.first, self.last):
            table.pop(address, None)


class SshCounter:
    """Counts the lines of sshd in one log, oldest first, block by block.

    Everything here is keyed by the bytes of the log and done by whole columns, because a row at a time is
    ten times slower; `drain` makes sense of it.
    """

    def __init__(self) -> None:
        self._forgotten_sources = self._forgotten_failures = 0
        self._guessed, self._ended, self._cut = _Column(), _Column(), _Column()
        self._accounts: defaultdict[bytes, set[bytes]] = defaultdict(set)
        self._not_all_accounts: set[bytes] = set()
        self._logins: Counter[bytes] = Counter()
        self._successes: dict[bytes, list[tuple[bytes, bytes, Success]]] = {}
        self._blocks = 0

    def feed(self, block: bytes) -> None:
        """Count a block, which begins and ends with a newline."""
        rows: list[Row] = SSH_LINES.findall(block)
        begin = 0
        for index in list(compress(count(), map(_rest_of, rows))):
            stamp, rare = rows[index][_STAMP], parse_rare(rows[index][_REST])
            rows[index] = self._plain(stamp, rare)
            if rare is not None and rare.kind == ACCEPTED:
                # What is counted before a login must be what happened before it, and no more.
                self._count(rows[begin:index])
                self._accept(stamp, rare)
                begin = index + 1
        self._count(rows[begin:])
        self._keep_bounds()

    def _plain(self, stamp: bytes, rare: Rare | None) -> Row:
        """The row that a rare line would have given, had it been plain."""
        if rare is None or rare.kind == ACCEPTED:
            return (stamp, b"", b"", b"", b"", b"")
        if rare.kind == GUESSED:
            self._guessed.counts[rare.address] += rare.count - 1
            return (stamp, rare.user, rare.address, b"", b"", b"")
        if rare.kind == CUT:
            self._cut.add((rare.address,), (stamp,))
            self._remember((rare.address,), (rare.user,))
            return (stamp, b"", b"", b"", b"", b"")
        return (stamp, b"", b"", rare.user, rare.address, b"")

    def _count(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        stamps, users, addresses, ended_users, ended_addresses, _rest = zip(*rows)
        self._guessed.add(addresses, stamps)
        self._ended.add(ended_addresses, stamps)
        self._remember(addresses, users)
        # Most rows have no such address: leaving them out is cheaper than to remember nothing for each.
        self._remember(filter(None, ended_addresses), compress(ended_users, ended_addresses))

    def _remember(self, addresses: Iterable[bytes], users: Iterable[bytes]) -> None:
        deque(map(set.add, map(self._accounts.__getitem__, addresses), users), 0)

    def _tries(self, address: bytes) -> Tries:
        return Tries(self._guessed.counts[address], self._ended.counts[address], self._cut.counts[address])

    def _accept(self, stamp: bytes, rare: Rare) -> None:
        self._logins[rare.address] += 1
        accounts = {account_of(user)[0] for user in self._accounts.get(rare.address, ())}
        account, method = account_of(rare.user)[0], rare.method.decode("ascii", "replace")
        success = Success(None, None, account, method).after(self._tries(rare.address), accounts)
        known = self._successes.setdefault(rare.address, [])
        if known and known[-1][2] == success:
            known[-1] = (known[-1][0], stamp, success)
        else:
            known.append((stamp, stamp, success))
            del known[_MAX_SUCCESSES:-1]

    def _keep_bounds(self) -> None:
        self._blocks += 1
        if len(self._accounts) > 2 * MAX_SOURCES:
            self._forget_the_least()
        if self._blocks % _BLOCKS_BETWEEN_CUTS == 0:
            self._cut_accounts()

    def _forget_the_least(self) -> None:
        by_failures = sorted(self._accounts, key=lambda address: self._tries(address).failures)
        for address in by_failures[:-MAX_SOURCES]:
            self._forgotten_sources += 1
            self._forgotten_failures += self._tries(address).failures
            for column in (self._guessed, self._ended, self._cut):
                column.forget(address)
            del self._accounts[address]

    def _cut_accounts(self) -> None:
        if sum(map(len, self._accounts.values())) <= MAX_PAIRS:
            return
        allowed = max(_ENOUGH_ACCOUNTS, MAX_PAIRS // 2 // len(self._accounts))
        for address, users in self._accounts.items():
            if len(users) > allowed:
                # Names that nobody here has are the attacker's to multiply; they go first.
                real = sorted(user for user in users if account_of(user)[1])
                self._accounts[address] = set(islice(chain(real, users.difference(real)), allowed))
                self._not_all_accounts.add(address)

    def drain(self, clock: Clock) -> Tally:
        """What was counted, with the times that `clock` reads."""
        tally = Tally(forgotten_sources=self._forgotten_sources, forgotten_failures=self._forgotten_failures)
        self._accounts.pop(b"", None)
        names: dict[bytes, str] = {}
        for user in set().union(*self._accounts.values()):
            names[user], exists = account_of(user)
            if exists:
                tally.existing.add(names[user])
        for raw, users in self._accounts.items():
            source = self._source(raw, clock)
            source.accounts = {names[user] for user in users}
            tally.add(raw, source)
        for raw, successes in self._successes.items():
            seen = tuple(
                replace(success, first=clock.seconds(first), last=clock.seconds(last))
                for first, last, success in successes
            )
            address = canonical_address(raw)
            if address is not None:
                source = tally.sources.setdefault(address, Source(services=_SSH))
                source.logins += self._logins[raw]
                source.successes += seen
                tally.existing.update(success.account for success in seen)
        return tally

    def _source(self, raw: bytes, clock: Clock) -> Source:
        columns = (self._guessed, self._ended, self._cut)
        stamps = [table[raw] for column in columns for table in (column.first, column.last) if raw in table]
        times = [time for time in map(clock.seconds, stamps) if time is not None]
        return Source(
            tries=self._tries(raw),
            first=min(times, default=None),
            last=max(times, default=None),
            accounts_complete=raw not in self._not_all_accounts,
            services=_SSH,
        )
