# SPDX-License-Identifier: GPL-3.0-or-later
"""A port that answers, and one that does not."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.tcp import Attempt
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.tcp_probe.decide import decide
from ansible_collections.firebreak.incident.plugins.module_utils.tcp_probe.observe import observe

ASKED: dict[str, Any] = {"host": "db1", "port": 443, "source": "203.0.113.7", "timeout": 3.0}


def test_a_connection_is_no_finding() -> None:
    data, findings = decide(Attempt(True, 0.0041, peer="192.0.2.1"), ASKED)
    assert data == {"connected": True, "seconds": 0.004, "peer": "192.0.2.1", "error": None}
    assert findings == []


def test_no_connection_is_a_warning_that_says_from_where() -> None:
    _data, (finding,) = decide(Attempt(False, 3.0, error="timed out"), ASKED)
    assert (finding.id, finding.level) == ("network.port.unreachable", "warning")
    assert finding.summary == "db1 port 443 cannot be reached from 203.0.113.7: timed out"


@pytest.mark.parametrize("wrong", [{"port": 0}, {"port": 65536}, {"timeout": 0.0}, {"timeout": 61.0}])
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        observe({**ASKED, **wrong})
