# SPDX-License-Identifier: GPL-3.0-or-later
"""Inputs are checked before a server is spoken to, and what could not be seen is not called fine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.redis import Address
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.ledger import Entry
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory import job as module
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.model import Memory
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.removal import Tally
from ansible_collections.firebreak.incident.plugins.module_utils.redis.observe import Snapshot
from ansible_collections.firebreak.incident.plugins.module_utils.undo.decide import outstanding

NOW = 1_800_000_000


def params(**given: Any) -> Mapping[str, Any]:
    empty = dict.fromkeys(("maxmemory", "pattern", "ttl", "policy", "database", "max_keys", "max_bytes"))
    return {**empty, "redis": {"host": "127.0.0.1", "caches": ["cache:*"]}, "services": {}, **given}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"levers": ["unlink"]}, "needs pattern"),
        ({"levers": ["unlink"], "pattern": "**"}, "next to every key"),
        ({"levers": ["flush"]}, "needs database"),
        # Whoever limits a flush means something else.
        ({"levers": ["flush"], "database": 0, "pattern": "cache:*"}, "cannot keep to pattern"),
        ({"levers": ["flush"], "database": 0, "max_keys": 10}, "cannot keep to max_keys"),
        ({"levers": ["unlink", "flush"], "database": 0, "pattern": "cache:*"}, "cannot keep to pattern"),
        ({"levers": ["ttl"], "pattern": "cache:*", "ttl": "1h", "max_bytes": "1mb"}, "counts no bytes"),
        ({"levers": ["ttl"], "pattern": "cache:*", "ttl": "5s"}, "as good as removing"),
        ({"levers": ["unlink"], "pattern": "cache:*", "max_keys": 0}, "is none"),
    ],
)
def test_an_input_that_could_not_be_kept_to_is_refused(given: Mapping[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said.replace("*", "\\*")):
        module.job(params(**given))


class Connection:
    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_error: object) -> None:
        pass


@pytest.fixture
def tally(monkeypatch: pytest.MonkeyPatch) -> Tally:
    """What a survey of the keys finds, on a server with ten million of them and a clock of its own."""
    found = Tally(seconds=30.0, looked_at=1_000_000)
    seen = Snapshot("redis", "", True, now=NOW, info={"db0": "keys=10000000,expires=0", "run_id": "a"})
    monkeypatch.setattr(module, "observe", lambda *_given: Memory("redis", Address(), seen))
    monkeypatch.setattr(module, "session", lambda *_given: Connection())
    monkeypatch.setattr(module, "survey", lambda *_given: found)
    return found


@pytest.mark.parametrize(
    "given",
    [{"levers": ["unlink"]}, {"levers": ["ttl"], "ttl": "1h"}, {"levers": ["ttl"], "ttl": "1h", "seen": 9}],
)
def test_keys_that_a_short_look_did_not_meet_may_be_there(tally: Tally, given: dict[str, Any]) -> None:
    # Those that were met have a TTL already.
    tally.matching = given.pop("seen", 0)
    job = module.job(params(pattern="cache:*", **given))
    decision = job.decide(job.observe())
    assert decision.symptom > 0 and decision.plan.acts == ()
    assert "there may be some further on" in decision.plan.refusals[0].reason


def test_of_two_runs_each_can_be_taken_back(tally: Tally) -> None:
    tally.whole, tally.matching, tally.lasting = True, 5, 5
    entries: list[Entry] = []
    for run, ttl in (("first", "1h"), ("second", "2h")):
        job = module.job(params(levers=["ttl"], pattern="cache:*", ttl=ttl, max_keys=2))
        (act,) = job.decide(job.observe()).plan.acts
        entries.append(Entry.of(act.became("done"), f"2027-01-15T08:00:0{len(entries)}.000Z", run))
    assert [len(outstanding(entries, run)[0]) for run in ("first", "second")] == [1, 1]


def test_keys_expire_by_the_clock_of_the_server(tally: Tally) -> None:
    tally.whole, tally.matching, tally.lasting = True, 5, 5
    job = module.job(params(levers=["ttl"], pattern="cache:*", ttl="1h"))
    (act,) = job.decide(job.observe()).plan.acts
    assert act.undo is not None and act.undo.identity["at"] == (NOW + 3600) * 1000
