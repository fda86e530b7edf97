# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what `pg_statements_info` needs for what it was asked."""

from __future__ import annotations

from typing import Any, Mapping

from ...errors import BadInput
from ...information import run_info
from ...quantities import parse_duration
from ..entry import SPEC as ENTRY
from ..entry import enter, reach
from ..sessions.protection import Protection
from .decide import inform
from .observe import ORDERS, observe

MOST = 500
SPEC: Mapping[str, Any] = {
    "top": {"type": "int", "default": 10},
    "order": {"type": "str", "choices": list(ORDERS), "default": "total"},
    "min_running": {"type": "str", "default": "30s"},
    **ENTRY,
}


def look(params: Mapping[str, Any]) -> dict[str, Any]:
    """What the module returns. Raises `BadInput`, and `Unreachable` when there is no way in."""
    seconds, top = parse_duration(params["min_running"]), params["top"]
    if not 0 < top <= MOST:
        raise BadInput(f"top {top}", "it is not a number of statements", f"Give 1 to {MOST}.")
    server = reach(params)
    protection = Protection.of(server)
    return run_info(
        lambda: observe(server, enter, seconds, top, params["order"]), lambda seen: inform(seen, protection)
    )
