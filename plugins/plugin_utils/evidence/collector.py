# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a host for its evidence, batch by batch, within a budget of bytes and time, and keeps what comes.

The controller decides what is asked for, in which order, how much and how long; the host only answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.evidence.catalogue import Step
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.model import (
    ABSENT,
    BUDGET,
    FAILED,
    LACKS,
    Missing,
)
from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso, utc_now

from .answer import MOST_MISSING, MOST_REFUSALS, Answer, Position, read_answer, text
from .collection import Collection

CALL_BYTES = 8 * 1024 * 1024
CALL_SECONDS = 120
LEAST_SECONDS = 1
# What the bulk steps leave to the others, and the most that one artefact may take: this part of the budget.
SHARE = 8
# What comes at once may be larger than a call's bytes, but never than this.
LARGEST_PIECE = 32 * 1024 * 1024
# A piece of lines ends behind the line that filled it.
LARGEST_LINE = 8 * 1024 * 1024
MOST_ARTEFACTS = 9999

# The arguments of `artefacts_info` and the seconds it may take; its result, `failed` among them.
Ask = Callable[[Mapping[str, Any], int], Mapping[str, Any]]


class Lost(Exception):
    """The host cannot be asked any more."""


@dataclass(frozen=True)
class Limits:
    """`max_bytes` in bytes, `max_seconds` in seconds; `least_free` stays free on the controller, in bytes."""

    max_bytes: int
    max_seconds: int
    least_free: int


@dataclass
class Outcome:
    """What became of a collection. `stopped` says why it ended early, `lost` that the host was lost."""

    missing: list[Missing] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    python: str | None = None
    epoch: float | None = None
    calls: int = 0
    seconds: float = 0.0
    stopped: str | None = None
    lost: bool = False

    @property
    def lacks(self) -> list[Missing]:
        """What should be there and is not."""
        return [missing for missing in self.missing if missing.cause in LACKS]


class _Stop(Exception):
    def __init__(self, reason: str, cause: str = BUDGET) -> None:
        super().__init__(reason)
        self.cause = cause


class Collector:
    """`clock` is monotonic seconds, `free` the bytes left on the controller's filesystem."""

    def __init__(
        self,
        ask: Ask,
        collection: Collection,
        arguments: Mapping[str, Any],
        limits: Limits,
        clock: Callable[[], float],
        free: Callable[[], int],
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._ask, self._collection, self._arguments = ask, collection, dict(arguments)
        self._limits, self._clock, self._free, self._now = limits, clock, free, now
        self._began = clock()
        self._current: str | None = None
        self.outcome = Outcome()

    def collect(self, steps: Sequence[Step], save: Callable[[Outcome], None]) -> Outcome:
        """`save` is called whenever the manifest must be brought up to date."""
        waiting = batches(steps)
        outcome = self.outcome
        try:
            while waiting:
                self._current = None
                waiting[:1] = self._batch(waiting[0], save)
        except _Stop as stop:
            self._left_behind(waiting, str(stop), stop.cause)
        except Lost as error:
            outcome.lost = True
            self._left_behind(waiting, str(error), FAILED)
        except OSError as error:
            self._left_behind(waiting, f"writing on the controller failed: {error.strerror}", FAILED)
        self._close("the collection ended before it")
        self._nothing_of(steps)
        outcome.seconds = round(self._clock() - self._began, 3)
        return outcome

    def _nothing_of(self, steps: Sequence[Step]) -> None:
        """No step is passed over in silence."""
        told = {artefact.step for artefact in self._collection.artefacts}
        told |= {word for missing in self.outcome.missing for word in missing.name.split()}
        self.outcome.missing += [
            Missing(step.name, ABSENT, "the host has nothing of it")
            for step in steps
            if step.name not in told
        ]

    def _left_behind(self, waiting: Sequence[Sequence[Step]], reason: str, cause: str) -> None:
        self.outcome.stopped = reason
        begun = {artefact.step for artefact in self._collection.artefacts}
        self.outcome.missing += [
            Missing(step.name if step.name not in begun else f"the rest of {step.name}", cause, reason)
            for step in self._not_finished(waiting)
        ]

    def _not_finished(self, waiting: Sequence[Sequence[Step]]) -> list[Step]:
        steps = [step for batch in waiting for step in batch]
        return steps[next((n for n, step in enumerate(steps) if step.name == self._current), 0) :]

    def _batch(self, batch: Sequence[Step], save: Callable[[Outcome], None]) -> list[Sequence[Step]]:
        """Ask until the batch is finished; what of it must be asked for again, in smaller batches."""
        position: Position | None = None
        while True:
            room = self._room(batch)
            if room <= 0:
                reason = "the rest of the size budget is kept for what comes after"
                self._give_up(batch, position, reason, BUDGET)
                return []
            answer = self._call(batch, position, room)
            if isinstance(answer, str):
                if len(batch) > 1:
                    return [[step] for step in _from(batch, position)]
                self._give_up(batch, position, answer, FAILED)
                return []
            self._keep(answer, batch)
            save(self.outcome)
            if answer.astray:
                astray = Position(self._current or batch[0].name, "", "")
                self._give_up(batch, astray, "the host does not say where to go on", FAILED)
                return []
            if answer.next is None:
                return []
            if not answer.pieces or not _forward(batch, position, answer.next):
                self._give_up(batch, answer.next, "the host makes no progress with it", FAILED)
                return []
            position = answer.next
            self._current = position.step

    def _room(self, batch: Sequence[Step]) -> int:
        """Bytes that this batch may still take. Raises `_Stop` when nothing may go on."""
        limits = self._limits
        left = limits.max_bytes - self._collection.size
        if left <= 0:
            raise _Stop(f"the size budget of {limits.max_bytes} bytes is spent")
        if self._clock() - self._began > limits.max_seconds - LEAST_SECONDS:
            raise _Stop(f"the time budget of {limits.max_seconds} s is spent")
        if self._free() < limits.least_free:
            raise _Stop(f"less than {limits.least_free >> 20} MiB are left free on the controller", FAILED)
        if len(self._collection.artefacts) >= MOST_ARTEFACTS or len(self.outcome.refused) > MOST_REFUSALS:
            raise _Stop("the host answers more than can be meant", FAILED)
        return left - (limits.max_bytes // SHARE if batch[0].bulk else 0)

    def _call(self, batch: Sequence[Step], position: Position | None, room: int) -> Answer | str:
        """The answer, or why there is none."""
        left = self._limits.max_seconds - (self._clock() - self._began)
        seconds = max(1, int(min(CALL_SECONDS, left)))
        most = max(1, min(room, self._limits.max_bytes // SHARE))
        arguments = {
            **self._arguments,
            "steps": [step.name for step in batch],
            "resume": position.as_dict() if position else None,
            "max_bytes": max(1, min(CALL_BYTES, room)),
            "artefact_bytes": most,
            "max_seconds": seconds,
        }
        self.outcome.calls += 1
        result = self._ask(arguments, seconds)
        if result.get("failed") or not isinstance(result, Mapping):
            return text(result.get("msg")) or "the module failed on the host without a message"
        largest = min(LARGEST_PIECE, most) + LARGEST_LINE
        answer = read_answer(result, _from(batch, position), largest, arguments["max_bytes"] + largest)
        self.outcome.refused += answer.refused
        self._note(answer)
        self.outcome.python = answer.python or self.outcome.python
        self.outcome.epoch = answer.epoch
        return answer

    def _note(self, answer: Answer) -> None:
        """What the host says it lacks, once: a step that is opened twice says it twice."""
        missing = self.outcome.missing
        new = [each for each in answer.missing if each not in missing]
        room = max(0, MOST_MISSING - len(missing))
        if len(new) > room:
            self.outcome.refused.append(f"more than {MOST_MISSING} things that it lacks")
        missing += new[:room]

    def _keep(self, answer: Answer, batch: Sequence[Step]) -> None:
        for piece in answer.pieces:
            self._current = piece.step.name
            artefact = self._collection.open
            if not piece.first:
                if artefact is None or (artefact.step, artefact.part) != (piece.step.name, piece.part):
                    self.outcome.refused.append(f"a piece of {piece.step.name} that follows nothing")
                    continue
            else:
                self._close("the host did not give the rest")
                if len(self._collection.artefacts) >= MOST_ARTEFACTS:
                    raise _Stop("the host answers more than can be meant", FAILED)
                artefact = self._collection.begin(piece, iso(self._now()))
            left = self._limits.max_bytes - self._collection.size
            self._collection.append(artefact, piece, piece.data[: max(0, left)])
            if piece.cut:
                self.outcome.missing.append(Missing(f"a part of {artefact.name}", BUDGET, piece.cut))
            if left < len(piece.data):
                raise _Stop(f"the size budget of {self._limits.max_bytes} bytes is spent")

    def _close(self, reason: str) -> None:
        artefact = self._collection.open
        if artefact is not None:
            artefact.closed = True
            artefact.cut = f"what follows byte {artefact.bytes}: {reason}"
            if self.outcome.stopped is None:
                self.outcome.missing.append(Missing(f"the rest of {artefact.name}", BUDGET, reason))

    def _give_up(self, batch: Sequence[Step], position: Position | None, reason: str, cause: str) -> None:
        self._close(reason)
        for step in _from(batch, position):
            begun = position is not None and step.name == position.step
            name = f"the rest of {step.name}" if begun else step.name
            self.outcome.missing.append(Missing(name, cause, reason))


def batches(steps: Sequence[Step]) -> list[Sequence[Step]]:
    """Steps that are asked for together, in their order; each bulk step is alone."""
    found: list[list[Step]] = []
    for step in steps:
        if step.bulk or not found or found[-1][0].bulk:
            found.append([])
        found[-1].append(step)
    return list(found)


def _from(batch: Sequence[Step], position: Position | None) -> Sequence[Step]:
    if position is None:
        return batch
    return batch[next(n for n, step in enumerate(batch) if step.name == position.step) :]


def _forward(batch: Sequence[Step], before: Position | None, after: Position) -> bool:
    """A step further, a part further, or at least elsewhere in the same part."""
    if before is None:
        return True
    order = [step.name for step in batch]
    then, now = order.index(before.step), order.index(after.step)
    return now > then or (now == then and (after.part > before.part or after != before))
