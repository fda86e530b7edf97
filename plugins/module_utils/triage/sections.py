# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at all sections of a triage at once. One that hangs or breaks is a finding, and costs only itself."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any, Callable, Mapping, Sequence

from ..deadlines import Deadline, Outcome, gather, said
from ..errors import BadInput
from ..finding import WARNING, Finding


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
            reason = said(error)
    finding = Finding(
        id="triage.section.unseen",
        level=WARNING,
        subject=f"triage section {name}",
        summary=f"{name} was not looked at: {reason}",
        evidence={"section": name, "reason": reason, "seconds": round(outcome.seconds, 3)},
    )
    return None, [finding], reason
