# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on the host, in both runtimes, and what it answers."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Callable, Mapping, Sequence
from urllib.parse import urljoin, urlsplit

from ..clients import http
from ..clients.docker import Container
from ..clients.http import Answer, Target
from ..clients.systemd import Unit
from ..deadlines import Deadline, gather
from ..errors import BadInput
from ..moments import utc_now
from ..runtimes import Runtimes
from ..services import Service
from .probes import Probe

PROBE_SECONDS = 5.0
REDIRECTS = 3
REDIRECT_STATUSES = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Workload:
    """`units` or `containers` are None where the host has no such runtime.

    `unseen` maps a runtime to the reason why it is there and could not be asked. `now` is UTC,
    `monotonic` the clock of the units' times in seconds.
    """

    services: tuple[Service, ...]
    units: tuple[Unit, ...] | None
    containers: tuple[Container, ...] | None
    now: datetime
    monotonic: float
    unseen: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Probed:
    """`redirects` counts those that were followed, all on the same host; `asked` is what answered."""

    probe: Probe
    asked: Target
    answer: Answer
    redirects: int = 0


def observe_workload(
    services: Sequence[Service],
    deadline: Deadline,
    clock: Callable[[], datetime] = utc_now,
    runtimes: Runtimes | None = None,
) -> Workload:
    """Both runtimes at once: one that hangs must not hide the other."""
    runtimes = runtimes or Runtimes(services)
    tasks: Mapping[str, Callable[[Deadline], Any]] = {
        "systemd": runtimes.units,
        "docker": runtimes.containers,
    }
    seen = gather(tasks, deadline.remaining())
    return Workload(
        services=tuple(services),
        units=seen["systemd"].value,
        containers=seen["docker"].value,
        now=clock(),
        monotonic=time.monotonic(),
        unseen={name: outcome.unseen for name, outcome in seen.items() if outcome.unseen},
    )


def observe_http(probes: Sequence[Probe], deadline: Deadline) -> tuple[Probed, ...]:
    """Every URL at once; one that never answers is an answer too."""
    numbered = {str(number): probe for number, probe in enumerate(probes)}
    given = deadline.remaining(PROBE_SECONDS)
    seen = gather({number: _asker(probe) for number, probe in numbered.items()}, given)
    return tuple(
        seen[number].value
        or Probed(probe, probe.target, Answer(given, error=seen[number].unseen or "no answer"))
        for number, probe in numbered.items()
    )


def _asker(probe: Probe) -> Callable[[Deadline], Probed]:
    return lambda deadline: _ask(probe, deadline)


def _ask(probe: Probe, deadline: Deadline) -> Probed:
    target, spent = probe.target, 0.0
    for redirects in range(REDIRECTS + 1):
        answer = http.get(target, probe.verify, deadline.remaining())
        spent += answer.seconds
        following = _redirected(target, probe.target, answer)
        if following is None or redirects == REDIRECTS:
            break
        target = following
    whole = Answer(spent, answer.status, answer.error, answer.location, answer.body_bytes)
    return Probed(probe, target, whole, redirects)


def _redirected(target: Target, first: Target, answer: Answer) -> Target | None:
    """Where to go on on the same host; None when the answer stands for itself."""
    if answer.status not in REDIRECT_STATUSES or not answer.location:
        return None
    url = urljoin(f"{target.scheme}://{target.authority}{target.path}", answer.location)
    if urlsplit(url).hostname != first.host:
        return None
    try:
        found = http.parse_target(url)
    except BadInput:
        return None
    # connect_to stands for the host: another port of it is reached there as well.
    port = first.connect_port if found.port == first.port else found.port
    return Target(found.scheme, found.host, found.port, found.path, first.connect_host, port)
