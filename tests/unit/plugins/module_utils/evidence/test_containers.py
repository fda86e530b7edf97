# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.evidence import containers as module
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.containers import (
    containers,
    frames,
)
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.model import ABSENT, Means

MakeMeans = Callable[..., Means]
ReadAll = Callable[..., list[bytes]]
LISTED = [
    {"Id": "a" * 64, "Names": ["/web"], "State": "running", "Labels": {}},
    {"Id": "b" * 64, "Names": ["/old"], "State": "exited", "Labels": {}},
]


def frame(stream: int, at: str, text: str) -> bytes:
    line = f"{at} {text}\n".encode()
    return bytes([stream, 0, 0, 0]) + len(line).to_bytes(4, "big") + line


def moment(second: int, nano: int = 0) -> str:
    return f"2026-11-22T02:00:{second:02d}.{nano:09d}Z"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The answers of an engine by target, without its query; `asked` has the targets."""
    answers: dict[str, Any] = {"asked": [], "/containers/json": LISTED}

    class Engine:
        def __init__(self, path: Path, remaining: Any) -> None:
            pass

        def raw(self, method: str, target: str, budget: int) -> tuple[int, bytes, bool]:
            answers["asked"].append(target)
            answer = answers.get(target.partition("?")[0])
            if callable(answer):
                answer = answer(target)
            if answer is None:
                return 404, b'{"message": "no such thing"}', True
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            return 200, data[:budget], len(data) <= budget

        def close(self) -> None:
            pass

    monkeypatch.setattr(module, "Engine", Engine)
    monkeypatch.setattr(module, "socket_path", lambda: Path("/var/run/docker.sock"))
    return answers


def test_without_an_engine_nothing_is_missing(monkeypatch: pytest.MonkeyPatch, means: MakeMeans) -> None:
    monkeypatch.setattr(module, "socket_path", lambda: None)
    opened = containers("docker_logs", "logs", means())
    assert ([*opened.parts], opened.missing[0].cause) == ([], ABSENT)


def test_values_of_the_environment_stay_behind_unless_all_is_asked_for(
    engine: dict[str, Any], means: MakeMeans, read_all: ReadAll
) -> None:
    for item in LISTED:
        engine[f"/containers/{item['Id']}/json"] = {"Config": {"Env": ["PASSWORD=plum=", "HOME"]}}
    opened = containers("docker_inspect", "inspect", means())
    assert [part.key for part in opened.parts] == ["old", "web"]
    written = b"".join(read_all(opened.parts[1]))
    assert b"plum" not in written
    assert json.loads(written)["Config"]["Env"][0].startswith("PASSWORD=(value left out")
    assert b"plum" in b"".join(read_all(containers("docker_inspect", "inspect", means(full=True)).parts[1]))


def test_only_running_containers_have_processes(engine: dict[str, Any], means: MakeMeans) -> None:
    assert [part.key for part in containers("docker_top", "top", means()).parts] == ["web"]
    assert [part.key for part in containers("docker_changes", "changes", means()).parts] == ["old", "web"]


def test_a_container_that_is_gone_is_named(engine: dict[str, Any], means: MakeMeans) -> None:
    with pytest.raises(Unreachable, match="404"):
        containers("docker_changes", "changes", means()).parts[0].read(None, 1000)


def test_frames_are_told_apart_by_their_stream() -> None:
    data = frame(1, moment(1), "out") + frame(2, moment(2, 5), "err") + frame(1, moment(3), "cut")[:-2]
    assert [(stream, at) for stream, at, _line in frames(data)] == [
        ("stdout", "1795312801.000000000"),
        ("stderr", "1795312802.000000005"),
    ]


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\x01\0\0\0", b"\x01\0\0\0\xff\xff\xff\xff", b"garbage", b"\xff\n"]
)
def test_garbage_is_no_frame_and_no_trouble(data: bytes) -> None:
    assert all(isinstance(line, bytes) for _stream, _at, line in frames(data))


def test_a_terminal_has_lines_without_frames() -> None:
    data = f"{moment(1)} one\r\n{moment(2)} two\r\n{moment(3)} cu".encode()
    assert [stream for stream, _at, _line in frames(data)] == ["terminal", "terminal"]


def test_a_log_goes_on_where_a_moment_begins_and_loses_nothing(
    engine: dict[str, Any], means: MakeMeans, read_all: ReadAll
) -> None:
    # Three messages of every second: a piece must not end between them.
    written = [(second, number) for second in range(20) for number in range(3)]

    def logs(target: str) -> bytes:
        since = float(target.rpartition("since=")[2])
        return b"".join(
            frame(1, moment(second), f"{second}-{number}")
            for second, number in written
            if 1795312800 + second >= since
        )

    engine[f"/containers/{'a' * 64}/logs"] = logs
    part = containers("docker_logs", "logs", means(full=True)).parts[1]
    pieces = read_all(part, 500)
    assert len(pieces) > 3
    lines = b"".join(pieces).decode().splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == [f"{second}-{number}" for second, number in written]
    assert all(line.startswith("stdout 2026-11-22T") for line in lines)


def test_a_log_begins_with_the_window(engine: dict[str, Any], means: MakeMeans) -> None:
    engine[f"/containers/{'a' * 64}/logs"] = b""
    containers("docker_logs", "logs", means(since=1795312800.5)).parts[1].read(None, 1000)
    assert engine["asked"][-1].endswith("since=1795312800")


def test_compose_files_are_found_by_the_labels(
    engine: dict[str, Any], means: MakeMeans, read_all: ReadAll, tmp_path: Path
) -> None:
    (tmp_path / "compose.yml").write_text("services: {}")
    labels = {module.PROJECT_FILES: f"{tmp_path}/compose.yml,relative.yml"}
    engine["/containers/json"] = [{"Id": "a" * 64, "Names": ["/web"], "Labels": labels}]
    written = b"".join(read_all(containers("docker_compose_files", "compose_files", means()).parts[0]))
    assert json.loads(written)["text"] == "services: {}"
