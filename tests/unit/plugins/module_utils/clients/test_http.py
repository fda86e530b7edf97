# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import http.server
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.http import (
    BODY_BUDGET,
    get,
    parse_target,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput

TIMEOUT = 2.0


class _Handler(http.server.BaseHTTPRequestHandler):
    seen: list[str]

    def do_GET(self) -> None:
        self.seen.append(f"{self.headers['Host']} {self.path}")
        status, body = {"/down": (503, b"maintenance"), "/long": (200, b"x" * (2 * BODY_BUDGET))}.get(
            self.path, (200, b"ok")
        )
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) + (7 if self.path == "/short" else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that stops reading is what some of these tests are about


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[int, list[str]]]]:
    servers: list[_Server] = []

    def start(context: ssl.SSLContext | None = None) -> tuple[int, list[str]]:
        seen: list[str] = []
        handler = type("Handler", (_Handler,), {"seen": seen})
        server = _Server(("127.0.0.1", 0), handler)
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return server.server_address[1], seen

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture(scope="session")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not here")
    directory = tmp_path_factory.mktemp("tls")
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=api.example"
    subprocess.run(
        [openssl, *made.split(), "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def test_an_answer_is_measured_to_the_end_of_its_body(serve: Any) -> None:
    port, _seen = serve()
    answer = get(parse_target(f"http://127.0.0.1:{port}/health"), True, TIMEOUT)
    assert (answer.status, answer.error, answer.body_bytes) == (200, None, 2)
    assert 0 < answer.seconds < TIMEOUT


def test_an_error_status_is_an_answer(serve: Any) -> None:
    port, _seen = serve()
    assert get(parse_target(f"http://127.0.0.1:{port}/down"), True, TIMEOUT).status == 503


def test_no_more_of_a_body_is_read_than_its_budget(serve: Any) -> None:
    port, _seen = serve()
    answer = get(parse_target(f"http://127.0.0.1:{port}/long"), True, TIMEOUT)
    assert (answer.status, answer.body_bytes) == (200, BODY_BUDGET)


def test_a_body_that_breaks_off_is_no_answer(serve: Any) -> None:
    port, _seen = serve()
    answer = get(parse_target(f"http://127.0.0.1:{port}/short"), True, TIMEOUT)
    assert answer.status is None
    assert "broke off" in str(answer.error)


def test_connect_to_changes_where_to_and_not_what_is_asked(serve: Any) -> None:
    port, seen = serve()
    target = parse_target("http://api.example:8080/a%20b?x=1&y=ü", f"127.0.0.1:{port}")
    assert get(target, True, TIMEOUT).status == 200
    assert seen == ["api.example:8080 /a%20b?x=1&y=%C3%BC"]


def test_a_default_port_is_not_named_to_the_server(serve: Any) -> None:
    port, seen = serve()
    get(parse_target("http://api.example/", f"127.0.0.1:{port}"), True, TIMEOUT)
    assert seen == ["api.example /"]


def test_nobody_listening_is_said_as_such() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    answer = get(parse_target(f"http://127.0.0.1:{port}/"), True, TIMEOUT)
    assert answer.error == f"127.0.0.1:{port}: Connection refused"


def test_silence_ends_with_the_timeout(silent: int) -> None:
    answer = get(parse_target(f"http://127.0.0.1:{silent}/"), True, 0.1)
    assert answer.error == f"no answer from 127.0.0.1:{silent} within 0.1 s"


def test_an_untrusted_certificate_is_no_answer(serve: Any, self_signed: ssl.SSLContext) -> None:
    port, seen = serve(self_signed)
    answer = get(parse_target("https://api.example/", f"127.0.0.1:{port}"), True, TIMEOUT)
    assert answer.status is None
    assert "certificate is not to be trusted: self" in str(answer.error)
    assert seen == []


def test_verification_is_only_left_out_when_asked_to(serve: Any, self_signed: ssl.SSLContext) -> None:
    port, _seen = serve(self_signed)
    assert get(parse_target("https://api.example/", f"127.0.0.1:{port}"), False, TIMEOUT).status == 200


def test_plain_http_behind_an_https_url_is_no_answer(serve: Any) -> None:
    port, _seen = serve()
    answer = get(parse_target("https://api.example/", f"127.0.0.1:{port}"), True, TIMEOUT)
    assert answer.status is None
    assert answer.error


@pytest.mark.parametrize(
    ("url", "connect_to", "shown", "where"),
    [
        ("http://a.example/x", None, "http://a.example/x", ("a.example", 80)),
        ("https://a.example", None, "https://a.example/", ("a.example", 443)),
        ("https://a.example:8448/x?token=s3cret", None, "https://a.example:8448/x", ("a.example", 8448)),
        ("https://[2001:db8::1]/", None, "https://[2001:db8::1]/", ("2001:db8::1", 443)),
        ("https://a.example/", "127.0.0.1:444", "https://a.example/", ("127.0.0.1", 444)),
        ("https://a.example/", "[::1]:444", "https://a.example/", ("::1", 444)),
        ("http://bücher.example/", None, "http://xn--bcher-kva.example/", ("xn--bcher-kva.example", 80)),
    ],
)
def test_urls_are_taken_apart(url: str, connect_to: str | None, shown: str, where: tuple[str, int]) -> None:
    target = parse_target(url, connect_to)
    assert target.shown == shown
    assert (target.connect_host, target.connect_port) == where


@pytest.mark.parametrize(
    ("url", "connect_to"),
    [
        ("a.example/health", None),
        ("ftp://a.example/", None),
        ("http://", None),
        ("http://a.example:port/", None),
        ("http://[::1/", None),
        ("http://a.example/", "127.0.0.1"),
        ("http://a.example/", "127.0.0.1:0"),
        ("http://a.example/", ":80"),
    ],
)
def test_what_is_no_url_is_refused(url: str, connect_to: str | None) -> None:
    with pytest.raises(BadInput):
        parse_target(url, connect_to)


def test_a_refusal_does_not_repeat_a_password() -> None:
    with pytest.raises(BadInput) as refusal:
        parse_target("https://admin:s3cret@a.example/")
    assert "s3cret" not in str(refusal.value)
    assert "a.example" in str(refusal.value)
