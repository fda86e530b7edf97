# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook in a process of its own, through ansible-runner."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ansible_runner

Event = Mapping[str, Any]
# In seconds: how often it is looked whether the run is to be ended, and how long Ansible then has to end what
# it started before it is killed.
_LOOK, _GRACE = 0.25, 5.0


@dataclass(frozen=True)
class Command:
    """`inventory` is what `-i` takes, or the inventory itself; `inputs` are JSON-plain."""

    playbook: Path
    inventory: str | Mapping[str, Any] | None
    limit: str | None
    inputs: Mapping[str, Any]
    check: bool
    environment: Mapping[str, str]


class Process(threading.Thread):
    """`ended` is asked several times a second whether the run is to be ended."""

    def __init__(self, command: Command, ended: Callable[[], bool]) -> None:
        super().__init__(name=f"firebreak-{command.playbook.stem}")
        self.code: int | None = None
        self._command = command
        self._ended = ended
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._error: BaseException | None = None
        self._pid: int | None = None
        self._kill_at: float | None = None
        self._sessions: set[int] = set()

    def events(self) -> Iterator[Event]:
        """Each event, in the thread that asks, until the run is over. Raises what kept it from running."""
        while (event := self._events.get()) is not None:
            yield event
        self.join()
        if self._error is not None:
            raise self._error

    def run(self) -> None:
        try:
            with tempfile.TemporaryDirectory(prefix="firebreak-") as private:
                self.code = self._run(Path(private))
        except BaseException as error:
            self._error = error
        finally:
            self._events.put(None)

    def _run(self, private: Path) -> int:
        command = self._command
        (private / "env").mkdir(mode=0o700)
        _write(private / "env/settings", {"pexpect_timeout": _LOOK, "suppress_output_file": True})
        inputs = private / "env/extravars"
        if command.inputs:
            _write(inputs, as_data(command.inputs))

        def hear(event: dict[str, Any]) -> bool:
            if event.get("event") == "playbook_on_start":
                self._pid = event["pid"]
                # They may hold secrets, and Ansible has read them.
                inputs.unlink(missing_ok=True)
            self._events.put(event)
            return False

        runner = ansible_runner.run(
            private_data_dir=str(private),
            # Where it is started: relative paths mean what they mean to the caller.
            project_dir=str(Path.cwd()),
            playbook=str(command.playbook),
            inventory=self._sources(private),
            limit=command.limit,
            cmdline="--check --diff" if command.check else None,
            envvars=dict(command.environment),
            event_handler=hear,
            cancel_callback=self._to_be_killed,
            quiet=True,
            suppress_env_files=True,
        )
        self._kill_what_is_left()
        return int(runner.rc)

    def _sources(self, private: Path) -> list[str] | None:
        """As a list: ansible-runner takes a text for the content of a file."""
        inventory = self._command.inventory
        if inventory is None or isinstance(inventory, str):
            return None if inventory is None else [inventory]
        path = private / "hosts.json"
        _write(path, inventory)
        return [str(path)]

    def _to_be_killed(self) -> bool:
        """Ansible is interrupted first: its workers have sessions of their own and would outlive it."""
        if not self._ended():
            return False
        if self._pid is None:
            return True
        self._sessions |= {session for _pid, parent, session in _processes() if parent == self._pid}
        if self._kill_at is None:
            self._kill_at = time.monotonic() + _GRACE
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGINT)
        return time.monotonic() >= self._kill_at

    def _kill_what_is_left(self) -> None:
        """What does not heed an interrupt, and what worked on this very machine, outlives Ansible."""
        while left := [pid for pid, _parent, session in _processes() if session in self._sessions]:
            late = time.monotonic() - (self._kill_at or 0.0)
            for pid in left if late >= 0 else ():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            if late >= _GRACE:
                # Of somebody else, or it hangs in the kernel.
                return
            time.sleep(_LOOK)


def as_data(value: Any) -> Any:
    """For a file of variables: Ansible takes no text of it for a template, whoever wrote the text."""
    if isinstance(value, str):
        return {"__ansible_unsafe": value}
    if isinstance(value, Mapping):
        return {key: as_data(item) for key, item in value.items()}
    return [as_data(item) for item in value] if isinstance(value, list) else value


def _processes() -> Iterator[tuple[int, int, int]]:
    """Of each that is alive its id, its parent's and its session's, where there is a /proc."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent, _group, session = path.read_bytes().rpartition(b")")[2].split()[:4]
            if state != b"Z":
                yield int(path.parent.name), int(parent), int(session)


def _write(path: Path, data: Any) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps(data), encoding="utf-8")
