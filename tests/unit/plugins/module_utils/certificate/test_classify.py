# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.certificate.classify import classify
from ansible_collections.firebreak.incident.plugins.module_utils.certificate.endpoints import Endpoint
from ansible_collections.firebreak.incident.plugins.module_utils.certificate.holdings import judge_host
from ansible_collections.firebreak.incident.plugins.module_utils.certificate.inform import judge
from ansible_collections.firebreak.incident.plugins.module_utils.certificate.look import (
    Held,
    Inspected,
    Key,
    Pointed,
    Renewal,
    Snapshot,
)
from ansible_collections.firebreak.incident.plugins.module_utils.certificate.observe import (
    Filed,
    Seen,
    Served,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.certbot_lineages import Lineage
from ansible_collections.firebreak.incident.plugins.module_utils.clients.clock import Clock
from ansible_collections.firebreak.incident.plugins.module_utils.clients.nginx_tls import (
    Configuration,
    NginxCertificate,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.x509 import Certificate

DAY = 86400.0
NOW = 1_800_000_000.0
LIVE, ARCHIVE = "/etc/letsencrypt/live/api.example", "/etc/letsencrypt/archive/api.example"
FULL = f"{LIVE}/fullchain.pem"
NAMED = Endpoint("api.example", "192.0.2.1", 443, file=Path(FULL))
UNNAMED = replace(NAMED, file=None)
ISSUER = Certificate("sha256:ca", 0, NOW * 2, "CN=root", "02", (), subject="CN=ca")
LINEAGE = Lineage(
    "api.example",
    "/etc/letsencrypt/renewal/api.example.conf",
    LIVE,
    ARCHIVE,
    certificate=f"{LIVE}/cert.pem",
    chain=f"{LIVE}/chain.pem",
    fullchain=FULL,
    key=f"{LIVE}/privkey.pem",
    server="https://acme.example/dir",
    authenticator="webroot",
    account="a1",
    account_present=True,
)


def certificate(left: float, digest: str) -> Certificate:
    """Of 90 days, with `left` days of them."""
    end = NOW + left * DAY
    return Certificate(
        f"sha256:{digest}", end - 90 * DAY, end, "CN=ca", "01", ("api.example",), subject="CN=api"
    )


NEW, OLD, FOREIGN = certificate(89, "new"), certificate(20, "old"), certificate(80, "foreign")


def filed(one: Certificate, path: str = FULL, alone: bool = False) -> Filed:
    return Filed(path, one, chain=(one,) if alone else (one, ISSUER))


def held(one: Certificate = NEW, *earlier: Certificate, **changed: Any) -> Held:
    versions = tuple(each.fingerprint for each in (*earlier, one))
    return Held(replace(LINEAGE, **changed), filed(one), Key(True), versions)


def pointed(file: Filed, real: str = f"{ARCHIVE}/fullchain2.pem", fits: bool = True) -> Pointed:
    source = NginxCertificate("/etc/nginx/site:1", (), (), file.path, "/k.pem", None, file.path, "/k.pem")
    return Pointed(source, file, Key(fits), real)


def served(one: Certificate, complaint: str | None = None, code: int | None = None) -> Served:
    return Served("192.0.2.1", one.fingerprint, one, complaint, code=code)


def classified(
    one: Served,
    *told: Pointed,
    lineage: Held | None = None,
    endpoint: Endpoint = UNNAMED,
    now: float = NOW,
    clock: Clock | None = None,
) -> tuple[str, list[tuple[str, str]]]:
    each = Inspected(Seen(endpoint, (one,)), told, lineage)
    found = classify(each, Snapshot(now, (each,), clock=clock))
    return found.state, [(finding.id.partition(".")[2], finding.level) for finding in found.findings]


COPY = "/etc/nginx/tls/api.pem"


def test_what_is_well_has_no_finding() -> None:
    assert classified(served(NEW), pointed(filed(NEW)), lineage=held()) == ("healthy", [])
    # A copy of the newest is as good as it.
    assert classified(served(NEW), pointed(filed(NEW, COPY), COPY), lineage=held(), endpoint=NAMED)[1] == []
    # One that somebody bought, though certbot has one for the same name.
    assert classified(served(FOREIGN), pointed(filed(FOREIGN, COPY), COPY), lineage=held())[1] == []


def test_what_another_host_serves_for_itself_was_not_forgotten_here() -> None:
    told, lineage = (pointed(filed(NEW)),), held(NEW, OLD)
    seen = Inspected(Seen(UNNAMED, (served(FOREIGN),)), told, lineage, frozenset(["192.0.2.1"]))
    assert classify(seen, Snapshot(NOW, (seen,))).findings == ()
    nat = replace(seen, seen=Seen(UNNAMED, (served(OLD),)))
    assert classify(nat, Snapshot(NOW, (nat,))).state == "not_reloaded"


def test_of_two_certificates_of_a_block_either_may_be_served() -> None:
    told = (pointed(filed(NEW)), pointed(filed(certificate(89, "rsa"))))
    assert classified(served(certificate(89, "rsa")), *told, lineage=held()) == ("healthy", [])


def test_renewed_and_not_reloaded() -> None:
    assert classified(served(OLD), pointed(filed(NEW)), lineage=held(NEW, OLD)) == (
        "not_reloaded",
        [("served.differs", "warning")],
    )
    gone = certificate(-1, "gone")
    assert classified(served(gone), pointed(filed(NEW)), lineage=held(NEW, gone)) == (
        "not_reloaded",
        [("served.differs", "critical")],
    )


@pytest.mark.parametrize(
    ("left", "level"), [(50, "warning"), (20, "warning"), (0.5, "critical"), (-1, "critical")]
)
def test_a_copy_that_nobody_brought_up_to_date(left: float, level: str) -> None:
    old = certificate(left, "old")
    told = pointed(filed(old, COPY), COPY)
    assert classified(served(old), told, lineage=held(NEW, old)) == (
        "outdated_file",
        [("file.outdated", level)],
    )


def test_a_copy_of_a_server_that_is_not_nginx() -> None:
    assert classified(served(OLD), lineage=held(NEW, OLD)) == (
        "outdated_file",
        [("file.outdated", "warning")],
    )


def test_nginx_told_to_stay_at_one_version() -> None:
    old = f"{ARCHIVE}/fullchain1.pem"
    assert classified(served(OLD), pointed(filed(OLD, old), old), lineage=held(NEW, OLD)) == (
        "wrong_file",
        [("file.wrong", "warning")],
    )


def test_nginx_told_another_file_than_the_inventory_says() -> None:
    told = pointed(filed(FOREIGN, COPY), COPY)
    assert classified(served(FOREIGN), told, lineage=held(), endpoint=NAMED) == (
        "wrong_file",
        [("file.wrong", "warning")],
    )


def test_the_wrong_file_is_the_cause_of_what_is_wrong_with_it() -> None:
    told, expired = pointed(filed(FOREIGN, COPY), COPY), certificate(-1, "gone")
    assert classified(served(FOREIGN, "self-signed", 18), told, lineage=held(), endpoint=NAMED)[1] == [
        ("file.wrong", "critical")
    ]
    assert classified(served(expired), pointed(filed(expired, COPY), COPY), lineage=held())[1] == [
        ("file.wrong", "critical")
    ]


def test_a_lineage_that_is_no_better_is_no_cure() -> None:
    expired = certificate(-1, "gone")
    told = pointed(filed(expired, COPY), COPY)
    each = Inspected(Seen(UNNAMED, (served(expired),)), (told,), held(certificate(-2, "older")))
    (finding,) = classify(each, Snapshot(NOW, (each,))).findings
    # Nor is its renewal, for it would not reach the server.
    assert (finding.id, finding.remedy) == ("certificate.served.expired", None)


def test_an_expired_lineage_has_its_remedy() -> None:
    expired = certificate(-1, "gone")
    each = Inspected(Seen(NAMED, (served(expired),)), (pointed(filed(expired)),), held(expired))
    (finding,) = classify(each, Snapshot(NOW, (each,))).findings
    assert finding.id == "certificate.served.expired"
    assert finding.remedy is not None
    assert finding.remedy.as_dict()["inputs"] == {"lineage": "api.example"}
    broken = replace(each, held=held(expired, problem="it leads nowhere"))
    assert classify(broken, Snapshot(NOW, (broken,))).findings[0].remedy is None


def test_a_chain_without_its_issuers_is_one_finding() -> None:
    told = pointed(filed(NEW, f"{LIVE}/cert.pem", alone=True))
    assert classified(served(NEW), told, lineage=held()) == (
        "chain_incomplete",
        [("chain.incomplete", "warning")],
    )
    refused = replace(served(NEW, "no issuer", 20), chain=(NEW,))
    assert classified(refused, told, lineage=held())[1] == [("chain.incomplete", "critical")]


def test_a_chain_in_the_wrong_order_is_only_noted() -> None:
    root = Certificate("sha256:root", 0, NOW * 2, "CN=root", "03", (), subject="CN=root")
    told = pointed(Filed(FULL, NEW, chain=(NEW, root, ISSUER)))
    assert classified(served(NEW), told, lineage=held())[1] == [("chain.disordered", "notice")]


def test_a_key_of_another_certificate_is_told_before_the_next_start() -> None:
    told = pointed(filed(NEW), fits=False)
    assert classified(served(NEW), told, lineage=held()) == ("key_mismatch", [("key.mismatch", "warning")])
    found = list(judge_host(Snapshot(NOW, pointed=(told,))))
    assert [finding.id for finding in found] == ["certificate.key.mismatch"]
    each = Inspected(Seen(NAMED, (served(NEW),)), (told,), held())
    assert list(judge_host(Snapshot(NOW, (each,), pointed=(told,)))) == []


def test_a_clock_that_is_off_is_named() -> None:
    clock = Clock(True, None, "chrony", False, offset=-86400.0 * 100)
    each = Inspected(Seen(UNNAMED, (served(NEW),)))
    found = classify(each, Snapshot(NOW - 100 * DAY, (each,), clock=clock))
    assert found.state == "early"
    assert "the clock of this host is 100 d off" in found.findings[0].summary


def test_what_was_not_seen_is_not_healthy() -> None:
    assert classified(Served("192.0.2.1", unseen="Connection refused"), lineage=held())[0] == "unseen"
    lost = Pointed(pointed(filed(NEW)).source, Filed("/x", unseen="it is no file of this host"))
    assert classified(served(NEW), lost)[1] == [("file.unseen", "warning")]


def host_findings(seen: Snapshot) -> list[tuple[str, str]]:
    return [(finding.id.partition(".")[2], finding.level) for finding in judge_host(seen)]


@pytest.mark.parametrize(
    ("lineage", "expected"),
    [
        (held(), []),
        (held(OLD), [("lineage.expiring", "notice")]),
        (Held(LINEAGE, Filed(FULL, unseen="gone")), [("lineage.broken", "notice")]),
        (replace(held(), key=Key(False)), [("lineage.keyless", "notice")]),
        (replace(held(), key=Key(unseen="gone")), [("lineage.keyless", "notice")]),
        (held(renews=False), [("renewal.hindered", "notice")]),
        (held(authenticator="manual"), [("renewal.hindered", "notice")]),
        (held(account_present=False), [("renewal.hindered", "notice")]),
        (held(OLD, renews=False), [("lineage.expiring", "notice"), ("renewal.hindered", "warning")]),
    ],
)
def test_a_lineage_that_nothing_uses(lineage: Held, expected: list[tuple[str, str]]) -> None:
    assert host_findings(Snapshot(NOW, lineages=(lineage,))) == expected


def test_a_lineage_that_nginx_serves_is_more_than_noted() -> None:
    seen = Snapshot(NOW, lineages=(held(OLD),), pointed=(pointed(filed(OLD)),))
    (finding,) = judge_host(seen)
    assert (finding.id, finding.level) == ("certificate.lineage.expiring", "warning")
    assert finding.remedy is not None


@pytest.mark.parametrize(
    ("newest", "renewal", "expected"),
    [
        (NEW, Renewal(("certbot.timer",), ("an old complaint",)), None),
        (NEW, Renewal(), ("renewal.stopped", "notice")),
        (OLD, Renewal(), ("renewal.stopped", "warning")),
        (OLD, Renewal(("certbot.timer",)), None),
        (OLD, Renewal(("certbot.timer",), ("404",)), ("renewal.failing", "warning")),
    ],
)
def test_a_renewal_that_does_not_come(
    newest: Certificate, renewal: Renewal, expected: tuple[str, str] | None
) -> None:
    found = host_findings(Snapshot(NOW, lineages=(held(newest),), renewal=renewal))
    assert [each for each in found if each[0].startswith("renewal")] == ([expected] if expected else [])


def test_what_could_not_be_read_is_said() -> None:
    broken = Configuration("web", (), "nginx: [emerg] unknown directive")
    unseen = {"lineages": "Permission denied", "container web2": "late", "clock": "no chrony"}
    assert host_findings(Snapshot(NOW, lineages=None, nginx=(broken,), unseen=unseen)) == [
        ("lineages.unseen", "warning"),
        ("nginx.unseen", "warning"),
        ("nginx.broken", "warning"),
    ]


def test_the_data_is_whole() -> None:
    each = Inspected(Seen(NAMED, (served(NEW),), filed(NEW)), (pointed(filed(NEW)),), held())
    data, findings = judge(Snapshot(NOW, (each,), (each.held,) if each.held else (), renewal=Renewal(("t",))))
    assert findings == []
    assert data["endpoints"][0]["state"] == "healthy"
    assert data["endpoints"][0]["files"][0]["chain_length"] == 2
    assert data["lineages"][0]["endpoints"] == ["api.example:443"]
    assert data["scheduled"] == ["t"]
