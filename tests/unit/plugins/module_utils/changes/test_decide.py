# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.changes.decide import changes_of, judge
from ansible_collections.firebreak.incident.plugins.module_utils.changes.observe import (
    Containers,
    Files,
    Packages,
    Release,
    Snapshot,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.docker import Container
from ansible_collections.firebreak.incident.plugins.module_utils.clients.git import Checkout, Move
from ansible_collections.firebreak.incident.plugins.module_utils.clients.packages_log import (
    PackageChange,
    Run,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.systemd import Unit

MOMENT = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
NOW = MOMENT.timestamp()
UPTIME = 50_000.0


def snapshot(**given: Any) -> Snapshot:
    return Snapshot(**{"now": MOMENT, "monotonic": UPTIME, **given})


def told(**given: Any) -> list[tuple[int, str, str, str, str]]:
    """Each change with the seconds it is old, the newest first."""
    return [
        (round(NOW - one.time), one.kind, one.subject, one.what, one.by)
        for one in changes_of(snapshot(**given))
    ]


def unit(name: str, ago: float, **given: Any) -> Unit:
    values = {"load": "loaded", "active": "active", "sub": "running", "kind": "simple", **given}
    return Unit(name=name, active_since=UPTIME - ago, **values)


def container(name: str = "web", **given: Any) -> Container:
    values = {
        "image": "app:1",
        "project": "shop",
        "service": name,
        "state": "running",
        "created": "2026-11-22T01:30:00.123456789Z",
        "started": "2026-11-22T01:30:01.5Z",
        "finished": "0001-01-01T00:00:00Z",
        "image_id": "sha256:1",
    }
    return Container(**{"id": "0123456789ab", "name": name, **values, **given})


def ids(**given: Any) -> list[tuple[str, str]]:
    data, findings = judge(snapshot(**given))
    json.dumps(data)
    return [(finding.id, finding.level) for finding in findings]


def test_what_started_with_the_host_is_one_change() -> None:
    units = (unit("a.service", 39_990), unit("b.service", 39_900), unit("c.service", 300))
    assert told(units=units, boot=NOW - 40_000) == [
        (300, "service", "c.service", "started", ""),
        (40_000, "boot", "host", "booted with 2 services", ""),
    ]


def test_a_boot_of_long_ago_is_no_change() -> None:
    assert told(boot=NOW - 90_000, units=(unit("a.service", 89_000),)) == []


def test_services_started_together_are_one_change() -> None:
    units = (unit("a.service", 60), unit("b.service", 50), unit("c.service", 20))
    assert [(one[0], one[2]) for one in told(units=units)] == [
        (20, "c.service"),
        (50, "a.service, b.service"),
    ]


def test_a_service_that_fell_and_was_started_again_says_so() -> None:
    assert told(units=(unit("a.service", 60, restarts=7),))[0][3] == (
        "started (a.service 7 times by systemd after it had ended)"
    )


@pytest.mark.parametrize(
    "one",
    [
        unit("apt-daily.service", 60, kind="oneshot"),
        unit("user@1000.service", 60),
        unit("systemd-hostnamed.service", 60),
        unit("a.service", 60, active="failed"),
    ],
    ids=lambda one: one.name,
)
def test_what_comes_and_goes_by_itself_is_no_change(one: Unit) -> None:
    assert told(units=(one,)) == []


def test_a_run_of_apt_is_one_change_with_who_and_how() -> None:
    changes = (
        PackageChange(NOW - 100, "installed", "libjq1", "", "1.6"),
        PackageChange(NOW - 99, "installed", "jq", "", "1.6"),
        PackageChange(NOW - 98, "upgraded", "nginx", "1.22.1", "1.22.2"),
        PackageChange(NOW - 9, "removed", "telnet", "0.17", ""),
    )
    runs = (
        Run(NOW - 101, NOW - 97, "apt-get install jq", "alice (1000)"),
        Run(NOW - 5000, NOW - 4999, "apt-get update", ""),
    )
    assert told(packages=Packages(changes, runs)) == [
        (9, "packages", "telnet", "removed telnet 0.17", ""),
        (
            98,
            "packages",
            "nginx, jq, libjq1",
            "upgraded nginx 1.22.1 → 1.22.2, installed 2",
            "alice (1000): apt-get install jq",
        ),
    ]


def test_containers_made_together_are_one_change_and_a_later_start_is_another() -> None:
    found = (container("web"), container("db"), container("job", started="2026-11-22T02:29:00Z", restarts=2))
    assert told(containers=Containers(found, {})) == [
        (60, "container", "job", "started, 2 times by the engine", ""),
        (3600, "container", "web, db, job", "created from app:1", ""),
    ]


def test_a_container_that_has_ended_says_how() -> None:
    ended = container(state="exited", exit_code=137, finished="2026-11-22T02:00:00Z")
    assert told(containers=Containers((ended,), {}))[0] == (
        1800,
        "container",
        "web",
        "ended with code 137",
        "",
    )


def test_a_release_is_told_by_git_and_by_its_link() -> None:
    move = Move(NOW - 600, "a" * 40, "b" * 40, "Alice", "checkout: moving from v1 to v2")
    old = replace(move, time=NOW - 90_000)
    release = Release("app", "/srv/app", Checkout("/srv/app", None, "b" * 40, (old, move)), "v2", NOW - 500)
    assert told(releases=(release,)) == [
        (500, "release", "app", "/srv/app leads to v2", ""),
        (600, "release", "app", "aaaaaaaaa → bbbbbbbbb (checkout: moving from v1 to v2)", "Alice"),
    ]
    data = judge(snapshot(releases=(release,)))[0]["releases"]
    assert (data[0]["commit"], data[0]["since"]) == ("b" * 40, "2026-11-22T02:20:00.000Z")


def test_files_written_together_are_one_change() -> None:
    written = tuple((f"/etc/nginx/{name}", NOW - 70 + number) for number, name in enumerate("abcdef"))
    assert told(files=Files(written)) == [
        (65, "files", "/etc/nginx/a, /etc/nginx/b, /etc/nginx/c, /etc/nginx/d and 2 more", "written", "")
    ]


def test_a_time_that_has_not_come_is_no_change() -> None:
    assert told(files=Files((("/etc/x", NOW + 3600),))) == []


def test_the_last_changes_are_a_notice() -> None:
    findings = judge(snapshot(files=Files((("/etc/hosts", NOW - 60),)), boot=NOW - 600))[1]
    assert [(one.id, one.level) for one in findings] == [("changes.recent.seen", "notice")]
    assert "2 things changed within 24 h, the last: 1 min ago /etc/hosts written; 10 min ago host booted" in (
        findings[0].summary
    )


def test_a_host_on_which_nothing_changed_has_no_findings() -> None:
    assert ids() == []


@pytest.mark.parametrize(
    ("current", "state", "count"),
    [("sha256:2", "running", 1), ("sha256:1", "running", 0), (None, "running", 0), ("sha256:2", "exited", 0)],
)
def test_a_container_of_an_older_image_is_a_notice(current: str | None, state: str, count: int) -> None:
    images = {"app:1": current} if current else {}
    old = container(state=state, created="2026-11-01T00:00:00Z", started="2026-11-01T00:00:00Z")
    expected = [("changes.image.outdated", "notice")] * count
    assert ids(containers=Containers((old,), images)) == expected


def test_a_reboot_that_is_asked_for_is_a_notice() -> None:
    assert ids(reboot=("linux-image",)) == [("changes.reboot.required", "notice")]


@pytest.mark.parametrize("given", [{"unseen": {"units": "no answer"}}, {"files": Files(complete=False)}])
def test_what_could_not_be_seen_is_told(given: Any) -> None:
    assert ids(**given) == [("changes.part.unseen", "notice")]
