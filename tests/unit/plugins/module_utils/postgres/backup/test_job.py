# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso_at
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup import job

from .conftest import NOW


def params(**backup: Any) -> dict[str, Any]:
    given = {"directory": "/b", "keep": 7, "command": None, "command_user": None, **backup}
    return {"backup": given, "max_age": "1h", "since": None, "prune": False, "max_risk": "disruptive"}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "now", lambda: NOW + 0.75)


def test_a_name_that_says_no_more_than_the_second_is_young_enough() -> None:
    assert job._wishes({**params(), "max_age": "0"}).since == NOW


def test_a_moment_counts_whatever_age_is_asked_for() -> None:
    wishes = job._wishes({**params(), "max_age": "0", "since": iso_at(NOW - 61.5)})
    assert (wishes.since, wishes.max_age) == (NOW - 62, 62)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (None, ()),
        ("/opt/b.sh 'a b' --x", ("/opt/b.sh", "a b", "--x")),
        (["/opt/b.sh", "a b", 3], ("/opt/b.sh", "a b", "3")),
    ],
)
def test_a_command_is_a_list_of_words_or_a_string(command: Any, words: tuple[str, ...]) -> None:
    assert job._wishes(params(command=command)).command == words


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (params(command="backup.sh"), "Give its path"),
        (params(command="/b.sh 'oh"), "quotation"),
        (params(command={"a": 1}), "list of words"),
        (params(keep=0), "never deleted"),
        ({**params(), "prune": True}, "max_risk"),
        ({**params(), "max_age": "old"}, "duration"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        job._wishes(given)
