# SPDX-License-Identifier: GPL-3.0-or-later
"""The sections of a triage. A new one is a function here that returns a `Section`, and its line in TABLE.

Each imports its domain itself: what was not asked for is not loaded, the rest while others look already.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Mapping

from ..errors import BadInput
from ..services import SPEC as SERVICES
from ..services import parse_services
from .sections import Builder, Section

Params = Mapping[str, Any]


def host(_params: Params) -> Section:
    from ..host.decide import judge
    from ..host.observe import observe

    return Section(lambda _deadline: observe(), judge)


def services(params: Params) -> Section:
    from ..workload.decide import judge_services
    from ..workload.observe import observe_workload

    return Section(
        lambda deadline: observe_workload(parse_services(params["services"]), deadline),
        judge_services,
    )


def changes(params: Params) -> Section:
    from ..changes.decide import judge
    from ..changes.observe import observe

    return Section(lambda deadline: observe(parse_services(params["services"]), deadline), judge)


def postgres(params: Params) -> Section:
    from ..postgres.overview.decide import judge
    from ..postgres.overview.observe import observe
    from ..postgres.server import parse_server

    return Section(
        lambda deadline: observe(
            parse_server(params["postgres"], parse_services(params["services"])), deadline
        ),
        judge,
    )


def redis(params: Params) -> Section:
    from ..redis.decide import judge
    from ..redis.observe import observe
    from ..redis.server import parse_server

    return Section(
        lambda deadline: observe(parse_server(params["redis"], parse_services(params["services"])), deadline),
        judge,
    )


def tls(params: Params) -> Section:
    from ..certificate.decide import judge
    from ..certificate.endpoints import parse_endpoints
    from ..certificate.observe import observe

    return Section(lambda deadline: observe(parse_endpoints(params["endpoints"]), deadline), judge)


def http(params: Params) -> Section:
    from ..workload.decide import judge_http
    from ..workload.observe import observe_http
    from ..workload.probes import parse_probes

    return Section(
        lambda deadline: observe_http(parse_probes(params["services"], params["endpoints"]), deadline),
        judge_http,
    )


def network(params: Params) -> Section:
    from ..network.decide import judge
    from ..network.observe import observe

    return Section(lambda deadline: observe(params["endpoints"], deadline), judge)


def firewall(params: Params) -> Section:
    from .firewall import collect, judge

    return Section(lambda deadline: collect(params, deadline), judge)


def logins(params: Params) -> Section:
    from .logins import collect, judge

    return Section(lambda deadline: collect(params, deadline), judge)


def logs(params: Params) -> Section:
    from ..logs.decide import judge
    from ..logs.observe import observe

    return Section(lambda deadline: observe(parse_services(params["services"]), deadline), judge)


def monitoring(params: Params) -> Section:
    from ..monitoring.decide import judge
    from ..monitoring.observe import observe

    return Section(lambda deadline: observe(params["monitoring"], deadline), judge)


TABLE: Mapping[str, Callable[[Params], Section]] = {
    "host": host,
    "services": services,
    "changes": changes,
    "postgres": postgres,
    "redis": redis,
    "tls": tls,
    "http": http,
    "network": network,
    "firewall": firewall,
    "logins": logins,
    "logs": logs,
    "monitoring": monitoring,
}

SPEC: dict[str, Any] = {
    "sections": {"type": "list", "elements": "str", "choices": list(TABLE), "default": list(TABLE)},
    "timeout": {"type": "int", "default": 10},
    **SERVICES,
    "monitoring": {
        "type": "dict",
        "default": {},
        "options": {
            "prometheus": {"type": "str"},
            "alertmanager": {"type": "str"},
            "grafana": {"type": "str"},
        },
    },
    "endpoints": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "url": {"type": "str", "required": True},
            "connect_to": {"type": "str"},
            "certificate": {"type": "str"},
            "verify": {"type": "bool", "default": True},
        },
    },
    "login_window": {"type": "str", "default": "1h"},
}


def chosen(params: Params) -> Mapping[str, Builder]:
    """The sections that were asked for, each once, in the order of the table."""
    if not params["sections"]:
        raise BadInput(
            "sections", "none is named, so nothing would be looked at", f"Name some of {', '.join(TABLE)}."
        )
    return {name: partial(build, params) for name, build in TABLE.items() if name in params["sections"]}
