# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at several things at once, each for so long and no longer.

What hangs or breaks costs only itself: it is reported as not seen, and everything else still is.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass
from typing import Any, Callable, Generic, Mapping, Sequence, TypeVar

from ..errors import BadInput, FirebreakError
from ..finding import WARNING, Finding

Value = TypeVar("Value")

# A collector that keeps its own deadline can say what it waited for; the runner only knows that it did.
OWN_SHARE = 0.9
SHORTEST = 0.05


class Deadline:
    """The moment by which somebody wants an answer."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def remaining(self, at_most: float = float("inf")) -> float:
        """Seconds left, never 0: for most calls a timeout of 0 means something else."""
        return min(at_most, max(SHORTEST, self._end - self._clock()))


@dataclass(frozen=True)
class Outcome(Generic[Value]):
    """`value`, or the reason why there is none in `unseen`. `seconds` is how long it took or was given."""

    seconds: float
    value: Value | None = None
    unseen: str | None = None


@dataclass(frozen=True)
class Section:
    """One part of a triage.

    `collect` looks and returns a snapshot; `judge` is pure and turns it into the data to return
    (JSON-plain) and what is wrong.
    """

    collect: Callable[[Deadline], Any]
    judge: Callable[[Any], tuple[Any, Sequence[Finding]]]


# Loads a domain and makes its section.
Builder = Callable[[], Section]


@dataclass(frozen=True)
class View:
    """What one section saw, and the section that can judge it."""

    section: Section
    snapshot: Any


@dataclass(frozen=True)
class Views:
    """What all sections saw, by name; `seconds` is the time of all of them together."""

    outcomes: Mapping[str, Outcome[View]]
    seconds: float


def look(sections: Mapping[str, Builder], timeout: float) -> Views:
    """Collect all sections at once; `timeout` is in seconds and holds for each of them.

    Each is built in its own thread too: while one looks, the next one's code is loaded.
    """
    if timeout <= 0:
        raise BadInput(f"timeout {timeout:g}", "a section needs time to look", "Give 1 second or more.")
    started, one_by_one = time.monotonic(), threading.Lock()
    outcomes = gather({name: _viewer(build, one_by_one) for name, build in sections.items()}, timeout)
    return Views(outcomes, time.monotonic() - started)


def _viewer(build: Builder, one_by_one: threading.Lock) -> Callable[[Deadline], View]:
    def view(deadline: Deadline) -> View:
        # Until Python 3.9 a thread may be given a module out of a zip file, which is what Ansible sends,
        # that another one has not finished loading.
        with one_by_one:
            section = build()
        return View(section, section.collect(deadline))

    return view


def judge(views: Views) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    """Everything the sections returned, under their names; None for a section that was not seen."""
    data: dict[str, Any] = {}
    timings: dict[str, Any] = {}
    findings: list[Finding] = []
    for name, outcome in views.outcomes.items():
        data[name], found, reason = _judged(name, outcome)
        findings += found
        timings[name] = {
            "seconds": round(outcome.seconds, 3),
            "status": "unseen" if reason else "seen",
            "reason": reason,
        }
    return {**data, "sections": timings, "seconds": round(views.seconds, 3)}, findings


def _judged(name: str, outcome: Outcome[View]) -> tuple[Any, Sequence[Finding], str | None]:
    reason = outcome.unseen
    if outcome.value is not None:
        try:
            data, findings = outcome.value.section.judge(outcome.value.snapshot)
            return data, findings, None
        except Exception as error:
            reason = _said(error)
    finding = Finding(
        id="triage.section.unseen",
        level=WARNING,
        subject=f"triage section {name}",
        summary=f"{name} was not looked at: {reason}",
        evidence={"section": name, "reason": reason, "seconds": round(outcome.seconds, 3)},
    )
    return None, [finding], reason


def gather(tasks: Mapping[str, Callable[[Deadline], Value]], seconds: float) -> dict[str, Outcome[Value]]:
    """Run all tasks at once and wait for `seconds` at most. In the order of `tasks`.

    The threads are daemons: one that never returns is left behind and does not hold up the exit.
    """
    whole, own = Deadline(seconds), Deadline(seconds * OWN_SHARE)
    done: queue.Queue[tuple[str, Outcome[Value]]] = queue.Queue()
    for name, task in tasks.items():
        threading.Thread(target=_work, args=(name, task, own, done), daemon=True).start()
    outcomes: dict[str, Outcome[Value]] = {}
    while len(outcomes) < len(tasks):
        try:
            name, outcome = done.get(timeout=whole.remaining())
        except queue.Empty:
            break
        outcomes[name] = outcome
    late: Outcome[Value] = Outcome(seconds, unseen=f"no answer within {seconds:g} s")
    return {name: outcomes.get(name, late) for name in tasks}


def _work(
    name: str,
    task: Callable[[Deadline], Value],
    deadline: Deadline,
    done: queue.Queue[tuple[str, Outcome[Value]]],
) -> None:
    started = time.monotonic()
    try:
        value = task(deadline)
    except Exception as error:
        done.put((name, Outcome(time.monotonic() - started, unseen=_said(error))))
    else:
        done.put((name, Outcome(time.monotonic() - started, value)))


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, FirebreakError) else f"{type(error).__name__}: {error}"
