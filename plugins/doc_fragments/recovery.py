# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of what looks whether users are served."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  prometheus:
    description: Base URL of a Prometheus. Without it only the URLs are asked.
    type: str
  error_query:
    description: A query of which the highest value is the share of failed requests, in percent.
    type: str
    default: '100 * sum(rate(http_requests_total{code=~"5.."}[1m])) / sum(rate(http_requests_total[1m]))'
  latency_query:
    description: A query of which the highest value is what the slowest of a hundred take, in seconds.
    type: str
    default: histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[1m])))
  max_error_percent:
    description: Share of the requests that may fail, in percent.
    type: float
    default: 1.0
  max_latency:
    description: Seconds that the slowest of a hundred requests may take.
    type: float
    default: 5.0
"""
