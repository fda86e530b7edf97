# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what the module `recovery_info` needs."""

from __future__ import annotations

from typing import Any, Mapping

from ..services import ENDPOINTS_SPEC, SERVICES_SPEC
from ..workload.probes import parse_probes
from .decide import ERRORS, LATENCY, Limits
from .observe import Snapshot, observe

# What most instrumentation libraries call these; a service that does not has its own queries.
ERROR_QUERY = '100 * sum(rate(http_requests_total{code=~"5.."}[1m])) / sum(rate(http_requests_total[1m]))'
LATENCY_QUERY = "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[1m])))"

SPEC: Mapping[str, Any] = {
    **SERVICES_SPEC,
    **ENDPOINTS_SPEC,
    "prometheus": {"type": "str"},
    "error_query": {"type": "str", "default": ERROR_QUERY},
    "latency_query": {"type": "str", "default": LATENCY_QUERY},
    "max_error_percent": {"type": "float", "default": 1.0},
    "max_latency": {"type": "float", "default": 5.0},
}


def look(params: Mapping[str, Any]) -> Snapshot:
    queries = {ERRORS: params["error_query"], LATENCY: params["latency_query"]}
    probes = parse_probes(params["services"], params["endpoints"])
    return observe(probes, params["prometheus"], queries)


def limits(params: Mapping[str, Any]) -> Limits:
    return Limits(params["max_error_percent"], params["max_latency"])
