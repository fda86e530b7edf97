# SPDX-License-Identifier: GPL-3.0-or-later
"""An act is held to the process, the role and the value that it was planned for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.redis import ServerError
from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline
from ansible_collections.firebreak.incident.plugins.module_utils.errors import (
    Declined,
    FirebreakError,
    IdentityChanged,
)
from ansible_collections.firebreak.incident.plugins.module_utils.redis.entry import SECONDS
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory import act, probe, removal
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.act import Levers, performers
from ansible_collections.firebreak.incident.plugins.module_utils.redis.server import Server

RUN = "a" * 40
RAISED = {"run_id": RUN, "setting": "maxmemory", "from": "100", "to": "200"}


class Redis:
    """Knows settings and keeps what it was told; `refuses` maps the first word to the error."""

    def __init__(self, role: str = "master", used: int = 90, **settings: str) -> None:
        self.role, self.used, self.settings = role, used, {"maxmemory": "100", **settings}
        self.told: list[tuple[Any, ...]] = []
        self.refuses: dict[str, str] = {}
        self.keys = 100
        self.info: Any = ""

    def __enter__(self) -> Redis:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def execute(self, *words: Any) -> Any:
        command = " ".join(map(str, words[:2]))
        for start, text in self.refuses.items():
            if command.startswith(start):
                error = ServerError("redis", text, "See there.")
                error.code = text.partition(" ")[0]
                raise error
        if words[0] == "INFO":
            if self.info != "":
                return self.info
            return f"role:{self.role}\r\nrun_id:{RUN}\r\nused_memory:{self.used}\r\n"
        if command == "CONFIG GET":
            return [words[2], self.settings[words[2]]] if words[2] in self.settings else []
        if words[0] == "DBSIZE":
            return self.keys
        self.told.append(words)
        if command == "CONFIG SET":
            self.settings[words[2]] = words[3]
        return "OK"

    def pipeline(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        answers = []
        for words in commands:
            try:
                answers.append(self.execute(*words))
            except FirebreakError as error:
                answers.append(error)
        return answers


class Rounded(dict[str, str]):
    """Takes no new value, and says nothing."""

    def __setitem__(self, name: str, value: str) -> None:
        pass


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> Redis:
    fake = Redis()
    monkeypatch.setattr(act, "session", lambda _server, _remaining: fake)
    return fake


def perform(action: str, identity: Mapping[str, Any]) -> None:
    performers(Levers(lambda _identity: Server()))[action](identity)


def test_the_limit_is_raised_from_the_value_that_was_seen(redis: Redis) -> None:
    perform("redis.maxmemory", RAISED)
    assert redis.told == [("CONFIG", "SET", "maxmemory", "200")]


@pytest.mark.parametrize(
    ("changed", "because"),
    [
        ({"run_id": "b" * 40}, "restarted"),
        ({"from": "50"}, "it is 100 by now, and was 50"),
    ],
)
def test_what_has_become_something_else_is_left_alone(
    redis: Redis, changed: dict[str, str], because: str
) -> None:
    with pytest.raises(IdentityChanged, match=because):
        perform("redis.maxmemory", {**RAISED, **changed})
    assert redis.told == []


@pytest.mark.parametrize("action", ["redis.maxmemory", "redis.set_back", "redis.unlink", "redis.flush"])
def test_who_became_a_replica_is_left_alone(redis: Redis, action: str) -> None:
    redis.role = "slave"
    with pytest.raises(IdentityChanged, match="replica"):
        perform(action, {**RAISED, "rewrite": True, "database": 0, "keys": 1})
    assert redis.told == []


def test_the_limit_never_falls_below_what_is_in_use(redis: Redis) -> None:
    redis.settings["maxmemory"], redis.used = "200", 150
    with pytest.raises(Declined, match="are in use"):
        perform("redis.set_back", {**RAISED, "rewrite": False})
    assert redis.told == []


def test_undo_puts_back_and_writes_only_what_nobody_has_changed_since(redis: Redis) -> None:
    redis.settings["maxmemory"] = "200"
    perform("redis.set_back", {**RAISED, "rewrite": True})
    assert redis.told == [("CONFIG", "SET", "maxmemory", "100"), ("CONFIG", "REWRITE")]
    redis.told.clear()
    perform("redis.set_back", {**RAISED, "rewrite": False})
    assert redis.told == []
    redis.settings["maxmemory"] = "300"
    with pytest.raises(IdentityChanged, match="somebody has set it to 300"):
        perform("redis.set_back", {**RAISED, "rewrite": True})


def test_a_file_that_cannot_be_written_is_no_failure(redis: Redis) -> None:
    redis.settings["maxmemory"] = "200"
    redis.refuses["CONFIG REWRITE"] = "ERR Rewriting config file: Permission denied"
    identity = {"run_id": RUN, "setting": "maxmemory", "value": "200", "file": "/etc/redis/redis.conf"}
    with pytest.raises(Declined, match="Permission denied"):
        perform("redis.persist", identity)


def test_a_setting_that_was_changed_to_something_else_is_a_failure(redis: Redis) -> None:
    redis.settings = Rounded(redis.settings)
    with pytest.raises(FirebreakError, match="set to 200 and is 100") as caught:
        perform("redis.maxmemory", RAISED)
    assert not isinstance(caught.value, (Declined, IdentityChanged))


def test_a_setting_that_is_refused_is_no_failure(redis: Redis) -> None:
    redis.refuses["CONFIG SET"] = "NOPERM this user has no permissions"
    with pytest.raises(Declined, match="NOPERM"):
        perform("redis.maxmemory", RAISED)


@pytest.mark.parametrize(("now", "done"), [(100, True), (199, True), (201, False)])
def test_a_database_that_has_grown_meanwhile_is_not_emptied(redis: Redis, now: int, done: bool) -> None:
    redis.keys = now
    identity = {"run_id": RUN, "database": 2, "keys": 100}
    if done:
        perform("redis.flush", identity)
        assert redis.told == [("SELECT", 2), ("FLUSHDB", "ASYNC")]
    else:
        with pytest.raises(IdentityChanged, match="by now"):
            perform("redis.flush", identity)
        assert redis.told == [("SELECT", 2)]


class Walked:
    """A connection whose script answers are given."""

    def __init__(self, *answers: list[Any]) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    def execute(self, *words: Any) -> Any:
        self.asked.append(words)
        return self.answers.pop(0)


def walk(connection: Any, work: removal.Work, took: float = 0.001) -> removal.Tally:
    tally, times = removal.Tally(), iter(range(10_000))
    removal.carry_out(connection, work, 60, tally, lambda: next(times) * took, lambda _seconds: None)
    return tally


def test_the_budget_that_is_left_goes_into_every_step() -> None:
    connection = Walked(["7", 3, 3, 0, 0, 0], ["full", 3, 2, 0, 0, 0])
    tally = walk(connection, removal.Work("unlink", "c:*", ["string"], max_keys=5))
    assert (tally.done, tally.full, tally.whole) == (5, True, False)
    assert [words[8] for words in connection.asked] == [5, 2]


def test_slow_steps_become_shorter_and_quick_ones_longer() -> None:
    many = [[str(number + 1), 0, 0, 0, 0, 0] for number in range(6)]
    slow, quick = Walked(*many, ["0", 0, 0, 0, 0, 0]), Walked(*many, ["0", 0, 0, 0, 0, 0])
    walk(slow, removal.Work("unlink", "c:*"), took=0.004)
    walk(quick, removal.Work("unlink", "c:*"), took=0.0002)
    slow_counts, quick_counts = ([words[6] for words in each.asked] for each in (slow, quick))
    assert slow_counts[-1] == removal.FEWEST and quick_counts[-1] == removal.MOST


def test_a_survey_adds_up_the_types() -> None:
    connection: Any = Walked(["0", 3, 0, 0, 0, 2, "string", 2, "list", 1])
    tally = removal.survey(connection, "c:*")
    assert (tally.matching, tally.lasting, dict(tally.types)) == (3, 2, {"string": 2, "list": 1})


@pytest.mark.parametrize(("only_lasting", "steps"), [(False, 1), (True, 2)])
def test_a_survey_ends_early_only_when_it_has_found_what_it_is_for(only_lasting: bool, steps: int) -> None:
    connection = Walked(["7", 9, 0, 0, 0, 0, "string", 9], ["0", 1, 0, 0, 0, 1, "string", 1])
    work = removal.Work("survey", "c:*", only_lasting=only_lasting)
    assert walk(connection, work, took=removal.ENOUGH).steps == steps


@pytest.mark.parametrize(
    "answer",
    [
        "OK",
        [],
        ["0", "3", 0, 0, 0, 0],
        ["0", 3, -3, 0, 0, 0],
        ["0", 3, None, 0, 0, 0],
        ["0", 3, 0, 0, 0, 0, ["string"], 3],
        ["0", 3, 0, 0, 0, 0, "string", []],
    ],
)
def test_an_answer_that_makes_no_sense_ends_the_work(answer: Any) -> None:
    with pytest.raises(FirebreakError, match="makes no sense"):
        walk(Walked(answer), removal.Work("unlink", "c:*", max_keys=5))


def test_an_undo_that_did_not_come_to_the_end_is_no_success(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(act, "carry_out", lambda _connection, _work, _seconds, _tally: None)
    identity = {"database": 0, "pattern": "c:*", "at": 1, "spread": 1, "cluster": False}
    with pytest.raises(FirebreakError, match="the others still expire"):
        perform("redis.ttl.remove", identity)


@pytest.mark.parametrize("answer", [["a", "list"], None, 7])
def test_a_server_whose_figures_make_no_sense_is_left_alone(redis: Redis, answer: Any) -> None:
    redis.info = answer
    with pytest.raises(FirebreakError, match="makes no sense"):
        perform("redis.maxmemory", RAISED)
    assert redis.told == []


def test_every_wait_is_within_a_time_for_all_of_it(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[Callable[[], float]] = []

    def session(_server: object, remaining: Callable[[], float]) -> Redis:
        waits.append(remaining)
        return redis

    monkeypatch.setattr(act, "session", session)
    now = [0.0]
    monkeypatch.setattr(act, "Deadline", lambda seconds: Deadline(seconds, lambda: now[0]))
    perform("redis.maxmemory", RAISED)
    # Long enough for an answer, and an answer that drips comes to an end.
    assert waits[0]() == SECONDS
    now[0] = 60.0
    assert waits[0]() < 1


@pytest.mark.parametrize(
    ("refuses", "found", "refused"),
    [
        ({}, "unread", True),
        ({"SET": "OOM command not allowed"}, "OOM", True),
        ({"SET": "MISCONF Redis is configured to save"}, "MISCONF", True),
        ({"SET": "READONLY You can't write"}, "READONLY", True),
        ({"SET": "NOREPLICAS Not enough good replicas"}, "NOREPLICAS", True),
        ({"SET": "NOPERM no permissions"}, "NOPERM", False),
        ({"SET": "MOVED 1 10.0.0.1:6379"}, "MOVED", False),
    ],
)
def test_a_probe_says_who_refuses(refuses: dict[str, str], found: str, refused: bool) -> None:
    fake: Any = Redis()
    fake.refuses = refuses
    assert probe.write_probe(fake) == found
    assert probe.refuses(found) is refused
