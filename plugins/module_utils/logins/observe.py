# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads who tried to log in: sshd's log files, the journal for what they lack, nginx's error logs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Mapping, Sequence

from ..clients.logs import LogFile, TooMuch, find_logs, journal_begins, read_journal
from ..errors import BadInput, Unreachable
from ..log_times import Clock
from ..quantities import parse_duration, parse_size
from .access import confirmed, refusals
from .scan import Part, Period, Scanned, ends_at, plan_parts, scan, scan_ssh, starts_at
from .tally import Source, Tally

SPEC: Mapping[str, Any] = {
    "window": {"type": "str", "default": "1h"},
    "threshold": {"type": "int", "default": 10},
    "account_threshold": {"type": "int", "default": 10},
    "logs": {"type": "list", "elements": "str", "default": ["/var/log/auth.log*", "/var/log/secure*"]},
    "nginx_logs": {"type": "list", "elements": "str", "default": ["/var/log/nginx/error.log*"]},
    "nginx_access_logs": {"type": "list", "elements": "str", "default": ["/var/log/nginx/access.log*"]},
    "journal": {"type": "bool", "default": True},
    "max_bytes": {"type": "str", "default": "4g"},
    "now": {"type": "str"},
}

_IDENTIFIERS = ("sshd", "sshd-session", "sshd-auth")
_JOURNAL = "journal"
# A log is written when its last line was said. More than this between the two is another clock or zone.
_CLOCK_TOLERANCE = 900
_JOURNAL_ATTEMPTS = 4


@dataclass(frozen=True)
class Request:
    """Which logs to read, for which time; `budget` in bytes over all of them."""

    period: Period
    window_seconds: int
    logs: Sequence[str]
    nginx_logs: Sequence[str]
    nginx_access_logs: Sequence[str]
    journal: bool
    budget: int

    @classmethod
    def from_params(cls, params: Mapping[str, Any], clock: datetime) -> Request:
        """Raises `BadInput`."""
        window = parse_duration(params["window"])
        budget = parse_size(params["max_bytes"])
        if window < 1 or budget < 1:
            raise BadInput("window and max_bytes", "nothing can be read with 0", "Write 1h and 4g.")
        if not (params["logs"] or params["nginx_logs"] or params["journal"]):
            raise BadInput("logs, nginx_logs, journal", "all of them are empty", "Name a log to read.")
        until = (_parse_time(params["now"]) if params["now"] else clock).timestamp()
        return cls(
            Period(until - window, until),
            window,
            params["logs"],
            params["nginx_logs"],
            params["nginx_access_logs"],
            params["journal"],
            budget,
        )


@dataclass(frozen=True)
class Unread:
    """A log that could not be read, or not to its end."""

    path: str
    problem: str


@dataclass(frozen=True)
class Snapshot:
    """What the logs say about a period.

    `seen_from`: what was said about ssh before this could not be seen (seconds since the epoch). `silent`: no
    log has a line of sshd, and there is nothing to compare that with. `clock_differs`: by how many seconds
    the time in a log's last line differs from the time at which it was written, by path. `unconfirmed`:
    refused logins in nginx's error log that its access log does not know.
    """

    period: Period
    window_seconds: int
    sources: Mapping[str, Source] = field(default_factory=dict)
    existing: frozenset[str] = frozenset()
    scanned: tuple[Scanned, ...] = ()
    unread: tuple[Unread, ...] = ()
    seen_from: float | None = None
    silent: bool = False
    clock_differs: Mapping[str, int] = field(default_factory=dict)
    forgotten_sources: int = 0
    forgotten_failures: int = 0
    nameless: int = 0
    unconfirmed: int = 0


def observe(request: Request) -> Snapshot:
    """Raises `Unreachable` when there is neither log nor journal: that would not mean "no attackers"."""
    files, troubles = find_logs(request.logs)
    nginx_files, nginx_troubles = find_logs(request.nginx_logs)
    period = request.period
    parts = plan_parts("ssh", files, period, request.budget)
    left = request.budget - sum(part.size for part in parts)
    nginx_parts = plan_parts("nginx", nginx_files, period, left)

    tally, scanned = scan(parts, period)
    seen_from, silent = period.since, False
    if request.logs or request.journal:
        journal = _Journal(request, _covered(files, parts, scanned, period))
        journal.read_what_is_missing(tally)
        if not files and journal.begins is None:
            looked_at = [*request.logs, *(["the journal"] if request.journal else [])]
            raise _blind("sshd", looked_at, [*troubles, *journal.troubles])
        seen_from = journal.seen_from
        silent = journal.begins is None and not any(log.sshd for log in scanned)
        tally, scanned = journal.tally, [*scanned, *journal.scanned]
        if journal.wanted and (silent or seen_from > period.since):
            troubles = [*troubles, *journal.troubles]
    elif not nginx_files:
        raise _blind("nginx", request.nginx_logs, nginx_troubles)
    web, web_scanned = scan(nginx_parts, period)
    unconfirmed = 0
    if web.sources:
        web, unconfirmed = confirmed(web, refusals(request.nginx_access_logs, period.since))
    tally.absorb(web)
    scanned = [*scanned, *web_scanned]
    return Snapshot(
        period,
        request.window_seconds,
        tally.sources,
        frozenset(tally.existing),
        tuple(scanned),
        tuple(
            [Unread(error.subject, error.problem) for error in [*troubles, *nginx_troubles]]
            + [Unread(f"log {log.path}", log.trouble) for log in scanned if log.trouble]
        ),
        seen_from,
        silent,
        _clock_differences(files, period),
        tally.forgotten_sources,
        tally.forgotten_failures,
        tally.nameless,
        unconfirmed,
    )


def _covered(
    files: Sequence[LogFile], parts: Sequence[Part], scanned: Sequence[Scanned], period: Period
) -> Period | None:
    """The time for which the log files tell of sshd; None when they have no line of it.

    Between their first and their last line the files are taken to be whole, whichever program wrote them.
    What the budget left out counts as covered: it is not to be read elsewhere instead.
    """
    times = [time for log in scanned for time in (log.first, log.last) if time is not None]
    if not times or not any(log.sshd for log in scanned):
        return None
    begins = starts_at(files[0], period)
    whole = begins is None or begins <= period.since or files[0].mtime < period.since
    left_out = any(part.left_out for part in parts)
    return Period(period.since if whole or left_out else times[0], times[-1])


class _Journal:
    """What the journal adds to the log files.

    rsyslog copies the journal, so most lines are in both. The journal is asked only for the time before
    the first and after the last line of the files, or for all of it when they have no line of sshd: thus
    nothing counts twice, and a dead rsyslog is noticed by what it has missed.
    """

    def __init__(self, request: Request, covered: Period | None) -> None:
        self._request, self._covered = request, covered
        self.wanted = request.journal
        self.begins: float | None = None
        self.tally = Tally()
        self.scanned: list[Scanned] = []
        self.troubles: list[Unreachable] = []
        self.seen_from = covered.since if covered else request.period.since

    def read_what_is_missing(self, tally: Tally) -> None:
        period = self._request.period
        if self.wanted:
            try:
                self.begins = self._beginning()
            except Unreachable as error:
                self.troubles.append(error)
        if self.begins is None:
            self.tally.absorb(tally)
            return
        if self._covered is None:
            self._read(Period(period.since, period.until))
            self.tally.absorb(tally)
            return
        # The files' stamps may be whole seconds, so the rest begins with the second after.
        rest = Period(float(int(self._covered.until) + 1), period.until)
        if self._covered.since > period.since + 1:
            self._read(Period(period.since, self._covered.since - 1))
        self.tally.absorb(tally)
        if rest.since < rest.until:
            self._read(rest)

    def _beginning(self) -> float | None:
        begins, until = Clock(self._request.period.until).line(journal_begins()), self._request.period.until
        if begins is not None and begins >= until:
            raise Unreachable(_JOURNAL, "it begins after the window ends", "Give the logs of that time.")
        return begins

    def _read(self, gap: Period) -> None:
        begins = max(gap.since, self.begins or gap.since)
        if gap.since <= self._request.period.since:
            self.seen_from = begins
        since = begins
        for _attempt in range(_JOURNAL_ATTEMPTS):
            blocks = read_journal(_IDENTIFIERS, since, gap.until, self._request.budget)
            try:
                counted, what = scan_ssh(_JOURNAL, blocks, Period(since, gap.until), Clock(gap.until))
            except TooMuch:
                # The newest is what matters: give up the older half of the time and ask again.
                since = (since + gap.until) / 2
                self.seen_from = max(self.seen_from, since)
                continue
            self.tally.absorb(counted)
            self.scanned = [self.scanned[0].then(what) if self.scanned else what]
            return
        self.troubles.append(
            Unreachable(_JOURNAL, "there is too much in it to read in time", "Ask for a shorter window.")
        )


def _blind(program: str, looked_at: Sequence[str], troubles: Sequence[Unreachable]) -> Unreachable:
    because = "; ".join(f"{error.subject}: {error.problem}" for error in troubles)
    journal = ", or start the journal" if program == "sshd" else ""
    return Unreachable(
        program,
        "no log of it could be read, so who failed to log in is not known",
        f"Run with become{journal}. Looked at: {', '.join(looked_at)}{f' ({because})' if because else ''}.",
    )


def _clock_differences(files: Sequence[LogFile], period: Period) -> dict[str, int]:
    """The newest log, when its last line was written at another time than it says."""
    plain = [file for file in files if not file.compressed and file.mtime <= period.until + _CLOCK_TOLERANCE]
    if not plain:
        return {}
    newest = plain[-1]
    says = ends_at(newest, period)
    differs = 0 if says is None else round(newest.mtime - says)
    return {newest.path: differs} if abs(differs) > _CLOCK_TOLERANCE else {}


def _parse_time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise BadInput(f"now {text!r}", "it is not a time", "Write 2026-11-21T22:01:07Z.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
