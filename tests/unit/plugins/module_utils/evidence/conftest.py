# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.model import Means, Part


@pytest.fixture
def means() -> Callable[..., Means]:
    def make(**given: Any) -> Means:
        defaults = {"deadline": Deadline(30), "since": 0.0, "full": False, "most": 1 << 26}
        return Means(**{**defaults, **given})

    return make


@pytest.fixture
def read_all() -> Callable[..., list[bytes]]:
    """The pieces of a part, read with so much room for each."""

    def read(part: Part, room: int = 1 << 20) -> list[bytes]:
        pieces, more = [], None
        for _turn in itertools.count():
            found = part.read(more, room)
            pieces.append(found.data)
            more = found.more
            if more is None:
                break
        return pieces

    return read
