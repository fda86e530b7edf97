# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the logs tell of trouble that is new: rates of now against the hour before. Pure."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from ..finding import CRITICAL, NOTICE, WARNING, Finding
from ..quantities import speak_count, speak_duration
from .observe import Snapshot
from .tally import RECENT, REQUESTS, Count, Errors, Http

# Fewer errors than this, or less than so many times the rate of the hour before, is every day.
MANY, TIMES = 10, 3.0
# Of fewer requests a share says nothing.
REQUESTS_MANY = 20
FAILING_WARNING, FAILING_CRITICAL = 5.0, 20.0
PACKETS_MANY = 30
TOLD = 5


def judge(seen: Snapshot) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    findings = [
        *(finding for http in seen.http for finding in _http(http)),
        *_rising(seen),
        *_denials(seen),
        *_packets(seen),
        *_unread(seen),
    ]
    return _data(seen), findings


def _data(seen: Snapshot) -> dict[str, Any]:
    spoke = (errors for errors in seen.errors if errors.count.now or errors.count.before or errors.undated)
    return {
        "window_seconds": RECENT,
        "request_window_seconds": REQUESTS,
        "errors": [_errors_data(errors) for errors in sorted(spoke, key=lambda one: -one.count.now)],
        "http": [_http_data(http) for http in seen.http],
        "packets_denied": {
            **_counts(seen.kernel.packets),
            "sources": dict(seen.kernel.sources.most_common(TOLD)),
        },
        "access_denied": {what: _counts(count) for what, count in seen.kernel.denials.items()},
        "cut": list(seen.cut),
        "unread": {log.source: log.reason for log in seen.unread},
    }


def _counts(count: Count) -> dict[str, int]:
    return {"now": count.now, "before": count.before}


def _errors_data(errors: Errors) -> dict[str, Any]:
    return {
        "source": errors.source,
        "service": errors.service,
        **_counts(errors.count),
        "undated": errors.undated,
        "last": errors.count.text,
    }


def _http_data(http: Http) -> dict[str, Any]:
    return {
        "source": http.source,
        "requests": http.total,
        "client_errors": http.client_errors,
        "server_errors": http.server_errors,
        "requests_before": http.before_total,
        "server_errors_before": http.before_server_errors,
        "failing": dict(http.failing.most_common(TOLD)),
    }


def _http(http: Http) -> Iterator[Finding]:
    if http.total < REQUESTS_MANY:
        return
    share = 100.0 * http.server_errors / http.total
    if share < FAILING_WARNING:
        return
    # With this share of failures, so many good ones in a row come by chance in one of twenty cases.
    over = http.good >= 300.0 / share
    ago = speak_duration(http.until - http.last_failed)
    often = "; ".join(f"{what} {count} times" for what, count in http.failing.most_common(2))
    before = (
        f", {100.0 * http.before_server_errors / http.before_total:.1f} % in the hour before"
        if http.before_total
        else ""
    )
    since = f". The {http.good} since then succeeded, the last failed {ago} ago" if over else ""
    level = CRITICAL if share >= FAILING_CRITICAL else WARNING
    yield Finding(
        id="logs.http.failing",
        level=NOTICE if over else level,
        subject=http.source,
        summary=f"{http.server_errors} of {http.total} requests ({share:.0f} %) failed with 5xx in the last "
        f"{speak_duration(REQUESTS)}{before}: {often}{since}",
        evidence=_http_data(http),
    )


def _rising(seen: Snapshot) -> Iterator[Finding]:
    """One finding for each service, by the log of it that says most: many write each error twice."""
    worst: dict[str, Errors] = {}
    for errors in seen.errors:
        owner = errors.service or errors.source
        if _is_rising(errors) and (owner not in worst or errors.count.now > worst[owner].count.now):
            worst[owner] = errors
    for owner, errors in worst.items():
        count = errors.count
        yield Finding(
            id="logs.errors.rising",
            level=NOTICE if owner in seen.lesser else WARNING,
            subject=f"service {errors.service}" if errors.service else errors.source,
            summary=f"{speak_count(count.now, 'error')} in the last {speak_duration(RECENT)} in "
            f"{errors.source}, {_before(errors)}; the last: {count.text}",
            evidence=_errors_data(errors),
        )


def _is_rising(errors: Errors) -> bool:
    before = errors.before_rate()
    return errors.count.now >= MANY and before is not None and errors.count.now >= TIMES * before


def _before(errors: Errors) -> str:
    return (
        f"{errors.count.before or 'none'} in the hour before" if errors.seen_from is None else "which is new"
    )


def _denials(seen: Snapshot) -> Iterator[Finding]:
    denials = seen.kernel.denials
    new = {what: count for what, count in denials.items() if count.now and not count.before}
    old = {what: count for what, count in denials.items() if count.before}
    if new:
        yield _denied(WARNING, new, "for the first time within the hour")
    if old:
        yield _denied(NOTICE, old, "as before")


def _denied(level: str, denials: Mapping[str, Count], said: str) -> Finding:
    return Finding(
        id="logs.access.denied",
        level=level,
        subject="mandatory access control",
        summary=f"denied {said}: {_most(denials)}",
        evidence={what: _counts(count) for what, count in denials.items()},
    )


def _most(denials: Mapping[str, Count]) -> str:
    first = sorted(denials.items(), key=lambda pair: -pair[1].now)[:TOLD]
    more = f" and {len(denials) - TOLD} more" if len(denials) > TOLD else ""
    return "; ".join(f"{what} ({count.now + count.before} times)" for what, count in first) + more


def _packets(seen: Snapshot) -> Iterator[Finding]:
    count = seen.kernel.packets
    if count.now < PACKETS_MANY or count.now < TIMES * count.before * RECENT / 3600.0:
        return
    sources = ", ".join(f"{source} {times}" for source, times in seen.kernel.sources.most_common(3))
    ports = ", ".join(f"{port} {times}" for port, times in seen.kernel.ports.most_common(3))
    yield Finding(
        id="logs.packets.denied",
        level=NOTICE,
        subject="firewall",
        summary=f"{speak_count(count.now, 'packet')} dropped and logged in the last "
        f"{speak_duration(RECENT)}, {count.before or 'none'} in the hour before; "
        f"most from {sources}, to {ports}",
        evidence={**_counts(count), "sources": dict(seen.kernel.sources.most_common(TOLD))},
    )


def _unread(seen: Snapshot) -> Iterator[Finding]:
    for log in seen.unread:
        yield Finding(
            id="logs.source.unseen",
            level=WARNING if log.configured else NOTICE,
            subject=log.source,
            summary=f"{log.source} was not read: {log.reason}",
            evidence={"source": log.source, "reason": log.reason},
        )
