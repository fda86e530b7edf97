# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what was seen is a service that has recovered. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Mapping, Sequence

from ..finding import CRITICAL, WARNING, Finding
from ..workload.decide import judge_http
from .observe import Measured, Snapshot

ERRORS, LATENCY = "errors", "latency"


@dataclass(frozen=True)
class Limits:
    """Share of the requests that may fail, in percent; seconds that the slowest of a hundred may wait."""

    error_percent: float
    latency_seconds: float


def judge(seen: Snapshot, limits: Limits) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    probes, findings = judge_http(seen.probed)
    found = [*findings, *_nothing(seen), *_measured(seen.measured, limits)]
    serious = [finding for finding in found if finding.level == CRITICAL]
    return {
        "healthy": not serious,
        "reasons": [finding.summary for finding in serious],
        "probes": probes,
        "measured": {
            name: {"value": each.value, "unseen": each.unseen} for name, each in seen.measured.items()
        },
    }, found


def _nothing(seen: Snapshot) -> Iterator[Finding]:
    if seen.probed or any(each.value is not None for each in seen.measured.values()):
        return
    missing = "no service has a health URL, and no endpoint is configured"
    more = "Prometheus tells nothing" if seen.measured else "no Prometheus is either"
    yield Finding(
        id="recovery.check.missing",
        level=CRITICAL,
        subject="recovery",
        summary=f"there is nothing to tell by whether users are served: {missing}; {more}",
    )


def _measured(measured: Mapping[str, Measured], limits: Limits) -> Iterator[Finding]:
    for name, each in measured.items():
        if each.unseen:
            yield Finding(
                id="recovery.measure.unseen",
                level=WARNING,
                subject=name,
                summary=f"Prometheus does not tell the {name}: {each.unseen}",
                evidence={"unseen": each.unseen},
            )
    errors, latency = measured.get(ERRORS, Measured()).value, measured.get(LATENCY, Measured()).value
    if errors is not None and errors > limits.error_percent:
        yield Finding(
            id="recovery.errors.high",
            level=CRITICAL,
            subject=ERRORS,
            summary=f"{errors:.1f} % of the requests fail, and {limits.error_percent:g} % may",
            evidence={"error_percent": errors, "limit": limits.error_percent},
        )
    if latency is not None and latency > limits.latency_seconds:
        yield Finding(
            id="recovery.latency.high",
            level=CRITICAL,
            subject=LATENCY,
            summary=f"users wait {latency:.2f} s, and {limits.latency_seconds:g} s is the limit",
            evidence={"latency_seconds": latency, "limit": limits.latency_seconds},
        )
