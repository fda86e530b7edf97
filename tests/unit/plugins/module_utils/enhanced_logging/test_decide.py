# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.procfs import Space
from ansible_collections.firebreak.incident.plugins.module_utils.enhanced_logging.decide import (
    Request,
    enhance,
    inform,
)
from ansible_collections.firebreak.incident.plugins.module_utils.enhanced_logging.job import parse
from ansible_collections.firebreak.incident.plugins.module_utils.enhanced_logging.observe import (
    Current,
    Room,
    Snapshot,
    Wanted,
    end_of,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput

NOW = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
APP, SSHD, BOXED = Wanted("app", "zekka.service"), Wanted("sshd", None, sshd=True), Wanted("redis", None)
QUIET = Current("zekka.service", "loaded", "active", 42, "control-group", environment={"LOG_LEVEL": "info"})
LOUD = replace(
    QUIET, environment={"LOG_LEVEL": "debug", "A": "b"}, until=NOW + timedelta(seconds=3600), armed=True
)
DAEMON = Current(
    "ssh.service",
    "loaded",
    "active",
    7,
    "process",
    start="{ path=/usr/sbin/sshd ; argv[]=/usr/sbin/sshd -D $SSHD_OPTS ; }",
    command="sshd: /usr/sbin/sshd -D [listener]",
)
GIB = 1 << 30


def request(*wanted: Wanted, max_risk: str = "disruptive") -> Request:
    return Request(wanted, {"LOG_LEVEL": "debug"}, 3600, max_risk)


def snapshot(rooms: tuple[Room, ...] = (), **current: Current) -> Snapshot:
    return Snapshot(current, dict.fromkeys(current, rooms), {}, NOW)


def test_a_service_is_told_by_a_restart_that_can_be_taken_back() -> None:
    decision = enhance(snapshot(app=QUIET), request(APP))
    (act,) = decision.plan.acts
    assert act.risk == "disruptive"
    assert act.identity == {
        "unit": "zekka.service",
        "sshd": False,
        "environment": {"LOG_LEVEL": "debug"},
        "seconds": 3600,
    }
    assert act.undo and (act.undo.action, act.undo.identity) == ("logging.restore", act.identity)
    assert decision.symptom == 1


def test_sshd_is_told_without_disturbing_anybody_where_sessions_outlive_it() -> None:
    assert enhance(snapshot(sshd=DAEMON), request(SSHD)).plan.acts[0].risk == "reversible"
    other = replace(DAEMON, kill_mode="control-group")
    assert enhance(snapshot(sshd=other), request(SSHD)).plan.acts[0].risk == "disruptive"


def test_a_low_ceiling_refuses_the_service_and_leaves_sshd() -> None:
    decision = enhance(snapshot(app=QUIET, sshd=DAEMON), request(APP, SSHD, max_risk="reversible"))
    assert [act.target for act in decision.plan.acts] == ["ssh.service"]
    assert "memory is evidence" in decision.plan.refusals[0].reason
    assert [finding.id for finding in decision.findings] == ["logging.target.refused"]
    assert decision.symptom == 1
    on = replace(DAEMON, command="sshd: /usr/sbin/sshd -o LogLevel=VERBOSE -D", until=LOUD.until, armed=True)
    again = enhance(snapshot(app=QUIET, sshd=on), request(APP, SSHD, max_risk="reversible"))
    assert (again.symptom, again.plan.acts) == (0, ())


def test_a_refusal_counts_where_there_is_nothing_else() -> None:
    decision = enhance(snapshot(), request(BOXED))
    assert "making it anew" in decision.plan.refusals[0].reason
    assert decision.symptom == 1


@pytest.mark.parametrize(
    ("current", "settled"),
    [
        (LOUD, True),
        (replace(LOUD, until=NOW + timedelta(seconds=1800)), True),
        (replace(LOUD, until=NOW + timedelta(seconds=1799)), False),
        (replace(LOUD, armed=False), False),
        # Its own configuration says so, for good.
        (replace(LOUD, until=None, armed=False), True),
        # The drop-in is there and the process was started before it.
        (replace(QUIET, until=LOUD.until, armed=True), False),
        (replace(QUIET, environment=None), False),
    ],
)
def test_what_is_on_and_will_end_is_left_as_it_is(current: Current, settled: bool) -> None:
    assert (enhance(snapshot(app=current), request(APP)).symptom == 0) is settled


def test_only_the_end_is_moved_without_a_restart() -> None:
    near = replace(LOUD, until=NOW + timedelta(seconds=60))
    (act,) = enhance(snapshot(app=near), request(APP, max_risk="reversible")).plan.acts
    assert act.risk == "reversible"


@pytest.mark.parametrize(
    ("current", "reason"),
    [
        (replace(QUIET, load="not-found"), "no unit zekka.service"),
        (replace(QUIET, active="inactive", pid=0), "has no process that runs (it is inactive)"),
        (replace(QUIET, pid=0), "has no process that runs (it is active)"),
    ],
)
def test_a_unit_that_serves_nobody_is_refused(current: Current, reason: str) -> None:
    assert reason in enhance(snapshot(app=current), request(APP)).plan.refusals[0].reason


@pytest.mark.parametrize(
    ("space", "enough"),
    [
        (Space(100 * GIB, 0, 2 * GIB, 10**6, 10**6), True),
        (Space(100 * GIB, 0, GIB - 1, 10**6, 10**6), False),
        (Space(5 * GIB, 0, GIB // 2, 10**6, 10**6), True),
        (Space(5 * GIB, 0, GIB // 2 - 1, 10**6, 10**6), False),
        (Space(100 * GIB, 0, 50 * GIB, 10**6, 9_999), False),
        (Space(100 * GIB, 0, 50 * GIB, 1000, 99), False),
        (Space(100 * GIB, 0, 50 * GIB, 0, 0), True),
    ],
)
def test_a_nearly_full_log_disk_is_not_filled(space: Space, enough: bool) -> None:
    decision = enhance(snapshot((Room("/var/log", space),), app=QUIET), request(APP))
    assert bool(decision.plan.acts) is enough
    if not enough:
        assert "the filesystem of /var/log has" in decision.plan.refusals[0].reason


def test_what_nothing_will_end_is_a_warning() -> None:
    data, findings = inform([LOUD, replace(LOUD, armed=False)], NOW)
    assert [finding.id for finding in findings] == ["logging.unit.enhanced", "logging.unit.without_end"]
    assert data["enhanced"][0] == {
        "unit": "zekka.service",
        "until": "2026-11-21T23:00:00.000Z",
        "armed": True,
    }


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("# Ends 2026-11-21T23:00:00.000Z, by x.timer\n[Service]\n", NOW + timedelta(hours=1)),
        ("# Ends soonZ\n", None),
        ("", None),
    ],
)
def test_the_end_is_read_from_the_drop_in(text: str, end: datetime | None) -> None:
    assert end_of(text) == end


def params(**given: Any) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "services": {
            "app": {"runtime": "systemd", "unit": "zekka", "logs": ["/opt/zekka/logs/*.log"]},
            "redis": {"runtime": "compose", "service": "redis"},
        },
        "targets": None,
        "environment": {"LOG_LEVEL": "debug"},
        "duration": "1h",
        "max_risk": "reversible",
    }
    return {**defaults, **given}


def test_without_targets_it_is_the_app_and_sshd() -> None:
    assert parse(params()).wanted == (
        Wanted("app", "zekka.service", logs=("/opt/zekka/logs/*.log",)),
        Wanted("sshd", None, sshd=True),
    )
    assert parse(params(services={})).wanted == (Wanted("sshd", None, sshd=True),)
    assert parse(params(targets=["redis"])).wanted == (Wanted("redis", None),)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"targets": ["ap"]}, "The services are app, redis, sshd"),
        ({"duration": "30s"}, "below a minute"),
        ({"duration": "8d"}, "above a week"),
        ({"environment": {"LOG LEVEL": "debug"}}, "needs quotes"),
        ({"environment": {"LOG_LEVEL": "debug\nX=y"}}, "needs quotes"),
    ],
)
def test_what_cannot_be_meant_is_said(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        parse(params(**given))
