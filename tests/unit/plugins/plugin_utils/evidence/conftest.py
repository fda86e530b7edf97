# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.evidence.package import pack
from ansible_collections.firebreak.incident.plugins.plugin_utils.evidence.collection import Collection


@pytest.fixture
def entry() -> Callable[..., dict[str, Any]]:
    """A piece as the module returns it."""

    def make(step: str, content: bytes = b"x", **given: Any) -> dict[str, Any]:
        piece: dict[str, Any] = {
            "step": step,
            "part": "",
            "first": True,
            "last": True,
            "kind": "file",
            "source": "/proc",
            "command": None,
            "program_sha256": None,
            "exit_code": None,
            "complaint": None,
            "started": "2026-11-22T02:00:00.000Z",
            "finished": "2026-11-22T02:00:01.000Z",
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "cut": None,
            "data": pack(content),
        }
        return {**piece, **given}

    return make


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    made = Collection(tmp_path / "evidence" / "run-1" / "host1", {"host": "host1", "complete": True})
    made.create()
    return made
