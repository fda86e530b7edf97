# SPDX-License-Identifier: GPL-3.0-or-later
"""A program inside a running container, started through the Docker Engine: what `docker exec -i` does."""

from __future__ import annotations

import json
import selectors
import socket
import time
from pathlib import Path
from typing import Mapping, Sequence
from urllib.parse import quote

from ..deadlines import Deadline
from ..errors import Unreachable
from .command import OUTPUT_BUDGET, Completed
from .docker import Engine, complaint

HEADER = 8
STDOUT, STDERR = 1, 2
HEAD_BUDGET = 65536
CREATED = 201
STREAMS = (200, 101)
NOT_THERE, NOT_RUNNING = 404, 409
# What a shell gives back for a program that it could not start.
COULD_NOT_START = 126
# The stream ends a moment before the engine knows the exit code.
EXIT_CODE_TRIES, EXIT_CODE_PAUSE = 50, 0.01
REFUSAL_SECONDS = 1.0


class NotRunning(Unreachable):
    """The container is not there, stopped or paused."""


def run_inside(
    path: Path,
    container: str,
    argv: Sequence[str],
    timeout: float,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
    user: str = "",
    budget: int = OUTPUT_BUDGET,
) -> Completed:
    """Run `argv` in the container of that name or id, without a shell. Secrets go in `env` or `stdin`.

    `timeout` is in seconds for everything. The engine cannot end what it has started: a program must keep
    a time limit of its own. 126 is the exit code of what could not be started. Raises `NotRunning`, or
    `Unreachable` when the engine does not answer or the time is over.
    """
    deadline = Deadline(timeout)
    engine = Engine(path, deadline.remaining)
    subject = f"container {container}"
    try:
        number = _create(engine, subject, container, argv, env or {}, user)
        stream = _Stream(path, subject, deadline, budget)
        try:
            refused = stream.open(number)
            if refused is not None:
                return Completed(tuple(argv), COULD_NOT_START, "", refused)
            stream.serve(stdin.encode())
        finally:
            stream.close()
        code = 0 if stream.truncated else _exit_code(engine, subject, number)
    finally:
        engine.close()
    return Completed(tuple(argv), code, stream.text(STDOUT), stream.text(STDERR), stream.truncated)


def _create(
    engine: Engine, subject: str, container: str, argv: Sequence[str], env: Mapping[str, str], user: str
) -> str:
    wanted = {
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": False,
        "Cmd": list(argv),
        "Env": [f"{name}={value}" for name, value in env.items()],
        "User": user,
    }
    status, answer = engine.ask("POST", f"/containers/{quote(container)}/exec", wanted)
    if status == CREATED and isinstance(answer, dict):
        return str(answer.get("Id"))
    if status == NOT_THERE:
        raise NotRunning(subject, "there is none of that name", "See docker ps -a.")
    if status == NOT_RUNNING:
        raise NotRunning(subject, "it does not run or is paused", "See docker ps -a.")
    raise Unreachable(subject, complaint(status, answer), "See journalctl -u docker.")


def _exit_code(engine: Engine, subject: str, number: str) -> int:
    for _attempt in range(EXIT_CODE_TRIES):
        _status, answer = engine.ask("GET", f"/exec/{quote(number)}/json")
        if isinstance(answer, dict) and not answer.get("Running") and answer.get("ExitCode") is not None:
            return int(answer["ExitCode"])
        time.sleep(EXIT_CODE_PAUSE)
    raise Unreachable(subject, "how its program ended is not known", "See journalctl -u docker.")


class _Stream:
    """A connection that the engine turns into the program's own input and output."""

    def __init__(self, path: Path, subject: str, deadline: Deadline, budget: int) -> None:
        self._path, self._subject, self._deadline, self._budget = path, subject, deadline, budget
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._raw = bytearray()
        self._read = {STDOUT: bytearray(), STDERR: bytearray()}

    @property
    def truncated(self) -> bool:
        return any(len(data) > self._budget for data in self._read.values())

    def text(self, kind: int) -> str:
        return bytes(self._read[kind][: self._budget]).decode("utf-8", "replace")

    def open(self, number: str) -> str | None:
        """Start it; what the engine says when it cannot be started, else None."""
        body = b'{"Detach":false,"Tty":false}'
        head = (
            f"POST /exec/{quote(number)}/start HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n"
            f"Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            self._socket.settimeout(self._deadline.remaining())
            self._socket.connect(str(self._path))
            self._socket.sendall(head.encode() + body)
            while b"\r\n\r\n" not in self._raw and len(self._raw) < HEAD_BUDGET:
                if not self._receive():
                    break
        except socket.timeout:
            raise self._late() from None
        except OSError as error:
            raise self._broken(error) from error
        answer, _blank, rest = bytes(self._raw).partition(b"\r\n\r\n")
        words = answer.split(b" ", 2)
        status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        self._raw = bytearray(rest)
        if not status:
            raise Unreachable(self._subject, "the engine hung up", "See journalctl -u docker.")
        return None if status in STREAMS else self._refusal(status)

    def serve(self, stdin: bytes) -> None:
        """Feed the program and read from it until it ends or has said too much."""
        self._socket.setblocking(False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ | selectors.EVENT_WRITE)
            self._sort()
            while not self.truncated:
                ready = selector.select(self._deadline.remaining())
                # One that never falls silent is late as well.
                if not ready or self._deadline.over:
                    raise self._late()
                try:
                    if ready[0][1] & selectors.EVENT_WRITE:
                        stdin = self._feed(stdin)
                        if not stdin:
                            selector.modify(self._socket, selectors.EVENT_READ)
                    if ready[0][1] & selectors.EVENT_READ:
                        if not self._receive():
                            return
                        self._sort()
                except OSError as error:
                    raise self._broken(error) from error

    def close(self) -> None:
        self._socket.close()

    def _feed(self, stdin: bytes) -> bytes:
        rest = stdin[self._socket.send(stdin[:65536]) :] if stdin else b""
        if not rest:
            self._socket.shutdown(socket.SHUT_WR)
        return rest

    def _receive(self) -> bool:
        data = self._socket.recv(65536)
        self._raw += data
        return bool(data)

    def _sort(self) -> None:
        """Frames of one byte for the stream, three unused, four for the length."""
        while len(self._raw) >= HEADER:
            size = int.from_bytes(self._raw[4:HEADER], "big")
            if len(self._raw) < HEADER + size:
                return
            self._read.get(self._raw[0], self._read[STDERR]).extend(self._raw[HEADER : HEADER + size])
            del self._raw[: HEADER + size]

    def _refusal(self, status: int) -> str:
        self._socket.settimeout(min(REFUSAL_SECONDS, self._deadline.remaining()))
        try:
            while True:
                try:
                    return complaint(status, json.loads(bytes(self._raw).decode("utf-8", "replace")))
                except ValueError:
                    if len(self._raw) > HEAD_BUDGET or not self._receive():
                        break
        except OSError:
            pass
        return complaint(status, None)

    def _late(self) -> Unreachable:
        return Unreachable(self._subject, "its program did not finish in time", "See what it waits for.")

    def _broken(self, error: OSError) -> Unreachable:
        return Unreachable(
            self._subject, f"the engine hung up: {error.strerror or error}", "See journalctl -u docker."
        )
