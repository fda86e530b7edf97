# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import redis
from ansible_collections.firebreak.incident.plugins.module_utils.clients.redis import (
    Address,
    AuthRefused,
    Login,
    NotPermitted,
)
from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError, Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory import observe as module
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.model import (
    Memory,
    Room,
    Sampling,
)
from ansible_collections.firebreak.incident.plugins.module_utils.redis.server import Located, Server

INFO = "redis_version:7.0.15\r\nconnected_clients:1\r\ndb0:keys=2,expires=0\r\n"
NO = NotPermitted("redis", "NOPERM", "")


class FakeRedis:
    """Answers by the first two words of a command, or its first."""

    open_to_all = False

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers, self.asked = answers, list[str]()

    def __enter__(self) -> FakeRedis:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def pipeline(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        self.asked += [" ".join(map(str, words)) for words in commands]
        return [self.answers.get(" ".join(words[:2]), self.answers.get(words[0], NO)) for words in commands]

    def execute(self, *words: Any) -> Any:
        (answer,) = self.pipeline([words])
        if isinstance(answer, FirebreakError):
            raise answer
        return answer


def look(
    monkeypatch: pytest.MonkeyPatch, *servers: Any, wish: Sampling | None = None
) -> tuple[Memory, list[float]]:
    """Addresses one after the other, each a FakeRedis or the error of connecting to it."""
    addresses = tuple(Address(port=number) for number in range(1, len(servers) + 1))
    pauses: list[float] = []

    def connect(address: Address, login: Login, remaining: Any) -> Any:
        server = servers[address.port - 1]
        if isinstance(server, FirebreakError):
            raise server
        return server

    monkeypatch.setattr(module, "find", lambda server: Located(addresses))
    monkeypatch.setattr(module, "room", lambda *given: (Room(), None))
    monkeypatch.setattr(redis, "connect", connect)
    seen = module.observe(Server(configured=True), wish or Sampling(), Deadline(5), pauses.append)
    return seen, pauses


def test_what_may_not_be_asked_is_named_and_the_rest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, pauses = look(
        monkeypatch, FakeRedis({"INFO": INFO, "CONFIG": ServerSays("unknown command 'CONFIG'")})
    )
    assert (seen.config, seen.config_refused) == ({}, "unknown command 'CONFIG'")
    assert [reason.partition(":")[0] for reason in seen.unseen] == [
        "MEMORY STATS",
        "MEMORY DOCTOR",
        "LATENCY LATEST",
        "CLIENT LIST",
        "the keys",
    ]
    assert (seen.sample, pauses) == (None, [])


class ServerSays(FirebreakError):
    def __init__(self, problem: str) -> None:
        super().__init__("redis", problem, "")


def test_without_info_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotPermitted):
        look(monkeypatch, FakeRedis({}))


def test_a_second_reading_waits_only_where_writes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, pauses = look(monkeypatch, FakeRedis({"INFO": INFO + "errorstat_OOM:count=4\r\n"}))
    assert len(pauses) == 1
    assert seen.snapshot.interval >= 1.0
    assert seen.refused() == 0


def test_no_key_is_looked_at_when_none_is_wished_or_the_server_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    for server, wish in (
        (FakeRedis({"INFO": INFO}), Sampling(keys=0)),
        (FakeRedis({"INFO": INFO + "loading:1\r\n"}), Sampling()),
    ):
        seen, _pauses = look(monkeypatch, server, wish=wish)
        assert seen.sample is None
        assert not any(words.startswith("SCAN") for words in server.asked)


def test_the_other_address_of_a_container_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, _pauses = look(monkeypatch, Unreachable("redis", "No route to host", ""), FakeRedis({"INFO": INFO}))
    assert seen.address.port == 2


def test_a_wrong_password_is_wrong_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AuthRefused):
        look(monkeypatch, AuthRefused("redis", "WRONGPASS", ""), FakeRedis({"INFO": INFO}))


def test_ten_thousands_of_clients_are_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    crowded = FakeRedis({"INFO": INFO.replace("clients:1", "clients:20000")})
    seen, _pauses = look(monkeypatch, crowded)
    assert "CLIENT LIST" not in crowded.asked
    assert any("20000 clients" in reason for reason in seen.unseen)


def test_statistics_of_databases_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    statistics = ["keys.count", 5, "dataset.percentage", "93.5", "db.0", ["overhead.hashtable.main", 72]]
    seen, _pauses = look(monkeypatch, FakeRedis({"INFO": INFO, "MEMORY STATS": statistics}))
    assert seen.statistics == {
        "keys.count": 5,
        "dataset.percentage": 93.5,
        "db.0": {"overhead.hashtable.main": 72},
    }


def test_latency_events_come_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [["command", 1_800_000_000, 250, 1500], "odd", ["short"]]
    seen, _pauses = look(monkeypatch, FakeRedis({"INFO": INFO, "LATENCY": events}))
    (event,) = seen.latency
    assert (event.event, event.seconds, event.worst_seconds) == ("command", 0.25, 1.5)


@pytest.mark.parametrize("odd", [NO, "nan", "inf", "1e999", None])
def test_a_figure_that_is_none_is_left_out(odd: Any) -> None:
    assert module._flat(["peak", 5, "odd", odd, "db.0", ["odd", odd]]) == {
        "peak": 5,
        "odd": None,
        "db.0": {"odd": None},
    }
