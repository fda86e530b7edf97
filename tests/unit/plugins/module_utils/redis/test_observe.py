# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import redis
from ansible_collections.firebreak.incident.plugins.module_utils.clients.redis import (
    Address,
    AuthRefused,
    Full,
    Login,
    NotPermitted,
)
from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError, Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.redis import observe as module
from ansible_collections.firebreak.incident.plugins.module_utils.redis.observe import Snapshot, observe
from ansible_collections.firebreak.incident.plugins.module_utils.redis.server import (
    Located,
    NotRunning,
    Server,
)

INFO = "redis_version:7.0.15\r\nevicted_keys:0\r\n"
NO = NotPermitted("redis", "NOPERM", "")


class FakeRedis:
    """Answers by the first words of a command."""

    open_to_all = False

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers, self.asked = answers, list[str]()

    def __enter__(self) -> FakeRedis:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def pipeline(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        self.asked += [" ".join(map(str, words)) for words in commands]
        return [self.answers.get(str(words[0]), NO) for words in commands]

    def execute(self, *words: Any) -> Any:
        return self.pipeline([words])[0]


def look(monkeypatch: pytest.MonkeyPatch, *servers: Any) -> tuple[Snapshot | None, list[float]]:
    """Observe addresses one after the other, each a FakeRedis or the error of connecting to it."""
    addresses = tuple(Address(port=number) for number in range(1, len(servers) + 1))
    pauses: list[float] = []

    def connect(address: Address, login: Login, remaining: Any) -> Any:
        server = servers[address.port - 1]
        if isinstance(server, FirebreakError):
            raise server
        return server

    monkeypatch.setattr(module, "locate", lambda server, remaining: Located(addresses))
    monkeypatch.setattr(redis, "connect", connect)
    return observe(Server(configured=True), Deadline(2), pauses.append), pauses


def test_a_quiet_server_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeRedis({"PING": "PONG", "INFO": INFO, "TIME": ["1800000000", "5"], "SLOWLOG": []})
    seen, pauses = look(monkeypatch, server)
    assert seen is not None
    assert (seen.problem, seen.now, seen.later, pauses) == (None, 1_800_000_000, None, [])
    assert server.asked.count("INFO") == 1


@pytest.mark.parametrize(
    "line", ["evicted_keys:9\r\n", "errorstat_OOM:count=1\r\n", "errorstat_MISCONF:count=1\r\n"]
)
def test_a_server_with_a_past_is_looked_at_twice(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    seen, pauses = look(monkeypatch, FakeRedis({"INFO": INFO + line}))
    assert seen is not None
    assert seen.later is not None
    assert pauses == [module.INTERVAL]


def test_what_a_user_may_not_see_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, _pauses = look(monkeypatch, FakeRedis({"INFO": INFO}))
    assert seen is not None
    assert (seen.problem, seen.now, dict(seen.config), seen.slow) == (None, 0, {}, ())


def test_settings_and_slow_log_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = [7, 1_800_000_000, 1_500_000, ["GET", "session:abcdef"], "127.0.0.1:5", ""]
    server = FakeRedis({"INFO": INFO, "CONFIG": ["maxclients", "100"], "SLOWLOG": [entry, "odd", []]})
    seen, _pauses = look(monkeypatch, server)
    assert seen is not None
    assert seen.config == {"maxclients": "100"}
    assert seen.slow == (module.Slow(1_800_000_000, 1.5, "GET session:…"),)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["KEYS", "*"], "KEYS *"),
        (["GET", "session:0123456789"], "GET session:…"),
        (["EVAL", "return redis.call('GET', 'secret')", "0"], "EVAL"),
        (["FLUSHALL"], "FLUSHALL"),
        (["GET", "sess_4f2a91c07be8"], "GET sess_…"),
        (["GET", "4f2a91c07be8:cart"], "GET …"),
        (["GET", "AbCdEfGhIjKlMnOpQrStUvWxYz"], "GET AbCdEfGhIjKlMnOpQrStUvWx…"),
        (["ECHO", "hunter"], "ECHO"),
        (["GET", "a\udcff:1"], "GET a\\xff:…"),
        ([], ""),
    ],
)
def test_a_slow_command_is_shown_without_what_it_carries(words: list[str], shown: str) -> None:
    assert module._shown(words) == shown


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (AuthRefused("redis", "WRONGPASS", ""), "auth"),
        (Full("redis", "max number of clients reached", ""), "clients"),
        (Unreachable("redis", "Connection refused", ""), "unreachable"),
    ],
)
def test_why_a_server_cannot_be_asked_is_kept_apart(
    monkeypatch: pytest.MonkeyPatch, error: FirebreakError, kind: str
) -> None:
    seen, _pauses = look(monkeypatch, error)
    assert seen is not None
    assert seen.problem is not None
    assert (seen.problem.kind, seen.problem.reason) == (kind, error.problem)


def test_a_user_who_may_not_ask_is_an_auth_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, _pauses = look(monkeypatch, FakeRedis({}))
    assert seen is not None
    assert seen.problem is not None
    assert seen.problem.kind == "auth"


def test_the_next_address_is_tried_when_one_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, _pauses = look(monkeypatch, Unreachable("redis", "no route", ""), FakeRedis({"INFO": INFO}))
    assert seen is not None
    assert (seen.problem, seen.address) == (None, "127.0.0.1:2")


def test_what_is_not_redis_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, _pauses = look(monkeypatch, FakeRedis({"INFO": ["a", "b"]}))
    assert seen is not None
    assert seen.problem is not None
    assert (seen.problem.kind, seen.problem.reason) == ("unreachable", "what it answers is not Redis")


def test_no_server_is_nothing_to_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "locate", lambda server, remaining: None)
    assert observe(Server(), Deadline(2)) is None


def test_a_server_of_which_nobody_knows_where_it_is_was_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(server: Server, remaining: Any) -> None:
        raise Unreachable("docker /var/run/docker.sock", "it did not answer in time", "")

    monkeypatch.setattr(module, "locate", fails)
    with pytest.raises(Unreachable, match="docker"):
        observe(Server(configured=True), Deadline(2))


def test_a_service_that_does_not_run_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(server: Server, remaining: Any) -> None:
        raise NotRunning("redis service cache", "no container of it runs", "")

    monkeypatch.setattr(module, "locate", fails)
    seen = observe(Server(configured=True), Deadline(2))
    assert seen is not None
    assert (seen.subject, seen.problem) == (
        "redis service cache",
        module.Problem("unreachable", "no container of it runs"),
    )
