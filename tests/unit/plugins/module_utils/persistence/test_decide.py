# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.packages import Verification
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.persistence.decide import decide
from ansible_collections.firebreak.incident.plugins.module_utils.persistence.model import (
    Item,
    Reference,
    Snapshot,
    Walk,
)

from .conftest import NOW, make_item, make_snapshot, remarkable, summed

PARAMS = {"window": "7d"}


def test_what_was_not_seen_is_a_finding_each() -> None:
    snapshot = make_snapshot(
        files=None,
        unseen={"files": "no answer within 60 s"},
        verification=Verification("dpkg", 10, late=5),
        privileged=Walk((), 3, "/srv"),
    )
    found = remarkable(snapshot)
    assert summed(found) == [("persistence.topic.unseen", "warning")] * 3
    assert ["/srv" in one.summary for one in found].count(True) == 1


def test_a_host_of_which_nothing_was_seen_is_not_called_clean() -> None:
    nothing = Snapshot(Reference(NOW), unseen={"files": "x", "packages": "y"})
    assert summed(remarkable(nothing)) == [("persistence.topic.unseen", "warning")] * 2


def test_without_a_baseline_it_is_said_what_that_means() -> None:
    young = replace(make_snapshot(make_item("cron", "/x")), reference=Reference(NOW - 60, NOW - 90, NOW - 60))
    found = decide(young, PARAMS, NOW)[1]
    assert [one.id for one in found] == ["persistence.baseline.absent", "persistence.reference.young"]
    assert "1 file that no package vouches for" in found[0].summary


@pytest.mark.parametrize("content", [{"version": 2, "items": {}}, {"items": []}, {"version": 1}])
def test_what_is_no_baseline_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="baseline"):
        decide(make_snapshot(), {**PARAMS, "expected": content}, NOW)


def test_a_baseline_with_odd_topics_is_no_error() -> None:
    assert remarkable(make_snapshot(), expected={"version": 1, "items": {"files": 3, "keys": None}}) == []


def test_the_data_is_plain_and_bounded() -> None:
    files = [Item("cron", f"/etc/cron.d/\udcff{number}", ctime=1e30) for number in range(2000)]
    data = decide(make_snapshot(*files), PARAMS, NOW)[0]
    assert len(data["topics"]["cron"]) == 500
    json.dumps(data).encode("utf-8")
    json.dumps(data["topics"], ensure_ascii=False).encode("utf-8")
