# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.logs.decide import judge
from ansible_collections.firebreak.incident.plugins.module_utils.logs.observe import Snapshot, Unread
from ansible_collections.firebreak.incident.plugins.module_utils.logs.tally import Count, Errors, Http, Kernel

NOW = 1795314600.0


def found(**given: Any) -> list[tuple[str, str]]:
    data, findings = judge(Snapshot(NOW, **{"kernel": Kernel.empty(NOW), **given}))
    json.dumps(data)
    return [(finding.id, finding.level) for finding in findings]


def count(now: int, before: int = 0) -> Count:
    return Count(NOW, now=now, before=before, last=NOW - 1, text="it broke")


def errors(
    now: int, before: int = 0, source: str = "/srv/a.log", service: str | None = "app", **given: Any
) -> Errors:
    return Errors(source, service, count(now, before), **given)


def http(total: int, failed: int, good: int = 0) -> Http:
    failing = Counter({"503 /api/items": failed})
    return Http("/var/log/nginx/access.log", NOW, total, 0, failed, 100, 1, good, NOW - 9, failing)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (errors(9), []),
        (errors(10), ["warning"]),
        (errors(10, 20), ["warning"]),
        (errors(10, 21), []),
        (errors(1000, 6000), []),
        (errors(10, 0, seen_from=NOW - 3600), ["warning"]),
        (errors(10, 0, seen_from=NOW - 500), []),
    ],
    ids=["few", "new", "three times", "less than that", "every day", "an hour seen", "nothing to compare"],
)
def test_errors_rise_when_there_are_many_more_than_before(seen: Errors, expected: list[str]) -> None:
    assert found(errors=(seen,)) == [("logs.errors.rising", level) for level in expected]


def test_a_service_that_writes_its_errors_twice_is_told_once_by_its_worst_log() -> None:
    both = (errors(10), errors(30, source="/srv/b.log"), errors(12, source="cron.service", service=None))
    findings = judge(Snapshot(NOW, errors=both, kernel=Kernel.empty(NOW)))[1]
    assert [finding.subject for finding in findings] == ["service app", "cron.service"]
    assert "30 errors" in findings[0].summary
    assert "/srv/b.log" in findings[0].summary


def test_the_trouble_of_a_lesser_service_is_a_notice() -> None:
    assert found(errors=(errors(50),), lesser=frozenset({"app"})) == [("logs.errors.rising", "notice")]


@pytest.mark.parametrize(
    ("seen", "level"),
    [
        (http(19, 19), None),
        (http(20, 0), None),
        (http(100, 4), None),
        (http(100, 5), "warning"),
        (http(100, 19), "warning"),
        (http(100, 20), "critical"),
        (http(25, 25, good=2), "critical"),
        (http(25, 22, good=4), "notice"),
        (http(100, 20, good=14), "critical"),
        (http(100, 20, good=15), "notice"),
        (http(100, 5, good=59), "warning"),
        (http(100, 5, good=60), "notice"),
    ],
)
def test_failing_requests_are_judged_by_their_share_until_enough_have_succeeded(
    seen: Http, level: str | None
) -> None:
    assert found(http=(seen,)) == ([("logs.http.failing", level)] if level else [])


@pytest.mark.parametrize(("now", "before", "expected"), [(29, 0, 0), (30, 0, 1), (30, 60, 1), (30, 61, 0)])
def test_the_noise_of_the_internet_is_no_finding(now: int, before: int, expected: int) -> None:
    kernel = Kernel(NOW, count(now, before), Counter({"6.6.6.6": now}), Counter({"TCP/23": now}))
    assert found(kernel=kernel) == [("logs.packets.denied", "notice")] * expected


def test_a_denial_is_a_warning_while_it_is_new() -> None:
    kernel = Kernel.empty(NOW)
    kernel.denials.update({"AppArmor: a open b": count(1), "AppArmor: a open c": count(3, 9)})
    assert found(kernel=kernel) == [("logs.access.denied", "warning"), ("logs.access.denied", "notice")]


@pytest.mark.parametrize(("configured", "level"), [(True, "warning"), (False, "notice")])
def test_a_log_that_cannot_be_read_is_told(configured: bool, level: str) -> None:
    unread = (Unread("log /srv/a.log", "Permission denied", configured),)
    assert found(unread=unread) == [("logs.source.unseen", level)]


def test_a_quiet_host_has_no_findings() -> None:
    assert found(errors=(errors(0, 3),), http=(http(500, 0, good=500),)) == []
