# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import resource
from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import Draft
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.outbox import Outbox, OutboxAway

from .conftest import draft

DRAFT_WITHOUT_DATA = b'{"key": "x", "time": "t", "kind": "k", "actor": "a", "host": null, "data": "d"}'


def delivered(outbox: Outbox) -> list[str]:
    keys: list[str] = []
    assert outbox.deliver("inc-1", lambda _id, drafts: keys.extend(each.key for each in drafts)) is None
    return keys


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox")


def test_what_waits_is_delivered_in_order_and_then_forgotten(outbox: Outbox) -> None:
    outbox.add("inc-1", [draft("a"), draft("b")])
    outbox.add("inc-1", [draft("c")])
    assert outbox.waiting() == ["inc-1"]
    assert delivered(outbox) == ["a", "b", "c"]
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
    assert delivered(outbox) == ["a", "b"]


@pytest.mark.parametrize("line", [b"\xff\xfe\0", b"[" * 100_000, b"[]", b'{"key": "a"}', DRAFT_WITHOUT_DATA])
def test_a_line_that_is_no_draft_keeps_none_waiting(outbox: Outbox, tmp_path: Path, line: bytes) -> None:
    outbox.add("inc-1", [draft("a")])
    with (tmp_path / "outbox/inc-1.jsonl").open("ab") as stream:
        stream.write(line)
    outbox.add("inc-1", [draft("b")])
    assert delivered(outbox) == ["a", "b"]


def test_a_disk_that_is_full_is_said_and_half_of_it_is_not_kept(outbox: Outbox) -> None:
    outbox.add("inc-1", [draft("a")])
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limit[1]))
    try:
        with pytest.raises(OutboxAway, match=r"outbox .*: File too large"):
            outbox.add("inc-1", [draft(key, data={"text": "x" * 2000}) for key in "bc"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    outbox.add("inc-1", [draft("d")])
    assert delivered(outbox) == ["a", "d"]


def test_many_are_handed_over_in_parts(outbox: Outbox) -> None:
    outbox.add("inc-1", [draft(f"{number}") for number in range(1201)])
    sizes: list[int] = []
    outbox.deliver("inc-1", lambda _id, drafts: sizes.append(len(drafts)))
    assert sizes == [500, 500, 201]


def test_what_is_not_taken_stays_with_the_reason(outbox: Outbox) -> None:
    late = BadInput("inc-1", "it was closed", "Reopen it.")
    outbox.add("inc-1", [draft("a")])
    assert outbox.deliver("inc-1", lambda _id, _drafts: late) is late
    assert outbox.waiting() == ["inc-1"]


@pytest.mark.parametrize("incident", ["../inc-1", "/etc/inc-1", "", "a" * 65, "a\0"])
def test_what_is_no_id_names_no_file(outbox: Outbox, incident: str) -> None:
    with pytest.raises(BadInput, match="it is not an id"):
        outbox.add(incident, [draft("a")])
    assert not outbox.directory.exists()


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutboxAway, match="outbox"):
        Outbox(tmp_path / "file" / "outbox").add("inc-1", [draft("a")])


def test_a_file_of_it_that_cannot_be_read_is_said(outbox: Outbox) -> None:
    (outbox.directory / "inc-1.jsonl").mkdir(parents=True)
    with pytest.raises(OutboxAway, match="Is a directory"):
        outbox.deliver("inc-1", lambda _id, _drafts: None)
