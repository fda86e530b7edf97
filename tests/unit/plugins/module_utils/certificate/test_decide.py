# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.certificate.decide import judge
from ansible_collections.firebreak.incident.plugins.module_utils.certificate.endpoints import Endpoint
from ansible_collections.firebreak.incident.plugins.module_utils.certificate.observe import (
    Filed,
    Seen,
    Served,
    Snapshot,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.x509 import Certificate

DAY = 86400.0
NOW = 1_800_000_000.0
PLACE = Endpoint("api.example", "192.0.2.1", 443, file=Path("/etc/ssl/api.pem"))


def certificate(left: float, lifetime: float = 90.0, digest: str = "sha256:aa") -> Certificate:
    """`left` and `lifetime` in days."""
    end = NOW + left * DAY
    return Certificate(digest, end - lifetime * DAY, end, "CN=ca", "01", ("api.example",))


def found(*served: Served, filed: Filed | None = None, unseen: str | None = None) -> list[tuple[str, str]]:
    findings = judge(Snapshot(NOW, (Seen(PLACE, served, filed, unseen),)))[1]
    return [(finding.id.partition(".")[2], finding.level) for finding in findings]


@pytest.mark.parametrize(
    ("left", "lifetime", "expected"),
    [
        (31, 90, []),
        (29, 90, [("served.expiring", "warning")]),
        (0.9, 90, [("served.expiring", "critical")]),
        (0, 90, [("served.expired", "critical")]),
        (-3, 90, [("served.expired", "critical")]),
        # Thirty days are nothing to worry about in a certificate of 45, nor three in one of 6.
        (30, 45, []),
        (3.1, 6, []),
        (2.9, 6, [("served.expiring", "warning")]),
        (95, 90, [("served.early", "critical")]),
    ],
)
def test_what_is_late_is_a_share_of_the_lifetime(
    left: float, lifetime: float, expected: list[tuple[str, str]]
) -> None:
    assert found(Served("192.0.2.1", certificate=certificate(left, lifetime))) == expected


def test_renewed_and_not_reloaded_is_told_from_a_wrong_file() -> None:
    served = Served("192.0.2.1", certificate=certificate(40))
    newer = Filed("/etc/ssl/api.pem", certificate(89, digest="sha256:bb"))
    older = Filed("/etc/ssl/api.pem", certificate(35, digest="sha256:cc"))
    assert found(served, filed=newer) == [("served.differs", "warning")]
    assert found(served, filed=older) == [("served.differs", "notice")]
    assert found(served, filed=Filed("/etc/ssl/api.pem", certificate(40))) == []


def test_every_address_is_judged_by_itself() -> None:
    well = Served("192.0.2.1", certificate=certificate(60))
    expired = Served("2001:db8::1", certificate=certificate(-1))
    assert found(well, expired) == [("served.expired", "critical")]


def test_an_expired_certificate_is_not_also_reported_as_untrusted() -> None:
    complaint = "certificate has expired"
    assert found(Served("192.0.2.1", certificate=certificate(-1), complaint=complaint)) == [
        ("served.expired", "critical")
    ]
    assert found(Served("192.0.2.1", certificate=certificate(60), complaint="Hostname mismatch")) == [
        ("served.untrusted", "critical")
    ]


@pytest.mark.parametrize(
    "seen",
    [
        {"served": (), "unseen": "the name cannot be resolved"},
        {"served": (Served("192.0.2.1", unseen="Connection refused"),)},
        {"served": (Served("192.0.2.1", fingerprint="sha256:aa", unseen="openssl is not on this host"),)},
    ],
)
def test_what_was_not_seen_is_not_called_well(seen: dict[str, Any]) -> None:
    data, findings = judge(Snapshot(NOW, (replace(Seen(PLACE), **seen),)))
    assert [finding.id for finding in findings] == ["certificate.served.unseen"]
    assert data[0]["name"] == "api.example"


def test_a_file_that_cannot_be_read_is_said() -> None:
    served = Served("192.0.2.1", certificate=certificate(60))
    assert found(served, filed=Filed("/x", unseen="Permission denied")) == [("file.unseen", "warning")]


def test_nothing_configured_is_no_data() -> None:
    assert judge(Snapshot(NOW, ())) == (None, [])


def test_the_addresses_that_serve_the_same_are_one_finding() -> None:
    served = [Served(address, certificate=certificate(-1)) for address in ("192.0.2.1", "2001:db8::1")]
    (finding,) = judge(Snapshot(NOW, (Seen(PLACE, tuple(served)),)))[1]
    assert "192.0.2.1 and 2001:db8::1" in finding.summary
    assert finding.evidence["addresses"] == ["192.0.2.1", "2001:db8::1"]


def test_one_that_was_renewed_in_time_is_only_to_be_loaded() -> None:
    served = Served("192.0.2.1", certificate=certificate(-1))
    newer = Filed("/etc/ssl/api.pem", certificate(60, digest="sha256:bb"))
    assert found(served, filed=newer) == [("served.differs", "critical")]
    too_late = Filed("/etc/ssl/api.pem", certificate(-0.5, digest="sha256:bb"))
    assert found(served, filed=too_late)[0] == ("served.expired", "critical")


def test_the_remedy_is_for_a_lineage_that_can_be_read() -> None:
    lineage = replace(PLACE, file=Path("/etc/letsencrypt/live/api.example/fullchain.pem"))
    served, old = Served("192.0.2.1", certificate=certificate(-1)), certificate(-1)
    seen = Seen(lineage, (served,), Filed("x", old))
    remedies = [finding.remedy for finding in judge(Snapshot(NOW, (seen,)))[1]]
    assert [remedy.inputs for remedy in remedies if remedy] == [{"lineage": "api.example"}]
    for without in (replace(seen, filed=Filed("x", unseen="gone")), replace(seen, endpoint=PLACE)):
        assert {finding.remedy for finding in judge(Snapshot(NOW, (without,)))[1]} == {None}


CHAIN = (
    Certificate("sha256:aa", 0, 1, "CN=ca", "01", ("api.example",), subject="CN=api"),
    Certificate("sha256:ca", 0, 1, "CN=root", "02", (), subject="CN=ca"),
)


@pytest.mark.parametrize(
    ("code", "chain", "expected"),
    [
        (62, (), "name.mismatch"),
        (20, CHAIN[:1], "chain.incomplete"),
        (20, CHAIN, "served.untrusted"),
        (20, (), "served.untrusted"),
        (19, CHAIN, "served.untrusted"),
    ],
)
def test_a_complaint_is_called_by_its_cause(code: int, chain: tuple[Certificate, ...], expected: str) -> None:
    leaf = replace(certificate(60), issuer="CN=ca", subject="CN=api")
    served = Served("192.0.2.1", "sha256:aa", leaf, "no", code=code, chain=chain)
    assert found(served) == [(expected, "critical")]
