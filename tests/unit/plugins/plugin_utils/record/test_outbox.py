# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import Draft
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.outbox import Outbox

from .conftest import draft


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox")


def test_what_waits_is_delivered_in_order_and_then_forgotten(outbox: Outbox) -> None:
    outbox.add("inc-1", [draft("a"), draft("b")])
    outbox.add("inc-1", [draft("c")])
    delivered: list[Draft] = []
    assert outbox.waiting() == ["inc-1"]
    assert outbox.deliver("inc-1", lambda _id, drafts: delivered.extend(drafts)) == 3
    assert [each.key for each in delivered] == ["a", "b", "c"]
    assert outbox.waiting() == []


def test_what_cannot_be_delivered_stays(outbox: Outbox) -> None:
    def fail(_incident: str, _drafts: Sequence[Draft]) -> None:
        raise Unreachable("record", "it is down", "Wait.")

    outbox.add("inc-1", [draft("a")])
    with pytest.raises(Unreachable):
        outbox.deliver("inc-1", fail)
    assert outbox.waiting() == ["inc-1"]


def test_a_line_that_a_crash_cut_off_does_not_lose_the_others(outbox: Outbox, tmp_path: Path) -> None:
    outbox.add("inc-1", [draft("a")])
    with (tmp_path / "outbox/inc-1.jsonl").open("a") as stream:
        stream.write('{"key": "tor')
    outbox.add("inc-1", [draft("b")])
    delivered: list[str] = []
    outbox.deliver("inc-1", lambda _id, drafts: delivered.extend(each.key for each in drafts))
    assert delivered == ["a", "b"]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unreachable, match="outbox"):
        Outbox(tmp_path / "file" / "outbox").add("inc-1", [draft("a")])
