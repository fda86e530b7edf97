# SPDX-License-Identifier: GPL-3.0-or-later
"""Receivers that answer with something else than an answer, or lead elsewhere."""

from __future__ import annotations

import logging
import socketserver
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.answers import MOST_BYTES
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.apprise_channel import channel_of
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.channel import (
    ACCEPTED,
    REFUSED,
    Channel,
    Message,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.status_page import StatusPage
from firebreak_lab.receivers import served

MESSAGE = Message("k", "inc-1", "initial", "incidents", "It is down", "It is down.")
SECRET = "s3cret"


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


@contextmanager
def answering(answer: bytes, seen: list[bytes] | None = None) -> Iterator[int]:
    """Says so to each request, whatever it is."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            if seen is not None:
                seen.append(self.rfile.readline())
            try:
                self.wfile.write(answer)
                self.connection.shutdown(1)
                self.rfile.read()
            except OSError:
                """Whoever asked has had enough."""

    with served(Server(("127.0.0.1", 0), Handler)) as port:
        yield port


def hook(port: int) -> Channel:
    return channel_of("x", f"json://user:{SECRET}@127.0.0.1:{port}/{SECRET}?+X-Token={SECRET}")


def page(port: int, kind: str = "generic") -> Channel:
    given = {"url": f"http://127.0.0.1:{port}/{SECRET}", "token": SECRET, "kind": kind, "page": "p"}
    return StatusPage.of(given)


def http(head: str, body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize("place", [hook, page])
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_who_leads_elsewhere_is_not_followed(place: Callable[[int], Channel], code: int) -> None:
    stolen: list[bytes] = []
    with answering(http("200 OK", b"{}"), stolen) as other:
        answer = http(f"{code} Moved\r\nLocation: http://localhost:{other}/stolen")
        with answering(answer) as port:
            outcome = place(port).send(MESSAGE, lambda: True)
    assert (outcome.result, outcome.why) == (
        REFUSED,
        f"HTTP {code}, it sends elsewhere, where nothing is sent",
    )
    assert stolen == []


@pytest.mark.parametrize("kind", ["generic", "statuspage", "cachet", "cachet3"])
@pytest.mark.parametrize(
    "answer",
    [
        http("200 OK", b"<html>"),
        http("200 OK", b"[]"),
        http("200 OK", b'"ok"'),
        http("200 OK", b"[" * 100_000),
        http("200 OK\r\nContent-Encoding: gzip", b"none"),
        http("204 No Content"),
        http("302 Found"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n{",
        b"HTTP/1.1 302 Found\r\nLocation: http://[::bad\r\nContent-Length: 0\r\n\r\n",
        b"220 mail.example ESMTP\r\n",
    ],
    ids=["html", "list", "word", "deep", "gzip", "empty", "nowhere", "cut", "bad place", "mail"],
)
def test_a_page_that_answers_nonsense_has_not_taken_it(
    answer: bytes, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with answering(answer) as port:
        outcome = page(port, kind).send(MESSAGE, lambda: True)
    assert outcome.result != ACCEPTED
    assert SECRET not in outcome.why and "no answer within" not in outcome.why
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("place", [hook, page])
def test_what_libraries_log_of_an_address_is_dropped(
    place: Callable[[int], Channel], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno header\r\n\r\n{}") as port:
        channel = place(port)
        caplog.clear()
        channel.send(MESSAGE, lambda: True)
    assert caplog.text == ""
    logging.getLogger("urllib3").warning("others are heard")
    assert "others are heard" in caplog.text


@pytest.mark.parametrize(("place", "result"), [(hook, ACCEPTED), (page, REFUSED)])
def test_an_answer_without_end_is_not_read_to_its_end(place: Callable[[int], Channel], result: str) -> None:
    with answering(http("200 OK", b"x" * (40 * MOST_BYTES))) as port:
        channel = place(port)
        tracemalloc.start()
        outcome = channel.send(MESSAGE, lambda: True)
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert outcome.result == result
    assert peak < 10 * MOST_BYTES
