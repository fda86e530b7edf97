# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of a playbook, from its inputs to its outcome."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput

from .catalogue import playbook as find
from .environment import environment as surroundings
from .outcome import CANCELED, FAILED, SUCCESSFUL, TIMEOUT, UNREACHABLE, EventError, Listener, Outcome
from .process import Command, Event, Process

OnEvent = Callable[[Event], None]
Inventory = str | os.PathLike[str] | Mapping[str, Any]
# What Ansible itself returns when hosts could not be reached and nothing else went wrong.
_CODE_UNREACHABLE = 4
_DEADLY = (signal.SIGTERM, signal.SIGHUP)


class Cancel:
    """Hand it to `run` and call it, from any thread: the run is ended, and what was done by then is told."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self) -> None:
        self.asked = True


def run(
    playbook: str,
    *,
    limit: str | None = None,
    inputs: Mapping[str, Any] | None = None,
    inventory: Inventory | None = None,
    check: bool = False,
    on_event: OnEvent | None = None,
    timeout: float | None = None,
    cancel: Cancel | None = None,
    environment: Mapping[str, str] | None = None,
) -> Outcome:
    """Run one of `playbooks()` and wait for its end.

    `limit` is as on the command line. `inventory` is a path, a list of hosts with a comma ("web1,"), or the
    inventory as data; without it, Ansible's own default. `inputs` are checked before anything starts:
    `BadInput` says what the playbook would say. Their texts are data, never templates.

    `on_event` gets every event of ansible-runner, in the thread that called `run`. When it raises, the run
    goes on without it, and at the end `EventError` brings the outcome. `timeout` is in seconds.
    `environment` is added to that of this process. An exception in this thread, such as KeyboardInterrupt,
    ends the run before it is passed on. In the main thread so do SIGTERM and SIGHUP, before they end this
    process, unless it handles them itself.
    """
    scenario = find(playbook)
    given = _plain(inputs or {}, "inputs")
    scenario.check(given)
    deadline = math.inf if timeout is None else time.monotonic() + _seconds(timeout)
    command = Command(
        playbook=scenario.path,
        inventory=_inventory(inventory),
        limit=_limit(limit),
        inputs=given,
        check=check,
        environment=surroundings(environment or {}),
    )
    interrupted = Cancel()

    def why_ended() -> str | None:
        if interrupted.asked or (cancel is not None and cancel.asked):
            return CANCELED
        return TIMEOUT if time.monotonic() >= deadline else None

    listener, complaint, ended = Listener(limit), None, None
    started = time.monotonic()
    process = Process(command, lambda: why_ended() is not None)
    with _before_this_process(interrupted):
        try:
            process.start()
            for event in process.events():
                listener.hear(event)
                if on_event is not None and complaint is None:
                    try:
                        on_event(event)
                    except Exception as error:
                        complaint = error
            ended = why_ended()
        finally:
            interrupted()
            if process.is_alive():
                process.join()
    status = _status(process.code, ended, listener)
    outcome = listener.outcome(status, scenario.name, time.monotonic() - started)
    if complaint is not None:
        raise EventError(outcome) from complaint
    return outcome


def plan(playbook: str, **options: Any) -> Outcome:
    """`run` in check mode: the acts have the status planned, and nothing is changed."""
    return run(playbook, check=True, **options)


@contextlib.contextmanager
def _before_this_process(end: Callable[[], None]) -> Iterator[None]:
    """A signal that would end this process at once has `end` called, and ends it when the context is left."""
    asked: list[int] = []

    def handle(number: int, _frame: object) -> None:
        asked.append(number)
        end()

    mine = threading.current_thread() is threading.main_thread()
    deadly = [each for each in _DEADLY if mine and signal.getsignal(each) is signal.SIG_DFL]
    for each in deadly:
        signal.signal(each, handle)
    try:
        yield
    finally:
        for each in deadly:
            signal.signal(each, signal.SIG_DFL)
        for number in asked[:1]:
            signal.raise_signal(number)


def _plain(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What the data are once they have been written down and read: paths are texts, tuples are lists."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(data), default=os.fspath, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise BadInput(
            name, f"JSON cannot hold them ({error})", "Give texts, numbers, lists, dicts."
        ) from error
    return plain


def _seconds(timeout: float) -> float:
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout > 0:
        raise BadInput(f"timeout {timeout!r}", "it is not a time", "Give seconds, more than 0.")
    return timeout


def _limit(limit: str | None) -> str | None:
    if limit is not None and (not isinstance(limit, str) or not limit.strip(" ,:") or limit.startswith("-")):
        raise BadInput(f"limit {limit!r}", "it names no host", "Name hosts or groups, or leave it out.")
    return limit


def _inventory(given: Inventory | None) -> str | Mapping[str, Any] | None:
    if given is None:
        return None
    if isinstance(given, Mapping):
        if not given or not all(isinstance(group, Mapping) for group in given.values()):
            raise BadInput("inventory", "it has no groups", 'Give {"all": {"hosts": {"web1": {}}}}.')
        return _plain(given, "inventory")
    source = os.fspath(given)
    if "," in source and not Path(source).exists():
        return source
    if not source or not Path(source).exists():
        raise BadInput(
            f"inventory {source!r}", "there is no such file or directory", "Name one that is there."
        )
    return str(Path(source).absolute())


def _status(code: int | None, ended: str | None, listener: Listener) -> str:
    # Asked to end, it may have been over.
    if ended is not None and not listener.over:
        return ended
    if code == 0:
        return FAILED if listener.nobody else SUCCESSFUL
    return UNREACHABLE if code == _CODE_UNREACHABLE else FAILED
