# SPDX-License-Identifier: GPL-3.0-or-later
"""One attempt to connect, as it was asked for."""

from __future__ import annotations

from typing import Any, Mapping

from ..clients.tcp import Attempt, connect
from ..errors import BadInput

SPEC: Mapping[str, Any] = {
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "source": {"type": "str"},
    "timeout": {"type": "float", "default": 3.0},
}
LONGEST = 60.0


def observe(params: Mapping[str, Any]) -> Attempt:
    if not 1 <= params["port"] <= 65535:
        raise BadInput(f"port {params['port']}", "there is no such port", "Give one from 1 to 65535.")
    if not 0 < params["timeout"] <= LONGEST:
        raise BadInput(
            f"timeout {params['timeout']:g}", "it is out of range", f"Give at most {LONGEST:g} seconds."
        )
    return connect(params["host"], params["port"], params["timeout"], params["source"])
