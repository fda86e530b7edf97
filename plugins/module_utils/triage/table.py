# SPDX-License-Identifier: GPL-3.0-or-later
"""The sections of a triage. A new one is a function here that returns a `Section`, and its line in TABLE.

Each imports its domain itself: what was not asked for is not loaded, the rest while others look already.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Callable, Mapping

from ..errors import BadInput
from ..services import ENDPOINTS_SPEC, Service, parse_services
from ..services import SPEC as SERVICES
from .sections import Builder, Section

if TYPE_CHECKING:
    from ..runtimes import Runtimes

Params = Mapping[str, Any]


class Asked:
    """What the sections are asked, and what more than one of them has to ask this host."""

    def __init__(self, params: Params) -> None:
        self.params = params

    @property
    def services(self) -> tuple[Service, ...]:
        return parse_services(self.params["services"])

    @cached_property
    def runtimes(self) -> Runtimes:
        from ..runtimes import Runtimes

        return Runtimes(self.services)


def host(_asked: Asked) -> Section:
    from ..host.decide import judge
    from ..host.observe import observe

    return Section(lambda _deadline: observe(), judge)


def services(asked: Asked) -> Section:
    from ..workload.decide import judge_services
    from ..workload.observe import observe_workload

    runtimes = asked.runtimes
    return Section(
        lambda deadline: observe_workload(asked.services, deadline, runtimes=runtimes),
        judge_services,
    )


def changes(asked: Asked) -> Section:
    from ..changes.decide import judge
    from ..changes.observe import observe

    runtimes = asked.runtimes
    return Section(lambda deadline: observe(asked.services, deadline, runtimes=runtimes), judge)


def postgres(asked: Asked) -> Section:
    from ..postgres.overview.decide import judge
    from ..postgres.overview.observe import observe
    from ..postgres.server import parse_server

    return Section(
        lambda deadline: observe(parse_server(asked.params["postgres"], asked.services), deadline),
        judge,
    )


def redis(asked: Asked) -> Section:
    from ..redis.decide import judge
    from ..redis.observe import observe
    from ..redis.server import parse_server

    return Section(
        lambda deadline: observe(parse_server(asked.params["redis"], asked.services), deadline),
        judge,
    )


def tls(asked: Asked) -> Section:
    from ..certificate.decide import judge
    from ..certificate.endpoints import parse_endpoints
    from ..certificate.observe import observe

    return Section(lambda deadline: observe(parse_endpoints(asked.params["endpoints"]), deadline), judge)


def http(asked: Asked) -> Section:
    from ..workload.decide import judge_http
    from ..workload.observe import observe_http
    from ..workload.probes import parse_probes

    return Section(
        lambda deadline: observe_http(
            parse_probes(asked.params["services"], asked.params["endpoints"]), deadline
        ),
        judge_http,
    )


def network(asked: Asked) -> Section:
    from ..network.decide import judge
    from ..network.observe import observe

    return Section(lambda deadline: observe(asked.params["endpoints"], deadline), judge)


def firewall(asked: Asked) -> Section:
    from .firewall import collect, judge

    return Section(lambda deadline: collect(asked.params, deadline), judge)


def logins(asked: Asked) -> Section:
    from .logins import collect, judge

    return Section(lambda deadline: collect(asked.params, deadline), judge)


def logs(asked: Asked) -> Section:
    from ..logs.decide import judge
    from ..logs.observe import observe

    return Section(lambda deadline: observe(asked.services, deadline), judge)


def monitoring(asked: Asked) -> Section:
    from ..monitoring.decide import judge
    from ..monitoring.observe import observe

    return Section(lambda deadline: observe(asked.params["monitoring"], deadline), judge)


TABLE: Mapping[str, Callable[[Asked], Section]] = {
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
    **ENDPOINTS_SPEC,
    "login_window": {"type": "str", "default": "1h"},
}


def chosen(params: Params) -> Mapping[str, Builder]:
    """The sections that were asked for, each once, in the order of the table."""
    if not params["sections"]:
        raise BadInput(
            "sections", "none is named, so nothing would be looked at", f"Name some of {', '.join(TABLE)}."
        )
    asked = Asked(params)
    return {name: partial(build, asked) for name, build in TABLE.items() if name in params["sections"]}
