# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.certificate.endpoints import Endpoint
from ansible_collections.firebreak.incident.plugins.module_utils.certificate.observe import observe
from ansible_collections.firebreak.incident.plugins.module_utils.clients import tcp, tls
from ansible_collections.firebreak.incident.plugins.module_utils.clients.tls import Certificate, Handshake
from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

OLD, NEW = b"old", b"new"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Two addresses, both of which serve the new certificate; which ones were read."""
    asked: list[bytes] = []

    def read(der: bytes) -> Certificate:
        asked.append(der)
        if der == OLD:
            raise Unreachable("program openssl", "it cannot be read", "Look by hand.")
        return Certificate(tls.fingerprint(der), 0.0, 1.0, "CN=x", "01", ("api.example",))

    answers = [(0, 0, 0, "", (address, 443)) for address in ("192.0.2.1", "2001:db8::1")]
    monkeypatch.setattr(tcp, "resolve", lambda *_asked: (answers, None))
    monkeypatch.setattr(tls, "shake_hands", lambda *_asked: Handshake(der=NEW))
    monkeypatch.setattr(tls, "file_certificate", lambda path: OLD if path.name == "old.pem" else NEW)
    monkeypatch.setattr(tls, "read", read)
    return asked


def test_a_certificate_is_read_once_wherever_it_is(reads: list[bytes]) -> None:
    endpoints = [Endpoint(name, "h", 443, file=Path("new.pem")) for name in ("a.example", "b.example")]
    seen = observe(endpoints, Deadline(5.0)).endpoints
    assert reads == [NEW]
    for each in seen:
        served = {one.certificate for one in each.served}
        assert each.filed is not None
        assert served == {each.filed.certificate}
        assert len(each.served) == 2


def test_one_that_cannot_be_read_says_so_and_hides_no_other(reads: list[bytes]) -> None:
    (seen,) = observe([Endpoint("a.example", "h", 443, file=Path("old.pem"))], Deadline(5.0)).endpoints
    assert seen.filed is not None
    assert seen.filed.unseen == "program openssl: it cannot be read. Look by hand."
    assert [one.unseen for one in seen.served] == [None, None]
    assert sorted(reads) == [NEW, OLD]
