# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what the module `ip_block_info` needs for what it was asked."""

from __future__ import annotations

from typing import Any, Mapping

from ..finding import Finding
from . import decide, observe
from .request import distinct

INFO_SPEC: Mapping[str, Any] = {"addresses": {"type": "list", "elements": "str", "default": []}}


def look(params: Mapping[str, Any]) -> observe.Snapshot:
    """Every layer when addresses are asked about, else only Firebreak's own."""
    return observe.everything() if distinct(params["addresses"]) else observe.own_blocks()


def inform(snapshot: observe.Snapshot, params: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[Finding]]:
    return decide.inform(snapshot, distinct(params["addresses"]))
