# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers on the loopback that messages are sent to, and that misbehave when they are told to."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# What a receiver does with a message, one after the other; with all that follow it does the last.
TAKE, FAIL, DROP, HANG = "take", "fail", "drop", "hang"


@dataclass
class Receiver:
    """`got` has what was taken, `seen` everything that was handed over; `arrived` is set by each."""

    port: int = 0
    behaviour: list[str] = field(default_factory=lambda: [TAKE])
    got: list[Any] = field(default_factory=list)
    seen: list[Any] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def next(self, message: Any) -> str:
        do = self.behaviour.pop(0) if len(self.behaviour) > 1 else self.behaviour[0]
        self.seen.append(message)
        if do in (TAKE, HANG):
            self.got.append(message)
        self.arrived.set()
        if do == HANG:
            self.released.wait(20)
        return do


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = daemon_threads = True

    def handle_error(self, *_given: Any) -> None:
        """Who was killed breaks the connection off."""


@contextmanager
def served(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def webhook() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            do = receiver.next({"headers": dict(self.headers), "body": body})
            if do == DROP:
                self.connection.close()
                return
            self.send_response(503 if do == FAIL else 200)
            self.end_headers()

        def log_message(self, *_given: Any) -> None: ...

    class Server(_Server, ThreadingHTTPServer): ...

    with served(Server(("127.0.0.1", 0), Handler)) as receiver.port:
        yield receiver
        receiver.released.set()


@contextmanager
def mail_server() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 mail.example")
            while line := self.rfile.readline():
                verb = line[:4].upper().strip()
                if verb == b"QUIT":
                    self._say("221 bye")
                    return
                if verb != b"DATA":
                    self._say("250 fine")
                    continue
                self._say("354 go on")
                lines = []
                while (text := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(text)
                if not text:
                    return
                do = receiver.next(b"".join(lines))
                if do == DROP:
                    return
                self._say("451 later" if do == FAIL else "250 taken")

        def _say(self, text: str) -> None:
            self.wfile.write(text.encode() + b"\r\n")

    with served(_Server(("127.0.0.1", 0), Handler)) as receiver.port:
        yield receiver
        receiver.released.set()


@dataclass
class Page(Receiver):
    """A status page; `incidents` has the texts of each by its id."""

    incidents: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)


@contextmanager
def status_page(inside: str | None = None) -> Iterator[Page]:
    page = Page()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            number = self.path.partition("?")[0].rpartition("/")[2]
            if number in page.incidents:
                self._answer(200, {"id": number, "updates": page.incidents[number]})
            else:
                self._answer(200, [{"id": name, "updates": texts} for name, texts in page.incidents.items()])

        def do_POST(self) -> None:
            self._change(None)

        def do_PATCH(self) -> None:
            self._change(self.path.rpartition("/")[2])

        def _change(self, name: str | None) -> None:
            page.tokens.add(str(self.headers["Authorization"]))
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            text = body[inside] if inside else body
            if page.behaviour[0] in (TAKE, HANG):
                # It is there before anybody hears of it.
                name = name or str(len(page.incidents) + 1)
                page.incidents.setdefault(name, []).append(text)
            do = page.next(text)
            if do == DROP:
                self.connection.close()
                return
            self._answer(503 if do == FAIL else 200, {"id": name})

        def _answer(self, code: int, data: Any) -> None:
            body = json.dumps(data).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_given: Any) -> None: ...

    class Server(_Server, ThreadingHTTPServer): ...

    with served(Server(("127.0.0.1", 0), Handler)) as page.port:
        yield page
        page.released.set()
