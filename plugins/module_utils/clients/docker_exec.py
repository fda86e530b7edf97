# SPDX-License-Identifier: GPL-3.0-or-later
"""A program inside a running container, started through the Docker Engine: what `docker exec -i` does."""

from __future__ import annotations

import contextlib
import io
import json
import os
import selectors
import signal
import socket
import time
from pathlib import Path
from typing import Callable, Mapping, Sequence, TypeVar
from urllib.parse import quote

from ..deadlines import Deadline
from ..errors import Unreachable
from .command import OUTPUT_BUDGET, Completed
from .docker import Engine, complaint
from .pipes import CHUNK, Sink, Source, Tail

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

Result = TypeVar("Result")


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
    output = _Kept(budget)
    code = _run(path, container, argv, timeout, io.BytesIO(stdin.encode()), env, user, output)
    return Completed(tuple(argv), code, output.text(STDOUT), output.text(STDERR), output.full)


def pipe_inside(
    path: Path,
    container: str,
    argv: Sequence[str],
    timeout: float,
    source: Source | None = None,
    sink: Sink | None = None,
    env: Mapping[str, str] | None = None,
) -> Completed:
    """What `pipes.pipe` does on the host: fed from `source`, the output to `sink`, whatever their size.

    `timeout` and errors as with `run_inside`; what is still running when this fails is sent SIGINT.
    """
    output = _Passed(sink)
    code = _run(path, container, argv, timeout, source or io.BytesIO(), env, "", output)
    return Completed(tuple(argv), code, "", str(output.said))


class _Kept:
    """The output of a program, up to a budget for each of stdout and stderr."""

    def __init__(self, budget: int) -> None:
        self._budget, self._read = budget, {STDOUT: bytearray(), STDERR: bytearray()}

    @property
    def full(self) -> bool:
        return any(len(data) > self._budget for data in self._read.values())

    def take(self, kind: int, data: bytes) -> None:
        self._read.get(kind, self._read[STDERR]).extend(data)

    def text(self, kind: int) -> str:
        return bytes(self._read[kind][: self._budget]).decode("utf-8", "replace")


class _Passed:
    """The output of a program, passed on to a file."""

    full = False

    def __init__(self, sink: Sink | None) -> None:
        self._sink, self.said = sink, Tail()

    def take(self, kind: int, data: bytes) -> None:
        if kind != STDOUT:
            self.said.add(data)
        elif self._sink is not None:
            self._sink.write(data)


def _run(
    path: Path,
    container: str,
    argv: Sequence[str],
    timeout: float,
    source: Source,
    env: Mapping[str, str] | None,
    user: str,
    output: _Kept | _Passed,
) -> int:
    """The exit code."""
    deadline = Deadline(timeout)
    engine = Engine(path, deadline.remaining)
    subject = f"container {container}"
    try:
        number = _create(engine, subject, container, argv, env or {}, user)
        stream = _Stream(path, subject, deadline, output)
        try:
            refused = stream.open(number)
            if refused is not None:
                output.take(STDERR, refused.encode())
                return COULD_NOT_START
            stream.serve(source)
        except BaseException:
            _interrupt(engine, number, argv)
            raise
        finally:
            stream.close()
        return 0 if output.full else _exit_code(engine, subject, number)
    finally:
        engine.close()


def _interrupt(engine: Engine, number: str, argv: Sequence[str]) -> None:
    """Where the engine's processes are this host's own, one that nobody listens to any more is ended."""
    with contextlib.suppress(Unreachable, OSError, ValueError):
        _status, answer = engine.ask("GET", f"/exec/{quote(number)}/json")
        pid = int(answer.get("Pid") or 0) if isinstance(answer, dict) and answer.get("Running") else 0
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1] if pid > 1 else []
        if words and words == [os.fsencode(word) for word in argv]:
            os.kill(pid, signal.SIGINT)


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

    def __init__(self, path: Path, subject: str, deadline: Deadline, output: _Kept | _Passed) -> None:
        self._path, self._subject, self._deadline, self._output = path, subject, deadline, output
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._raw = bytearray()
        self._pending = memoryview(b"")

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

    def serve(self, source: Source) -> None:
        """Feed the program and read from it until it ends or has said too much."""
        self._socket.setblocking(False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ | selectors.EVENT_WRITE)
            self._sort()
            while not self._output.full:
                ready = selector.select(self._deadline.remaining())
                # One that never falls silent is late as well.
                if not ready or self._deadline.over:
                    raise self._late()
                if ready[0][1] & selectors.EVENT_WRITE and not self._feed(source):
                    selector.modify(self._socket, selectors.EVENT_READ)
                if ready[0][1] & selectors.EVENT_READ:
                    if not self._guarded(self._receive):
                        return
                    self._sort()

    def close(self) -> None:
        self._socket.close()

    def _feed(self, source: Source) -> bool:
        """Whether there may be more."""
        if not self._pending:
            self._pending = memoryview(source.read(CHUNK))
        if not self._pending:
            self._guarded(lambda: self._socket.shutdown(socket.SHUT_WR))
            return False
        try:
            self._pending = self._pending[self._socket.send(self._pending) :]
        except BlockingIOError:
            return True
        except (BrokenPipeError, ConnectionResetError):
            # It has stopped reading; what it says about that is still to be read.
            return False
        return True

    def _guarded(self, act: Callable[[], Result]) -> Result:
        try:
            return act()
        except OSError as error:
            raise self._broken(error) from error

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
            self._output.take(self._raw[0], bytes(self._raw[HEADER : HEADER + size]))
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
