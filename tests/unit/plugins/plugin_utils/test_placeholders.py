# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.placeholders import (
    Unfilled,
    refuse_placeholders,
)


def test_what_a_person_copied_from_a_log_is_no_placeholder() -> None:
    refuse_placeholders("value update", "[REDACTED] [error] [FIRING] see [1]")


def test_what_a_person_typed_may_not_have_been_left_unfilled() -> None:
    with pytest.raises(Unfilled, match=r"value update: \[time\] is not filled in"):
        refuse_placeholders("value update", "Back at [time]")
