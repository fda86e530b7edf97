# SPDX-License-Identifier: GPL-3.0-or-later
"""What the monitors say is wrong, and whether they themselves are well. Pure.

An alert is somebody else's judgement: its own label says how bad it is.
"""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from ..finding import CRITICAL, LEVELS, NOTICE, WARNING, Finding
from ..quantities import speak_count, speak_list
from .observe import Monitor, Said

LISTED = 50
EXAMPLES = 5
CRITICAL_LABELS = frozenset(
    {"critical", "crit", "page", "emergency", "fatal", "disaster", "p0", "p1", "sev1"}
)
NOTICE_LABELS = frozenset({"info", "information", "informational", "notice", "low", "debug", "p4", "sev4"})
# Alerts that always fire, so that their silence is noticed.
ALWAYS_FIRING = frozenset({"Watchdog", "DeadMansSwitch", "InfoInhibitor"})
# Like Sev2: while it lasts nobody is told of anything else.
LEVEL_WHEN_DEAD = {"prometheus": CRITICAL, "alertmanager": CRITICAL, "grafana": WARNING}
NAMES = {"prometheus": "Prometheus", "alertmanager": "Alertmanager", "grafana": "Grafana"}


def judge(monitors: Sequence[Monitor]) -> tuple[Mapping[str, Any] | None, Sequence[Finding]]:
    """None when no monitor is configured."""
    if not monitors:
        return None, []
    data: dict[str, Any] = {}
    findings: list[Finding] = []
    for monitor in monitors:
        health = monitor.said.get("health") or monitor.said.get("status") or Said()
        data[monitor.name] = {"url": monitor.url, "reached": health.reached, "said": _short(health)}
        if not health.reached:
            findings.append(_unreachable(monitor, health))
            continue
        try:
            data[monitor.name].update(_READERS[monitor.name](monitor, findings))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            findings.append(_garbled(monitor, f"{type(error).__name__}: {error}"))
    return data, findings


def _prometheus(monitor: Monitor, findings: list[Finding]) -> dict[str, Any]:
    if monitor.said["health"].problem:
        findings.append(_unwell(monitor, str(monitor.said["health"].problem)))
    down = [
        {"job": str(each["metric"].get("job", "?")), "instance": str(each["metric"].get("instance", "?"))}
        for each in _result(monitor.said["down"])
    ]
    down.sort(key=lambda each: (each["job"], each["instance"]))
    counted = _result(monitor.said["targets"])
    targets = int(counted[0]["value"][1]) if counted else 0
    if down:
        findings.append(
            Finding(
                id="monitoring.targets.down",
                level=WARNING,
                subject=f"Prometheus {monitor.url}",
                summary=f"{len(down)} of {speak_count(targets, 'target')} that Prometheus watches are down: "
                + speak_list([f"{each['job']} {each['instance']}" for each in down], EXAMPLES),
                evidence={"down": down[:LISTED], "targets": targets},
            )
        )
    elif not targets:
        findings.append(_unwell(monitor, "it watches nothing at all"))
    return {"targets": targets, "down": down[:LISTED]}


def _result(said: Said) -> list[Any]:
    """Of the query API. Raises when it is no such answer."""
    if said.problem:
        raise ValueError(said.problem)
    if said.value["status"] != "success":
        raise ValueError(str(said.value.get("error", "the query failed"))[:200])
    return list(said.value["data"]["result"])


def _alertmanager(monitor: Monitor, findings: list[Finding]) -> dict[str, Any]:
    if monitor.said["status"].problem:
        raise ValueError(monitor.said["status"].problem)
    # "disabled" is the word for one that has no peers.
    cluster = str(monitor.said["status"].value["cluster"]["status"])
    if cluster not in ("ready", "disabled"):
        findings.append(_unwell(monitor, f"its cluster is {cluster}"))
    if monitor.said["alerts"].problem:
        raise ValueError(monitor.said["alerts"].problem)
    listed = monitor.said["alerts"].value
    if not isinstance(listed, list):
        raise TypeError("its alerts are no list")
    alerts = [_alert(each) for each in listed]
    alerts.sort(key=lambda each: ((*LEVELS, "").index(each["level"]), each["name"], each["since"]))
    findings += _firing(monitor, alerts)
    return {"cluster": cluster, "alerts": alerts[:LISTED], "alert_count": len(alerts)}


def _alert(raw: Mapping[str, Any]) -> dict[str, Any]:
    labels, notes = raw["labels"], raw.get("annotations") or {}
    severity = str(labels.get("severity", ""))
    name = str(labels.get("alertname", "?"))
    return {
        "name": name,
        "severity": severity or None,
        "level": _level(name, severity),
        "instance": labels.get("instance"),
        "job": labels.get("job"),
        "since": str(raw.get("startsAt", "")),
        "summary": str(notes.get("summary") or notes.get("message") or notes.get("description") or "")[:200],
    }


def _level(name: str, severity: str) -> str:
    spoken = severity.lower()
    if name in ALWAYS_FIRING or spoken == "none":
        return ""
    if spoken in CRITICAL_LABELS:
        return CRITICAL
    return NOTICE if spoken in NOTICE_LABELS else WARNING


def _firing(monitor: Monitor, alerts: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """One finding for each alert, however many instances it fires for."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for each in alerts:
        if each["level"]:
            groups.setdefault((each["name"], each["level"]), []).append(each)
    for (name, _worst), group in groups.items():
        instances = sorted({str(each["instance"]) for each in group if each["instance"]})
        where = f" for {speak_list(instances, EXAMPLES)}" if instances else ""
        words = group[0]["summary"]
        yield Finding(
            id="monitoring.alert.firing",
            level=_level(name, group[0]["severity"] or ""),
            subject=f"alert {name}",
            summary=f"{name} fires{where} since {group[0]['since']}" + (f": {words}" if words else ""),
            evidence={
                "severity": group[0]["severity"],
                "count": len(group),
                "instances": instances[:LISTED],
                "since": group[0]["since"],
                "alertmanager": monitor.url,
            },
        )


def _grafana(monitor: Monitor, findings: list[Finding]) -> dict[str, Any]:
    database = str(monitor.said["health"].value["database"])
    if database != "ok":
        findings.append(_unwell(monitor, f"its database is {database}"))
    return {"database": database, "version": monitor.said["health"].value.get("version")}


_READERS = {"prometheus": _prometheus, "alertmanager": _alertmanager, "grafana": _grafana}


def _unreachable(monitor: Monitor, health: Said) -> Finding:
    return Finding(
        id="monitoring.monitor.unreachable",
        level=LEVEL_WHEN_DEAD[monitor.name],
        subject=f"{NAMES[monitor.name]} {monitor.url}",
        summary=f"{NAMES[monitor.name]} does not answer ({health.problem}): what breaks now, nobody is "
        f"told of",
        evidence={"monitor": monitor.name, "url": monitor.url, "problem": health.problem},
    )


def _unwell(monitor: Monitor, problem: str) -> Finding:
    return Finding(
        id="monitoring.monitor.unwell",
        level=WARNING,
        subject=f"{NAMES[monitor.name]} {monitor.url}",
        summary=f"{NAMES[monitor.name]} answers and is not well: {problem}",
        evidence={"monitor": monitor.name, "url": monitor.url, "problem": problem},
    )


def _garbled(monitor: Monitor, problem: str) -> Finding:
    return Finding(
        id="monitoring.monitor.garbled",
        level=WARNING,
        subject=f"{NAMES[monitor.name]} {monitor.url}",
        summary=f"what answers there does not speak as {NAMES[monitor.name]} does ({problem}): what it "
        f"watches is not known",
        evidence={"monitor": monitor.name, "url": monitor.url, "problem": problem},
    )


def _short(said: Said) -> str | None:
    if said.problem:
        return said.problem
    return said.value.strip()[:100] if isinstance(said.value, str) else None
