# SPDX-License-Identifier: GPL-3.0-or-later
"""A clock that only sleeping moves, and what each look finds."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.utils.display import Display

from ansible_collections.firebreak.incident.plugins.action import recovery
from ansible_collections.firebreak.incident.plugins.plugin_utils import with_context

WELL: dict[str, Any] = {"changed": False, "healthy": True, "reasons": [], "findings": []}
ILL: dict[str, Any] = {**WELL, "healthy": False, "reasons": ["app answers 503"]}
LOST = AnsibleConnectionFailure("timed out")


class Watched:
    """The last of `looks` is what all that follow find."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, looks: Sequence[Any]) -> None:
        self.now, self.looks, self.times, self.said = 0.0, list(looks), list[float](), list[str]()
        monkeypatch.setattr(recovery, "time", SimpleNamespace(monotonic=lambda: self.now, sleep=self._sleep))
        monkeypatch.setattr(Display, "display", lambda _self, text, *_more: self.said.append(text))
        monkeypatch.setattr(with_context.ActionModule, "run", lambda *_given: self._look())

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def _look(self) -> dict[str, Any]:
        self.times.append(self.now)
        found = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(found, Exception):
            raise found
        return dict(found)

    def run(self, check: bool = False, known: dict[str, Any] | None = None, **args: Any) -> dict[str, Any]:
        made: Any = object.__new__(recovery.ActionModule)
        made._task = SimpleNamespace(args=args, check_mode=check)
        result: dict[str, Any] = made.run(task_vars={"inventory_hostname": "web1", **(known or {})})
        return result


def test_half_an_hour_is_watched_when_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, [WELL])
    result = watched.run()
    assert (result["recovered"], result["verdict"], watched.now) == (True, "resolved", 1800)
    assert (result["looks"], result["consecutive_passes"]) == (61, 61)
    assert watched.times[:3] == [0, 30, 60]
    assert result["msg"] == "well for 30 min without a break, 61 looks in a row"


def test_a_shorter_window_is_watched_on_demand_and_how_far_it_is_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched(monkeypatch, [WELL, ILL, WELL])
    result = watched.run(window="20", interval="10s")
    assert (result["recovered"], result["failures"], watched.now) == (True, 1, 40)
    assert watched.said == [
        "web1: look 1: well, 1 in a row, 20 s to go",
        "web1: look 2: not well: app answers 503",
        "web1: look 3: well, 1 in a row, 20 s to go",
        "web1: look 4: well, 2 in a row, 10 s to go",
    ]


def test_it_fails_as_soon_as_the_time_that_is_left_is_too_short(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, [ILL])
    result = watched.run(window="60", interval="10", give_up_after="90")
    assert (result["failed"], result["recovered"], result["verdict"]) == (True, False, "unchanged")
    assert watched.now == 40
    assert "not well for 1 min without a break within 90 s (5 of 5 looks failed" in result["msg"]
    assert "app answers 503" in result["msg"]


def test_in_check_mode_it_looks_once_and_waits_not(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, [ILL])
    result = watched.run(check=True)
    assert (result["recovered"], result["looks"], watched.now) == (None, 1, 0)
    assert "failed" not in result


def test_a_host_that_is_lost_meanwhile_is_not_well(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, [WELL, LOST, WELL])
    result = watched.run(window="20", interval="10")
    assert (result["recovered"], result["failures"]) == (True, 1)
    assert "the host is not reached: timed out" in watched.said[1]


def test_a_host_that_never_was_reached_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AnsibleConnectionFailure):
        Watched(monkeypatch, [LOST]).run()


def test_a_look_that_cannot_be_taken_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, [{"failed": True, "msg": "service app: its runtime is 'x'"}])
    assert watched.run()["msg"] == "service app: its runtime is 'x'"
    assert watched.times == [0]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"window": "soon"}, "it is not a duration"),
        ({"passes": 0}, "it is no number of looks"),
        ({"passes": "many"}, "it is no number of looks"),
        ({"window": "3h"}, "it is shorter than the window"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_the_first_look(
    monkeypatch: pytest.MonkeyPatch, args: dict[str, Any], message: str
) -> None:
    watched = Watched(monkeypatch, [WELL])
    result = watched.run(**args)
    assert result["failed"]
    assert message in result["msg"]
    assert watched.times == []


def test_where_nothing_can_be_asked_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {
        "id": "recovery.check.missing",
        "level": "critical",
        "subject": "recovery",
        "summary": "nothing",
    }
    blind = {**ILL, "reasons": ["there is nothing to tell by"], "findings": [missing], "measured": {}}
    watched = Watched(monkeypatch, [blind])
    result = watched.run()
    assert (result["failed"], result["recovered"], result["looks"], watched.now) == (True, False, 1, 0)
    assert "there is nothing to tell by. Give a service of firebreak_services its health URL" in result["msg"]


def test_a_prometheus_that_tells_nothing_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {
        "id": "recovery.check.missing",
        "level": "critical",
        "subject": "recovery",
        "summary": "nothing",
    }
    silent = {**ILL, "findings": [missing], "measured": {"errors": {"value": None, "unseen": "refused"}}}
    assert Watched(monkeypatch, [silent, WELL]).run(window="20", interval="10")["recovered"]


def test_who_recovered_is_told_how_to_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    run = {"run": {"incident": "inc-1", "playbook": "verify_recovery"}}
    result = Watched(monkeypatch, [WELL]).run(window="20", interval="10", known={"firebreak_run": run})
    assert result["msg"].endswith("update_incident.yml -e incident=inc-1 -e event=resolve")
