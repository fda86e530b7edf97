# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that may be in somebody else's hands says anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.evidence.catalogue import BY_NAME
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.package import pack
from ansible_collections.firebreak.incident.plugins.plugin_utils.evidence.answer import read_answer, text

ASKED = (BY_NAME["clock"], BY_NAME["processes"])
Entry = Callable[..., dict[str, Any]]


def answer(*artefacts: Any, **given: Any) -> Any:
    result = {
        "artefacts": list(artefacts),
        "not_collected": [],
        "next": None,
        "epoch_seconds": 1.8e9,
        **given,
    }
    return read_answer(result, ASKED, 1000, 5000)


def test_an_honest_answer_is_taken_as_it_is(entry: Entry) -> None:
    found = answer(
        entry("clock", b"now", command=["/usr/bin/date", "-u"], exit_code=0),
        not_collected=[{"name": "nft", "cause": "tool", "reason": "it is not here"}],
        next={"step": "processes", "part": "1", "token": "7"},
        python="3.11.2",
    )
    piece = found.pieces[0]
    assert (piece.data, piece.matches, piece.command) == (b"now", True, ("/usr/bin/date", "-u"))
    assert (found.missing[0].cause, found.next.token, found.epoch, found.python) == (
        "tool",
        "7",
        1.8e9,
        "3.11.2",
    )
    assert found.refused == ()


@pytest.mark.parametrize(
    "result",
    [
        {},
        {"artefacts": None},
        {"artefacts": {}, "not_collected": "x"},
        {"artefacts": [None, 1, "x", [], {}], "not_collected": [None, 1, {}]},
        {"artefacts": [{"step": ["clock"]}], "not_collected": []},
        {"artefacts": [{"step": "clock", "data": 5}], "not_collected": []},
        {"artefacts": [{"step": "clock", "data": pack(b"x")}], "not_collected": []},
    ],
)
def test_garbage_is_refused_and_brings_nothing_down(result: dict[str, Any]) -> None:
    found = read_answer(result, ASKED, 1000, 5000)
    assert found.pieces == ()
    assert found.refused


def test_what_was_not_asked_for_is_refused(entry: Entry) -> None:
    found = answer(entry("journal"), entry("../../etc/passwd"), entry("clock"))
    assert [piece.step.name for piece in found.pieces] == ["clock"]
    assert len(found.refused) == 2


def test_a_bomb_is_refused(entry: Entry) -> None:
    found = answer(entry("clock", data=pack(b"\0" * 500_000)))
    assert found.pieces == ()
    assert "more than the 1000 bytes" in found.refused[0]


def test_many_pieces_that_unpack_to_more_than_an_answer_may_hold_are_refused(entry: Entry) -> None:
    found = answer(*(entry("clock", b"\0" * 1000, part=str(number)) for number in range(1000)))
    assert sum(len(piece.data) for piece in found.pieces) == 5000
    assert len(found.refused) < 100


def test_a_wrong_digest_is_kept_in_mind_and_the_data_kept(entry: Entry) -> None:
    piece = answer(entry("clock", b"x", sha256="0" * 64)).pieces[0]
    assert (piece.data, piece.matches) == (b"x", False)


def test_texts_can_move_no_cursor_and_grow_without_end(entry: Entry) -> None:
    piece = answer(
        entry("clock", source="/x\x1b[2J\n\u202e" + "y" * 99_999, kind="\x1b", complaint="a\rb")
    ).pieces[0]
    assert piece.source.startswith("/x?[2J??yyy")
    assert len(piece.source) <= 4096
    assert (piece.kind, piece.complaint) == ("unknown", "a?b")
    assert text(["no text"]) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("exit_code", 10**30),
        ("exit_code", "0"),
        ("started", "yesterday"),
        ("program_sha256", "../../x"),
        ("command", "rm -rf /"),
    ],
)
def test_a_field_that_has_no_sense_is_none(entry: Entry, field: str, value: Any) -> None:
    assert getattr(answer(entry("clock", **{field: value})).pieces[0], field) is None


@pytest.mark.parametrize(
    "position",
    [
        "clock",
        {"step": "journal", "part": "", "token": "null"},
        {"step": "clock", "part": 1, "token": "null"},
        {"step": "clock", "part": "", "token": "x" * 100_000},
    ],
)
def test_a_place_to_go_on_that_was_not_asked_for_is_refused(position: Any) -> None:
    found = answer(next=position)
    assert found.next is None
    assert found.refused


@pytest.mark.parametrize("epoch", [None, "1", -1, 1e300, float("nan"), float("inf")])
def test_a_clock_without_sense_is_none(epoch: Any) -> None:
    assert answer(epoch_seconds=epoch).epoch is None


def test_too_many_entries_are_cut_off() -> None:
    found = answer(not_collected=[{"name": "x", "cause": "odd", "reason": "y"}] * 5000)
    assert len(found.missing) == 1000
    assert {missing.cause for missing in found.missing} == {"failed"}
