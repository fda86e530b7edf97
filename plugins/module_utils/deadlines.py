# SPDX-License-Identifier: GPL-3.0-or-later
"""Several questions at once, each for so long and no longer.

What hangs or breaks costs only itself: there is a reason in the place of its answer.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass
from typing import Any, Callable, Generic, Mapping, TypeVar

from .errors import FirebreakError, Unreachable

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

    @property
    def over(self) -> bool:
        return self._clock() >= self._end


class Once:
    """Answers that several want: whoever comes first asks, and the others wait for what it is told."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, _Answer] = {}

    def ask(self, name: str, task: Callable[[Deadline], Value], deadline: Deadline) -> Value:
        """What `task` returned or raised, the first time that it was asked for under this name."""
        with self._lock:
            first = name not in self._answers
            answer = self._answers.setdefault(name, _Answer())
        if first:
            answer.find(task, deadline)
        elif not answer.known.wait(deadline.remaining()):
            raise Unreachable(name, "it did not answer in time", "Ask it alone, by hand.")
        if answer.error is not None:
            raise answer.error
        found: Value = answer.value
        return found


class _Answer:
    def __init__(self) -> None:
        self.known = threading.Event()
        self.value: Any = None
        self.error: Exception | None = None

    def find(self, task: Callable[[Deadline], Any], deadline: Deadline) -> None:
        try:
            self.value = task(deadline)
        except Exception as error:
            self.error = error
        finally:
            self.known.set()


@dataclass(frozen=True)
class Outcome(Generic[Value]):
    """`value`, or the reason why there is none in `unseen`. `seconds` is how long it took or was given."""

    seconds: float
    value: Value | None = None
    unseen: str | None = None


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
        done.put((name, Outcome(time.monotonic() - started, unseen=said(error))))
    else:
        done.put((name, Outcome(time.monotonic() - started, value)))


def said(error: Exception) -> str:
    return str(error) if isinstance(error, FirebreakError) else f"{type(error).__name__}: {error}"
