# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether users are served at this moment: health checks, and what Prometheus says of errors and latency."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Callable, Mapping, Sequence
from urllib.parse import quote

from ..clients.http import Page, fetch, parse_target
from ..deadlines import Deadline, gather
from ..monitoring.observe import read
from ..workload.observe import Probed, observe_http
from ..workload.probes import Probe

SECONDS = 10.0
BUDGET = 1024 * 1024


@dataclass(frozen=True)
class Measured:
    """What a query gives now: None where there is nothing to count (`unseen` is None then) or no answer."""

    value: float | None = None
    unseen: str | None = None


@dataclass(frozen=True)
class Snapshot:
    """`measured` by the name of the query; empty without Prometheus."""

    probed: tuple[Probed, ...]
    measured: Mapping[str, Measured]


def observe(probes: Sequence[Probe], prometheus: str | None, queries: Mapping[str, str]) -> Snapshot:
    """Everything at once. Raises `BadInput`."""
    deadline = Deadline(SECONDS)
    measured: Mapping[str, Measured] = {}
    if prometheus:
        base = prometheus.rstrip("/")
        tasks = {name: _asker(f"{base}/api/v1/query?query={quote(query)}") for name, query in queries.items()}
        seen = gather(tasks, deadline.remaining())
        measured = {name: _measured(seen[name]) for name in queries}
    return Snapshot(observe_http(probes, deadline), measured)


def _asker(url: str) -> Callable[[Deadline], Page]:
    target = parse_target(url)
    return lambda inner: fetch(target, True, inner.remaining(), BUDGET)


def _measured(outcome: Any) -> Measured:
    if outcome.value is None:
        return Measured(unseen=outcome.unseen)
    said = read(outcome.value)
    if said.problem:
        return Measured(unseen=said.problem)
    try:
        result = said.value["data"]["result"]
        values = [float(each["value"][1]) for each in result]
    except (KeyError, TypeError, ValueError, IndexError):
        return Measured(unseen="its answer cannot be read")
    known = [value for value in values if not math.isnan(value)]
    return Measured(max(known) if known else None)
