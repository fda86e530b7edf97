# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services are down, in whatever runtime, and which URLs do not answer as they should."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Iterator, Mapping, Sequence

from ..clients.docker import Container, of_service
from ..clients.systemd import Unit
from ..finding import CRITICAL, NOTICE, WARNING, Finding
from ..services import COMPOSE, SYSTEMD
from . import states
from .observe import REDIRECTS, Probed, Workload
from .states import DEGRADED, DOWN, RESTARTING, STARTING, UNHEALTHY, UNSEEN, State

SLOW_SECONDS = 2.0
# Kinds whose process is meant to stay.
LASTING = frozenset({"simple", "exec", "forking", "notify", "notify-reload", "dbus", "idle"})
KEPT_UP = frozenset({"always", "unless-stopped"})


@dataclass(frozen=True)
class Row:
    """One service, configured or found."""

    name: str
    runtime: str
    target: str
    state: State
    essential: bool = True
    configured: bool = True
    evidence: Mapping[str, Any] = field(default_factory=dict)
    containers: tuple[Container, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "runtime": self.runtime,
            "target": self.target,
            "state": self.state.name,
            "said": self.state.said or None,
            "essential": self.essential,
            "configured": self.configured,
            **self.evidence,
            "containers": [asdict(container) for container in self.containers],
        }


def judge_services(seen: Workload) -> tuple[Sequence[Any], Sequence[Finding]]:
    rows = [*_configured(seen), *_found_containers(seen)]
    findings = [finding for row in rows for finding in _findings(row, seen)]
    findings += [*_found_units(seen), *_unseen(seen, rows)]
    return [row.as_dict() for row in rows], findings


def _configured(seen: Workload) -> Iterator[Row]:
    units = _by_name(seen.units or ())
    for service in seen.services:
        containers: tuple[Container, ...] = ()
        evidence: Mapping[str, Any] = {}
        if service.runtime == SYSTEMD and seen.units is not None:
            state, evidence = _unit_state(units.get(str(service.unit)), units, seen.monotonic)
        elif service.runtime == COMPOSE and seen.containers is not None:
            containers = tuple(of_service(seen.containers, service.project, service.service))
            state = states.of_service(containers, seen.now)
        else:
            state = State(UNSEEN, "could not be looked at")
        yield Row(
            name=service.name,
            runtime=service.runtime,
            target=service.target,
            state=state,
            essential=service.essential,
            evidence=evidence,
            containers=containers,
        )


def _by_name(units: Sequence[Unit]) -> dict[str, Unit]:
    """Under every name, for a unit may be configured by its alias."""
    return {name: unit for unit in units for name in (*unit.names, unit.name)}


def _unit_state(unit: Unit | None, units: Mapping[str, Unit], now: float) -> tuple[State, Mapping[str, Any]]:
    if unit is None:
        return State(DOWN, "is not known to systemd on this host"), {}
    parts = states.stood_in_for(unit, units)
    if not parts:
        return states.of_unit(unit, now), _evidence(unit)
    worst = max(parts, key=lambda part: states.ORDER.index(states.of_unit(part, now).name))
    state = states.of_unit(worst, now)
    said = f"stands for {worst.name}, which {state.said}" if state.said else ""
    return State(state.name, said), _evidence(worst)


def _evidence(unit: Unit) -> dict[str, Any]:
    return {
        "unit": unit.name,
        "active": unit.active,
        "sub": unit.sub,
        "result": unit.result,
        "restarts": unit.restarts,
        "exit_status": unit.exit_status,
    }


def _found_containers(seen: Workload) -> Iterator[Row]:
    """Compose services nobody configured, and single containers that are meant to be up."""
    configured = [service for service in seen.services if service.runtime == COMPOSE]
    groups: dict[tuple[str, str], list[Container]] = {}
    for container in seen.containers or ():
        if not any(of_service([container], item.project, item.service) for item in configured):
            project, service = container.project or "", container.service or container.name
            groups.setdefault((project, service), []).append(container)
    for (project, service), group in groups.items():
        up = any(item.state in ("running", "restarting", "paused") for item in group)
        kept_up = any(item.restart_policy in KEPT_UP for item in group)
        # A container outside of compose that has ended is what `docker run` leaves behind.
        if project or up or kept_up:
            yield Row(
                name=service,
                runtime=COMPOSE if project else "docker",
                target=f"{project}/{service}" if project else service,
                state=states.of_service(group, seen.now),
                # One that ended well and was not told to stay may be a job that is done.
                essential=up or kept_up or any(item.exit_code != 0 for item in group),
                configured=False,
                containers=tuple(group),
            )


def _findings(row: Row, seen: Workload) -> Iterator[Finding]:
    summary = f"{row.target} {row.state.said}"
    evidence = {"runtime": row.runtime, "target": row.target, "state": row.state.name, **row.evidence}
    if row.state.name == DOWN:
        yield Finding(
            id="workload.service.down",
            level=_level(row, CRITICAL),
            subject=f"service {row.name}",
            summary=summary,
            evidence=evidence,
        )
    elif row.state.name == DEGRADED:
        yield Finding(
            id="workload.service.degraded",
            level=_level(row, WARNING),
            subject=f"service {row.name}",
            summary=summary,
            evidence=evidence,
        )
    elif row.state.name == RESTARTING:
        yield Finding(
            id="workload.service.restarting",
            level=_level(row, CRITICAL),
            subject=f"service {row.name}",
            summary=summary,
            evidence=evidence,
        )
    elif row.state.name == STARTING:
        yield Finding(
            id="workload.service.starting",
            level=NOTICE,
            subject=f"service {row.name}",
            summary=f"{summary}: look again in a minute",
            evidence=evidence,
        )
    for container in row.containers:
        yield from _container_findings(row, container, states.of_container(container, seen.now))


def _container_findings(row: Row, container: Container, state: State) -> Iterator[Finding]:
    if state.name == UNHEALTHY:
        yield Finding(
            id="workload.container.unhealthy",
            level=_level(row, CRITICAL),
            subject=f"service {row.name}",
            summary=f"container {container.name} {state.said}",
            evidence={"container": container.id, "failing_streak": container.failing_streak},
        )
    if container.oom_killed:
        yield Finding(
            id="workload.container.oom_killed",
            level=_level(row, CRITICAL if state.name in (DOWN, RESTARTING) else WARNING),
            subject=f"service {row.name}",
            summary=f"container {container.name} is {state.name}; memory ran out and a process was killed",
            evidence={"container": container.id, "exit_code": container.exit_code},
        )


def _level(row: Row, level: str) -> str:
    return level if row.essential else NOTICE


def _found_units(seen: Workload) -> Iterator[Finding]:
    """Units nobody configured which are in trouble; with nothing configured also those left stopped."""
    units = _by_name(seen.units or ())
    named = {str(service.unit) for service in seen.services if service.runtime == SYSTEMD}
    stood_in = {part.name for unit in units.values() for part in states.stood_in_for(unit, units)}
    covered = {part.name for name in named & set(units) for part in states.stood_in_for(units[name], units)}
    for unit in seen.units or ():
        if named & {unit.name, *unit.names} or unit.name in covered:
            continue
        state = states.of_unit(unit, seen.monotonic)
        if unit.active == "failed" or state.name == RESTARTING:
            yield Finding(
                id="workload.unit.failed",
                level=WARNING,
                subject="systemd",
                summary=f"{unit.name} {state.said}",
                evidence=_evidence(unit),
            )
        elif unit.name in stood_in and state.name == DOWN:
            yield Finding(
                id="workload.service.down",
                level=CRITICAL,
                subject="systemd",
                summary=f"{unit.name} {state.said}, while the unit it is part of is active",
                evidence=_evidence(unit),
            )
        elif not seen.services and _left_stopped(unit):
            yield Finding(
                id="workload.unit.stopped",
                level=WARNING,
                subject="systemd",
                summary=f"{unit.name} {state.said} and would be started at boot",
                evidence=_evidence(unit),
            )


def _left_stopped(unit: Unit) -> bool:
    return (
        unit.active == "inactive"
        and unit.enabled in ("enabled", "enabled-runtime")
        and unit.kind in LASTING
        and unit.condition
        and unit.inactive_since > 0
        and not unit.triggered_by
    )


def _unseen(seen: Workload, rows: Sequence[Row]) -> Iterator[Finding]:
    blind = {row.runtime for row in rows if row.state.name == UNSEEN}
    for runtime, needed_by in (("systemd", SYSTEMD), ("docker", COMPOSE)):
        missing = "it does not run on this host" if needed_by in blind else None
        reason = seen.unseen.get(runtime, missing)
        if reason is None:
            continue
        services = [row.name for row in rows if row.runtime == needed_by and row.configured]
        of_them = f", so the state of {', '.join(services)} is not known" if services else ""
        yield Finding(
            id="workload.runtime.unseen",
            level=WARNING,
            subject=runtime,
            summary=f"{runtime} could not be asked{of_them}: {reason}",
            evidence={"runtime": runtime, "reason": reason, "services": services},
        )


def judge_http(seen: Sequence[Probed]) -> tuple[Sequence[Any], Sequence[Finding]]:
    return [_http_data(probed) for probed in seen], [found for probed in seen for found in _http(probed)]


def _http_data(probed: Probed) -> dict[str, Any]:
    target, answer = probed.asked, probed.answer
    return {
        "service": probed.probe.service,
        "url": target.shown,
        "connected_to": f"{target.connect_host}:{target.connect_port}",
        "status": answer.status,
        "error": answer.error,
        "seconds": round(answer.seconds, 3),
        "body_bytes": answer.body_bytes,
        "verified": probed.probe.verify and target.scheme == "https",
        "redirects": probed.redirects,
    }


def _http(probed: Probed) -> Iterator[Finding]:
    answer, service = probed.answer, probed.probe.service
    name = probed.asked.shown
    subject = f"health of {service}" if service else f"endpoint {probed.probe.target.authority}"
    problem = _problem(probed)
    if problem:
        yield Finding(
            id="workload.http.failing",
            level=CRITICAL if probed.probe.essential else NOTICE,
            subject=subject,
            summary=f"{name} {problem}",
            evidence=_http_data(probed),
        )
    elif answer.seconds > SLOW_SECONDS:
        yield Finding(
            id="workload.http.slow",
            level=WARNING if probed.probe.essential else NOTICE,
            subject=subject,
            summary=f"{name} took {answer.seconds:.1f} s to answer {answer.status}",
            evidence=_http_data(probed),
        )


def _problem(probed: Probed) -> str | None:
    answer = probed.answer
    if answer.status is None:
        return f"does not answer: {answer.error}"
    if answer.status >= 400:
        return f"answers {answer.status}"
    if answer.status >= 300 and probed.redirects == REDIRECTS:
        return f"still redirects after {REDIRECTS} redirects"
    return None
