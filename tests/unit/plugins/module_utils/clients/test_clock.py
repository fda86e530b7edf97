# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import clock

TRACKING = (
    "C0000207,192.0.2.7,3,1795314988.409,{offset},0.000012,0.000031,-5.1,0.002,0.09,0.02,0.001,64.2,{leap}\n"
)


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        (TRACKING.format(offset="-2.500000000", leap="Normal"), -2.5),
        (TRACKING.format(offset="0.0", leap="Not synchronised"), None),
        ("506 Cannot talk to daemon\n", None),
        ("", None),
    ],
)
def test_chrony_says_how_far_off_the_clock_is_once_it_knows(text: str, offset: float | None) -> None:
    assert clock.parse_tracking(text) == offset


def test_the_kernel_says_whether_somebody_keeps_the_clock(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(clock, "KEEPERS", (("ntp", tmp_path),))
    seen = clock.read(1.0)
    assert (seen.keeper, seen.offset) == ("ntp", None)
    assert seen.synchronised in (True, False)
    assert seen.error is not None
    assert seen.error >= 0.0
