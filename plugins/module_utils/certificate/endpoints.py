# SPDX-License-Identifier: GPL-3.0-or-later
"""Where certificates are served, after `firebreak_endpoints`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Sequence

from ..clients.http import ENDPOINT_PORTS, parse_target
from ..clients.starttls import POSTGRES, SMTP
from ..errors import BadInput

LINEAGES = Path("/etc/letsencrypt/live")
# Schemes with a certificate, and in which protocol TLS is asked for first.
SCHEMES: Mapping[str, str | None] = {"https": None, "smtps": None, "postgresql": POSTGRES, "smtp": SMTP}


@dataclass(frozen=True)
class Endpoint:
    """`name` is what a client asks for (SNI); `host` and `port` are where it really connects.

    `file` is the certificate that should be served there, when the inventory says which.
    """

    name: str
    host: str
    port: int
    verify: bool = True
    file: Path | None = None
    starttls: str | None = None

    @property
    def lineage(self) -> str | None:
        """The name of the one that the inventory says."""
        named = self.file is not None and self.file.parent.parent == LINEAGES
        return self.file.parent.name if self.file and named else None


def parse_endpoints(given: Sequence[Mapping[str, Any]] | None) -> tuple[Endpoint, ...]:
    """Every endpoint with TLS, each place and name once. Raises `BadInput` that names what is wrong."""
    found: dict[tuple[str, str, int], Endpoint] = {}
    for values in given or ():
        target = parse_target(values["url"], values.get("connect_to"), ENDPOINT_PORTS)
        if target.scheme in SCHEMES:
            place = (target.host, target.connect_host, target.connect_port)
            verify = values.get("verify") is not False
            file = _file(values.get("certificate"))
            found.setdefault(place, Endpoint(*place, verify, file, SCHEMES[target.scheme]))
    return tuple(found.values())


def _file(certificate: str | None) -> Path | None:
    """Of a lineage of certbot by its name, or the file itself by its path."""
    if not certificate:
        return None
    if certificate.startswith("/"):
        return Path(certificate)
    if "/" in certificate or certificate in (".", ".."):
        raise BadInput(
            f"certificate {certificate!r}",
            "it is neither the name of a lineage nor an absolute path",
            "Write api.example.org or /etc/nginx/tls/fullchain.pem.",
        )
    return LINEAGES / certificate / "fullchain.pem"
