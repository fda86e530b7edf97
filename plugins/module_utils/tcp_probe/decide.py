# SPDX-License-Identifier: GPL-3.0-or-later
"""What it means that a port answers, or does not. Pure."""

from __future__ import annotations

from typing import Any, Mapping

from ..clients.tcp import Attempt
from ..finding import WARNING, Finding


def decide(attempt: Attempt, params: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[Finding]]:
    """`params` are the options of the module `tcp_probe_info`."""
    host, port, source = params["host"], params["port"], params["source"]
    data = {
        "connected": attempt.connected,
        "seconds": round(attempt.seconds, 3),
        "peer": attempt.peer,
        "error": attempt.error,
    }
    if attempt.connected:
        return data, []
    seen_from = f" from {source}" if source else ""
    finding = Finding(
        id="network.port.unreachable",
        level=WARNING,
        subject=f"{host} port {port}",
        summary=f"{host} port {port} cannot be reached{seen_from}: {attempt.error}",
        evidence={"host": host, "port": port, "source": source, "seconds": data["seconds"]},
    )
    return data, [finding]
