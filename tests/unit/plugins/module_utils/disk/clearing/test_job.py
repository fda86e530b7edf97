# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.job import SPEC, job
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"older_than": "7"}, "less than an hour"),
        ({"older_than": "-7d"}, "not a duration"),
        ({"log_roots": []}, "log_roots"),
        ({"keep": 0}, "last backup"),
        ({"keep": -1}, "last backup"),
    ],
)
def test_what_was_mistyped_is_not_carried_out(asked: dict[str, Any], said: str) -> None:
    given = {name: option.get("default") for name, option in SPEC.items()}
    given.update(levers=["old_logs"], log_roots=["/var/log"], backup={"keep": 7}, services={})
    with pytest.raises(BadInput) as caught:
        job({**given, **asked})
    assert said in str(caught.value)
