# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether clients can trust what is served, for how long yet, and whether it is the newest there is.

Pure. What is known beside what is served comes in a `Known`: triage knows the file that the inventory names,
`certificate_info` what nginx is told and the lineages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Iterator, Mapping, Sequence, Tuple

from ..clients.tls import EXPIRED_CODES, ISSUER_CODES, NAME_CODES
from ..clients.x509 import Certificate
from ..finding import CRITICAL, NOTICE, WARNING, Finding, Remedy
from ..moments import iso_at
from ..quantities import speak_duration
from .observe import Filed, Seen, Served, Snapshot

DAY = 86400.0
# Certificates live for a year, 90, 45 or 6 days: what is late is a share of that, not a number of days.
LEFT, LEFT_OF_SHORT, SHORT_DAYS = 1 / 3, 1 / 2, 10
LAST_CALL = DAY
NAMES = 100
EXPIRED, EXPIRING, EARLY = "expired", "expiring", "early"
NOT_RELOADED, OTHER_FILE, UNSEEN = "not_reloaded", "other_file", "unseen"
NAME_MISMATCH, CHAIN_INCOMPLETE, UNTRUSTED = "name_mismatch", "chain_incomplete", "untrusted"

# The state that it puts an endpoint in, and the finding.
Judged = Tuple[str, Finding]


@dataclass(frozen=True)
class Known:
    """`files` is what the server should have loaded, `lineage` the name of the one that can be renewed.

    `clock` is what is known to be wrong with the clock of this host.
    """

    files: tuple[Filed, ...] = ()
    lineage: str | None = None
    clock: str | None = None

    def newer(self, served: Certificate, now: float) -> Filed | None:
        """The file that would serve longer; None where what is served lies in one of them."""
        filed = [(file.certificate, file) for file in self.files if file.certificate]
        if any(certificate.fingerprint == served.fingerprint for certificate, _file in filed):
            return None
        better = [
            (certificate.not_after, file)
            for certificate, file in filed
            if certificate.not_before <= now < certificate.not_after
            and certificate.not_after > served.not_after
        ]
        return max(better, key=lambda each: each[0])[1] if better else None


@dataclass(frozen=True)
class _Group:
    """Addresses that serve the same and are complained of alike: one cause, one finding."""

    first: Served
    addresses: tuple[str, ...]

    @property
    def where(self) -> str:
        *others, last = self.addresses
        return f"{', '.join(others)} and {last}" if others else last


def judge(seen: Snapshot) -> tuple[Any, Sequence[Finding]]:
    """The data is a list with one entry for each endpoint, None when the inventory names none."""
    findings = [finding for each in seen.endpoints for finding in _endpoint(each, seen.now)]
    return [data_of(each, seen.now) for each in seen.endpoints] or None, findings


def share_left(certificate: Certificate, now: float) -> float:
    """Of the whole lifetime; below 0 when it has expired."""
    lifetime = max(1.0, certificate.not_after - certificate.not_before)
    return (certificate.not_after - now) / lifetime


def due(certificate: Certificate, now: float) -> bool:
    """Whether it should have been renewed by now."""
    short = certificate.not_after - certificate.not_before <= SHORT_DAYS * DAY
    return share_left(certificate, now) < (LEFT_OF_SHORT if short else LEFT)


def pressing(certificate: Certificate, now: float) -> bool:
    """Of one that should have been replaced: whether users feel it, today or by tomorrow."""
    return certificate.not_after - now < LAST_CALL


def judge_served(seen: Seen, known: Known, now: float) -> Iterator[Judged]:
    if seen.unseen:
        yield UNSEEN, _unseen(seen, f"no certificate could be seen: {seen.unseen}", {"reason": seen.unseen})
    for group in _groups(seen.served):
        served = group.first
        if served.certificate is None:
            said = f"what {group.where} serves could not be seen: {served.unseen}"
            evidence = {"addresses": list(group.addresses), "reason": served.unseen}
            yield UNSEEN, _unseen(seen, said, evidence)
            continue
        yield from _newest(seen, group, served.certificate, known, now)
        yield from _trust(seen, group, served.certificate, known, now)


def unread(seen: Seen, filed: Filed) -> Finding:
    return Finding(
        id="certificate.file.unseen",
        level=WARNING,
        subject=subject_of(seen),
        summary=f"the certificate file cannot be compared with what is served: {filed.unseen}",
        evidence={"file": filed.path},
    )


def _endpoint(seen: Seen, now: float) -> Iterator[Finding]:
    filed = seen.filed
    readable = filed is not None and filed.certificate is not None
    known = Known((filed,) if filed else (), seen.endpoint.lineage if readable else None)
    for _state, finding in judge_served(seen, known, now):
        yield finding
    if filed and filed.unseen:
        yield unread(seen, filed)


def _groups(served: Sequence[Served]) -> list[_Group]:
    groups: dict[tuple[Any, ...], list[Served]] = {}
    for one in served:
        groups.setdefault((one.fingerprint, one.certificate, one.complaint, one.unseen), []).append(one)
    return [_Group(same[0], tuple(one.address for one in same)) for same in groups.values()]


def _unseen(seen: Seen, said: str, evidence: Mapping[str, Any]) -> Finding:
    """Only a warning: that users get no answer there is for the health of the endpoint to say."""
    return Finding(
        id="certificate.served.unseen",
        level=WARNING,
        subject=subject_of(seen),
        summary=said,
        evidence=evidence,
    )


def _newest(
    seen: Seen, group: _Group, certificate: Certificate, known: Known, now: float
) -> Iterator[Judged]:
    newer = known.newer(certificate, now)
    if newer is not None:
        yield NOT_RELOADED, _not_reloaded(seen, group, certificate, newer, known, now)
        return
    yield from _validity(seen, group, certificate, known, now)
    others = [file for file in known.files if file.certificate]
    if others and all(file.certificate != certificate for file in others):
        yield OTHER_FILE, _other_file(seen, group, certificate, others[0])


def _not_reloaded(
    seen: Seen, group: _Group, served: Certificate, newer: Filed, known: Known, now: float
) -> Finding:
    return Finding(
        id="certificate.served.differs",
        level=CRITICAL if pressing(served, now) else WARNING,
        subject=subject_of(seen),
        summary=f"{group.where} serves another certificate (until {day(served.not_after)}) than {newer.path} "
        f"(until {_until(newer)}): it was renewed, and the server has not been reloaded",
        evidence=_compared(group, served, newer),
        remedy=_renewal(known),
    )


def _other_file(seen: Seen, group: _Group, served: Certificate, other: Filed) -> Finding:
    return Finding(
        id="certificate.served.differs",
        level=NOTICE,
        subject=subject_of(seen),
        summary=f"{group.where} serves another certificate (until {day(served.not_after)}) than {other.path} "
        f"(until {_until(other)})",
        evidence=_compared(group, served, other),
    )


def _compared(group: _Group, served: Certificate, file: Filed) -> dict[str, Any]:
    return {
        "addresses": list(group.addresses),
        "served": served.fingerprint,
        "file": file.certificate.fingerprint if file.certificate else None,
        "path": file.path,
    }


def _until(file: Filed) -> str:
    return day(file.certificate.not_after) if file.certificate else "unknown"


def _renewal(known: Known) -> Remedy | None:
    return Remedy("fix_certificate", {"lineage": known.lineage}) if known.lineage else None


def _validity(
    seen: Seen, group: _Group, certificate: Certificate, known: Known, now: float
) -> Iterator[Judged]:
    left, evidence = certificate.not_after - now, _evidence(group, certificate, now)
    at, until = f"at {group.where}", day(certificate.not_after)
    clock = f"; {known.clock}" if known.clock else ""
    if left <= 0:
        yield (
            EXPIRED,
            Finding(
                id="certificate.served.expired",
                level=CRITICAL,
                subject=subject_of(seen),
                summary=f"the certificate {at} expired {speak_duration(-left)} ago ({until}){clock}",
                evidence=evidence,
                remedy=_renewal(known),
            ),
        )
    elif now < certificate.not_before:
        yield (
            EARLY,
            Finding(
                id="certificate.served.early",
                level=CRITICAL,
                subject=subject_of(seen),
                summary=f"the certificate {at} is valid only from {day(certificate.not_before)}: "
                f"see whether the clock of this host is right{clock}",
                evidence=evidence,
            ),
        )
    elif due(certificate, now) or left < LAST_CALL:
        yield (
            EXPIRING,
            Finding(
                id="certificate.served.expiring",
                level=CRITICAL if pressing(certificate, now) else WARNING,
                subject=subject_of(seen),
                summary=f"the certificate {at} expires in {speak_duration(left)} "
                f"({share_left(certificate, now):.0%} of its lifetime is left) and has not been renewed",
                evidence=evidence,
                remedy=_renewal(known),
            ),
        )


def _trust(seen: Seen, group: _Group, certificate: Certificate, known: Known, now: float) -> Iterator[Judged]:
    """Of one that is out of time, that is all that there is to say."""
    served = group.first
    if not served.complaint or not certificate.not_before <= now < certificate.not_after:
        return
    evidence = _evidence(group, certificate, now)
    if served.code in NAME_CODES:
        yield (
            NAME_MISMATCH,
            Finding(
                id="certificate.name.mismatch",
                level=CRITICAL,
                subject=subject_of(seen),
                summary=f"the certificate at {group.where} is for {', '.join(certificate.names[:5])}, "
                f"not for {seen.endpoint.name}",
                evidence=evidence,
            ),
        )
    elif served.code in ISSUER_CODES and _lacks_issuer(served):
        yield (
            CHAIN_INCOMPLETE,
            Finding(
                id="certificate.chain.incomplete",
                level=CRITICAL,
                subject=subject_of(seen),
                summary=f"{group.where} does not send the certificate of its issuer ({certificate.issuer}): "
                f"clients refuse its own{_alone(served, known)}",
                evidence={**evidence, "presented": len(served.chain)},
            ),
        )
    else:
        yield (
            UNTRUSTED,
            Finding(
                id="certificate.served.untrusted",
                level=CRITICAL,
                subject=subject_of(seen),
                summary=f"clients refuse what {group.where} serves: {served.complaint}{_hint(served)}",
                evidence=evidence,
            ),
        )


def _lacks_issuer(served: Served) -> bool:
    own = served.certificate
    if own is None or own.signs_itself or not served.chain:
        return False
    return not any(other.issued(own) for other in served.chain if other.fingerprint != own.fingerprint)


def _hint(served: Served) -> str:
    if served.code in EXPIRED_CODES:
        return ", one of its issuers, for its own is in time"
    if served.code in ISSUER_CODES and served.chain:
        return f". This host does not trust {served.chain[-1].issuer}, which signed the last that is sent"
    return ""


def _alone(served: Served, known: Known) -> str:
    """The file that is to blame, and the next step."""
    for file in known.files:
        if len(file.chain) == 1 and file.chain[0].fingerprint == served.fingerprint:
            return f": {file.path} holds nothing else. Serve the full chain (certbot's fullchain.pem)"
    return ""


def subject_of(seen: Seen) -> str:
    return f"certificate of {seen.endpoint.name}:{seen.endpoint.port}"


def _evidence(group: _Group, certificate: Certificate, now: float) -> dict[str, Any]:
    return {"addresses": list(group.addresses), **said_of(certificate, now)}


def said_of(certificate: Certificate, now: float) -> dict[str, Any]:
    return {
        "fingerprint": certificate.fingerprint,
        "not_before": iso_at(certificate.not_before),
        "not_after": iso_at(certificate.not_after),
        "seconds_left": round(certificate.not_after - now),
        "share_left": round(share_left(certificate, now), 3),
        "issuer": certificate.issuer,
        "serial": certificate.serial,
        "names": list(certificate.names[:NAMES]),
    }


def data_of(seen: Seen, now: float) -> dict[str, Any]:
    return {
        "name": seen.endpoint.name,
        "port": seen.endpoint.port,
        "verified": seen.endpoint.verify,
        "served": [
            {
                "address": served.address,
                "certificate": said_of(served.certificate, now) if served.certificate else None,
                "complaint": served.complaint,
                "unseen": served.unseen,
            }
            for served in seen.served
        ],
        "file": file_data(seen.filed, now) if seen.filed else None,
        "unseen": seen.unseen,
    }


def file_data(filed: Filed, now: float) -> dict[str, Any]:
    return {
        "path": filed.path,
        "certificate": said_of(filed.certificate, now) if filed.certificate else None,
        "unseen": filed.unseen,
    }


def day(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
