# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real Prometheus says of errors and latency: of its own requests, for it counts those."""

from __future__ import annotations

import time
from typing import Any

from firebreak_lab import Lab

from .conftest import module, statuses

PROMETHEUS = "http://172.29.77.50:9090"
COUNTED, TIMED = "prometheus_http_requests_total", "prometheus_http_request_duration_seconds_bucket"
ASKED = {
    "prometheus": PROMETHEUS,
    "error_query": f'100 * sum({COUNTED}{{code=~"4.."}}) / sum({COUNTED})',
    "latency_query": f"histogram_quantile(0.99, sum by (le) ({TIMED}))",
}


def look(**limits: float) -> tuple[dict[str, Any], list[str]]:
    seen = module("zekka1", "recovery_info", **ASKED, **limits)
    return seen, [finding["id"] for finding in seen["findings"]]


def test_recovery_is_judged_by_what_prometheus_measures(lab: Lab) -> None:
    assert set(statuses(lab, f"{PROMETHEUS}/api/v1/query", 20)) == {400}
    end = time.monotonic() + 15
    seen, found = look(max_error_percent=0)
    while seen["healthy"] and time.monotonic() < end:
        seen, found = look(max_error_percent=0)
    assert (seen["healthy"], found) == (False, ["recovery.errors.high"])
    errors, latency = seen["measured"]["errors"]["value"], seen["measured"]["latency"]["value"]
    assert 0 < errors < 100 and 0 < latency < 5

    seen, found = look(max_error_percent=100, max_latency=latency / 1000)
    assert (seen["healthy"], found) == (False, ["recovery.latency.high"])
    assert f"users wait {seen['measured']['latency']['value']:.2f} s" in seen["reasons"][0]

    seen, found = look(max_error_percent=100)
    assert (seen["healthy"], found) == (True, [])
