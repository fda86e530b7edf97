# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.monitoring.decide import judge
from ansible_collections.firebreak.incident.plugins.module_utils.monitoring.observe import Monitor, Said

URL = "http://192.0.2.9:9090"
REFUSED = Said(problem="192.0.2.9:9090: Connection refused")


def vector(*metrics: dict[str, str], value: str = "0") -> Said:
    result = [{"metric": metric, "value": [1795314988.4, value]} for metric in metrics]
    return Said({"status": "success", "data": {"resultType": "vector", "result": result}}, reached=True)


def prometheus(down: Said | None = None, targets: str = "7", health: Said | None = None) -> Monitor:
    said = {
        "health": health or Said("Prometheus Server is Healthy.\n", reached=True),
        "down": down or vector(),
        "targets": vector({}, value=targets) if targets != "0" else vector(),
    }
    return Monitor("prometheus", URL, said)


def alert(name: str, severity: str | None, instance: str = "db1:9100", summary: str = "") -> dict[str, Any]:
    labels = {"alertname": name, "instance": instance, **({"severity": severity} if severity else {})}
    return {"labels": labels, "annotations": {"summary": summary}, "startsAt": "2026-11-22T02:00:00.000Z"}


def alertmanager(*alerts: Any, cluster: str = "ready", raw: Any = None) -> Monitor:
    status = Said({"cluster": {"status": cluster, "peers": []}}, reached=True)
    listed = Said(list(alerts) if raw is None else raw, reached=True)
    return Monitor("alertmanager", URL, {"status": status, "alerts": listed})


def grafana(value: Any) -> Monitor:
    return Monitor("grafana", URL, {"health": Said(value, reached=True)})


def found(*monitors: Monitor) -> list[tuple[str, str]]:
    data, findings = judge(monitors)
    json.dumps(data)
    return [(finding.id, finding.level) for finding in findings]


def test_without_a_monitor_there_is_nothing_to_say() -> None:
    assert judge(()) == (None, [])


def test_monitors_that_are_well_and_quiet_need_no_word() -> None:
    assert found(prometheus(), alertmanager(cluster="disabled"), grafana({"database": "ok"})) == []


@pytest.mark.parametrize(
    ("name", "question", "level"),
    [
        ("prometheus", "health", "critical"),
        ("alertmanager", "status", "critical"),
        ("grafana", "health", "warning"),
    ],
)
def test_a_dead_monitor_is_a_finding_of_its_own(name: str, question: str, level: str) -> None:
    assert found(Monitor(name, URL, {question: REFUSED})) == [("monitoring.monitor.unreachable", level)]


def test_targets_that_are_down_are_named_in_one_finding() -> None:
    down = vector({"job": "node", "instance": "db1:9100"}, {"job": "app", "instance": "web1:80"})
    _data, (finding,) = judge([prometheus(down)])
    assert (finding.id, finding.level) == ("monitoring.targets.down", "warning")
    assert "2 of 7 targets" in finding.summary
    assert finding.summary.endswith("app web1:80, node db1:9100")


def test_a_prometheus_that_watches_nothing_is_not_well() -> None:
    assert found(prometheus(targets="0")) == [("monitoring.monitor.unwell", "warning")]


@pytest.mark.parametrize(
    ("severity", "level"),
    [
        ("critical", "critical"),
        ("Page", "critical"),
        ("warning", "warning"),
        ("error", "warning"),
        (None, "warning"),
        ("info", "notice"),
    ],
)
def test_an_alert_says_itself_how_bad_it_is(severity: str | None, level: str) -> None:
    assert found(alertmanager(alert("DiskFull", severity))) == [("monitoring.alert.firing", level)]


def test_an_alert_that_fires_for_many_is_told_once_with_its_words() -> None:
    alerts = [alert("DiskFull", "critical", f"db{n}:9100", "full soon") for n in range(8)]
    data, (finding,) = judge([alertmanager(*alerts)])
    assert finding.evidence["count"] == 8
    assert "db4:9100 and 3 more since 2026-11-22T02:00:00.000Z: full soon" in finding.summary
    assert data is not None
    assert data["alertmanager"]["alert_count"] == 8


def test_alerts_that_always_fire_mean_nothing() -> None:
    assert found(alertmanager(alert("Watchdog", "critical"), alert("Any", "none"))) == []


GARBAGE: list[Any] = [
    None,
    7,
    "<html>",
    [],
    [None],
    {"status": "success"},
    {"labels": {}},
    [{"labels": None}],
]


@pytest.mark.parametrize("value", GARBAGE)
def test_garbage_is_a_finding_and_no_traceback(value: Any) -> None:
    said = Said(value, reached=True)
    garbled = [("monitoring.monitor.garbled", "warning")]
    assert found(prometheus(down=said)) == garbled
    assert found(grafana(value)) == garbled
    assert found(Monitor("alertmanager", URL, {"status": said, "alerts": said})) == garbled
    # An empty list is what an Alertmanager with nothing to say answers.
    if value != []:
        assert found(alertmanager(raw=value if value is not None else {})) == garbled


def test_a_refused_query_says_why() -> None:
    refused = Said({"status": "error", "error": "query timed out"}, reached=True)
    assert "query timed out" in judge([prometheus(down=refused)])[1][0].summary


def test_a_cluster_that_does_not_settle_and_a_broken_database_are_named() -> None:
    assert found(alertmanager(cluster="settling"), grafana({"database": "failing"})) == [
        ("monitoring.monitor.unwell", "warning"),
        ("monitoring.monitor.unwell", "warning"),
    ]
