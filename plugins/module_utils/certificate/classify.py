# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the certificates of a host: of what is served, told to nginx, held by certbot. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Sequence

from ..clients.clock import Clock
from ..clients.x509 import Certificate
from ..finding import CRITICAL, LEVELS, NOTICE, WARNING, Finding
from ..quantities import speak_duration
from .decide import (
    CHAIN_INCOMPLETE,
    UNSEEN,
    Judged,
    Known,
    day,
    due,
    judge_served,
    pressing,
    said_of,
    subject_of,
    unread,
)
from .look import Held, Inspected, Pointed, Snapshot

HEALTHY, WRONG_FILE, OUTDATED_FILE, KEY_MISMATCH = "healthy", "wrong_file", "outdated_file", "key_mismatch"
# Seconds that a clock may be off before it is named as a cause.
CLOCK_OFF = 60.0


@dataclass(frozen=True)
class Classified:
    """`state` is that of the worst finding."""

    state: str
    findings: tuple[Finding, ...] = ()


def classify(each: Inspected, seen: Snapshot) -> Classified:
    judged = list(_judged(each, seen))
    judged.sort(key=lambda one: LEVELS.index(one[1].level))
    return Classified(judged[0][0] if judged else HEALTHY, tuple(finding for _state, finding in judged))


def _judged(each: Inspected, seen: Snapshot) -> Iterator[Judged]:
    known = known_of(each, seen)
    misplaced = _misplaced(each, known, seen.now)
    if misplaced is not None:
        yield misplaced
    found = list(judge_served(each.seen, known, seen.now))
    # Where the server has the wrong file, what is wrong with that one is no cause of its own.
    yield from (one for one in found if misplaced is None or one[0] == UNSEEN)
    yield from _files(each, found)


def known_of(each: Inspected, seen: Snapshot) -> Known:
    """nginx's own files come before the one that the inventory names."""
    files = tuple(pointed.filed for pointed in each.pointed if pointed.filed.certificate)
    if each.behind:
        files = ()
    if not files and each.seen.filed:
        files = (each.seen.filed,)
    held = each.held
    # A renewal helps where it reaches the server.
    reaches = held is not None and (not each.pointed or any(_follows(one, held) for one in each.pointed))
    usable = held is not None and held.lineage.problem is None and reaches
    return Known(files, held.lineage.name if held and usable else None, _clock(seen.clock))


def _clock(clock: Clock | None) -> str | None:
    if clock is None:
        return None
    if clock.offset is not None and abs(clock.offset) > CLOCK_OFF:
        return f"the clock of this host is {speak_duration(abs(clock.offset))} off"
    return "the clock of this host is not synchronised" if clock.synchronised is False else None


def _misplaced(each: Inspected, known: Known, now: float) -> Judged | None:
    """The lineage has something better, and the server does not look there."""
    held, worst = each.held, _worst(each)
    newest = held.filed.certificate if held else None
    if held is None or newest is None or worst is None or not _valid(newest, now):
        return None
    elsewhere = [pointed for pointed in each.pointed if not _follows(pointed, held)]
    named = each.seen.endpoint.lineage == held.lineage.name
    at_hand = {file.certificate.fingerprint for file in known.files if file.certificate}
    if newest.fingerprint in {worst.fingerprint, *at_hand} or known.newer(worst, now):
        return None
    # Of a server that is not nginx, the inventory says at most which file it should have.
    if not elsewhere and (each.pointed or named):
        return None
    copied = worst.fingerprint in held.versions
    bad = _complaint(each) or not _valid(worst, now)
    better = newest.not_after > worst.not_after and (copied or bad or due(worst, now))
    if not better and not (named and elsewhere):
        return None
    urgent = bad or pressing(worst, now)
    pinned = any(pointed.real.startswith(f"{held.lineage.archive}/") for pointed in elsewhere)
    if copied and not pinned:
        return OUTDATED_FILE, _outdated(each, held, elsewhere, worst, newest, urgent, now)
    return (WRONG_FILE, _wrong(each, held, elsewhere, worst, newest, urgent, now)) if elsewhere else None


def _outdated(
    each: Inspected,
    held: Held,
    elsewhere: Sequence[Pointed],
    worst: Certificate,
    newest: Certificate,
    urgent: bool,
    now: float,
) -> Finding:
    where = elsewhere[0].filed.path if elsewhere else "whoever serves it"
    hook = f"its deploy hook ({held.lineage.hook})" if held.lineage.hook else "no deploy hook"
    return Finding(
        id="certificate.file.outdated",
        level=CRITICAL if urgent else WARNING,
        subject=subject_of(each.seen),
        summary=f"{where} has a copy of an earlier certificate (until {day(worst.not_after)}) of lineage "
        f"{held.lineage.name}, whose newest is valid until {day(newest.not_after)}: {hook} brought it there. "
        f"Copy it, reload the server, and have a deploy hook do so from now on",
        evidence={"served": said_of(worst, now), "lineage": said_of(newest, now), "path": where},
    )


def _wrong(
    each: Inspected,
    held: Held,
    elsewhere: Sequence[Pointed],
    worst: Certificate,
    newest: Certificate,
    urgent: bool,
    now: float,
) -> Finding:
    pointed = elsewhere[0]
    inside = f" in container {pointed.source.container}" if pointed.source.container else ""
    return Finding(
        id="certificate.file.wrong",
        level=CRITICAL if urgent else WARNING,
        subject=subject_of(each.seen),
        summary=f"nginx{inside} is told to serve {pointed.source.certificate} (until {day(worst.not_after)}) "
        f"at {pointed.source.place}, not {held.lineage.fullchain}, where lineage {held.lineage.name} is good "
        f"until {day(newest.not_after)}. Name that file there, test the configuration and reload",
        evidence={
            "served": said_of(worst, now),
            "lineage": said_of(newest, now),
            "path": pointed.filed.path,
            "place": pointed.source.place,
            "container": pointed.source.container,
        },
    )


def _worst(each: Inspected) -> Certificate | None:
    """Of what is served, what ends first."""
    served = [one.certificate for one in each.seen.served if one.certificate]
    return min(served, key=lambda certificate: certificate.not_after, default=None)


def _valid(certificate: Certificate, now: float) -> bool:
    return certificate.not_before <= now < certificate.not_after


def _complaint(each: Inspected) -> bool:
    return any(one.complaint for one in each.seen.served)


def _follows(pointed: Pointed, held: Held) -> bool:
    """Whether a renewal reaches it: only what is in `live` moves on with it."""
    lineage = held.lineage
    return lineage.holds(pointed.real) and not pointed.filed.path.startswith(f"{lineage.archive}/")


def _files(each: Inspected, found: Sequence[Judged]) -> Iterator[Judged]:
    filed = each.seen.filed
    if filed and filed.unseen and not any(pointed.filed.certificate for pointed in each.pointed):
        yield UNSEEN, unread(each.seen, filed)
    for pointed in each.pointed:
        if pointed.filed.unseen and pointed.filed.path != (filed.path if filed else None):
            yield UNSEEN, unread(each.seen, pointed.filed)
    incomplete = any(state == CHAIN_INCOMPLETE for state, _finding in found)
    for pointed in each.pointed:
        if not incomplete:
            yield from _chain(each, pointed)
        if pointed.key.fits is False:
            yield KEY_MISMATCH, key_mismatch(pointed)


def _chain(each: Inspected, pointed: Pointed) -> Iterator[Judged]:
    chain, held = pointed.filed.chain, each.held
    longer = held is not None and len(held.filed.chain) > 1
    if len(chain) == 1 and longer and held is not None and held.filed.certificate == chain[0]:
        yield (
            CHAIN_INCOMPLETE,
            Finding(
                id="certificate.chain.incomplete",
                level=WARNING,
                subject=subject_of(each.seen),
                summary=f"nginx serves {pointed.filed.path} without the certificates of its issuers: who "
                f"does not know them refuses it. Name {held.lineage.fullchain} instead and reload",
                evidence={"path": pointed.filed.path, "place": pointed.source.place},
            ),
        )
    links = zip(chain, chain[1:])
    if any(not upper.issued(lower) for lower, upper in links):
        yield (
            CHAIN_INCOMPLETE,
            Finding(
                id="certificate.chain.disordered",
                level=NOTICE,
                subject=subject_of(each.seen),
                summary=f"in {pointed.filed.path} not every certificate is followed by that of its issuer, "
                f"which some clients do not put right",
                evidence={
                    "path": pointed.filed.path,
                    "subjects": [certificate.subject for certificate in chain],
                },
            ),
        )


def key_mismatch(pointed: Pointed) -> Finding:
    source = pointed.source
    return Finding(
        id="certificate.key.mismatch",
        level=WARNING,
        subject=f"nginx at {source.place}"
        + (f" in container {source.container}" if source.container else ""),
        summary=f"{source.key} is not the key of {source.certificate}: nginx goes on with what it has "
        f"loaded, but cannot load this. Put the pair back that belongs together",
        evidence={"certificate": pointed.filed.path, "key": source.key_file, "place": source.place},
    )
