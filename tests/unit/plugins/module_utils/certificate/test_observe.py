# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.certificate.endpoints import Endpoint
from ansible_collections.firebreak.incident.plugins.module_utils.certificate.observe import observe
from ansible_collections.firebreak.incident.plugins.module_utils.clients import tcp, tls, x509
from ansible_collections.firebreak.incident.plugins.module_utils.clients.tls import Handshake
from ansible_collections.firebreak.incident.plugins.module_utils.clients.x509 import Certificate
from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

OLD, NEW, ISSUER = b"old", b"new", b"issuer"
UNKNOWN_ISSUER = 20


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Two addresses, both of which serve the new certificate; for which one the chain was asked."""
    chains: list[tuple[Any, ...]] = []

    def read(der: bytes) -> Certificate:
        if der == OLD:
            raise Unreachable("certificate", "it cannot be read", "Look by hand.")
        return Certificate(x509.fingerprint(der), 0.0, 1.0, "CN=x", "01", ("api.example",))

    def shake_hands(address: str, *_asked: Any) -> Handshake:
        return (
            Handshake(NEW, "unable to get issuer", None, UNKNOWN_ISSUER) if "." in address else Handshake(NEW)
        )

    def presented_chain(*place: Any) -> tuple[bytes, ...]:
        chains.append(place)
        return NEW, ISSUER

    answers = [(0, 0, 0, "", (address, 443)) for address in ("192.0.2.1", "2001:db8::1")]
    monkeypatch.setattr(tcp, "resolve", lambda *_asked: (answers, None))
    monkeypatch.setattr(tls, "shake_hands", shake_hands)
    monkeypatch.setattr(tls, "presented_chain", presented_chain)
    monkeypatch.setattr(tls, "file_chain", lambda path: (OLD,) if path.name == "old.pem" else (NEW, ISSUER))
    monkeypatch.setattr(x509, "read", read)
    return chains


def test_the_chain_is_asked_for_only_where_a_client_misses_an_issuer(asked: list[tuple[Any, ...]]) -> None:
    (seen,) = observe([Endpoint("a.example", "h", 443, starttls="smtp")], Deadline(5.0)).endpoints
    assert [(place[0], place[-1]) for place in asked] == [("192.0.2.1", "smtp")]
    assert [len(served.chain) for served in seen.served] == [2, 0]


@pytest.mark.usefixtures("asked")
def test_a_file_is_read_to_its_end() -> None:
    (seen,) = observe([Endpoint("a.example", "h", 443, file=Path("new.pem"))], Deadline(5.0)).endpoints
    assert seen.filed is not None
    assert seen.filed.certificate == seen.served[0].certificate
    assert len(seen.filed.chain) == 2


@pytest.mark.usefixtures("asked")
def test_one_that_cannot_be_read_says_so_and_hides_no_other() -> None:
    (seen,) = observe([Endpoint("a.example", "h", 443, file=Path("old.pem"))], Deadline(5.0)).endpoints
    assert seen.filed is not None
    assert seen.filed.unseen == "certificate: it cannot be read. Look by hand."
    assert [one.unseen for one in seen.served] == [None, None]
