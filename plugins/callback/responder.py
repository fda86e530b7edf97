# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a responder sees: calm, complete, safe to look at."""

from __future__ import annotations

DOCUMENTATION = r"""
name: responder
type: stdout
short_description: Screen output for a tired responder
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - One line for each step with its time and hosts, the findings, acts, refusals and verdicts of this
    collection's modules, failures in one sentence with the cure, and at the end a line for each host and the
    next command to type.
  - On a terminal a line at the foot says what runs now. It needs C(rich); without it, or when the output is
    not a terminal, the output is plain text, one event a line.
  - Raw results are shown with C(-vvv) only. Control characters in what hosts return are shown as escapes.
  - C(NO_COLOR) and the other settings of Ansible for colour hold.
options:
  display_skipped_hosts:
    description: Whether steps that were skipped on every host get a line.
    type: bool
    default: true
    env:
      - name: ANSIBLE_DISPLAY_SKIPPED_HOSTS
    ini:
      - section: defaults
        key: display_skipped_hosts
  display_ok_hosts:
    description: Whether steps get a line that changed nothing and found nothing.
    type: bool
    default: true
    env:
      - name: ANSIBLE_DISPLAY_OK_HOSTS
    ini:
      - section: defaults
        key: display_ok_hosts
requirements:
  - rich (for colours and the live line)
"""

import atexit
import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible import constants, context
from ansible.playbook.block import Block
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback import CallbackBase
from ansible.utils.vars import load_extra_vars

from ansible_collections.firebreak.incident.plugins.module_utils.quantities import speak_count
from ansible_collections.firebreak.incident.plugins.plugin_utils.launcher import current_launcher
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering import model
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.closing import Chronicle
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.command import Launcher
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.contract import BEGIN, SUMMARY
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.live import LiveLine
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.model import (
    Begun,
    Header,
    Step,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.outcome import (
    diff_lines,
    outcome,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.plain import Plain
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.text import listing
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.view import View
from ansible_collections.firebreak.incident.plugins.plugin_utils.summary import Run

if TYPE_CHECKING:
    from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.painter import Painter

# Ansible fills in its settings when it is imported.
C: Any = constants


class CallbackModule(CallbackBase):
    """Collects the outcomes of a step from all hosts and shows the step when it is over."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "firebreak.incident.responder"

    def __init__(self) -> None:
        super().__init__()
        self._view: View = Plain()
        self._live: LiveLine | None = None
        self._loader: Any = None
        self._launcher = Launcher()
        self._chronicle = Chronicle()
        self._run = Run()
        self._playbook = ""
        self._play_name = ""
        self._hosts: list[str] = []
        self._order: dict[str, int] = {}
        self._linear = True
        self._steps: dict[str, Step] = {}
        self._diffs: dict[tuple[str, str], list[str]] = {}
        self._started = time.monotonic()
        self._open = False

    # The run and its plays

    def v2_playbook_on_start(self, playbook: Any) -> None:
        path = Path(playbook._file_name).absolute()
        self._playbook = path.stem
        self._launcher = current_launcher(path)
        self._run = Run(playbook=path.stem, check_mode=bool(context.CLIARGS.get("check")))
        terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        painter = _painter() if terminal or C.ANSIBLE_FORCE_COLOR else None
        if painter is not None:
            self._view = painter
            if terminal and self._display.verbosity < 2:
                self._live = LiveLine(sys.stdout, self._display._lock, self._describe(painter))
        atexit.register(self._interrupted)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._flush()
        self._loader = play.get_loader()
        inventory = play.get_variable_manager()._inventory
        # All of them, also when they come in batches.
        self._hosts = [host.get_name() for host in inventory.get_hosts(play.hosts, ignore_restrictions=True)]
        self._order = {host: index for index, host in enumerate(self._hosts)}
        self._linear = play.strategy.rpartition(".")[2] in ("linear", "debug")
        name = play.get_name().strip()
        if not self._open:
            self._open = True
            header = Header(self._playbook, datetime.now(UTC), self._hosts, self._run.check_mode)
            self._write(lambda view: view.header(header))
        elif name != self._play_name:
            self._write(lambda view: view.play(name))
        self._play_name = name
        self._chronicle.expect(self._hosts)
        if self._live:
            self._live.start()

    def v2_playbook_on_no_hosts_matched(self) -> None:
        limit = context.CLIARGS.get("subset")
        what = f"the limit {limit!r}" if limit else "this play"
        self._notice(
            f"No host matches {what}: nothing was looked at. ansible-inventory --graph shows the hosts."
        )

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        self._flush()
        self._notice("No host is left to go on with; the remaining steps were not run.")

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._close({host: stats.summarize(host) for host in stats.processed})

    # Steps

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._start(task)

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self._start(task, handler=True)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        with self._display._lock:
            self._step(task, host.get_name()).running.add(host.get_name())

    def v2_runner_retry(self, result: Any) -> None:
        host, task, data = _parts(result)
        self._step(task, host).attempt = f"attempt {data.get('attempts', '?')} of {data.get('retries', '?')}"

    def v2_on_file_diff(self, result: Any) -> None:
        host, task, data = _parts(result)
        self._diffs[host, task._uuid] = diff_lines(data)

    def v2_runner_on_ok(self, result: Any) -> None:
        host, task, data = _parts(result)
        if isinstance(task, TaskInclude):
            self._forget(host, task)
        elif task.resolved_action == BEGIN:
            self._forget(host, task)
            self._begun(data)
        elif task.resolved_action == SUMMARY:
            self._forget(host, task)
            self._chronicle.summary = data
        else:
            self._finished(result, model.CHANGED if data.get("changed") else model.OK)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        _host, task, _data = _parts(result)
        if ignore_errors:
            self._finished(result, model.IGNORED)
        else:
            self._finished(result, model.RESCUED if _has_rescue(task) else model.FAILED)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._finished(result, model.SKIPPED)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        _host, task, _data = _parts(result)
        self._finished(result, model.IGNORED if task.ignore_unreachable else model.UNREACHABLE)

    def _start(self, task: Any, handler: bool = False) -> None:
        """In line, the start of a step is the end of the one before."""
        if self._linear:
            self._flush()
            self._step(task, "", handler)

    def _key(self, task: Any, host: str) -> str:
        """All hosts share a step when they walk in line, else each has its own."""
        return str(task._uuid) if self._linear else f"{task._uuid} {host}"

    def _step(self, task: Any, host: str, handler: bool = False) -> Step:
        key = self._key(task, host)
        with self._display._lock:
            if key not in self._steps:
                self._steps[key] = Step(
                    name=task.get_name().strip(),
                    started=time.monotonic(),
                    hosts_in_play=len(self._hosts),
                    named=bool(task.name),
                    handler=handler,
                    interactive=task.action.rpartition(".")[2] == "pause",
                )
            return self._steps[key]

    def _finished(self, result: Any, status: str) -> None:
        host, task, data = _parts(result)
        step = self._step(task, host)
        ended = outcome(
            host=host,
            status=status,
            result=data,
            action=task.action,
            diff=self._diffs.pop((host, task._uuid), ()),
            dump=self._dump_results(data, indent=2) if self._display.verbosity > 2 else "",
        )
        with self._display._lock:
            step.running.discard(host)
            step.outcomes.append(ended)
            step.ended = time.monotonic()
            step.once = bool(task.run_once)
            step.check_mode = bool(task.check_mode)
            delegate = str(task.delegate_to or "")
            step.via = delegate if delegate != host else ""
        self._chronicle.record(ended, self._hosts)
        if not self._linear:
            self._show_step(self._key(task, host))

    def _forget(self, host: str, task: Any) -> None:
        """A step that has its own place on the screen, or none, gets no line."""
        with self._display._lock:
            self._step(task, host).running.discard(host)

    def _begun(self, data: Mapping[str, Any]) -> None:
        run, inputs = data["run"], data["inputs"]
        given = set(load_extra_vars(self._loader))
        self._run = Run(
            id=run["id"],
            playbook=run["playbook"],
            check_mode=bool(run["check_mode"]),
            inputs={name: value for name, value in inputs.items() if name in given},
        )
        begun = Begun(
            run["id"], run.get("incident"), bool(run["changes"]), self._run.check_mode, inputs.get("max_risk")
        )
        self._write(lambda view: view.begun(begun))

    def _flush(self) -> None:
        for key in list(self._steps):
            self._show_step(key)

    def _show_step(self, key: str) -> None:
        with self._display._lock:
            step = self._steps.pop(key)
        if not step.outcomes or self._is_quiet(step):
            return
        step.outcomes.sort(key=lambda outcome: self._order.get(outcome.host, 0))
        everything = bool(context.CLIARGS.get("diff")) or self._display.verbosity > 0
        self._write(lambda view: view.step(step, self._launcher, everything))

    def _is_quiet(self, step: Step) -> bool:
        if self._display.verbosity > 0 or step.has_news:
            return False
        option = "display_skipped_hosts" if step.status == model.SKIPPED else "display_ok_hosts"
        return not (step.named and self._plugin_options[option])

    # The end

    def _close(self, stats: Mapping[str, Mapping[str, int]], interrupted: bool = False) -> None:
        self._flush()
        if self._live:
            self._live.stop()
        if not self._open:
            return
        self._open = False
        seconds = time.monotonic() - self._started
        closing = self._chronicle.closing(self._run, self._launcher, stats, seconds, interrupted)
        self._write(lambda view: view.closing(closing))

    def _interrupted(self) -> None:
        """Ansible calls nobody when it is stopped; what is known by then must not be lost."""
        waiting = [(step.name, sorted(step.running)) for step in self._steps.values() if step.running]
        if self._open:
            self._flush()
            for name, hosts in waiting:
                self._notice(
                    f"Interrupted in {name!r} on {listing(hosts)}: what was done there is not known."
                )
            self._close({}, interrupted=True)

    def _describe(self, painter: Painter) -> Callable[[int], str | None]:
        def describe(tick: int) -> str | None:
            running = [step for step in self._steps.values() if step.running]
            if not running or any(step.interactive for step in running):
                return None
            oldest = min(running, key=lambda step: step.started)
            more = f"  and {speak_count(len(running) - 1, 'other step')}" if len(running) > 1 else ""
            return painter.screen.live(oldest.live + more, time.monotonic() - oldest.started, tick)

        return describe

    def _notice(self, text: str) -> None:
        self._write(lambda view: view.notice(text))

    def _write(self, draw: Callable[[View], str]) -> None:
        with self._display._lock:
            if C.DEFAULT_LOG_PATH:
                self._display.display(draw(Plain()), log_only=True)
            # The reader may have gone (`| head`); the run goes on.
            with contextlib.suppress(BrokenPipeError):
                if self._live:
                    self._live.clear()
                self._display.display(draw(self._view), screen_only=True)
                sys.stdout.flush()


def _painter() -> Painter | None:
    """None where rich is missing, or is older than what this needs. Only who draws waits for it to load."""
    from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering import painter, screen

    if not screen.HAS_RICH:
        return None
    return painter.Painter(sys.stdout, color=not C.ANSIBLE_NOCOLOR, force=bool(C.ANSIBLE_FORCE_COLOR))


def _parts(result: Any) -> tuple[str, Any, dict[str, Any]]:
    return result.host.get_name(), result.task, result.result


def _has_rescue(task: Any) -> bool:
    """Whether the task stands in the main part of a block that rescues, at any depth."""
    inside = {task._uuid}
    parent = task._parent
    while parent is not None:
        if isinstance(parent, Block) and parent.rescue and any(e._uuid in inside for e in parent.block):
            return True
        inside.add(parent._uuid)
        parent = parent._parent
    return False
