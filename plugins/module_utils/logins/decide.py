# SPDX-License-Identifier: GPL-3.0-or-later
"""What to tell of those who tried to log in, and whom to ban."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from ..finding import CRITICAL, NOTICE, WARNING, Finding, Remedy
from ..moments import iso_at
from ..quantities import speak_count, speak_duration, speak_list
from ..remedies import CONTAIN_COMPROMISE
from .judge import ATTACKER, Attacker, Guessed, Judged, Policy, attackers, guessed_accounts, judge
from .observe import Snapshot
from .scan import Scanned
from .tally import Success

MAX_SOURCES, MAX_ACCOUNTS, MAX_NAMES = 1000, 100, 10
# So many findings of one kind each name one object; one more sums up the others.
MAX_FINDINGS = 20

_REMEDY = Remedy("contain_security")


def decide(snapshot: Snapshot, policy: Policy) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    """The data to return, worst source first, and what is wrong."""
    judged = judge(snapshot, policy)
    accounts = guessed_accounts(judged, snapshot, policy)
    banned = attackers(judged, policy)
    findings = [
        *_break_ins(judged, snapshot),
        *_account_findings(accounts, snapshot),
        *_attackers(banned, snapshot),
        *_protected(judged, snapshot),
        *_unseen(snapshot),
    ]
    return {
        "window_seconds": snapshot.window_seconds,
        "since": _time(snapshot.period.since),
        "until": _time(snapshot.period.until),
        "scanned": [_scanned_dict(log) for log in snapshot.scanned],
        "sources": [_source_dict(one, policy) for one in judged[:MAX_SOURCES]],
        "sources_left_out": max(0, len(judged) - MAX_SOURCES),
        "attackers": [one.address for one in banned],
        "intruders": _intruders(judged, accounts),
        "accounts": [_account_dict(one) for one in accounts[:MAX_ACCOUNTS]],
        "accounts_left_out": max(0, len(accounts) - MAX_ACCOUNTS),
    }, findings


def _break_ins(judged: Sequence[Judged], snapshot: Snapshot) -> Iterator[Finding]:
    found = [(one, one.got_in) for one in judged if one.got_in]
    for one, success in found[:MAX_FINDINGS]:
        kept = (
            f" The address is protected ({one.protected}), so it is not among attackers."
            if one.protected
            else ""
        )
        yield Finding(
            id="logins.source.success_after_failures",
            level=CRITICAL,
            subject=f"{one.address} as {success.account}",
            summary=(
                f"{one.address} failed {success.before.failures} times on "
                f"{_names(sorted(success.accounts_before))} and then logged in as {success.account} by "
                f"{success.method} at {_time(success.first)}. Treat it as a break-in: collect evidence and "
                f"isolate the host; a ban alone leaves whoever got in inside.{kept}"
            ),
            evidence={
                "address": one.address,
                "protected": one.protected,
                **_success_dict(success),
            },
            remedy=CONTAIN_COMPROMISE,
        )
    rest = found[MAX_FINDINGS:]
    if rest:
        yield Finding(
            id="logins.source.success_after_failures",
            level=CRITICAL,
            subject=f"{len(rest)} more addresses",
            summary=f"{len(rest)} more addresses logged in after guessing, within {_window(snapshot)}.",
            evidence={"addresses": [one.address for one, _success in rest[:MAX_SOURCES]], "count": len(rest)},
            remedy=CONTAIN_COMPROMISE,
        )


def _intruders(judged: Sequence[Judged], accounts: Sequence[Guessed]) -> list[str]:
    """The addresses behind every break-in, the protected ones among them."""
    guessed = [one.success[0] for one in accounts if one.success]
    return list(dict.fromkeys([*(one.address for one in judged if one.got_in), *guessed]))


def _account_findings(accounts: Sequence[Guessed], snapshot: Snapshot) -> Iterator[Finding]:
    for one in accounts[:MAX_FINDINGS]:
        if one.success:
            address, success = one.success
            yield Finding(
                id="logins.account.success_after_guessing",
                level=CRITICAL,
                subject=f"account {one.account}",
                summary=(
                    f"{one.sources} addresses failed on {one.account}, and then {address} logged in to it by "
                    f"{success.method} at {_time(success.last)}. Ask its owner now; unless it was them, "
                    f"treat it as a break-in."
                ),
                evidence={**_account_dict(one), "address": address},
                remedy=CONTAIN_COMPROMISE,
            )
    for one in accounts[:MAX_FINDINGS]:
        unknown = "" if one.exists else "; there is no such account here"
        yield Finding(
            id="logins.account.distributed_guessing",
            level=WARNING if one.exists else NOTICE,
            subject=f"account {one.account}",
            summary=(
                f"{one.sources} addresses failed on {one.account} within {_window(snapshot)}, "
                f"{one.below_threshold} of them too seldom to be attackers by themselves{unknown}."
            ),
            evidence=_account_dict(one),
        )


def _attackers(banned: Sequence[Attacker], snapshot: Snapshot) -> Iterator[Finding]:
    """A single address that got in has a finding of its own already."""
    found = [one for one in banned if one.is_network or not one.got_in]
    for one in found[:MAX_FINDINGS]:
        many = f" from {len(one.failing)} of its addresses" if one.is_network else ""
        yield Finding(
            id="logins.source.brute_force",
            level=WARNING,
            subject=one.address,
            summary=(
                f"{one.address} failed {one.failures} times within {_window(snapshot)}{many} on "
                f"{_names(sorted(one.accounts))}; "
                f"{'it got in' if one.got_in else 'no login came of it'}."
            ),
            evidence={
                "address": one.address,
                "failures": one.failures,
                "address_count": len(one.failing),
                "account_count": len(one.accounts),
                "first": _time(one.first),
                "last": _time(one.last),
            },
            remedy=_REMEDY,
        )
    rest = found[MAX_FINDINGS:]
    if rest:
        yield Finding(
            id="logins.source.brute_force",
            level=WARNING,
            subject=f"{len(rest)} more attackers",
            summary=(
                f"{len(rest)} more attackers are guessing, {sum(one.failures for one in rest)} failures "
                f"together within {_window(snapshot)}; all of them are in attackers."
            ),
            evidence={"count": len(rest), "failures": sum(one.failures for one in rest)},
            remedy=_REMEDY,
        )


def _protected(judged: Sequence[Judged], snapshot: Snapshot) -> Iterator[Finding]:
    found = [one for one in judged if one.judgement == ATTACKER and one.protected is not None]
    for one in found[:MAX_FINDINGS]:
        yield Finding(
            id="logins.source.protected_fails",
            level=WARNING,
            subject=one.address,
            summary=(
                f"{one.address} failed {one.failures} times within {_window(snapshot)} and must not be "
                f"blocked: {one.protected}. Look there for a job with an old password, or an intruder."
            ),
            evidence={"address": one.address, "failures": one.failures, "protected": one.protected},
        )


def _unseen(snapshot: Snapshot) -> Iterator[Finding]:
    """What a clean result would be wrong to keep quiet about."""
    window = _window(snapshot)
    for unread in snapshot.unread:
        yield Finding(
            id="logins.log.unreadable",
            level=WARNING,
            subject=unread.path,
            summary=f"{unread.path} could not be read to its end: {unread.problem}. The rest is not counted.",
        )
    for path, seconds in snapshot.clock_differs.items():
        yield Finding(
            id="logins.log.clock_differs",
            level=WARNING,
            subject=f"log {path}",
            summary=(
                f"The last line of {path} bears a time {abs(seconds)} s "
                f"{'before' if seconds > 0 else 'after'} it was written: another clock or time zone. "
                f"The last {window} may not be what was read."
            ),
            evidence={"seconds": seconds},
        )
    left_out = sum(log.left_out for log in snapshot.scanned)
    if left_out:
        yield Finding(
            id="logins.window.over_budget",
            level=NOTICE,
            subject="max_bytes",
            summary=(
                f"{left_out} bytes of the last {window} were not read, the oldest ones: the budget went to "
                f"the newest. Raise max_bytes or ask for a shorter window."
            ),
            evidence={"bytes_left_out": left_out},
        )
    if snapshot.silent:
        yield Finding(
            id="logins.log.silent",
            level=WARNING,
            subject="sshd",
            summary=(
                f"No log has a line of sshd in the last {window}, and there is no journal to compare with. "
                f"It may log elsewhere, or its logger may be dead."
            ),
        )
    elif snapshot.seen_from is not None and snapshot.seen_from > snapshot.period.since + 60:
        yield Finding(
            id="logins.window.incomplete",
            level=NOTICE,
            subject="sshd",
            summary=f"The logs of sshd begin only at {_time(snapshot.seen_from)}; the window is {window}.",
            evidence={"seen_from": _time(snapshot.seen_from), "since": _time(snapshot.period.since)},
        )
    if snapshot.forgotten_sources:
        yield Finding(
            id="logins.source.too_many",
            level=WARNING,
            subject="sources",
            summary=(
                f"{snapshot.forgotten_sources} times an address with few failures was let go of, "
                f"{snapshot.forgotten_failures} failures together: there are more addresses than can be told "
                f"apart. The worst of them were kept."
            ),
            evidence={
                "forgotten_sources": snapshot.forgotten_sources,
                "forgotten_failures": snapshot.forgotten_failures,
            },
        )
    if snapshot.unconfirmed:
        yield Finding(
            id="logins.nginx.unconfirmed",
            level=WARNING,
            subject="nginx",
            summary=(
                f"{speak_count(snapshot.unconfirmed, 'refused login')} in nginx's error log are not in its "
                f"access log and count against nobody: outsiders can write into the former. Name the right "
                f"nginx_access_logs, or look who does."
            ),
            evidence={"failures": snapshot.unconfirmed},
        )
    if snapshot.nameless:
        yield Finding(
            id="logins.log.tampered",
            level=WARNING,
            subject="login lines",
            summary=(
                f"{snapshot.nameless} failures bear no address: somebody may be breaking the lines of the "
                f"log with long or odd user names. They are counted against nobody."
            ),
            evidence={"failures": snapshot.nameless},
        )


def _scanned_dict(log: Scanned) -> dict[str, Any]:
    return {
        "path": log.path,
        "bytes": log.bytes,
        "from": _time(log.first),
        "to": _time(log.last),
        "complete": log.trouble is None and not log.left_out,
    }


def _source_dict(one: Judged, policy: Policy) -> dict[str, Any]:
    source = one.source
    return {
        "address": one.address,
        "failures": one.failures,
        "successes": source.logins,
        "accounts": sorted(source.accounts)[:MAX_NAMES],
        "account_count": len(source.accounts),
        "accounts_complete": source.accounts_complete,
        "services": sorted(source.services),
        "first": _time(source.first),
        "last": _time(source.last),
        "success_after_failures": _success_dict(one.got_in) if one.got_in else None,
        "judgement": one.judgement,
        "protected": policy.protected.why(one.address),
    }


def _success_dict(success: Success) -> dict[str, Any]:
    return {
        "account": success.account,
        "method": success.method,
        "time": _time(success.first),
        "failures_before": success.before.failures,
        "accounts_before": sorted(success.accounts_before)[:MAX_NAMES],
    }


def _account_dict(one: Guessed) -> dict[str, Any]:
    return {
        "account": one.account,
        "exists": one.exists,
        "sources": one.sources,
        "below_threshold": one.below_threshold,
        "success": {"address": one.success[0], **_success_dict(one.success[1])} if one.success else None,
    }


def _names(accounts: Sequence[str]) -> str:
    return speak_list([name or "(empty)" for name in accounts], 3) or "no account that was named"


def _window(snapshot: Snapshot) -> str:
    return speak_duration(snapshot.window_seconds)


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else iso_at(seconds)
