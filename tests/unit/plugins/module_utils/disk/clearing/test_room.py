# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.procfs import Space
from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.room import aim_of
from ansible_collections.firebreak.incident.plugins.module_utils.errors import (
    BadInput,
)

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (None, 100 * MIB),
        ("15%", 150 * MIB),
        ("0.5 %", 5 * MIB),
        ("200m", 200 * MIB),
        ("1g", BadInput),
        ("x", BadInput),
        ("150%", BadInput),
        ("-5%", BadInput),
        # Fifteen bytes: percent or gigabytes were meant.
        ("15", BadInput),
    ],
)
def test_the_aim_is_a_share_of_what_users_can_use(free: str | None, expected: Any) -> None:
    size = Space(1200 * MIB, 500 * MIB, 300 * MIB, inodes=1, inodes_available=1)
    if isinstance(expected, int):
        assert aim_of(free, size) == expected
    else:
        with pytest.raises(expected):
            aim_of(free, size)


def test_the_default_aim_on_a_big_disk_is_20_gib() -> None:
    assert aim_of(None, Space(1 << 44, 1 << 44, 1 << 44, 1, 1)) == 20 << 30
