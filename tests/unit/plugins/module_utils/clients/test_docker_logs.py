# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import docker_logs
from ansible_collections.firebreak.incident.plugins.module_utils.clients.docker import Engine
from ansible_collections.firebreak.incident.plugins.module_utils.clients.docker_logs import (
    image_ids,
    printed,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

OUT, ERR = b"2026-11-22T02:00:00.1Z hello\n", b"2026-11-22T02:00:01.2Z ERROR it broke\n"


def frame(stream: int, data: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


class Answering:
    """An engine that answers alike whatever log it is asked for."""

    def __init__(self, status: int, body: bytes, whole: bool = True, inspected: Any = None) -> None:
        self.answer = status, body, whole
        self.inspected = {"LogPath": ""} if inspected is None else inspected
        self.asked: list[str] = []

    def get(self, _target: str) -> Any:
        return self.inspected or None

    def raw(self, method: str, target: str, body: Any = None, budget: int = 0) -> tuple[int, bytes, bool]:
        self.asked.append(f"{method} {target}")
        return self.answer


def ask(engine: Answering) -> docker_logs.Printed:
    return printed(cast(Engine, engine), "app", 1795312800.9, 100, 4096)


def test_lines_of_both_streams_come_out_of_their_frames() -> None:
    engine = Answering(200, frame(1, OUT) + frame(2, ERR))
    assert ask(engine) == docker_logs.Printed((OUT.rstrip(), ERR.rstrip()))
    wanted = "GET /containers/app/logs?stdout=1&stderr=1&timestamps=1&since=1795312800&tail=100"
    assert engine.asked == [wanted]


def test_a_terminal_has_no_frames() -> None:
    assert ask(Answering(200, OUT + ERR)).lines == (OUT.rstrip(), ERR.rstrip())


def test_what_the_budget_cut_off_is_said_and_the_rest_kept() -> None:
    found = ask(Answering(200, (frame(1, OUT) + frame(2, ERR))[:-10], whole=False))
    assert (found.cut, found.lines[0], len(found.lines)) == (True, OUT.rstrip(), 2)


def test_a_container_that_is_gone_printed_nothing() -> None:
    assert ask(Answering(500, b"", inspected={})).lines == ()


def test_when_there_are_as_many_lines_as_were_asked_for_there_may_be_more() -> None:
    assert ask(Answering(200, OUT * 100)).cut
    assert not ask(Answering(200, OUT * 99)).cut


def record(text: str, second: int) -> bytes:
    time = f"2026-11-22T02:00:{second:02d}.123456789Z"
    return json.dumps({"log": f"{text}\n", "stream": "stdout", "time": time}, separators=(",", ":")).encode()


def from_file(path: Path, lines: list[bytes]) -> docker_logs.Printed:
    """The engine would hang, as it does over a log that was truncated; it is not asked."""
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    engine = Answering(500, b"", inspected={"LogPath": str(path)})
    found = printed(cast(Engine, engine), "app", 1795312810.0, 100, 4096)
    assert engine.asked == []
    return found


def test_a_log_on_this_host_is_read_without_the_engine(tmp_path: Path) -> None:
    lines = [record("old", 9), record('say "time":"x"', 10), b"garbage", record("new", 20)]
    assert from_file(tmp_path / "app-json.log", lines).lines == (
        b'2026-11-22T02:00:10.123456789Z say "time":"x"',
        b"2026-11-22T02:00:20.123456789Z new",
    )


def test_of_a_big_log_the_newest_is_read(tmp_path: Path) -> None:
    found = from_file(tmp_path / "app-json.log", [record("x" * 50, 20)] * 1000 + [record("last", 30)])
    assert (found.cut, found.lines[-1]) == (True, b"2026-11-22T02:00:30.123456789Z last")
    assert len(found.lines) < 100
    old = from_file(tmp_path / "app-json.log", [record("x" * 50, 1)] * 1000 + [record("last", 30)])
    assert (old.cut, len(old.lines)) == (False, 1)


def test_a_log_that_was_emptied_is_empty(tmp_path: Path) -> None:
    assert from_file(tmp_path / "app-json.log", []) == docker_logs.Printed(())


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"message": "configured logging driver does not support reading"}', "does not support reading"),
        (b"<html>", "the engine answered 501"),
    ],
)
def test_a_log_that_cannot_be_read_is_not_an_empty_one(body: bytes, said: str) -> None:
    with pytest.raises(Unreachable, match=said):
        ask(Answering(501, body))


def test_a_name_that_stands_for_nothing_any_more_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Images:
        def __init__(self, *_args: Any) -> None:
            pass

        def get(self, target: str) -> Any:
            return {"Id": "sha256:1"} if target == "/images/app%3A1/json" else None

        def close(self) -> None:
            pass

    monkeypatch.setattr(docker_logs, "Engine", Images)
    assert image_ids(Path("/x"), ["app:1", "gone"], lambda: 1.0) == {"app:1": "sha256:1"}
