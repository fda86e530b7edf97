# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether clients can trust what is served, for how long yet, and whether it is the newest there is."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Iterator, Mapping, Sequence

from ..clients.tls import Certificate
from ..finding import CRITICAL, NOTICE, WARNING, Finding
from ..moments import iso_at
from ..quantities import speak_duration
from .observe import Seen, Served, Snapshot

DAY = 86400.0
# Certificates live for a year, 90, 45 or 6 days: what is late is a share of that, not a number of days.
LEFT, LEFT_OF_SHORT, SHORT_DAYS = 1 / 3, 1 / 2, 10
LAST_CALL = DAY


def judge(seen: Snapshot) -> tuple[Any, Sequence[Finding]]:
    """The data is a list with one entry for each endpoint, None when the inventory names none."""
    findings = [finding for each in seen.endpoints for finding in _endpoint(each, seen.now)]
    return [_data(each, seen.now) for each in seen.endpoints] or None, findings


def share_left(certificate: Certificate, now: float) -> float:
    """Of the whole lifetime; below 0 when it has expired."""
    lifetime = max(1.0, certificate.not_after - certificate.not_before)
    return (certificate.not_after - now) / lifetime


def due(certificate: Certificate, now: float) -> bool:
    """Whether it should have been renewed by now."""
    short = certificate.not_after - certificate.not_before <= SHORT_DAYS * DAY
    return share_left(certificate, now) < (LEFT_OF_SHORT if short else LEFT)


def _endpoint(seen: Seen, now: float) -> Iterator[Finding]:
    if seen.unseen:
        yield _unseen(seen, seen.unseen, {"reason": seen.unseen})
    for served in seen.served:
        if served.certificate is None:
            where = f"what {served.address} serves could not be seen: {served.unseen}"
            yield _unseen(seen, where, {"address": served.address, "reason": served.unseen})
            continue
        yield from _validity(seen, served, served.certificate, now)
        yield from _trust(seen, served, served.certificate, now)
        yield from _newest(seen, served, served.certificate)
    if seen.filed and seen.filed.unseen:
        yield Finding(
            id="certificate.file.unseen",
            level=WARNING,
            subject=_subject(seen),
            summary=f"the certificate file cannot be compared with what is served: {seen.filed.unseen}",
            evidence={"file": seen.filed.path},
        )


def _unseen(seen: Seen, said: str, evidence: Mapping[str, Any]) -> Finding:
    """Only a warning: that users get no answer there is for the health of the endpoint to say."""
    return Finding(
        id="certificate.served.unseen",
        level=WARNING,
        subject=_subject(seen),
        summary=said if seen.served else f"no certificate could be seen: {said}",
        evidence=evidence,
    )


def _validity(seen: Seen, served: Served, certificate: Certificate, now: float) -> Iterator[Finding]:
    left, evidence = certificate.not_after - now, _evidence(served, certificate, now)
    at, until = f"at {served.address}", _day(certificate.not_after)
    if left <= 0:
        yield Finding(
            id="certificate.served.expired",
            level=CRITICAL,
            subject=_subject(seen),
            summary=f"the certificate {at} expired {speak_duration(-left)} ago ({until})",
            evidence=evidence,
        )
    elif now < certificate.not_before:
        yield Finding(
            id="certificate.served.early",
            level=CRITICAL,
            subject=_subject(seen),
            summary=f"the certificate {at} is valid only from {_day(certificate.not_before)}: "
            f"see whether the clock of this host is right",
            evidence=evidence,
        )
    elif due(certificate, now) or left < LAST_CALL:
        yield Finding(
            id="certificate.served.expiring",
            level=CRITICAL if left < LAST_CALL else WARNING,
            subject=_subject(seen),
            summary=f"the certificate {at} expires in {speak_duration(left)} "
            f"({share_left(certificate, now):.0%} of its lifetime is left) and has not been renewed",
            evidence=evidence,
        )


def _trust(seen: Seen, served: Served, certificate: Certificate, now: float) -> Iterator[Finding]:
    in_time = certificate.not_before <= now < certificate.not_after
    if served.complaint and in_time:
        yield Finding(
            id="certificate.served.untrusted",
            level=CRITICAL,
            subject=_subject(seen),
            summary=f"clients refuse the certificate at {served.address}: {served.complaint}",
            evidence=_evidence(served, certificate, now),
        )


def _newest(seen: Seen, served: Served, certificate: Certificate) -> Iterator[Finding]:
    filed = seen.filed.certificate if seen.filed else None
    if filed is None or seen.filed is None or filed.fingerprint == certificate.fingerprint:
        return
    newer = filed.not_after > certificate.not_after
    yield Finding(
        id="certificate.served.differs",
        level=WARNING if newer else NOTICE,
        subject=_subject(seen),
        summary=f"{served.address} serves another certificate (until {_day(certificate.not_after)}) than "
        f"{seen.filed.path} (until {_day(filed.not_after)})"
        + (": it was renewed, and the server has not been reloaded" if newer else ""),
        evidence={
            "address": served.address,
            "served": certificate.fingerprint,
            "file": filed.fingerprint,
            "path": seen.filed.path,
        },
    )


def _subject(seen: Seen) -> str:
    return f"certificate of {seen.endpoint.name}:{seen.endpoint.port}"


def _evidence(served: Served, certificate: Certificate, now: float) -> dict[str, Any]:
    return {"address": served.address, **_said(certificate, now)}


def _said(certificate: Certificate, now: float) -> dict[str, Any]:
    return {
        "fingerprint": certificate.fingerprint,
        "not_before": iso_at(certificate.not_before),
        "not_after": iso_at(certificate.not_after),
        "seconds_left": round(certificate.not_after - now),
        "share_left": round(share_left(certificate, now), 3),
        "issuer": certificate.issuer,
        "serial": certificate.serial,
        "names": list(certificate.names),
    }


def _data(seen: Seen, now: float) -> dict[str, Any]:
    return {
        "name": seen.endpoint.name,
        "port": seen.endpoint.port,
        "verified": seen.endpoint.verify,
        "served": [
            {
                "address": served.address,
                "certificate": _said(served.certificate, now) if served.certificate else None,
                "complaint": served.complaint,
                "unseen": served.unseen,
            }
            for served in seen.served
        ],
        "file": {
            "path": seen.filed.path,
            "certificate": _said(seen.filed.certificate, now) if seen.filed.certificate else None,
            "unseen": seen.filed.unseen,
        }
        if seen.filed
        else None,
        "unseen": seen.unseen,
    }


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
