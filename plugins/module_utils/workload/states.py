# SPDX-License-Identifier: GPL-3.0-or-later
"""What the state of a unit or of a container means, in one word and in one sentence. Pure."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from datetime import datetime
from typing import Mapping, Sequence

from ..clients.docker import Container, moment
from ..clients.systemd import Unit
from ..quantities import speak_duration

RUNNING, STARTING, RESTARTING = "running", "starting", "restarting"
UNHEALTHY, DEGRADED, DOWN, UNSEEN = "unhealthy", "degraded", "down", "unseen"
# From good to bad: a service is as bad as the worst of its parts.
ORDER = (RUNNING, STARTING, DEGRADED, UNHEALTHY, RESTARTING, DOWN, UNSEEN)

# So many automatic restarts, the last one so recent: it is not up, it is between two crashes.
LOOP_RESTARTS, LOOP_SECONDS = 3, 300.0

RESULTS: Mapping[str, str] = {
    "oom-kill": "a process of it was killed for lack of memory",
    "start-limit-hit": "it failed so often that systemd gave up",
    "timeout": "it took too long to start or to stop",
    "watchdog": "it stopped answering its watchdog",
    "core-dump": "it crashed",
    "resources": "systemd lacked a resource to start it",
    "protocol": "it did not report that it was ready",
    "dependency": "something it needs failed",
}


@dataclass(frozen=True)
class State:
    """`name` is one of ORDER; `said` completes the sentence "redis (redis-server.service) …"."""

    name: str
    said: str = ""


def of_unit(unit: Unit, now: float) -> State:
    """`now` is of the clock of the unit's times, in seconds."""
    if unit.load == "not-found":
        return State(DOWN, "is not known to systemd on this host")
    if unit.load == "masked":
        return State(DOWN, "is masked")
    if unit.sub.startswith("auto-restart"):
        return State(
            RESTARTING, f"has ended and is started again, {_times(unit.restarts)} so far: {why(unit)}"
        )
    if unit.active == "failed":
        return State(DOWN, f"has failed{_since(unit.inactive_since, now)}: {why(unit)}")
    if unit.active in ("inactive", "deactivating"):
        return State(DOWN, f"was stopped{_since(unit.inactive_since, now)}")
    if unit.restarts >= LOOP_RESTARTS and now - unit.active_since < LOOP_SECONDS:
        return State(
            RESTARTING,
            f"was started again {_times(unit.restarts)}, the last time{_since(unit.active_since, now)}",
        )
    if unit.active == "activating":
        return State(STARTING, "is starting")
    return State(RUNNING)


def stood_in_for(unit: Unit, units: Mapping[str, Unit]) -> list[Unit]:
    """The units that a dummy unit stands for.

    Debian's postgresql.service runs /bin/true and is active whatever its clusters do: each of them
    is a unit of its own, wanted by and part of the dummy.
    """
    if unit.kind != "oneshot":
        return []
    unknown = {name: Unit(name, "not-found", "inactive", "dead") for name in unit.consists_of}
    return [units.get(name, unknown[name]) for name in unit.consists_of if name in unit.wants]


def why(unit: Unit) -> str:
    """What made the unit end."""
    if unit.result in RESULTS:
        return RESULTS[unit.result]
    # What waitid() calls CLD_KILLED and CLD_DUMPED: the status is then a signal.
    if unit.exit_code in (2, 3):
        return f"it was ended by {_signal(unit.exit_status)}"
    if unit.exit_code == 1:
        return f"its process ended with status {unit.exit_status}"
    return f"its result is {unit.result}"


def of_container(container: Container, now: datetime) -> State:
    if container.state == "restarting":
        return State(
            RESTARTING,
            f"has ended with status {container.exit_code} and is started again, "
            f"{_times(container.restarts)} so far",
        )
    if container.state == "paused":
        return State(DOWN, "is paused")
    if container.state == "created":
        cause = f": {container.error}" if container.error else ""
        return State(DOWN, f"was created and never started{cause}")
    if container.state != "running":
        killed = ", killed for lack of memory" if container.oom_killed else ""
        ago = _ago(_seconds_since(container.finished, now))
        return State(DOWN, f"{container.state}{ago} with status {container.exit_code}{killed}")
    started = _seconds_since(container.started, now)
    if container.restarts >= LOOP_RESTARTS and started is not None and started < LOOP_SECONDS:
        return State(
            RESTARTING, f"was started again {_times(container.restarts)}, the last time{_ago(started)}"
        )
    if container.health == "unhealthy":
        return State(
            UNHEALTHY, f"runs and fails its health check, {_times(container.failing_streak)} in a row"
        )
    if container.health == "starting":
        return State(STARTING, "runs and has not passed its health check yet")
    return State(RUNNING)


def of_service(containers: Sequence[Container], now: datetime) -> State:
    """Of all containers of one service: down only when none of them is up."""
    if not containers:
        return State(DOWN, "has no container on this host")
    states = [of_container(container, now) for container in containers]
    down = [state for state in states if state.name == DOWN]
    if len(down) == len(states):
        return down[0]
    worst = max((state for state in states if state.name != DOWN), key=lambda state: ORDER.index(state.name))
    if down and worst.name in (RUNNING, STARTING):
        return State(DEGRADED, f"runs with {len(states) - len(down)} of {len(states)} containers")
    return worst


def _seconds_since(text: str, now: datetime) -> float | None:
    """None for never."""
    then = moment(text)
    return None if then is None else max(0.0, (now - then).total_seconds())


def _since(moment: float, now: float) -> str:
    return _ago(now - moment) if moment else ""


def _ago(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f" {speak_duration(seconds)} ago"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
