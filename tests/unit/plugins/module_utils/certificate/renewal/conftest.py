# SPDX-License-Identifier: GPL-3.0-or-later
"""One host with one lineage, as it is looked at; each test says what is different."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.certificate.endpoints import Endpoint
from ansible_collections.firebreak.incident.plugins.module_utils.certificate.look import (
    Held,
    Inspected,
    Key,
    Pointed,
    Snapshot,
)
from ansible_collections.firebreak.incident.plugins.module_utils.certificate.observe import (
    Filed,
    Seen,
    Served,
)
from ansible_collections.firebreak.incident.plugins.module_utils.certificate.renewal.decide import Scene
from ansible_collections.firebreak.incident.plugins.module_utils.clients.certbot_lineages import Lineage
from ansible_collections.firebreak.incident.plugins.module_utils.clients.nginx_tls import NginxCertificate
from ansible_collections.firebreak.incident.plugins.module_utils.clients.x509 import Certificate

DAY = 86400.0
NOW = 1_800_000_000.0


def certificate(left: float, digest: str, name: str = "api.example") -> Certificate:
    """Of 90 days, with `left` days of them."""
    end = NOW + left * DAY
    return Certificate(f"sha256:{digest}", end - 90 * DAY, end, "CN=ca", "01", (name,), subject=f"CN={name}")


NEW, DUE, EXPIRED = certificate(89, "new"), certificate(5, "due"), certificate(-3, "expired")


def lineage(name: str = "api.example", **changed: Any) -> Lineage:
    live = f"/etc/letsencrypt/live/{name}"
    given: dict[str, Any] = {
        "name": name,
        "config": f"/etc/letsencrypt/renewal/{name}.conf",
        "live": live,
        "archive": f"/etc/letsencrypt/archive/{name}",
        "certificate": f"{live}/cert.pem",
        "chain": f"{live}/chain.pem",
        "fullchain": f"{live}/fullchain.pem",
        "key": f"{live}/privkey.pem",
        "server": "https://acme.example/dir",
        "authenticator": "webroot",
        "account": "a1",
        "account_present": True,
    }
    return Lineage(**{**given, **changed})


def held(newest: Certificate | None, *earlier: Certificate, fits: bool | None = True, **changed: Any) -> Held:
    one = lineage(**changed)
    versions = tuple(each.fingerprint for each in (*earlier, newest) if each)
    unseen = None if newest else "its certificate is damaged"
    return Held(one, Filed(one.fullchain, newest, unseen), Key(fits), versions)


def pointed(path: str, has: Certificate | None, real: str | None = None, **changed: Any) -> Pointed:
    source = NginxCertificate("/etc/nginx/site:3", (), (), path, "/key.pem", file=path, key_file="/key.pem")
    return Pointed(replace(source, **changed), Filed(path, has), Key(True), path if real is None else real)


def inspected(
    serves: Certificate | None,
    of: Held | None,
    *told: Pointed,
    address: str = "192.0.2.1",
    port: int = 443,
    starttls: str | None = None,
    foreign: bool = False,
) -> Inspected:
    endpoint = Endpoint("api.example", address, port, file=Path("/x"), starttls=starttls)
    shown = Served(address, serves.fingerprint, serves) if serves else Served(address, unseen="refused")
    own = (pointed(of.lineage.fullchain, of.filed.certificate),) if of and not told else told
    return Inspected(Seen(endpoint, (shown,)), own, of, frozenset([address] if foreign else ()))


def scene(*endpoints: Inspected, lineages: tuple[Held, ...] | None = (), **changed: Any) -> Scene:
    told = tuple(one for each in endpoints for one in each.pointed)
    seen = Snapshot(NOW, endpoints, lineages, pointed=told)
    return Scene(**{"seen": seen, "service": "nginx", "place": "nginx.service", **changed})
