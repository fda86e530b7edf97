# SPDX-License-Identifier: GPL-3.0-or-later
"""What every address of every endpoint presents, and what lies in the file it should come from."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Sequence

from ..clients import tcp, tls, x509
from ..clients.tls import Handshake
from ..clients.x509 import Certificate
from ..deadlines import Deadline, Outcome, gather
from ..errors import FirebreakError
from .endpoints import Endpoint

# A name behind a content network may have many addresses; some of each family are enough.
ADDRESSES = 4
HANDSHAKE_SECONDS = 5.0


@dataclass(frozen=True)
class Served:
    """One address. `certificate` is None where there was none, or where it could not be read: `unseen`.

    `code` is OpenSSL's number of the `complaint`; `chain` is what was presented, known only where the
    complaint is about the issuer.
    """

    address: str
    fingerprint: str | None = None
    certificate: Certificate | None = None
    complaint: str | None = None
    unseen: str | None = None
    code: int | None = None
    chain: tuple[Certificate, ...] = ()


@dataclass(frozen=True)
class Filed:
    """`chain` is every certificate of the file, `certificate` the first of them."""

    path: str
    certificate: Certificate | None = None
    unseen: str | None = None
    chain: tuple[Certificate, ...] = ()


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
    """All endpoints at once, all addresses of each at once."""
    seen = gather(
        {str(number): _looker(endpoint) for number, endpoint in enumerate(endpoints)}, deadline.remaining()
    )
    return Snapshot(
        clock(),
        tuple(
            outcome.value or Seen(endpoint, filed=_filed(endpoint.file), unseen=outcome.unseen)
            for endpoint, outcome in zip(endpoints, seen.values())
        ),
    )


def read_file(path: str | Path) -> Filed:
    """Never raises: what cannot be read says why."""
    try:
        chain = tuple(x509.read(der) for der in tls.file_chain(Path(path)))
    except FirebreakError as error:
        return Filed(str(path), unseen=str(error))
    return Filed(str(path), chain[0], chain=chain)


def _filed(path: Path | None) -> Filed | None:
    return None if path is None else read_file(path)


def _looker(endpoint: Endpoint) -> Callable[[Deadline], Seen]:
    return lambda deadline: _look(endpoint, deadline)


def _look(endpoint: Endpoint, deadline: Deadline) -> Seen:
    answers, problem = tcp.resolve(endpoint.host, endpoint.port, deadline.remaining(HANDSHAKE_SECONDS))
    addresses = _some_of_each([str(answer[4][0]) for answer in answers])
    if not addresses:
        return Seen(endpoint, filed=_filed(endpoint.file), unseen=problem or "it has no address")
    outcomes = gather(
        {address: _shaker(endpoint, address) for address in addresses}, deadline.remaining(HANDSHAKE_SECONDS)
    )
    served = tuple(_served(address, outcome) for address, outcome in outcomes.items())
    return Seen(endpoint, served, _filed(endpoint.file))


def _some_of_each(addresses: Sequence[str]) -> list[str]:
    distinct = list(dict.fromkeys(addresses))
    four = [address for address in distinct if ":" not in address]
    six = [address for address in distinct if ":" in address]
    return four[:ADDRESSES] + six[:ADDRESSES]


def _shaker(endpoint: Endpoint, address: str) -> Callable[[Deadline], Served]:
    return lambda deadline: _shake(endpoint, address, deadline)


def _shake(endpoint: Endpoint, address: str, deadline: Deadline) -> Served:
    place = (address, endpoint.port, endpoint.name)
    hands = tls.shake_hands(*place, endpoint.verify, deadline.remaining(), endpoint.starttls)
    if hands.der is None:
        return Served(address, unseen=hands.error)
    try:
        certificate = x509.read(hands.der)
    except FirebreakError as error:
        return Served(address, x509.fingerprint(hands.der), None, hands.complaint, str(error), hands.code)
    chain = _chain(endpoint, address, hands, deadline)
    return Served(address, certificate.fingerprint, certificate, hands.complaint, None, hands.code, chain)


def _chain(endpoint: Endpoint, address: str, hands: Handshake, deadline: Deadline) -> tuple[Certificate, ...]:
    """Nothing where it is not in question, or cannot be seen: the complaint stands for itself."""
    if hands.code not in tls.ISSUER_CODES:
        return ()
    try:
        presented = tls.presented_chain(
            address, endpoint.port, endpoint.name, deadline.remaining(), endpoint.starttls
        )
        return tuple(x509.read(der) for der in presented)
    except FirebreakError:
        return ()


def _served(address: str, outcome: Outcome[Served]) -> Served:
    return outcome.value or Served(address, unseen=outcome.unseen)
