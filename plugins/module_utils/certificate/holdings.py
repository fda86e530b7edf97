# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with what a host holds, whoever uses it: lineages, their renewal, nginx. Pure."""

from __future__ import annotations

from typing import Iterator, Sequence

from ..finding import NOTICE, WARNING, Finding, Remedy
from ..quantities import speak_duration
from .classify import key_mismatch
from .decide import due, said_of
from .look import Held, Pointed, Snapshot


def judge_host(seen: Snapshot) -> Iterator[Finding]:
    """What belongs to no endpoint: lineages, what renews them, and what could not be seen."""
    used = {id(each.held) for each in seen.endpoints if each.held}
    real = [pointed.real for pointed in seen.pointed]
    for held in seen.lineages or ():
        served = any(path and held.lineage.holds(path) for path in real)
        yield from _lineage(held, seen.now, served, id(held) in used)
    yield from _renewal(seen)
    yield from _keys(seen)
    yield from _unseen(seen)


def _keys(seen: Snapshot) -> Iterator[Finding]:
    """Of blocks that no endpoint asks for: they keep nginx from reloading all the same."""
    told = {_told(pointed) for each in seen.endpoints for pointed in each.pointed}
    for pointed in seen.pointed:
        if pointed.key.fits is False and _told(pointed) not in told:
            yield key_mismatch(pointed)


def _told(pointed: Pointed) -> tuple[str | None, str, str]:
    return pointed.source.container, pointed.source.place, pointed.source.certificate


def _lineage(held: Held, now: float, served: bool, used: bool) -> Iterator[Finding]:
    lineage, certificate = held.lineage, held.filed.certificate
    subject = f"lineage {lineage.name}"
    problem = lineage.problem or held.filed.unseen
    if problem or certificate is None:
        yield Finding(
            id="certificate.lineage.broken",
            level=WARNING if served or used else NOTICE,
            subject=subject,
            summary=f"certbot cannot renew it as it is: {problem}",
            evidence={"config": lineage.config},
        )
        return
    remedy = Remedy("fix_certificate", {"lineage": lineage.name})
    if held.key.fits is not True:
        lost = held.key.unseen or f"{lineage.key} is not the key of {lineage.fullchain}"
        yield Finding(
            id="certificate.lineage.keyless",
            level=WARNING if served or used else NOTICE,
            subject=subject,
            summary=f"its certificate cannot be served: {lost}",
            evidence={"certificate": lineage.fullchain, "key": lineage.key},
            remedy=remedy,
        )
    if used or not due(certificate, now):
        # What an endpoint serves is judged there.
        return
    left = certificate.not_after - now
    when = f"expired {speak_duration(-left)} ago" if left <= 0 else f"expires in {speak_duration(left)}"
    yield Finding(
        id="certificate.lineage.expiring",
        level=WARNING if served else NOTICE,
        subject=subject,
        summary=f"its certificate ({', '.join(certificate.names[:5])}) {when}"
        + (", and nginx serves it" if served else "; nothing here is known to serve it"),
        evidence=said_of(certificate, now),
        remedy=remedy if served else None,
    )


def _renewal(seen: Snapshot) -> Iterator[Finding]:
    good = [held for held in seen.lineages or () if held.filed.certificate]
    late = [held for held in good if held.filed.certificate and due(held.filed.certificate, seen.now)]
    names = [held.lineage.name for held in late]
    renewal = seen.renewal
    if renewal is not None and good and not renewal.scheduled:
        yield Finding(
            id="certificate.renewal.stopped",
            level=WARNING if late else NOTICE,
            subject="certbot",
            summary=f"nothing renews {_count(good)} by itself: no timer of certbot waits, and no cron table "
            f"starts it. See: systemctl status certbot.timer",
            evidence={"lineages": [held.lineage.name for held in good], "due": names},
        )
    elif renewal is not None and late and renewal.complaints:
        yield Finding(
            id="certificate.renewal.failing",
            level=WARNING,
            subject="certbot",
            summary=f"{', '.join(renewal.scheduled)} should have renewed {', '.join(names[:5])}. The log "
            f"says: {renewal.complaints[-1]}",
            evidence={"due": names, "complaints": list(renewal.complaints)},
        )
    for held in good:
        yield from _hindered(held, held in late)


def _hindered(held: Held, late: bool) -> Iterator[Finding]:
    lineage = held.lineage
    if not lineage.renews:
        problem = f"autorenew is switched off in {lineage.config}"
    elif lineage.authenticator == "manual":
        problem = (
            "it was made by hand (authenticator manual), and unless its hooks do that, so is its renewal"
        )
    elif lineage.account and not lineage.account_present:
        problem = f"its account {lineage.account} at {lineage.server} is not on this host any more"
    else:
        return
    yield Finding(
        id="certificate.renewal.hindered",
        level=WARNING if late else NOTICE,
        subject=f"lineage {lineage.name}",
        summary=f"certbot will not renew it by itself: {problem}",
        evidence={"config": lineage.config, "server": lineage.server, "account": lineage.account},
    )


def _count(held: Sequence[Held]) -> str:
    return f"lineage {held[0].lineage.name}" if len(held) == 1 else f"the {len(held)} lineages of certbot"


def _unseen(seen: Snapshot) -> Iterator[Finding]:
    if "lineages" in seen.unseen:
        yield Finding(
            id="certificate.lineages.unseen",
            level=WARNING,
            subject="certbot",
            summary=f"the lineages could not be read: {seen.unseen['lineages']}",
        )
    for name, reason in seen.unseen.items():
        if name in ("nginx", "docker") or name.startswith("container "):
            yield Finding(
                id="certificate.nginx.unseen",
                level=WARNING,
                subject=name,
                summary=f"which certificates nginx is told to serve could not be seen: {reason}",
            )
    for configuration in seen.nginx:
        if configuration.broken:
            inside = f" in container {configuration.container}" if configuration.container else ""
            yield Finding(
                id="certificate.nginx.broken",
                level=WARNING,
                subject=f"nginx{inside}",
                summary=f"nginx does not accept its configuration, so it takes over no new certificate: "
                f"{configuration.broken}",
                evidence={"container": configuration.container},
            )
