# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.docker import Container
from ansible_collections.firebreak.incident.plugins.module_utils.clients.http import Answer, parse_target
from ansible_collections.firebreak.incident.plugins.module_utils.clients.systemd import Unit
from ansible_collections.firebreak.incident.plugins.module_utils.services import Service
from ansible_collections.firebreak.incident.plugins.module_utils.workload.decide import (
    judge_http,
    judge_services,
)
from ansible_collections.firebreak.incident.plugins.module_utils.workload.observe import Probed, Workload
from ansible_collections.firebreak.incident.plugins.module_utils.workload.probes import Probe

NOW = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
CLOCK = 100_000.0
LONG_AGO = "2026-11-01T00:00:00.123456789Z"
JUST_NOW = "2026-11-21T21:59:50.5Z"

REDIS = Service("redis", "systemd", unit="redis-server.service")
DATABASE = Service("postgres", "compose", project="matrixon", service="postgres")
SIDE = Service("cadvisor", "compose", project="matrixon", service="cadvisor", essential=False)


def unit(name: str = "redis-server.service", **given: Any) -> Unit:
    usual = {"load": "loaded", "active": "active", "sub": "running", "kind": "notify", "enabled": "enabled"}
    return Unit(**{"name": name, **usual, **given})


def container(service: str | None = "postgres", project: str | None = "matrixon", **given: Any) -> Container:
    usual = {"state": "running", "started": LONG_AGO, "restart_policy": "unless-stopped"}
    name = f"{project}-{service}-1" if service else "lonely"
    return Container(
        id="0123456789ab",
        name=name,
        image="i",
        project=project,
        service=service,
        **{**usual, **given},
    )


def workload(*services: Service, units: Any = None, containers: Any = None, **given: Any) -> Workload:
    return Workload(services, units, containers, now=NOW, monotonic=CLOCK, **given)


def found(seen: Workload) -> list[tuple[str, str]]:
    return [(finding.id, finding.level) for finding in judge_services(seen)[1]]


def states(seen: Workload) -> dict[str, str]:
    return {row["name"]: row["state"] for row in judge_services(seen)[0]}


STOPPED: dict[str, Any] = {"active": "inactive", "sub": "dead", "inactive_since": CLOCK - 720}
FAILED = {"active": "failed", "sub": "failed", "result": "exit-code", "exit_code": 1, "exit_status": 3}
DOWN = [("workload.service.down", "critical")]
RESTARTING = [("workload.service.restarting", "critical")]


@pytest.mark.parametrize(
    ("given", "expected", "said"),
    [
        ({}, [], ""),
        (STOPPED, DOWN, "redis-server.service was stopped 12 min ago"),
        (FAILED, DOWN, "has failed: its process ended with status 3"),
        ({**FAILED, "exit_code": 2, "exit_status": 9}, DOWN, "it was ended by SIGKILL"),
        ({**FAILED, "exit_code": 2, "exit_status": 99}, DOWN, "it was ended by signal 99"),
        ({**FAILED, "result": "oom-kill"}, DOWN, "killed for lack of memory"),
        ({**FAILED, "result": "start-limit-hit"}, DOWN, "systemd gave up"),
        ({"load": "masked", "active": "inactive"}, DOWN, "is masked"),
        ({"load": "not-found", "active": "inactive"}, DOWN, "is not known to systemd"),
        ({"active": "deactivating", "sub": "stop"}, DOWN, "was stopped"),
        (
            {"active": "activating", "sub": "auto-restart", "restarts": 4, "exit_code": 1, "exit_status": 1},
            RESTARTING,
            "started again, 4 times so far: its process ended with status 1",
        ),
        ({"active": "activating", "sub": "auto-restart-queued"}, RESTARTING, ""),
        ({"restarts": 3, "active_since": CLOCK - 10}, RESTARTING, "3 times, the last time 10 s ago"),
        ({"restarts": 3, "active_since": CLOCK - 301}, [], ""),
        ({"restarts": 2, "active_since": CLOCK - 1}, [], ""),
        ({"active": "activating", "sub": "start"}, [("workload.service.starting", "notice")], "is starting"),
        ({"active": "reloading", "sub": "reload"}, [], ""),
    ],
)
def test_the_state_of_a_configured_unit(
    given: dict[str, Any], expected: list[tuple[str, str]], said: str
) -> None:
    seen = workload(REDIS, units=(unit(**given),))
    assert found(seen) == expected
    assert all(said in finding.summary for finding in judge_services(seen)[1])


def test_trouble_of_a_service_that_is_not_essential_is_a_notice() -> None:
    seen = workload(replace(REDIS, essential=False), units=(unit(**STOPPED),))
    assert found(seen) == [("workload.service.down", "notice")]


def test_a_unit_is_known_by_its_alias() -> None:
    seen = workload(
        replace(REDIS, unit="redis.service"),
        units=(unit(names=("redis-server.service", "redis.service"), **STOPPED),),
    )
    assert found(seen) == DOWN


def dummy(**given: Any) -> Unit:
    cluster = ("postgresql@15-main.service",)
    return unit(
        "postgresql.service", sub="exited", kind="oneshot", wants=cluster, consists_of=cluster, **given
    )


@pytest.mark.parametrize("configured", [True, False])
def test_debians_dummy_unit_does_not_hide_a_cluster_that_is_down(configured: bool) -> None:
    services = (Service("postgres", "systemd", unit="postgresql.service"),) if configured else ()
    seen = workload(*services, units=(dummy(), unit("postgresql@15-main.service", **STOPPED)))
    assert found(seen) == DOWN
    assert "postgresql@15-main.service" in judge_services(seen)[1][0].summary


def test_a_dummy_unit_whose_cluster_is_up_is_up() -> None:
    seen = workload(
        Service("postgres", "systemd", unit="postgresql.service"),
        units=(dummy(), unit("postgresql@15-main.service")),
    )
    assert (found(seen), states(seen)) == ([], {"postgres": "running"})


def test_a_cluster_that_is_not_started_with_the_others_is_not_missed() -> None:
    manual = replace(dummy(), wants=())
    assert found(workload(units=(manual, unit("postgresql@15-main.service", enabled="", **STOPPED)))) == []


def test_failed_units_that_nobody_configured_are_warnings() -> None:
    seen = workload(
        REDIS,
        units=(
            unit(),
            unit("certbot.service", **FAILED),
            unit("data.mount", kind="", **FAILED),
            unit("worker.service", active="activating", sub="auto-restart", restarts=9),
        ),
    )
    assert found(seen) == [("workload.unit.failed", "warning")] * 3


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [("workload.unit.stopped", "warning")]),
        ({"enabled": "disabled"}, []),
        ({"kind": "oneshot"}, []),
        ({"condition": False}, []),
        ({"inactive_since": 0.0}, []),
        ({"triggered_by": ("x.timer",)}, []),
    ],
    ids=["left stopped", "not started at boot", "one shot", "condition", "never ran", "comes when called"],
)
def test_with_nothing_configured_what_was_stopped_is_told(
    given: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    stopped = unit(**{**STOPPED, **given})
    assert found(workload(units=(stopped,))) == expected
    assert (
        found(workload(Service("app", "systemd", unit="app.service"), units=(stopped, unit("app.service"))))
        == []
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, []),
        ({"health": "healthy"}, []),
        ({"health": "starting"}, [("workload.service.starting", "notice")]),
        ({"health": "unhealthy", "failing_streak": 8}, [("workload.container.unhealthy", "critical")]),
        ({"state": "exited", "exit_code": 0}, DOWN),
        ({"state": "created"}, DOWN),
        ({"state": "dead"}, DOWN),
        ({"state": "paused"}, DOWN),
        ({"state": "restarting", "exit_code": 1, "restarts": 7}, RESTARTING),
        ({"restarts": 7, "started": JUST_NOW}, RESTARTING),
        ({"restarts": 7}, []),
        ({"oom_killed": True}, [("workload.container.oom_killed", "warning")]),
        (
            {"state": "exited", "exit_code": 137, "oom_killed": True},
            [*DOWN, ("workload.container.oom_killed", "critical")],
        ),
    ],
)
def test_the_state_of_a_configured_compose_service(
    given: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert found(workload(DATABASE, containers=(container(**given),))) == expected


def test_a_service_whose_container_was_removed_is_down() -> None:
    assert found(workload(DATABASE, containers=())) == DOWN


def test_another_project_of_the_same_service_does_not_count() -> None:
    seen = workload(DATABASE, containers=(container(project="staging"),))
    assert found(seen) == DOWN


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ({}, []),
        ({"state": "exited"}, [("workload.service.degraded", "warning")]),
        ({"state": "restarting"}, RESTARTING),
        ({"health": "unhealthy"}, [("workload.container.unhealthy", "critical")]),
    ],
)
def test_a_service_of_several_containers_is_down_only_with_all_of_them(
    second: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert found(workload(DATABASE, containers=(container(), container(**second)))) == expected


def test_all_trouble_of_a_side_service_is_a_notice() -> None:
    for given in (
        {"state": "exited"},
        {"health": "unhealthy"},
        {"oom_killed": True},
        {"state": "restarting"},
    ):
        seen = workload(SIDE, containers=(container("cadvisor", **given),))
        assert {level for _id, level in found(seen)} == {"notice"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"state": "exited", "exit_code": 0}, DOWN),
        ({"state": "exited", "exit_code": 0, "restart_policy": "no"}, [("workload.service.down", "notice")]),
        ({"state": "exited", "exit_code": 1, "restart_policy": "no"}, DOWN),
        ({"project": None, "state": "exited", "exit_code": 1, "restart_policy": "no"}, []),
        ({"project": None, "state": "exited", "exit_code": 1, "restart_policy": "always"}, DOWN),
        ({"project": None, "health": "unhealthy"}, [("workload.container.unhealthy", "critical")]),
    ],
    ids=["meant to stay", "perhaps a job", "a job that failed", "left behind", "single", "single and sick"],
)
def test_containers_that_nobody_configured(given: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert found(workload(containers=(container(**given),))) == expected


def test_a_configured_service_is_listed_once() -> None:
    assert states(workload(DATABASE, containers=(container(), container("app")))) == {
        "postgres": "running",
        "app": "running",
    }


def test_a_runtime_that_cannot_be_asked_leaves_its_services_unseen() -> None:
    seen = workload(DATABASE, units=(), unseen={"docker": "docker: permission denied"})
    assert states(seen) == {"postgres": "unseen"}
    assert found(seen) == [("workload.runtime.unseen", "warning")]
    assert "so the state of postgres is not known" in judge_services(seen)[1][0].summary


def test_a_runtime_that_is_not_there_is_missed_only_by_who_needs_it() -> None:
    assert found(workload()) == []
    assert found(workload(REDIS, containers=())) == [("workload.runtime.unseen", "warning")]


def test_the_data_is_plain_json() -> None:
    rows, _findings = judge_services(workload(REDIS, DATABASE, units=(unit(),), containers=(container(),)))
    assert json.loads(json.dumps(rows))[1]["containers"][0]["project"] == "matrixon"


def probed(url: str = "https://api.example/x?token=s3cret", **given: Any) -> Probed:
    target = parse_target(url)
    flags = {name: given.pop(name) for name in ("essential", "service") if name in given}
    redirects = given.pop("redirects", 0)
    return Probed(Probe(target, **flags), target, Answer(**{"seconds": 0.1, **given}), redirects)


@pytest.mark.parametrize(
    ("seen", "expected", "said"),
    [
        (probed(status=200), [], ""),
        (probed(status=204), [], ""),
        (probed(status=302), [], ""),
        (probed(status=302, redirects=3), [("workload.http.failing", "critical")], "after 3 redirects"),
        (probed(status=503), [("workload.http.failing", "critical")], "https://api.example/x answers 503"),
        (probed(status=404), [("workload.http.failing", "critical")], "answers 404"),
        (
            probed(error="127.0.0.1:443: Connection refused", service="app"),
            [("workload.http.failing", "critical")],
            "https://api.example/x does not answer: 127.0.0.1:443: Connection refused",
        ),
        (probed(status=500, essential=False), [("workload.http.failing", "notice")], ""),
        (probed(status=200, seconds=2.0), [], ""),
        (probed(status=200, seconds=2.1), [("workload.http.slow", "warning")], "took 2.1 s"),
        (probed(status=200, seconds=2.1, essential=False), [("workload.http.slow", "notice")], ""),
    ],
)
def test_the_answer_of_a_url(seen: Probed, expected: list[tuple[str, str]], said: str) -> None:
    data, findings = judge_http([seen])
    assert [(finding.id, finding.level) for finding in findings] == expected
    assert all(said in finding.summary for finding in findings)
    assert "s3cret" not in json.dumps([data, [finding.as_dict() for finding in findings]])
