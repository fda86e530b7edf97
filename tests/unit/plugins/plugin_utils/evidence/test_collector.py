# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.evidence.catalogue import BY_NAME, of_profile
from ansible_collections.firebreak.incident.plugins.plugin_utils.evidence import collector as module
from ansible_collections.firebreak.incident.plugins.plugin_utils.evidence.collection import Collection
from ansible_collections.firebreak.incident.plugins.plugin_utils.evidence.collector import (
    Collector,
    Limits,
    Lost,
    Outcome,
    batches,
)

Entry = Callable[..., dict[str, Any]]
STEPS = [BY_NAME[name] for name in ("clock", "processes", "journal", "cron")]


class Host:
    """Answers with what it was given for each step; keeps what it was asked."""

    def __init__(self, entry: Entry, answers: Mapping[str, Any] | None = None) -> None:
        self.entry, self.answers = entry, dict(answers or {})
        self.asked: list[Mapping[str, Any]] = []

    def __call__(self, arguments: Mapping[str, Any], _seconds: float) -> Mapping[str, Any]:
        self.asked.append(json.loads(json.dumps(arguments)))
        resume = arguments["resume"]
        names = arguments["steps"]
        artefacts = []
        for name in names[names.index(resume["step"]) if resume else 0 :]:
            answer = self.answers.get(name, b"x")
            if callable(answer):
                told: Mapping[str, Any] = answer(arguments)
                return told
            artefacts.append(self.entry(name, answer))
        return {"artefacts": artefacts, "not_collected": [], "next": None, "epoch_seconds": 1.8e9}


def gather(
    collection: Collection, host: Any, max_bytes: int = 1 << 24, max_seconds: int = 600, **given: Any
) -> Outcome:
    clock = given.get("clock", lambda: 0.0)
    free = given.get("free", lambda: 1 << 40)
    limits = Limits(max_bytes, max_seconds, 1 << 20)
    worker = Collector(host, collection, {"profile": "standard"}, limits, clock, free)
    return worker.collect(given.get("steps", STEPS), lambda _outcome: collection.save())


def lacks(outcome: Outcome) -> list[str]:
    return [missing.name for missing in outcome.lacks]


def names(collection: Collection) -> list[str]:
    return [artefact.name for artefact in collection.artefacts]


def test_bulk_steps_are_asked_for_alone_and_in_order() -> None:
    for profile in ("volatile", "standard", "full"):
        found = batches(of_profile(profile))
        assert [step for batch in found for step in batch] == list(of_profile(profile))
        assert all(len(batch) == 1 for batch in found if any(step.bulk for step in batch))


def test_everything_is_kept_in_the_order_of_volatility(collection: Collection, entry: Entry) -> None:
    outcome = gather(collection, Host(entry))
    assert names(collection) == [
        "001-clock.json",
        "002-processes.jsonl",
        "003-journal.jsonl",
        "004-cron.jsonl",
    ]
    assert (outcome.stopped, outcome.missing, outcome.calls) == (None, [], 3)


def test_it_goes_on_where_the_host_says(collection: Collection, entry: Entry) -> None:
    def journal(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        at = json.loads(arguments["resume"]["token"]) if arguments["resume"] else 0
        last = at == 3
        piece = entry("journal", b"%d" % at, first=at == 0, last=last)
        position = None if last else {"step": "journal", "part": "", "token": str(at + 1)}
        return {"artefacts": [piece], "not_collected": [], "next": position}

    outcome = gather(collection, Host(entry, {"journal": journal}))
    assert (collection.path / "003-journal.jsonl").read_bytes() == b"0123"
    assert outcome.missing == []


def test_a_spent_size_budget_ends_it_and_names_what_is_missing(collection: Collection, entry: Entry) -> None:
    outcome = gather(collection, Host(entry, {"processes": b"p" * 900}), max_bytes=500)
    assert collection.size == 500
    assert lacks(outcome) == ["the rest of processes", "journal", "cron"]
    assert outcome.stopped is not None
    assert "500 bytes" in outcome.stopped
    artefact = collection.artefacts[-1]
    assert (artefact.whole, artefact.bytes) == (False, 499)


def test_a_bulk_step_leaves_a_share_to_what_comes_after(collection: Collection, entry: Entry) -> None:
    host = Host(entry, {"processes": b"p" * 880})
    outcome = gather(collection, host, max_bytes=1000)
    assert names(collection)[-1] == "003-cron.jsonl"
    assert lacks(outcome) == ["journal"]
    assert host.asked[0]["artefact_bytes"] == 125


def test_a_spent_time_budget_ends_it_and_names_what_is_missing(collection: Collection, entry: Entry) -> None:
    now = iter(range(0, 1000, 4))
    outcome = gather(collection, Host(entry), max_seconds=10, clock=lambda: float(next(now)))
    assert outcome.stopped == "the time budget of 10 s is spent"
    assert "cron" in lacks(outcome)


def test_a_full_controller_ends_it(collection: Collection, entry: Entry) -> None:
    free = iter([1 << 30, 1 << 10])
    outcome = gather(collection, Host(entry), free=lambda: next(free))
    assert outcome.stopped is not None
    assert "on the controller" in outcome.stopped
    assert lacks(outcome) == ["journal", "cron"]


def test_a_host_that_is_lost_leaves_what_was_collected(collection: Collection, entry: Entry) -> None:
    def lost(_arguments: Any) -> Any:
        raise Lost("the host was lost: broken pipe")

    outcome = gather(collection, Host(entry, {"journal": lost}))
    assert outcome.lost
    assert names(collection) == ["001-clock.json", "002-processes.jsonl"]
    assert lacks(outcome) == ["journal", "cron"]


def test_a_module_that_breaks_costs_one_step(collection: Collection, entry: Entry) -> None:
    def broken(_arguments: Any) -> Any:
        return {"failed": True, "msg": "MemoryError\x1b[2J"}

    outcome = gather(collection, Host(entry, {"clock": broken}))
    assert names(collection) == ["001-processes.jsonl", "002-journal.jsonl", "003-cron.jsonl"]
    assert [(missing.name, missing.reason) for missing in outcome.lacks] == [("clock", "MemoryError?[2J")]


def test_a_host_that_goes_round_in_circles_is_left(collection: Collection, entry: Entry) -> None:
    def circle(_arguments: Any) -> Any:
        position = {"step": "journal", "part": "", "token": "1"}
        return {"artefacts": [entry("journal", b"x", last=False)], "not_collected": [], "next": position}

    outcome = gather(collection, Host(entry, {"journal": circle}))
    assert names(collection)[-1].endswith("cron.jsonl")
    assert any("no progress" in missing.reason for missing in outcome.lacks)


def test_a_host_that_goes_back_is_left(collection: Collection, entry: Entry) -> None:
    turns = iter(["processes", "clock"])

    def back(_arguments: Any) -> Any:
        return {
            "artefacts": [entry("processes", b"x")],
            "not_collected": [],
            "next": {"step": next(turns), "part": "", "token": "1"},
        }

    outcome = gather(collection, Host(entry, {"clock": back, "processes": back}))
    assert lacks(outcome) == ["the rest of processes"]
    assert outcome.refused == ["a place to go on that cannot be meant"]


def test_no_step_is_passed_over_in_silence(collection: Collection, entry: Entry) -> None:
    def nothing(_arguments: Any) -> Any:
        return {"artefacts": [], "not_collected": [], "next": None}

    outcome = gather(collection, Host(entry, {"journal": nothing}))
    assert [(missing.name, missing.cause) for missing in outcome.missing] == [("journal", "absent")]


def test_a_host_that_says_nothing_new_without_end_is_stopped(
    collection: Collection, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ARTEFACTS", 20)
    tokens = iter(range(10_000))

    def endless(_arguments: Any) -> Any:
        position = {"step": "journal", "part": "", "token": str(next(tokens))}
        return {"artefacts": [entry("journal", b"")], "not_collected": [], "next": position}

    outcome = gather(collection, Host(entry, {"journal": endless}))
    assert outcome.stopped is not None
    assert len(collection.artefacts) <= 21


def test_a_piece_that_follows_nothing_is_refused(collection: Collection, entry: Entry) -> None:
    def loose(_arguments: Any) -> Any:
        pieces = [entry("journal", b"x", part="a", last=False), entry("journal", b"y", part="b", first=False)]
        return {"artefacts": pieces, "not_collected": [], "next": None}

    outcome = gather(collection, Host(entry, {"journal": loose}))
    assert outcome.refused == ["a piece of journal that follows nothing"]
    assert (collection.path / "003-journal-a.jsonl").read_bytes() == b"x"
    assert lacks(outcome) == ["the rest of 003-journal-a.jsonl"]


def test_what_was_cut_on_the_host_makes_it_incomplete(collection: Collection, entry: Entry) -> None:
    def cut(_arguments: Any) -> Any:
        piece = entry("journal", b"x", cut="all before that")
        return {"artefacts": [piece], "not_collected": [], "next": None}

    outcome = gather(collection, Host(entry, {"journal": cut}))
    assert lacks(outcome) == ["a part of 003-journal.jsonl"]
    assert collection.artefacts[2].cut == "all before that"


def test_the_manifest_is_up_to_date_after_every_call(collection: Collection, entry: Entry) -> None:
    seen = []

    def look(_arguments: Any) -> Any:
        seen.append(len(json.loads((collection.path / "manifest.json").read_text())["artefacts"]))
        return {"artefacts": [], "not_collected": [], "next": None}

    gather(collection, Host(entry, {"journal": look}))
    assert seen == [2]


def test_a_host_that_floods_one_answer_with_files_is_stopped(
    collection: Collection, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ARTEFACTS", 20)
    flood = [entry("clock", b"", part=str(number)) for number in range(500)]
    host = Host(entry, {"clock": lambda _asked: {"artefacts": flood, "not_collected": [], "next": None}})
    outcome = gather(collection, host)
    assert len(collection.artefacts) == 20
    assert "more than can be meant" in str(outcome.stopped)


def test_a_host_that_lacks_ever_more_things_is_not_believed(
    collection: Collection, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_MISSING", 30)
    lies = iter(range(10_000))

    def answer(asked: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            "artefacts": [entry(asked["steps"][0])],
            "not_collected": [{"name": f"thing {next(lies)}", "cause": "failed"} for _each in range(20)],
            "next": None,
        }

    outcome = gather(collection, Host(entry, dict.fromkeys(("clock", "journal", "cron"), answer)))
    assert sum(missing.name.startswith("thing") for missing in outcome.missing) <= 30
    assert any("more than 30" in text for text in outcome.refused)


def test_a_wrong_digest_is_counted(collection: Collection, entry: Entry) -> None:
    def wrong(_arguments: Any) -> Any:
        return {"artefacts": [entry("journal", b"x", sha256="0")], "not_collected": [], "next": None}

    gather(collection, Host(entry, {"journal": wrong}))
    assert [artefact.mismatched for artefact in collection.artefacts] == [0, 0, 1, 0]
