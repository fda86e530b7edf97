# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's own protocol, spoken by a stand-in on a socket of the test's own."""

from __future__ import annotations

import pickle
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import fail2ban, fail2ban_socket
from ansible_collections.firebreak.incident.plugins.module_utils.clients.fail2ban_socket import END, Named
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput

STATUS = [
    ("Filter", [("Currently failed", 1), ("Total failed", 9), ("File list", ["/var/log/auth.log"])]),
    ("Actions", [("Currently banned", 2), ("Total banned", 3), ("Banned IP list", ["203.0.113.60"])]),
]
BANS = ["203.0.113.60 \t2026-11-21 23:36:37 + 600 = 2026-11-21 23:46:37"]


class UnknownJailException(Exception):
    """As fail2ban's own, which is not here to be imported."""


REPLIES: dict[tuple[str, ...], Any] = {
    ("ping",): (0, "pong"),
    ("version",): (0, "1.0.2"),
    ("status",): (0, [("Number of jail", 2), ("Jail list", "sshd, recidive")]),
    ("status", "sshd"): (0, STATUS),
    ("get", "sshd", "bantime"): (0, 600),
    ("get", "sshd", "findtime"): (0, 601),
    ("get", "sshd", "maxretry"): (0, 5),
    ("get", "sshd", "banip", "--with-time"): (0, BANS),
    ("banned",): (0, [{"sshd": ["203.0.113.60"]}, {"recidive": []}]),
    ("banned", "203.0.113.60"): (0, [["sshd", "recidive"]]),
    ("banned", "203.0.113.99"): (0, [[]]),
    ("status", "nope"): (1, UnknownJailException("nope")),
}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Answers with `raw`, or as a server with two jails does."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "sock"))
        listener.listen()
        monkeypatch.setattr(fail2ban_socket, "PATH", tmp_path / "sock")

        def start(raw: bytes | None = None) -> None:
            def serve() -> None:
                while True:
                    try:
                        peer, _address = listener.accept()
                    except OSError:
                        return
                    with peer:
                        data = b""
                        while END not in data:
                            data += peer.recv(4096)
                        words = tuple(pickle.loads(data.partition(END)[0]))
                        reply = pickle.dumps(REPLIES.get(words, (1, Exception("Invalid command"))), 4) + END
                        peer.sendall(reply if raw is None else raw)

            threading.Thread(target=serve, daemon=True).start()

        yield start
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(argv: Any, **_given: Any) -> Any:
        raise AssertionError(f"the program was started: {argv}")

    monkeypatch.setattr(fail2ban, "run", run)
    monkeypatch.setattr(fail2ban, "require", lambda program, package: program)


@pytest.mark.usefixtures("no_program")
def test_every_question_is_answered_without_starting_the_program(server: Any) -> None:
    server()
    assert fail2ban.running()
    assert fail2ban.version() == "1.0.2"
    assert fail2ban.jails() == ("recidive", "sshd")
    jail = fail2ban.jail("sshd")
    assert (jail.currently_failed, jail.total_failed, jail.currently_banned, jail.total_banned) == (
        1,
        9,
        2,
        3,
    )
    assert (jail.bantime, jail.findtime, jail.maxretry) == (600, 601, 5)
    assert [ban.address for ban in jail.bans] == ["203.0.113.60"]
    assert {name: len(bans) for name, bans in fail2ban.bans().items()} == {"sshd": 1}
    assert fail2ban.banned_in("203.0.113.60") == ("recidive", "sshd")
    assert fail2ban.banned_in("203.0.113.99") == ()
    with pytest.raises(BadInput, match="It has: recidive, sshd"):
        fail2ban.jail("nope")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"what?" + END,
        pickle.dumps("no pair")[:-4] + END,
        pickle.dumps(7) + END,
        pickle.dumps((0,)) + END,
    ],
)
def test_an_answer_that_cannot_be_read_leaves_it_to_the_program(server: Any, raw: bytes) -> None:
    server(raw)
    assert fail2ban_socket.ask(["ping"], 1.0) is None


def test_without_a_socket_the_program_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fail2ban_socket, "PATH", tmp_path / "none")
    assert fail2ban_socket.ask(["ping"], 1.0) is None


def test_the_socket_of_another_user_is_not_believed(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server()
    monkeypatch.setattr(socket.socket, "getsockopt", lambda *_given: struct.pack("3i", 1, 12345, 12345))
    assert fail2ban_socket.ask(["ping"], 1.0) is None


def test_nothing_that_an_answer_names_is_ever_called(tmp_path: Path) -> None:
    trace = tmp_path / "trace"

    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (trace,)

    value = fail2ban_socket.loads(pickle.dumps((1, Evil())))[1]
    assert isinstance(value, Named)
    assert not trace.exists()


def test_an_error_becomes_its_name_and_its_words() -> None:
    value = fail2ban_socket.loads(pickle.dumps(UnknownJailException("nope")))
    assert (type(value).__name__, value.parts) == ("UnknownJailException", ("nope",))
