# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.evidence import reader
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.model import (
    ABSENT,
    Missing,
    Opened,
    Part,
    Read,
)
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.package import unpack

DEFAULTS: dict[str, Any] = {
    "profile": "volatile",
    "steps": [],
    "window": "24h",
    "services": {},
    "resume": None,
    "max_bytes": 1000,
    "artefact_bytes": 100_000,
    "max_seconds": 20,
}


def growing(key: str, total: int) -> Part:
    """An artefact of so many bytes, the value of each its place."""

    def read(more: Any, room: int) -> Read:
        begin = more or 0
        end = min(total, begin + room)
        return Read(bytes(n % 256 for n in range(begin, end)), more=end if end < total else None)

    return Part(key, "file", f"/{key}", read)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], Opened]]:
    """What each step finds; nothing for those that are not named."""
    found: dict[str, Callable[[], Opened]] = {}
    monkeypatch.setattr(reader, "open_step", lambda step, means: found.get(step.name, Opened)())
    return found


def collect_all(**given: Any) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]], int]:
    params = {**DEFAULTS, **given}
    pieces, missing = [], []
    for calls in range(1, 100):
        answer = json.loads(json.dumps(reader.collect(params)))
        pieces += answer["artefacts"]
        missing += answer["not_collected"]
        if answer["next"] is None:
            return pieces, missing, calls
        params["resume"] = answer["next"]
    raise AssertionError("it never ends")


def test_artefacts_come_in_order_and_whole_over_many_calls(world: dict[str, Any]) -> None:
    world["clock"] = lambda: Opened([growing("", 30)])
    world["processes"] = lambda: Opened([growing("a", 2500), growing("b", 10), growing("c", 1200)])
    pieces, missing, calls = collect_all()
    assert calls > 3
    assert not missing
    content: dict[tuple[str, str], bytes] = {}
    for piece in pieces:
        data = unpack(piece["data"], 10_000)
        assert piece["sha256"] == hashlib.sha256(data).hexdigest()
        assert piece["first"] == ((piece["step"], piece["part"]) not in content)
        content[piece["step"], piece["part"]] = content.get((piece["step"], piece["part"]), b"") + data
    assert list(content) == [("clock", ""), ("processes", "a"), ("processes", "b"), ("processes", "c")]
    assert [len(data) for data in content.values()] == [30, 2500, 10, 1200]
    assert content["processes", "a"] == bytes(n % 256 for n in range(2500))


def test_one_step_that_breaks_costs_only_itself(world: dict[str, Any]) -> None:
    def broken() -> Opened:
        raise Unreachable("program nft", "it is broken", "Mend it.")

    def odd(more: Any, room: int) -> Read:
        raise ZeroDivisionError

    world["clock"] = broken
    world["processes"] = lambda: Opened([Part("1", "file", "/1", odd), growing("2", 5)])
    pieces, missing, _calls = collect_all()
    assert [piece["part"] for piece in pieces] == ["2"]
    assert [(each["name"], each["cause"]) for each in missing] == [
        ("clock", "failed"),
        ("processes 1", "failed"),
    ]
    assert "it is broken" in missing[0]["reason"]


def test_what_hangs_is_left_behind_and_named(world: dict[str, Any]) -> None:
    answered = threading.Event()

    def hang(_more: Any, _room: int) -> Read:
        answered.wait()
        return Read(b"")

    world["clock"] = lambda: Opened([Part("", "file", "/nfs", hang)])
    answer = reader.collect({**DEFAULTS, "steps": ["clock"], "max_seconds": 1})
    answered.set()
    assert answer["artefacts"] == []
    assert answer["not_collected"][0]["cause"] == "budget"


def test_what_is_not_there_is_said_once(world: dict[str, Any]) -> None:
    missing = Missing("docker", ABSENT, "there is none")
    world["clock"] = lambda: Opened([growing("a", 900), growing("b", 900)], [missing])
    _pieces, found, calls = collect_all()
    assert calls > 1
    assert found == [vars(missing)]


def test_only_the_steps_that_are_named_are_read(world: dict[str, Any]) -> None:
    world["clock"] = world["processes"] = lambda: Opened([growing("", 5)])
    pieces, _missing, _calls = collect_all(steps=["processes"])
    assert [piece["step"] for piece in pieces] == ["processes"]


@pytest.mark.parametrize("given", [{"steps": ["no_such_step"]}, {"max_bytes": 0}, {"window": "soon"}])
def test_what_cannot_be_meant_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        reader.collect({**DEFAULTS, **given})


def test_the_state_of_this_machine_can_be_read() -> None:
    pieces, _missing, calls = collect_all(max_bytes=1 << 23, artefact_bytes=1 << 26)
    assert calls < 5
    assert {"clock", "processes", "connections", "mounts"} <= {piece["step"] for piece in pieces}
