# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.redis import NotPermitted
from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError, Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.model import Key, Sampling
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.sample import BATCH, Sampler

NO = NotPermitted("redis", "NOPERM this user has no permissions", "")


class FakeServer:
    """Databases of keys; SCAN gives COUNT of them in the order of the list. `refused` commands are errors."""

    def __init__(self, databases: dict[int, dict[str, int]], refused: Sequence[str] = ()) -> None:
        self.databases, self.refused = databases, refused
        self.selected, self.asked = 0, list[tuple[Any, ...]]()
        self.gone: set[str] = set()

    def execute(self, *words: Any) -> Any:
        (answer,) = self.pipeline([words])
        if isinstance(answer, FirebreakError):
            raise answer
        return answer

    def pipeline(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        return [self._answer(tuple(words)) for words in commands]

    def _answer(self, words: tuple[Any, ...]) -> Any:
        self.asked.append(words)
        name, keys = words[0], self.databases[self.selected]
        if name in self.refused:
            return NO
        if name == "SELECT":
            self.selected = words[1]
            return "OK"
        if name == "SCAN":
            start, count, names = int(words[1]), words[-1], list(keys)
            rest = start + count
            met = names[start:rest]
            if "MATCH" in words:
                met = [each for each in met if each.startswith(words[3].rstrip("*"))]
            return [str(rest) if rest < len(names) else "0", met]
        if name == "RANDOMKEY":
            return next(iter(keys))
        key = words[2] if name in ("MEMORY", "OBJECT") else words[1]
        there = key not in self.gone
        return {
            "MEMORY": keys[key] if there else None,
            "TYPE": "string" if there else "none",
            "PTTL": (-1 if keys[key] % 2 else 5000) if there else -2,
            "OBJECT": 7,
        }[name]

    def names(self) -> set[str]:
        return {str(words[0]) for words in self.asked}


class Clock:
    """Each look at it takes a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def keys(count: int, start: str = "k") -> dict[str, int]:
    return {f"{start}:{number}": 100 + number for number in range(count)}


def sampler(server: Any, wish: Sampling | None = None, **options: Any) -> Sampler:
    given: dict[str, Any] = {"deadline": Deadline(60), "scattered": False, "idle": True, **options}
    return Sampler(server, wish or Sampling(), **given)


def test_a_small_database_is_measured_as_a_whole() -> None:
    server = FakeServer({0: keys(3)})
    (drawn,) = sampler(server).draw({0: 3})
    assert (drawn.complete, drawn.met) == (True, 3)
    assert drawn.keys[0] == Key("k:0", 0, "string", 100, False, 5.0, 7)
    assert drawn.keys[1] == Key("k:1", 0, "string", 101, True, None, 7)


def test_a_big_one_only_until_there_are_keys_enough() -> None:
    server = FakeServer({0: keys(5000)})
    (drawn,) = sampler(server, Sampling(keys=900)).draw({0: 5000})
    assert (drawn.complete, drawn.met, len(drawn.keys)) == (False, 900, 900)


def test_databases_share_the_budget_by_their_size_and_small_ones_are_not_lost() -> None:
    server = FakeServer({0: keys(6000), 1: keys(90), 2: keys(3000)})
    found = sampler(server, Sampling(keys=3000)).draw({0: 6000, 1: 90, 2: 3000})
    drawn = {one.database: one for one in found}
    assert drawn[1].complete
    assert 900 <= len(drawn[2].keys) <= 1200
    assert 1800 <= len(drawn[0].keys) <= 2200


def test_the_time_ends_it_and_what_was_measured_is_kept() -> None:
    server = FakeServer({0: keys(5000)})
    short = sampler(server, deadline=Deadline(4, Clock()))
    (drawn,) = short.draw({0: 5000})
    assert not drawn.complete
    assert 0 < len(drawn.keys) < 5000
    assert "the time was over" in short.unseen[0]


def test_a_server_that_stops_answering_when_the_time_is_over_is_no_failure() -> None:
    class Slow(FakeServer):
        def pipeline(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
            if sum(words[0] == "SCAN" for words in self.asked) > 2:
                raise Unreachable("redis", "it did not answer in time", "")
            return super().pipeline(commands)

    clock = iter([0.0, *[0.1] * 4, *[9.0] * 9])
    slow = sampler(Slow({0: keys(5000)}), deadline=Deadline(5, lambda: next(clock)))
    (drawn,) = slow.draw({0: 5000})
    assert (drawn.complete, len(drawn.keys) > 0) == (False, True)


def test_one_that_breaks_before_is() -> None:
    class Broken(FakeServer):
        def pipeline(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
            raise Unreachable("redis", "it closed the connection", "")

    with pytest.raises(Unreachable):
        sampler(Broken({0: keys(5)})).draw({0: 5})


def test_keys_that_go_meanwhile_are_no_keys() -> None:
    server = FakeServer({0: keys(10)})
    server.gone = {"k:3", "k:4"}
    (drawn,) = sampler(server).draw({0: 10})
    assert len(drawn.keys) == 8


def test_what_is_refused_is_asked_once_and_said() -> None:
    server = FakeServer({0: keys(500)}, refused=["MEMORY", "PTTL"])
    refused = sampler(server)
    (drawn,) = refused.draw({0: 500})
    assert (drawn.keys[0].bytes, drawn.keys[0].persistent, drawn.keys[0].type) == (None, None, "string")
    assert sum(words[0] == "MEMORY" for words in server.asked) == BATCH
    assert [reason.partition(":")[0] for reason in refused.unseen] == ["MEMORY USAGE of keys", "PTTL of keys"]


def test_keys_refused_one_by_one_are_asked_on() -> None:
    class Narrow(FakeServer):
        def _answer(self, words: tuple[Any, ...]) -> Any:
            return NO if words[0] == "MEMORY" and words[2] < "k:5" else super()._answer(words)

    narrow = sampler(Narrow({0: keys(500)}))
    (drawn,) = narrow.draw({0: 500})
    assert narrow.unseen == []
    assert {key.bytes is None for key in drawn.keys} == {True, False}


def test_a_pattern_is_looked_for_to_the_end() -> None:
    server = FakeServer({0: {**keys(3000), **keys(50, "cache")}})
    (drawn,) = sampler(server, Sampling(keys=100, pattern="cache*")).draw({0: 3050})
    assert (drawn.complete, len(drawn.keys), drawn.met) == (True, 50, 3050)


def test_on_a_node_of_a_cluster_keys_are_met_at_random() -> None:
    server = FakeServer({0: keys(5000)})
    (drawn,) = sampler(server, Sampling(keys=400), scattered=True).draw({0: 5000})
    assert "SCAN" not in server.names()
    assert (drawn.met, drawn.complete) == (400, False)
    (drawn,) = sampler(FakeServer({0: keys(50)}), Sampling(keys=400), scattered=True).draw({0: 50})
    assert drawn.complete


def test_nothing_is_written_and_no_value_read() -> None:
    server = FakeServer({0: keys(50), 1: keys(50)})
    sampler(server).draw({0: 50, 1: 50})
    assert server.names() == {"SELECT", "SCAN", "MEMORY", "TYPE", "PTTL", "OBJECT"}


def test_a_counting_policy_leaves_the_idle_time_out() -> None:
    server = FakeServer({0: keys(5)})
    (drawn,) = sampler(server, idle=False).draw({0: 5})
    assert "OBJECT" not in server.names()
    assert drawn.keys[0].idle_seconds is None
