# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what `disk_space_info` needs for what it was asked."""

from __future__ import annotations

from typing import Any, Mapping

from ..errors import BadInput
from ..information import run_info
from ..quantities import parse_duration
from ..services import POSTGRES_SPEC, SERVICES_SPEC
from .inform import inform
from .observe import Wish, observe

MOST, LONGEST = 500, 3600
SPEC: Mapping[str, Any] = {
    "paths": {"type": "list", "elements": "str", "default": []},
    "top": {"type": "int", "default": 20},
    "timeout": {"type": "str", "default": "60s"},
    "backup": {
        "type": "dict",
        "options": {
            "directory": {"type": "path", "default": "/var/backups/firebreak"},
            "keep": {"type": "int", "default": 7},
            "command": {"type": "raw"},
            "command_user": {"type": "str"},
        },
    },
    **SERVICES_SPEC,
    **POSTGRES_SPEC,
}


def look(params: Mapping[str, Any]) -> dict[str, Any]:
    """What the module returns. Raises `BadInput`, and `Unreachable` when there is nothing to see."""
    return run_info(lambda: observe(wish_of(params)), inform)


def wish_of(params: Mapping[str, Any]) -> Wish:
    top, timeout, backup = params["top"], parse_duration(params["timeout"]), params["backup"] or {}
    if not 0 < top <= MOST:
        raise BadInput(f"top {top}", "it is not a number of directories", f"Give 1 to {MOST}.")
    if not 0 < timeout <= LONGEST:
        raise BadInput(f"timeout {timeout} s", "it is no time for a walk", f"Give 1 to {LONGEST} s.")
    directory, keep = backup.get("directory") or None, backup.get("keep")
    if directory and not directory.startswith("/"):
        raise BadInput(f"backup directory {directory!r}", "it is not absolute", "Write /var/backups.")
    if keep is not None and keep < 1:
        raise BadInput(f"keep {keep}", "the newest backup is always kept", "Give 1 or more.")
    # An empty name is none: a playbook cannot leave its input out.
    paths = tuple(path for path in params["paths"] if path)
    return Wish(paths, top, float(timeout), directory, keep, params)
