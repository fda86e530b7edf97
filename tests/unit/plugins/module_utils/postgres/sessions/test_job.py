# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.criteria import (
    CRITERIA_SPEC,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.job import parse_wish


def given(**more: Any) -> dict[str, Any]:
    params = {**dict.fromkeys(CRITERIA_SPEC), "method": "terminate", "free_connections": 0}
    return {**params, "states": ["idle"], **more}


def test_a_wish_may_be_for_connections() -> None:
    assert parse_wish(given(free_connections=5)).free == 5


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"free_connections": -1}, "negative"),
        ({"free_connections": 5, "method": "cancel"}, "keeps its connection"),
        ({"states": None}, "nothing says"),
    ],
)
def test_what_cannot_be_meant_is_refused(more: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        parse_wish(given(**more))
