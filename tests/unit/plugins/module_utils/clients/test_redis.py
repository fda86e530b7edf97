# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import redis
from ansible_collections.firebreak.incident.plugins.module_utils.clients.redis import (
    Address,
    AuthRefused,
    Busy,
    Full,
    Loading,
    Login,
    NotPermitted,
    OutOfMemory,
    ReadOnly,
    Redis,
    ServerError,
    WritesFail,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

Start = Callable[[bytes], Address]


def within_two_seconds() -> float:
    return 2.0


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    heard = bytearray()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """A server that answers the first thing it hears with the given bytes, then closes."""
    servers: list[_Server] = []

    def run(answer: bytes) -> Address:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                server.heard = bytearray(self.request.recv(65536))
                self.request.sendall(answer)

        server = _Server(str(tmp_path / "redis.sock"), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return Address(socket=str(tmp_path / "redis.sock"))

    yield run
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (b"+PONG\r\n", "PONG"),
        (b":-42\r\n", -42),
        (b"$5\r\na\r\nbc\r\n", "a\r\nbc"),
        (b"$0\r\n\r\n", ""),
        (b"$-1\r\n", None),
        (b"*-1\r\n", None),
        (b"*2\r\n:1\r\n*1\r\n$1\r\nx\r\n", [1, ["x"]]),
        (b"+\r\n", ""),
        # Version 3 of the protocol.
        (b"_\r\n", None),
        (b"#t\r\n", 1),
        (b",3.25\r\n", "3.25"),
        (b"(3492890328409238509324850943850943825024385\r\n", "3492890328409238509324850943850943825024385"),
        (b"%1\r\n+a\r\n:1\r\n", ["a", 1]),
        (b"~1\r\n+a\r\n", ["a"]),
        (b"=7\r\ntxt:abc\r\n", "txt:abc"),
        (b">2\r\n+message\r\n+x\r\n+PONG\r\n", "PONG"),
        (b"|1\r\n+ttl\r\n:5\r\n+PONG\r\n", "PONG"),
    ],
)
def test_every_kind_of_reply_is_read(start: Start, answer: bytes, reply: Any) -> None:
    with Redis(start(answer), within_two_seconds) as connection:
        assert connection.execute("PING") == reply


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"-NOAUTH Authentication required.\r\n", AuthRefused),
        (b"-WRONGPASS invalid username-password pair or user is disabled.\r\n", AuthRefused),
        (b"-ERR invalid password\r\n", AuthRefused),
        (b"-DENIED Redis is running in protected mode\r\n", AuthRefused),
        (b"-NOPERM this user has no permissions to run the 'info' command\r\n", NotPermitted),
        (b"-LOADING Redis is loading the dataset in memory\r\n", Loading),
        (b"-MISCONF Redis is configured to save RDB snapshots\r\n", WritesFail),
        (b"-READONLY You can't write against a read only replica.\r\n", ReadOnly),
        (b"-OOM command not allowed when used memory > 'maxmemory'.\r\n", OutOfMemory),
        (b"-BUSY Redis is busy running a script.\r\n", Busy),
        (b"!21\r\nSYNTAX invalid syntax\r\n", ServerError),
        (b"-ERR max number of clients reached\r\n", Full),
        (b"-ERR unknown command 'FOO'\r\n", ServerError),
    ],
)
def test_errors_have_types(start: Start, answer: bytes, kind: type[Exception]) -> None:
    with Redis(start(answer), within_two_seconds) as connection, pytest.raises(kind) as caught:
        connection.execute("PING")
    assert caught.value.__class__ is kind


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is not Redis"),
        (b"\r\n", "is not Redis"),
        (b":many\r\n", "is not Redis"),
        (b"$100\r\nshort\r\n", "closed the connection"),
        (b"", "closed the connection"),
        (b"$99999999999\r\n", "larger than"),
        (b"*99999999999\r\n", "larger than"),
        (b"*1\r\n" * 50, "is not Redis"),
        (b":" + b"9" * 19 + b"\r\n", "is not Redis"),
        (b":-" + b"9" * 5000 + b"\r\n", "is not Redis"),
        (b"+" + b"x" * 100_000, "is not Redis"),
    ],
)
def test_garbage_and_too_much_are_unreachable(start: Start, answer: bytes, said: str) -> None:
    with Redis(start(answer), within_two_seconds) as connection, pytest.raises(Unreachable, match=said):
        connection.execute("PING")


@pytest.mark.parametrize(
    "answer", [b"*3\r\n" + (b"+" + b"x" * 500 + b"\r\n") * 3, (b"$400\r\n" + b"x" * 400 + b"\r\n") * 3]
)
def test_short_items_and_many_answers_are_counted_as_well(start: Start, answer: bytes) -> None:
    with (
        Redis(start(answer), within_two_seconds, 1000) as connection,
        pytest.raises(Unreachable, match="larger than 1000 bytes"),
    ):
        connection.pipeline([("PING",)] * 3)


def test_an_error_in_a_pipeline_is_the_reply_to_its_command_only(start: Start) -> None:
    with Redis(start(b"+a\r\n-NOPERM no\r\n+c\r\n"), within_two_seconds) as connection:
        first, second, third = connection.pipeline([("A",), ("B",), ("C",)])
    assert (first, third) == ("a", "c")
    assert isinstance(second, NotPermitted)


def test_words_are_sent_with_their_length_in_bytes() -> None:
    assert redis._packed(("SET", "ä", 1)) == b"*3\r\n$3\r\nSET\r\n$2\r\n\xc3\xa4\r\n$1\r\n1\r\n"


def test_a_server_that_does_not_answer_is_unreachable_in_time(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with (
        socketserver.UnixStreamServer(str(path), socketserver.BaseRequestHandler),
        Redis(Address(socket=str(path)), lambda: 0.05) as connection,
        pytest.raises(Unreachable, match="did not answer in time"),
    ):
        connection.execute("PING")


def test_nobody_listening_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="No such file"):
        Redis(Address(socket=str(tmp_path / "none")), within_two_seconds)
    with pytest.raises(Unreachable, match="refused"):
        Redis(Address(port=1), within_two_seconds)


def test_a_wrong_password_is_told_without_the_password(start: Start) -> None:
    address = start(b"-WRONGPASS no 'hunter2' here\r\n")
    with pytest.raises(AuthRefused) as caught:
        redis.connect(address, Login("hunter2", "app"), within_two_seconds)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(Login("hunter2", "app"))
    assert "password of the app user" in caught.value.cure


def test_a_server_without_a_password_takes_any_and_this_is_noticed(start: Start) -> None:
    address = start(b"-ERR AUTH <password> called without any password configured for the default user.\r\n")
    with redis.connect(address, Login("hunter2"), within_two_seconds) as connection:
        assert connection.open_to_all


def test_info_is_read_without_its_headings() -> None:
    text = "# Server\r\nredis_version:7.0.15\r\nos:Linux 6.1\r\n\r\n# Keys\r\ndb0:keys=5,expires=1\r\n"
    found = redis.info(text)
    assert found == {"redis_version": "7.0.15", "os": "Linux 6.1", "db0": "keys=5,expires=1"}
    assert redis.fields(found["db0"]) == {"keys": "5", "expires": "1"}


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (Address(), "127.0.0.1:6379"),
        (Address("::1", 6380), "[::1]:6380"),
        (Address(socket="/run/redis.sock"), "/run/redis.sock"),
    ],
)
def test_an_address_is_shown_as_one_writes_it(address: Address, shown: str) -> None:
    assert str(address) == shown


def test_a_key_that_is_no_text_stays_the_same_key_and_is_shown_as_its_bytes(start: Start) -> None:
    with redis.connect(start(b"$3\r\na\xff\xfe\r\n"), Login(), within_two_seconds) as connection:
        key = connection.execute("RANDOMKEY")
    assert key.encode("utf-8", "surrogateescape") == b"a\xff\xfe"
    assert redis.shown(key) == "a\\xff\\xfe"
