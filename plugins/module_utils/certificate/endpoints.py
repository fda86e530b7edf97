# SPDX-License-Identifier: GPL-3.0-or-later
"""Where certificates are served, after `firebreak_endpoints`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Sequence

from ..clients.http import parse_target
from ..errors import BadInput

LINEAGES = Path("/etc/letsencrypt/live")


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


def parse_endpoints(given: Sequence[Mapping[str, Any]] | None) -> tuple[Endpoint, ...]:
    """Every https endpoint, each place and name once. Raises `BadInput` that names what cannot be meant."""
    found: dict[tuple[str, str, int], Endpoint] = {}
    for values in given or ():
        target = parse_target(values["url"], values.get("connect_to"))
        if target.scheme == "https":
            place = (target.host, target.connect_host, target.connect_port)
            verify = values.get("verify") is not False
            found.setdefault(place, Endpoint(*place, verify, _file(values.get("certificate"))))
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
