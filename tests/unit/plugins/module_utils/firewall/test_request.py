# SPDX-License-Identifier: GPL-3.0-or-later
"""Options as a person types them."""

from __future__ import annotations

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.firewall.request import Request, distinct


def params(duration: str) -> dict[str, object]:
    return {"addresses": ["203.0.113.7"], "state": "present", "duration": duration, "kill_connections": True}


@pytest.mark.parametrize(("text", "seconds"), [("24h", 86400), ("60", 60), ("30d", 30 * 86400), ("10m", 600)])
def test_a_duration_is_read(text: str, seconds: int) -> None:
    assert Request.of(params(text)).seconds == seconds


@pytest.mark.parametrize("text", ["59s", "31d", "0"])
def test_a_block_without_a_sensible_end_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="between one minute and 30 days"):
        Request.of(params(text))


def test_each_address_counts_once_and_not_beside_its_network() -> None:
    given = ["2001:DB8::1", "2001:db8:0::1", "203.0.113.7/32", "203.0.113.0/24", "::ffff:192.0.2.1"]
    assert distinct(given) == ("2001:db8::1", "203.0.113.0/24", "192.0.2.1")


def test_something_that_is_no_address_is_named() -> None:
    with pytest.raises(BadInput, match="nonsense"):
        distinct(["nonsense"])
