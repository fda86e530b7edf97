# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError


def test_a_message_holds_nothing_that_steers_a_terminal() -> None:
    error = FirebreakError(
        "database a\x1b[31m\u202eb", "it is gone\r\udcff", "Look\n\tagain: ü …", {"actions": []}
    )
    assert error.as_result() == {
        "actions": [],
        "msg": "database a\\x1b[31m\\u202eb: it is gone\\r\\udcff. Look\n\tagain: ü …",
    }
