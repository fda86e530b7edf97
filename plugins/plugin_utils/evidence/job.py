# SPDX-License-Identifier: GPL-3.0-or-later
"""One collection from beginning to end: the header, the calls, the result."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.evidence.catalogue import (
    CATALOGUE,
    contains,
    of_profile,
)
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.model import PROFILE, Missing
from ansible_collections.firebreak.incident.plugins.module_utils.finding import ranked
from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso, utc_now
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import parse_duration

from .collection import Collection
from .collector import Collector, Limits, Outcome
from .findings import ClockOffset, findings, kept
from .session import Run, clock_offset, memory_place, touched

COLLECTOR = "firebreak.incident 0.1.0"
NOT_FINISHED = "the collection is not finished, or was cut off"


@dataclass(frozen=True)
class Options:
    """`path` is where the collection goes; `max_bytes` in bytes, `max_seconds` in seconds."""

    path: Path
    host: str
    address: str
    run: str
    incident: str | None
    playbook: str | None
    actor: str
    profile: str
    window: str
    services: Mapping[str, Any]
    max_bytes: int
    max_seconds: int
    transport: str
    become: str | None


# The module's arguments, where it is unpacked, and the seconds it may take.
AskModule = Callable[[Mapping[str, Any], str, float], Mapping[str, Any]]


class Job:
    """`ask` runs the module, `run` a command of the shell, `free` tells the bytes left on the controller."""

    def __init__(
        self, options: Options, ask: AskModule, run: Run, free: Callable[[], int], reserve: int
    ) -> None:
        self._options, self._ask, self._run, self._free, self._reserve = options, ask, run, free, reserve
        self._clock: ClockOffset | None = None
        self._memory = ""
        self._collection = Collection(options.path, {})

    def result(self) -> dict[str, Any]:
        """What the task returns. Raises `FirebreakError` before anything is collected."""
        options, collection = self._options, self._collection
        self._memory = memory_place(self._run)
        self._clock = clock_offset(self._run)
        collection.create()
        collection.header = self._header()
        collection.save()
        collector = Collector(
            lambda arguments, seconds: self._ask(arguments, self._memory, seconds),
            collection,
            {"profile": options.profile, "window": options.window, "services": options.services},
            Limits(options.max_bytes, options.max_seconds, self._reserve),
            time.monotonic,
            self._free,
        )
        outcome = collector.collect(of_profile(options.profile), self._save)
        outcome.missing[:0] = [
            Missing(step.name, PROFILE, f"{step.about}: profile {step.profile}")
            for step in CATALOGUE
            if not contains(options.profile, step)
        ]
        self._finish(outcome)
        return self._result(outcome)

    def _header(self) -> dict[str, Any]:
        options, clock = self._options, self._clock
        return {
            "collector": COLLECTOR,
            "controller_python": platform.python_version(),
            "host": options.host,
            "address": options.address,
            "run": options.run,
            "incident": options.incident,
            "playbook": options.playbook,
            "actor": options.actor,
            "profile": options.profile,
            "window_seconds": parse_duration(options.window),
            "max_bytes": options.max_bytes,
            "max_seconds": options.max_seconds,
            "started": iso(utc_now()),
            "finished": None,
            "complete": False,
            "reason": NOT_FINISHED,
            "clock": None
            if clock is None
            else {
                "offset_seconds": clock.offset,
                "uncertainty_seconds": clock.uncertainty,
                "measured": clock.how,
            },
        }

    def _save(self, outcome: Outcome) -> None:
        options, artefacts = self._options, self._collection.artefacts
        steps = {artefact.step for artefact in artefacts}
        programs = dict.fromkeys(artefact.command[0] for artefact in artefacts if artefact.command)
        self._collection.header.update(
            host_python=outcome.python,
            calls=outcome.calls,
            not_collected=[vars(missing) for missing in outcome.missing],
            refused=outcome.refused,
            touched=touched(options.transport, options.become, self._memory, steps, programs),
        )
        self._collection.save()

    def _finish(self, outcome: Outcome) -> None:
        lacks = outcome.lacks
        reason = outcome.stopped or (f"{lacks[0].name}: {lacks[0].reason}" if lacks else None)
        self._collection.header.update(finished=iso(utc_now()), complete=reason is None, reason=reason)
        self._save(outcome)

    def _result(self, outcome: Outcome) -> dict[str, Any]:
        options, collection, clock = self._options, self._collection, self._clock
        path = str(options.path)
        found = [
            *findings(options.host, path, outcome, collection.artefacts, clock),
            kept(options.host, path, len(collection.artefacts), collection.size, collection.manifest_sha256),
        ]
        result: dict[str, Any] = {
            "changed": False,
            "path": path,
            "profile": options.profile,
            "artefacts": len(collection.artefacts),
            "bytes": collection.size,
            "complete": collection.header["complete"],
            "not_collected": [vars(missing) for missing in outcome.missing],
            "seconds": outcome.seconds,
            "manifest_sha256": collection.manifest_sha256,
            "clock_offset_seconds": None if clock is None else clock.offset,
            "findings": [finding.as_dict() for finding in ranked(found)],
        }
        if outcome.lost:
            result["failed"] = True
            result["msg"] = (
                f"evidence of {options.host}: {outcome.stopped}. What was collected before is in "
                f"{options.path}; collect again in a new run when the host answers."
            )
        return result
