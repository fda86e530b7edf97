# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timeline of an incident writes itself."""

from __future__ import annotations

DOCUMENTATION = r"""
name: timeline
type: notification
short_description: Record what a run did in its incident
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - While a playbook runs with the input C(incident), every act, refusal, finding, verdict and failure becomes
    an event of that incident, once.
  - The record is the database in the variable C(firebreak_record), else a file of this user's. What it cannot
    take now waits on the controller and is delivered by the next run; a run is never stopped by it.
  - Nothing is recorded of a task with C(no_log), and nothing that a host answers says in which incident a run
    is, or whose it is.
  - Of an incident that is not there, what a run finds and does is kept on the controller, and nothing else.
requirements:
  - sqlalchemy
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible.template import Templar

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso, utc_now
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import OPENED, Draft
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.recorder import (
    RECORD_VARIABLE,
    Recorder,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.timeline import (
    RUN_FAILED,
    RUN_FINISHED,
    RUN_STARTED,
    Running,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.contract import (
    BEGIN,
    INCIDENT,
    SUMMARY,
)

_ABOUT_THE_RUN = (RUN_STARTED, RUN_FINISHED, RUN_FAILED)


class CallbackModule(CallbackBase):
    """Writes after each task, so that what was done before a controller dies is recorded."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "firebreak.incident.timeline"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._play: Any = None
        self._incident = ""
        self._running: Running | None = None
        self._recorder: Recorder | None = None
        self._waits = False
        # Of an incident that is not there: kept from here on only when the run does or finds something.
        self._held: list[Draft] | None = None
        # How often each task was told of on each host: a handler may run again.
        self._times: Counter[tuple[str, str]] = Counter()
        # The run that is to open the incident, as long as it has not.
        self._opening: Mapping[str, Any] | None = None

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._play = play

    def v2_runner_on_ok(self, result: Any) -> None:
        data, action = result.result, result.task.resolved_action
        if action == BEGIN:
            self._opening = data["run"] if data["run"].get("opens") else None
            if self._opening is None:
                self._begin(result.host, data["run"])
        elif self._opening is not None and action == INCIDENT and _opens(data):
            self._begin(result.host, {**self._opening, "incident": data["incident"]})
            self._opening = None
        elif action != SUMMARY:
            self._tell(result, self._name(result))

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        name = self._name(result)
        self._tell(result, name)
        self._fail(result, name)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._fail(result, self._name(result))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        if self._running:
            summary = {host: stats.summarize(host) for host in stats.processed}
            self._record([self._running.finished(iso(utc_now()), summary)])

    def _begin(self, host: Any, run: Mapping[str, Any]) -> None:
        if not run.get("incident"):
            return
        self._incident = str(run["incident"])
        self._running = Running(run["id"], run["playbook"], run["actor"], bool(run["check_mode"]))
        self._recorder = Recorder.of({RECORD_VARIABLE: self._record_of(host)})
        self._held, self._waits = None, False
        self._look()
        self._record([self._running.started(iso(utc_now()))])

    def _look(self) -> None:
        """Whether the record can be written, and has the incident."""
        try:
            if self._recorder is not None:
                self._recorder.incident(self._incident)
        except BadInput as error:
            self._held = []
            self._display.warning(f"What this run does is not in the timeline: {error}")
        except FirebreakError as error:
            self._wait(error)

    def _wait(self, problem: FirebreakError) -> None:
        self._waits = True
        self._display.warning(f"The timeline of incident {self._incident} waits here: {problem}")

    def _name(self, result: Any) -> str:
        """Of what a task did on a host this time."""
        host, task = result.host.get_name(), str(result.task._uuid)
        self._times[host, task] += 1
        return task if self._times[host, task] == 1 else f"{task}.{self._times[host, task]}"

    def _record_of(self, host: Any) -> str | None:
        manager, loader = self._play.get_variable_manager(), self._play.get_loader()
        variables = manager.get_vars(play=self._play, host=host)
        found = Templar(loader=loader, variables=variables).template(variables.get(RECORD_VARIABLE))
        return str(found) if found else None

    def _tell(self, result: Any, name: str) -> None:
        if self._running and not _hidden(result):
            self._record(self._running.told(iso(utc_now()), result.host.get_name(), name, result.result))

    def _fail(self, result: Any, name: str) -> None:
        if self._running and not _hidden(result):
            host, title = result.host.get_name(), result.task.get_name()
            message = str(result.result.get("msg", ""))[:2000]
            self._record([self._running.failed(iso(utc_now()), host, name, title, message)])

    def _record(self, drafts: Sequence[Draft]) -> None:
        if self._recorder is None or not drafts:
            return
        if self._held is not None:
            drafts = [*self._held, *drafts]
            if all(draft.kind in _ABOUT_THE_RUN for draft in drafts):
                self._held = list(drafts)
                return
            self._held = None
        try:
            if self._waits:
                # A server that does not answer is waited for once.
                self._recorder.postpone(self._incident, drafts)
                return
            problem = self._recorder.record(self._incident, drafts)
        except FirebreakError as error:
            self._display.warning(f"Not recorded in incident {self._incident}: {error}")
            return
        except (TypeError, ValueError):
            # What a host answers may be no JSON.
            self._display.warning(f"Not recorded in incident {self._incident}: a result cannot be written")
            return
        if problem is not None:
            self._wait(problem)


def _opens(data: Mapping[str, Any]) -> bool:
    event = data.get("event")
    return bool(isinstance(event, Mapping) and event.get("kind") == OPENED and data.get("recorded"))


def _hidden(result: Any) -> bool:
    return bool(result.task.no_log or "censored" in result.result)
