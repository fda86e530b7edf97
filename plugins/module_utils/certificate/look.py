# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything there is to know about the certificates of a host: served, told to nginx, held by certbot."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, Collection, Mapping, Sequence

from ..clients import certbot_lineages, clock, docker, nginx_tls, systemd, tcp, tls, x509
from ..clients.certbot_lineages import Lineage
from ..clients.clock import Clock
from ..clients.nginx_tls import Configuration, NginxCertificate
from ..deadlines import Deadline, gather
from ..errors import FirebreakError, Unreachable
from . import match
from .endpoints import Endpoint
from .observe import Filed, Seen, observe, read_file

NGINX_SERVICES = ("nginx", "openresty")
CONTAINERS, LINEAGES = 10, 1000
SERVER_NAME = "$ssl_server_name"


@dataclass(frozen=True)
class Key:
    """`fits` is None where that could not be seen, and `unseen` says why."""

    fits: bool | None = None
    unseen: str | None = None


@dataclass(frozen=True)
class Held:
    """A lineage with its newest certificate and the fingerprints it ever had, the oldest first."""

    lineage: Lineage
    filed: Filed
    key: Key = field(default_factory=Key)
    versions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pointed:
    """What lies where nginx is told to find it. `real` is the path with its links followed."""

    source: NginxCertificate
    filed: Filed
    key: Key = field(default_factory=Key)
    real: str = ""


@dataclass(frozen=True)
class Inspected:
    """`held` is the lineage that this endpoint belongs to. `foreign` are addresses of other hosts."""

    seen: Seen
    pointed: tuple[Pointed, ...] = ()
    held: Held | None = None
    foreign: frozenset[str] = frozenset()

    @property
    def behind(self) -> bool:
        """Whether another host, as of a content network, answers at every address for itself.

        Then what it serves was never in the lineage. Behind a NAT that leads here, it is or was.
        """
        served, held = self.seen.served, self.held
        if held is None or not served or self.seen.endpoint.lineage == held.lineage.name:
            return False
        strange = all(one.fingerprint not in held.versions for one in served)
        return strange and self.foreign.issuperset(one.address for one in served)


@dataclass(frozen=True)
class Renewal:
    """`scheduled` is what starts certbot by itself, `complaints` what it last said was wrong."""

    scheduled: tuple[str, ...] = ()
    complaints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """`now` is when it is judged as of, in seconds since the epoch.

    `lineages` is None where they could not be read. `unseen` says why, by what could not be seen.
    """

    now: float
    endpoints: tuple[Inspected, ...] = ()
    lineages: tuple[Held, ...] | None = ()
    nginx: tuple[Configuration, ...] = ()
    pointed: tuple[Pointed, ...] = ()
    renewal: Renewal | None = None
    clock: Clock | None = None
    unseen: Mapping[str, str] = field(default_factory=dict)


def inspect(endpoints: Sequence[Endpoint], deadline: Deadline, now: float | None = None) -> Snapshot:
    """All at once. `now` in seconds since the epoch; without it, the clock of this host."""
    ports = {endpoint.port for endpoint in endpoints}
    tasks: Mapping[str, Callable[[Deadline], Any]] = {
        "served": lambda inner: observe(endpoints, inner),
        "lineages": lambda _inner: _lineages(),
        "nginx": _host_nginx,
        "docker": lambda inner: _containers(ports, inner),
        "renewal": _renewal,
        "clock": lambda inner: clock.read(inner.remaining(2.0)),
    }
    outcomes = gather(tasks, deadline.remaining())
    seen, lineages = outcomes["served"].value, outcomes["lineages"].value
    unseen = {name: outcome.unseen for name, outcome in outcomes.items() if outcome.unseen}
    inside, silent = outcomes["docker"].value or ((), unseen)
    told = (*(outcomes["nginx"].value or ()), *inside)
    looks = seen.endpoints if seen else tuple(Seen(each, unseen=unseen["served"]) for each in endpoints)
    return Snapshot(
        now=time.time() if now is None else now,
        endpoints=tuple(_inspected(look, told, lineages or ()) for look in looks),
        lineages=lineages,
        nginx=tuple(each.configuration for each in told),
        pointed=tuple(pointed for each in told for pointed in each.pointed),
        renewal=outcomes["renewal"].value,
        clock=outcomes["clock"].value,
        unseen={**unseen, **silent},
    )


def hold(lineage: Lineage) -> Held:
    """Never raises: what cannot be read says why."""
    if not lineage.fullchain:
        return Held(lineage, Filed(lineage.config, unseen=lineage.problem))
    versions = []
    for path in certbot_lineages.archived(lineage):
        try:
            versions.append(x509.fingerprint(tls.file_chain(path)[0]))
        except FirebreakError:
            continue
    filed = read_file(lineage.fullchain)
    return Held(lineage, filed, _key(lineage.fullchain, lineage.key), tuple(versions))


def point(source: NginxCertificate) -> Pointed:
    """Never raises: what cannot be read says why."""
    if source.file is None:
        where = f"container {source.container}" if source.container else "the configuration of nginx"
        reason = f"{source.certificate} is no file of this host, but of {where}"
        return Pointed(source, Filed(source.certificate, unseen=reason))
    key = (
        _key(source.file, source.key_file) if source.key_file else Key(unseen=f"{source.key} is no file here")
    )
    return Pointed(source, read_file(source.file), key, os.path.realpath(source.file))


def _key(certificate: str, key: str) -> Key:
    try:
        return Key(tls.key_fits(Path(certificate), Path(key)))
    except FirebreakError as error:
        return Key(unseen=str(error))


def _inspected(seen: Seen, told: Sequence[_Told], lineages: Sequence[Held]) -> Inspected:
    endpoint = seen.endpoint
    addresses = [served.address for served in seen.served]
    # What begins with another protocol is no business of nginx's.
    foreign = frozenset(address for address in addresses if not tcp.is_own(address))
    own = any(address not in foreign for address in addresses)
    known = {each.source: each for one in told for each in one.pointed}
    blocks = [each.configuration for each in told if not endpoint.starttls]
    chosen = match.serving(blocks, endpoint.name, endpoint.port, addresses, own)
    pointed = tuple(
        point(_filled_in(each, endpoint.name)) if SERVER_NAME in each.certificate + each.key else known[each]
        for each in chosen
    )
    return Inspected(seen, pointed, _held(seen, pointed, lineages), foreign)


def _filled_in(source: NginxCertificate, name: str) -> NginxCertificate:
    if source.container:
        return source
    certificate, key = (path.replace(SERVER_NAME, name) for path in (source.certificate, source.key))
    return replace(source, certificate=certificate, key=key, file=certificate, key_file=key)


def _held(seen: Seen, pointed: Sequence[Pointed], lineages: Sequence[Held]) -> Held | None:
    """The one that the inventory names, that the file is of, or the newest that covers the name."""
    name, paths = seen.endpoint.lineage, {each.real for each in pointed}
    served = {one.fingerprint for one in (*seen.served, *(each.filed.certificate for each in pointed)) if one}
    for held in lineages:
        if name is not None and held.lineage.name == name:
            return held
    related = [
        held
        for held in lineages
        if any(held.lineage.holds(path) for path in paths) or served & set(held.versions)
    ]
    if related:
        # Of two that one block names, as for RSA and ECDSA, it is the one that is served.
        shown = {one.fingerprint for one in seen.served}
        return next((held for held in related if shown & set(held.versions)), related[0])
    covering = [
        (held.filed.certificate.not_after, held.lineage.name, held)
        for held in lineages
        if held.filed.certificate and held.filed.certificate.covers(seen.endpoint.name)
    ]
    return max(covering, key=lambda each: each[:2])[2] if covering else None


def _lineages() -> tuple[Held, ...]:
    found = certbot_lineages.read()
    if len(found) > LINEAGES:
        raise Unreachable(
            "lineages of certbot",
            f"there are {len(found)}, more than {LINEAGES}",
            "Ask certbot certificates.",
        )
    return tuple(hold(lineage) for lineage in found)


@dataclass(frozen=True)
class _Told:
    """The configuration of one nginx, and what lies where it points."""

    configuration: Configuration
    pointed: tuple[Pointed, ...]


def _told(configuration: Configuration) -> _Told:
    return _Told(configuration, tuple(point(each) for each in configuration.certificates))


def _host_nginx(deadline: Deadline) -> tuple[_Told, ...]:
    found = nginx_tls.on_host(deadline)
    return (_told(found),) if found else ()


def _containers(ports: Collection[int], deadline: Deadline) -> tuple[tuple[_Told, ...], Mapping[str, str]]:
    """Of every container that is called nginx or takes a port of an endpoint, and what could not be seen."""
    path = docker.socket_path()
    if path is None:
        return (), {}
    places = [
        place
        for place in docker.places(path, deadline.remaining)
        if place.called(NGINX_SERVICES)
        or any(outside in ports for each in place.published.values() for _host, outside in each)
    ]
    tasks = {place.name: _asker(path, place) for place in places[:CONTAINERS]}
    outcomes = gather(tasks, deadline.remaining()) if tasks else {}
    found = tuple(outcome.value for outcome in outcomes.values() if outcome.value)
    silent = {f"container {name}": outcome.unseen for name, outcome in outcomes.items() if outcome.unseen}
    silent.update(
        {f"container {place.name}": f"only {CONTAINERS} are asked" for place in places[CONTAINERS:]}
    )
    return found, silent


def _asker(path: Path, place: docker.Place) -> Callable[[Deadline], _Told | None]:
    def ask(deadline: Deadline) -> _Told | None:
        found = nginx_tls.in_container(path, place, deadline)
        return _told(found) if found else None

    return ask


def _renewal(deadline: Deadline) -> Renewal:
    booted = systemd.booted()
    timers = tuple(timer.unit for timer in systemd.waiting("*certbot*")) if booted else ()
    scheduled = (*(f"{unit}.timer" for unit in timers), *certbot_lineages.scheduled(booted))
    return Renewal(scheduled, certbot_lineages.complaints())
