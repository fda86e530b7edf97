# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.docker_exec import (
    COULD_NOT_START,
    NotRunning,
    pipe_inside,
    run_inside,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


def frame(kind: int, data: bytes) -> bytes:
    return bytes([kind, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


def answer(status: str, body: Any) -> bytes:
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


@dataclass
class Engine:
    """What the engine does with a program, and what it was told."""

    path: Path
    create: bytes = answer("201 Created", {"Id": "e1"})
    start: bytes = UPGRADED
    output: tuple[bytes, ...] = ()
    hold: bool = False
    chatter: bytes = b""
    codes: list[int | None] = field(default_factory=lambda: [0])
    wanted: dict[str, Any] = field(default_factory=dict)
    target: str = ""
    stdin: bytes = b""
    over: threading.Event = field(default_factory=threading.Event)

    def serve(self, channel: socket.socket) -> None:
        stream = channel.makefile("rb")
        while line := stream.readline():
            target = line.split()[1].decode()
            length = 0
            while (header := stream.readline().strip()) != b"":
                name, _colon, value = header.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            body = stream.read(length)
            if target.endswith("/start"):
                channel.sendall(self.start)
                if self.start == UPGRADED:
                    self.stdin = stream.read()
                    for piece in self.output:
                        channel.sendall(piece)
                    while self.chatter and not self.over.wait(0.01):
                        channel.sendall(self.chatter)
                    if self.hold:
                        self.over.wait(5)
                return
            if target.endswith("/exec"):
                self.target, self.wanted = target, json.loads(body)
                channel.sendall(self.create)
            else:
                code = self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]
                channel.sendall(answer("200 OK", {"Running": code is None, "ExitCode": code}))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path / "docker.sock")

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            made.serve(self.request)

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    with Server(str(made.path), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield made
        finally:
            made.over.set()
            server.shutdown()


def test_a_program_gets_its_input_and_gives_its_output_and_exit_code(engine: Engine) -> None:
    engine.output = (frame(1, b"row 1\n"), frame(2, b"oh\n"), frame(1, "zwei ü\n".encode()))
    engine.codes = [None, 3]
    text = "line\n" * 50_000
    done = run_inside(engine.path, "db", ["psql", "-X"], 5, text, {"PGUSER": "x"}, user="postgres")
    assert (done.code, done.stdout, done.stderr) == (3, "row 1\nzwei ü\n", "oh\n")
    assert engine.stdin.decode() == text
    assert (engine.target, engine.wanted["Cmd"]) == ("/containers/db/exec", ["psql", "-X"])
    assert (engine.wanted["Env"], engine.wanted["User"]) == (["PGUSER=x"], "postgres")


def test_frames_may_come_in_any_pieces(engine: Engine) -> None:
    whole = frame(1, b"a" * 70_000) + frame(1, b"b")
    engine.output = (whole[:3], whole[3:20], whole[20:])
    assert run_inside(engine.path, "db", ["x"], 5).stdout == "a" * 70_000 + "b"


def test_too_much_output_is_cut_off_and_said_so(engine: Engine) -> None:
    engine.output, engine.hold = (frame(1, b"x" * 2000),), True
    done = run_inside(engine.path, "db", ["yes"], 5, budget=1000)
    assert (done.truncated, len(done.stdout)) == (True, 1000)


def test_a_program_that_does_not_end_costs_no_more_than_its_time(engine: Engine) -> None:
    engine.hold = True
    with pytest.raises(Unreachable, match="did not finish in time"):
        run_inside(engine.path, "db", ["sleep"], 0.2)


def test_neither_does_one_that_never_falls_silent(engine: Engine) -> None:
    engine.chatter = frame(1, b".")
    with pytest.raises(Unreachable, match="did not finish in time"):
        run_inside(engine.path, "db", ["yes"], 0.2)


def test_an_engine_that_hangs_up_is_unreachable(engine: Engine) -> None:
    engine.start = b""
    with pytest.raises(Unreachable, match="hung up"):
        run_inside(engine.path, "db", ["x"], 5)


@pytest.mark.parametrize("status", ["400 Bad Request", "500 Internal Server Error"])
def test_a_program_that_is_not_there_could_not_be_started(engine: Engine, status: str) -> None:
    engine.start = answer(status, {"message": 'exec: "psql": executable file not found in $PATH'})
    done = run_inside(engine.path, "db", ["psql"], 5)
    assert (done.code, done.complaint) == (
        COULD_NOT_START,
        'exec: "psql": executable file not found in $PATH',
    )


@pytest.mark.parametrize(
    ("status", "said"),
    [("404 Not Found", "none of that name"), ("409 Conflict", "does not run or is paused")],
)
def test_a_container_that_does_not_run_is_named(engine: Engine, status: str, said: str) -> None:
    engine.create = answer(status, {"message": "is not running"})
    with pytest.raises(NotRunning, match=f"container db: .*{said}"):
        run_inside(engine.path, "db", ["x"], 5)


def test_another_refusal_is_in_the_engines_words(engine: Engine) -> None:
    engine.create = answer("500 Internal Server Error", {"message": "no space left on device"})
    with pytest.raises(Unreachable, match="no space left on device"):
        run_inside(engine.path, "db", ["x"], 5)


def test_an_engine_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="docker"):
        run_inside(tmp_path / "none.sock", "db", ["x"], 1)


def test_what_is_piped_is_passed_on_and_only_the_complaints_are_kept(engine: Engine) -> None:
    engine.output = (frame(1, b"\x00" * 70_000), frame(2, b"oh\n"), frame(1, b"\xff"))
    sink = io.BytesIO()
    done = pipe_inside(engine.path, "db", ["pg_dump"], 5, io.BytesIO(b"y" * 700_000), sink)
    assert (done.code, done.stdout, done.stderr) == (0, "", "oh\n")
    assert sink.getvalue() == b"\x00" * 70_000 + b"\xff"
    assert engine.stdin == b"y" * 700_000


def test_a_file_that_takes_no_more_ends_the_piping(engine: Engine) -> None:
    class Full:
        def write(self, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    engine.output, engine.hold = (frame(1, b"x"),), True
    with pytest.raises(OSError, match="No space left"):
        pipe_inside(engine.path, "db", ["pg_dump"], 5, None, Full())
