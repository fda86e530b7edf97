# SPDX-License-Identifier: GPL-3.0-or-later
"""What every address of every endpoint presents, and what lies in the file it should come from."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Sequence

from ..clients import tcp, tls
from ..clients.tls import Certificate, Handshake
from ..deadlines import Deadline, Once, Outcome, gather
from ..errors import FirebreakError
from .endpoints import Endpoint

# A name behind a content network may have many addresses; some of each family are enough.
ADDRESSES = 4
HANDSHAKE_SECONDS = 5.0


@dataclass(frozen=True)
class Served:
    """One address. `certificate` is None where there was none, or where it could not be read: `unseen`."""

    address: str
    fingerprint: str | None = None
    certificate: Certificate | None = None
    complaint: str | None = None
    unseen: str | None = None


@dataclass(frozen=True)
class Filed:
    path: str
    certificate: Certificate | None = None
    unseen: str | None = None


@dataclass(frozen=True)
class Seen:
    """`unseen` says why not one address is known."""

    endpoint: Endpoint
    served: tuple[Served, ...] = ()
    filed: Filed | None = None
    unseen: str | None = None


@dataclass(frozen=True)
class Snapshot:
    """`now` is in seconds since the epoch, by the clock of this host."""

    now: float
    endpoints: tuple[Seen, ...]


def observe(
    endpoints: Sequence[Endpoint], deadline: Deadline, clock: Callable[[], float] = time.time
) -> Snapshot:
    """All endpoints at once, all addresses of each at once; a certificate is read once, wherever it is."""
    readings = Once()
    seen = gather(
        {str(number): _looker(endpoint, readings) for number, endpoint in enumerate(endpoints)},
        deadline.remaining(),
    )
    return Snapshot(
        clock(),
        tuple(
            outcome.value or Seen(endpoint, unseen=outcome.unseen)
            for endpoint, outcome in zip(endpoints, seen.values())
        ),
    )


def _looker(endpoint: Endpoint, readings: Once) -> Callable[[Deadline], Seen]:
    return lambda deadline: _look(endpoint, readings, deadline)


def _look(endpoint: Endpoint, readings: Once, deadline: Deadline) -> Seen:
    def read(der: bytes) -> Certificate:
        return readings.ask(tls.fingerprint(der), lambda _deadline: tls.read(der), deadline)

    answers, problem = tcp.resolve(endpoint.host, endpoint.port, deadline.remaining(HANDSHAKE_SECONDS))
    addresses = _some_of_each([str(answer[4][0]) for answer in answers])
    if not addresses:
        return Seen(endpoint, filed=_filed(endpoint.file, read), unseen=problem or "it has no address")
    outcomes = gather(
        {address: _shaker(endpoint, address) for address in addresses}, deadline.remaining(HANDSHAKE_SECONDS)
    )
    served = tuple(_served(address, outcome, read) for address, outcome in outcomes.items())
    return Seen(endpoint, served, _filed(endpoint.file, read))


def _some_of_each(addresses: Sequence[str]) -> list[str]:
    distinct = list(dict.fromkeys(addresses))
    four = [address for address in distinct if ":" not in address]
    six = [address for address in distinct if ":" in address]
    return four[:ADDRESSES] + six[:ADDRESSES]


def _shaker(endpoint: Endpoint, address: str) -> Callable[[Deadline], Handshake]:
    return lambda deadline: tls.shake_hands(
        address, endpoint.port, endpoint.name, endpoint.verify, deadline.remaining(HANDSHAKE_SECONDS)
    )


def _served(address: str, outcome: Outcome[Handshake], read: Callable[[bytes], Certificate]) -> Served:
    hands = outcome.value or Handshake(error=outcome.unseen)
    if hands.der is None:
        return Served(address, unseen=hands.error)
    digest = tls.fingerprint(hands.der)
    try:
        return Served(address, digest, read(hands.der), hands.complaint)
    except FirebreakError as error:
        return Served(address, digest, None, hands.complaint, str(error))


def _filed(path: Path | None, read: Callable[[bytes], Certificate]) -> Filed | None:
    if path is None:
        return None
    try:
        return Filed(str(path), read(tls.file_certificate(path)))
    except FirebreakError as error:
        return Filed(str(path), unseen=str(error))
