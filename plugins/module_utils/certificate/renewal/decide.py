# SPDX-License-Identifier: GPL-3.0-or-later
"""What is renewed and what is reloaded: no order where a reload is enough or where nothing could serve it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping, Sequence

from ...clients.x509 import Certificate
from ...errors import BadInput, Unreachable
from ...finding import NOTICE, Finding
from ...lifecycle import Decision
from ...moments import iso_at
from ...plan import DISRUPTIVE, Act, Plan
from ...quantities import speak_duration, speak_list
from ..classify import CLOCK_OFF
from ..decide import due, share_left
from ..inform import judge
from ..look import Held, Inspected, Pointed, Snapshot
from ..observe import Served

LISTED, NAMED = 50, 8
SMTPS = 465


@dataclass(frozen=True)
class Wish:
    """`name` is one lineage, None for all that need it. `force` renews one that certbot would not."""

    name: str | None = None
    force: bool = False


@dataclass(frozen=True)
class Scene:
    """`service` is a key of the inventory and ends TLS, `place` says where; `broken` is what it has against
    its configuration, `missing` why certbot cannot be run.

    `revoked` are lineages. `hooks` holds what certbot said of hooks that failed, by lineage.
    """

    seen: Snapshot
    service: str
    place: str
    broken: str | None = None
    missing: str | None = None
    revoked: frozenset[str] = frozenset()
    hooks: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Shown:
    """What one address of an endpoint serves."""

    at: Inspected
    served: Served

    @property
    def place(self) -> str:
        endpoint = self.at.seen.endpoint
        return f"{endpoint.name} at {self.served.address} port {endpoint.port}"

    def identity(self) -> Mapping[str, Any]:
        endpoint = self.at.seen.endpoint
        where = {"name": endpoint.name, "address": self.served.address, "port": endpoint.port}
        return {**where, "fingerprint": self.served.fingerprint}

    @property
    def web(self) -> bool:
        """Else another server than nginx speaks there."""
        endpoint = self.at.seen.endpoint
        return not endpoint.starttls and endpoint.port != SMTPS


def decide(scene: Scene, wish: Wish) -> Decision:
    """The symptom counts addresses that serve what is expired, due or not the newest, and lineages in need
    that none of these serves. Raises `BadInput` for a lineage that is not there."""
    cases = [_Case(scene, wish, held) for held in _chosen(scene, wish)]
    strangers = [] if wish.name else [one for one in _shown(scene.seen) if one.at.held is None]
    aged = [
        one for one in strangers if one.served.certificate and due(one.served.certificate, scene.seen.now)
    ]
    acts = [act for case in cases for act in case.acts()]
    return Decision(
        symptom=sum(case.symptom for case in cases) + len(aged),
        state=_state(scene, cases, strangers),
        findings=(*judge(scene.seen)[1], *_hooks(scene)),
        plan=Plan(
            acts=tuple(act for act, because in acts if because is None),
            refusals=tuple(act.refused(because) for act, because in acts if because)
            + tuple(_stranger(scene, one) for one in aged),
            sequential=False,
        ),
    )


def _chosen(scene: Scene, wish: Wish) -> Sequence[Held]:
    lineages = scene.seen.lineages
    if lineages is None:
        why = scene.seen.unseen.get("lineages", "they could not be read")
        raise Unreachable("lineages of certbot", why, "Run as root (become: true).")
    if wish.name is None:
        return lineages
    found = [held for held in lineages if held.lineage.name == wish.name]
    if not found:
        names = speak_list([held.lineage.name for held in lineages], NAMED) or "none"
        raise BadInput(f"name {wish.name}", "there is no lineage of that name", f"There is: {names}.")
    return found


def _shown(seen: Snapshot) -> Iterator[Shown]:
    for each in seen.endpoints:
        for served in each.seen.served:
            yield Shown(each, served)


class _Case:
    """One lineage, and the addresses that should serve it."""

    def __init__(self, scene: Scene, wish: Wish, held: Held) -> None:
        self.scene, self.wish, self.held = scene, wish, held
        self.name, self.lineage = held.lineage.name, held.lineage
        self.newest: Certificate | None = held.filed.certificate
        self.shown = [
            one for one in _shown(scene.seen) if one.at.held and one.at.held.lineage.name == self.name
        ]
        self.stale = [one for one in self.shown if self._stale(one)]
        now = scene.seen.now
        old = [one for one in self.shown if one.served.certificate and due(one.served.certificate, now)]
        self.bad = [one for one in self.shown if one in self.stale or one in old]
        self.need = self._need()

    @property
    def symptom(self) -> int:
        return len(self.bad) or int(self.need is not None)

    def acts(self) -> Iterator[tuple[Act, str | None]]:
        """Each with the reason why not."""
        forced = self.wish.force and self._beyond_repair()
        renewed = False
        if self.need is not None:
            because = self._why_not_renew(forced)
            renewed = because is None
            yield self._renew(self.need, forced), because
        elif self.wish.force:
            yield self._renew("force was asked for", True), self._sound()
        if (renewed and (self.shown or self._used())) or self.stale:
            yield self._reload(renewed), self._why_not_reload(renewed, forced)

    def _stale(self, one: Shown) -> bool:
        served = one.served.certificate
        if served is None or self.newest is None or served.fingerprint == self.newest.fingerprint:
            return False
        later = self.newest.not_after > served.not_after
        return later and (self._expected(one) or due(served, self.scene.seen.now))

    def _expected(self, one: Shown) -> bool:
        """Somebody may have bought a certificate for a name that the lineage covers, too."""
        at = one.at
        if one.served.fingerprint in self.held.versions or at.seen.endpoint.lineage == self.name:
            return True
        return not at.behind and any(self._holds(pointed) for pointed in at.pointed)

    def _need(self) -> str | None:
        now, newest = self.scene.seen.now, self.newest
        if newest is None:
            wanted = self.wish.name or self.shown
            return f"it cannot be used: {self.lineage.problem or self.held.filed.unseen}" if wanted else None
        left = newest.not_after - now
        if left <= 0:
            return f"it expired {speak_duration(-left)} ago"
        if self.name in self.scene.revoked:
            return "it is revoked"
        if self.held.key.fits is False:
            return "its private key does not fit"
        if due(newest, now):
            return (
                f"it expires in {speak_duration(left)}, {share_left(newest, now):.0%} of its lifetime is left"
            )
        return None

    def _beyond_repair(self) -> bool:
        expired = self.newest is not None and self.newest.not_after <= self.scene.seen.now
        return expired or self._keyless or self.name in self.scene.revoked

    @property
    def _keyless(self) -> bool:
        return self.held.key.fits is False

    def _sound(self) -> str:
        left = self.newest.not_after - self.scene.seen.now if self.newest else 0
        return (
            f"it is valid for another {speak_duration(left)}, its key fits, and no responder says that it is "
            f"revoked: forcing it would only use up the limits of the authority. Who knows better runs: "
            f"certbot renew --cert-name {self.name} --force-renewal"
        )

    def _renew(self, reason: str, force: bool) -> Act:
        return Act(
            "certificate.renew",
            target=f"lineage {self.name}",
            identity={
                "lineage": self.name,
                "fingerprint": self.newest.fingerprint if self.newest else None,
                "force": force,
            },
            risk=DISRUPTIVE,
            reason=reason,
        )

    def _reload(self, renewed: bool) -> Act:
        ours = [one for one in (self.shown if renewed else self.stale) if one.web]
        return Act(
            "certificate.reload",
            target=f"lineage {self.name}",
            identity={
                "service": self.scene.service,
                "lineage": self.name,
                "filed": self.newest.fingerprint if self.newest else None,
                "renewed": renewed,
                "served": [one.identity() for one in ours],
            },
            risk=DISRUPTIVE,
            reason=f"{self.scene.place} is to serve what was renewed"
            if renewed
            else f"{speak_list([one.place for one in self.stale], NAMED)} still serves the one before",
        )

    def _why_not_renew(self, forced: bool) -> str | None:
        lineage, broken = self.lineage, self.scene.broken
        if self.scene.missing:
            return self.scene.missing
        if lineage.problem:
            cure = f"mend {lineage.config}, or put back what is missing from a backup"
            return f"{lineage.problem}: {cure}; nothing was ordered"
        if lineage.account and not lineage.account_present:
            return (
                f"its account {lineage.account} is not on this host: put /etc/letsencrypt/accounts back, or "
                f"register anew (certbot register --server {lineage.server or '...'}) and write the id as "
                f"account = into {lineage.config}; nothing was ordered"
            )
        if not self._keyless and self.name not in self.scene.revoked and self._early():
            return (
                "it is not due by the right time, only by the clock of this host: set that (chronyc "
                "makestep); nothing was ordered"
            )
        if self._keyless and not forced:
            return "certbot does not see that its key is lost: give the name and force"
        if not lineage.renews and not forced:
            return f"autorenew is off in {lineage.config}, so certbot leaves it alone: change that"
        if broken and not (forced and lineage.live and lineage.live in broken):
            return f"{self.scene.place} could not take it over: {broken}; nothing was ordered"
        copy = self._elsewhere()
        return f"{copy}; nothing was ordered" if copy and not lineage.hook else None

    def _early(self) -> bool:
        clock = self.scene.seen.clock
        if self.newest is None or clock is None or clock.offset is None or abs(clock.offset) <= CLOCK_OFF:
            return False
        # chrony says what is to be added.
        return not due(self.newest, self.scene.seen.now + clock.offset)

    def _why_not_reload(self, renewed: bool, forced: bool) -> str | None:
        if self.scene.broken and not (renewed and forced):
            return f"its configuration is broken, and what it serves goes on: {self.scene.broken}"
        if not renewed and not any(one.web for one in self.stale):
            return f"{self.scene.place} does not serve {self.stale[0].place}: reload what does"
        if not renewed and all(one.at.behind for one in self.stale):
            return f"{self.stale[0].place} is another host, with a certificate of its own: renew it there"
        return None if renewed else self._elsewhere()

    def _elsewhere(self) -> str | None:
        """That nginx has a file of its own, and what to do about it."""
        for one in self.shown:
            for pointed in one.at.pointed:
                if pointed.source.certificate.startswith("/") and not self._holds(pointed):
                    theirs = pointed.filed.certificate
                    copied = theirs and theirs.fingerprint in self.held.versions
                    told = f"{pointed.filed.path}, {'a copy' if copied else 'another one'}"
                    return (
                        f"{pointed.source.place} names {told}: "
                        f"name {self.lineage.fullchain} there, or have it copied after each renewal (certbot "
                        f"reconfigure --cert-name {self.name} --deploy-hook ...)"
                    )
        return None

    def _used(self) -> bool:
        return any(self._holds(pointed) for pointed in self.scene.seen.pointed)

    def _holds(self, pointed: Pointed) -> bool:
        """Even while what it points to is not there."""
        return self.lineage.holds(pointed.real) or self.lineage.holds(pointed.source.file or "")


def _stranger(scene: Scene, one: Shown) -> Act:
    act = Act(
        "certificate.renew",
        target=f"certificate of {one.place}",
        identity={"lineage": None, "served": one.identity()},
        risk=DISRUPTIVE,
        reason="it is expired or due",
    )
    return act.refused(
        "no lineage of certbot on this host holds it: renew it where it comes from, or name its lineage as "
        "certificate in the endpoint"
    )


def _hooks(scene: Scene) -> Iterator[Finding]:
    for name, said in scene.hooks.items():
        yield Finding(
            id="certificate.hook.failed",
            level=NOTICE,
            subject=f"lineage {name}",
            summary=f"certbot renewed it, and then a hook of this host failed: {'; '.join(said)}",
            evidence={"said": list(said)},
        )


def _state(scene: Scene, cases: Sequence[_Case], strangers: Sequence[Shown]) -> Mapping[str, Any]:
    shown = [(one, case) for case in cases for one in case.shown]
    return {
        "service": scene.place,
        "configuration": scene.broken,
        "lineages": [
            {
                "name": case.name,
                "fingerprint": case.newest.fingerprint if case.newest else None,
                "not_after": iso_at(case.newest.not_after) if case.newest else None,
                "need": case.need,
            }
            for case in cases
        ][:LISTED],
        "endpoints": [
            *(_place(one, one not in case.stale if one.served.certificate else None) for one, case in shown),
            *(_place(one, None) for one in strangers),
        ][:LISTED],
    }


def _place(one: Shown, newest: bool | None) -> Mapping[str, Any]:
    certificate, endpoint = one.served.certificate, one.at.seen.endpoint
    return {
        "name": endpoint.name,
        "port": endpoint.port,
        "address": one.served.address,
        "fingerprint": one.served.fingerprint,
        "not_after": iso_at(certificate.not_after) if certificate else None,
        "newest": newest,
    }
