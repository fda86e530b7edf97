# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what `pg_storage_info` needs for what it was asked."""

from __future__ import annotations

from typing import Any, Mapping

from ...errors import BadInput
from ...information import run_info
from ..entry import SPEC as ENTRY
from ..entry import enter, reach
from .decide import inform
from .observe import observe

MOST = 500
SPEC: Mapping[str, Any] = {
    "database": {"type": "str"},
    "top": {"type": "int", "default": 20},
    **ENTRY,
}


def look(params: Mapping[str, Any]) -> dict[str, Any]:
    """What the module returns. Raises `BadInput`, and `Unreachable` when there is no way in."""
    top = params["top"]
    if not 0 < top <= MOST:
        raise BadInput(f"top {top}", "it is not a number of tables", f"Give 1 to {MOST}.")
    # An empty name is none: a playbook cannot leave its input out.
    return run_info(lambda: observe(reach(params), enter, params["database"] or None, top), inform)
