# SPDX-License-Identifier: GPL-3.0-or-later
"""What Prometheus, Alertmanager and Grafana say of themselves and of what they watch."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping
from urllib.parse import quote

from ..clients.http import Page, fetch, parse_target
from ..deadlines import Deadline, gather

SECONDS = 3.0
BUDGET = 2 * 1024 * 1024
# What each monitor is asked: the name of the answer, and the path.
PATHS: Mapping[str, Mapping[str, str]] = {
    "prometheus": {
        "health": "/-/healthy",
        "down": f"/api/v1/query?query={quote('up == 0')}",
        "targets": f"/api/v1/query?query={quote('count(up)')}",
    },
    "alertmanager": {
        "status": "/api/v2/status",
        "alerts": "/api/v2/alerts?active=true&silenced=false&inhibited=false",
    },
    "grafana": {"health": "/api/health"},
}


@dataclass(frozen=True)
class Said:
    """`value` is the JSON of an answer, None when there was none to be read; `problem` says why."""

    value: Any = None
    problem: str | None = None
    reached: bool = False


@dataclass(frozen=True)
class Monitor:
    """`url` as it was configured; what it said by the name of the question."""

    name: str
    url: str
    said: Mapping[str, Said] = field(default_factory=dict)


def observe(given: Mapping[str, Any] | None, deadline: Deadline) -> tuple[Monitor, ...]:
    """Every question to every monitor at once; empty when none is configured. Raises `BadInput`."""
    urls = {name: str((given or {})[name]).rstrip("/") for name in PATHS if (given or {}).get(name)}
    # The same on every host, and so are the words of an error: what hosts have in common is told once.
    timeout = deadline.remaining(SECONDS)
    tasks = {
        f"{name} {what}": _asker(url + path, timeout)
        for name, url in urls.items()
        for what, path in PATHS[name].items()
    }
    # A monitor's own name may be what is not resolved, and that knows no deadline.
    seen = gather(tasks, deadline.remaining(SECONDS + 1))
    return tuple(
        Monitor(name, url, {what: _said(seen[f"{name} {what}"]) for what in PATHS[name]})
        for name, url in urls.items()
    )


def _asker(url: str, timeout: float) -> Callable[[Deadline], Page]:
    target = parse_target(url)
    return lambda _inner: fetch(target, True, timeout, BUDGET)


def _said(outcome: Any) -> Said:
    page: Page | None = outcome.value
    return read(page) if page is not None else Said(problem=outcome.unseen)


def read(page: Page) -> Said:
    """The JSON of a page; what is none (the health of Prometheus is a sentence) is given as text."""
    status = page.answer.status
    if status is None:
        return Said(problem=page.answer.error)
    if not page.whole:
        return Said(problem=f"it answers with more than {BUDGET} bytes", reached=True)
    try:
        value = json.loads(page.text)
    except ValueError:
        value = page.text[:200]
    return Said(value, None if status < 400 else f"it answers HTTP {status}", reached=True)
