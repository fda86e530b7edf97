# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance.job import job


@pytest.mark.parametrize(
    ("given", "because"),
    [
        ({"indexes": ["x"]}, "vacuum is done to tables"),
        ({"whole_database": True, "tables": ["x"]}, "beside names"),
        ({"timeout": "0"}, "no limit at all"),
        ({"lock_timeout": "0s"}, "no limit at all"),
        ({"fresh": "soon"}, "it is not a duration"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_the_server_is_asked(
    given: dict[str, Any], because: str
) -> None:
    params: dict[str, Any] = {
        "operation": "vacuum",
        "database": None,
        "tables": [],
        "indexes": [],
        "schemas": [],
        "whole_database": False,
        "lock_timeout": "2s",
        "timeout": "30m",
        "fresh": "1h",
        "assume_space": False,
    }
    with pytest.raises(BadInput, match=because):
        job({**params, **given})
