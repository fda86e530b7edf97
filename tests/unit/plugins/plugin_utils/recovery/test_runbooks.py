# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of the runbooks about the verification of the recovery, by the defaults of verify_recovery."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ansible_collections.firebreak.incident.plugins.module_utils.clients.http import Answer, parse_target
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import parse_duration
from ansible_collections.firebreak.incident.plugins.module_utils.recovery.decide import Limits, judge
from ansible_collections.firebreak.incident.plugins.module_utils.recovery.observe import Measured, Snapshot
from ansible_collections.firebreak.incident.plugins.module_utils.workload.observe import Probed
from ansible_collections.firebreak.incident.plugins.module_utils.workload.probes import Probe
from ansible_collections.firebreak.incident.plugins.plugin_utils.recovery.watch import Watch

from ..runbooks import ROOT, variables


@pytest.fixture
def inputs() -> dict[str, Any]:
    meta = yaml.safe_load((ROOT / "playbooks/verify_recovery.meta.yml").read_text(encoding="utf-8"))
    options = meta["argument_specs"]["main"]["options"]
    return {name: option.get("default") for name, option in options.items()}


def probed(url: str, status: int) -> Probed:
    target = parse_target(url)
    return Probed(Probe(target, service="app", essential=True), target, Answer(0.1, status))


def healthy(inputs: dict[str, Any], *probes: Probed, **measured: float) -> bool:
    limits = Limits(inputs["max_error_percent"], inputs["max_latency"])
    seen = Snapshot(probes, {name: Measured(value) for name, value in measured.items()})
    return bool(judge(seen, limits)[0]["healthy"])


@pytest.mark.parametrize("site", ["zekka", "matrixon"])
@pytest.mark.parametrize("status", [200, 503])
def test_full_system_health_check_comprehensive_status_check(
    inputs: dict[str, Any], site: str, status: int
) -> None:
    """Of every service that has a health URL; one that fails is no recovery."""
    services = variables(site)["firebreak_services"].values()
    urls = [service["health"] for service in services if "health" in service]
    others = [probed(url, 200) for url in urls[1:]]
    assert healthy(inputs, probed(urls[0], status), *others) is (status == 200)


def test_monitor_key_metrics_for_30_minutes(inputs: dict[str, Any]) -> None:
    """Without a break: one look that fails begins the half hour anew."""
    watch = Watch(parse_duration(inputs["window"]), inputs["passes"])
    interval, recovered = parse_duration(inputs["interval"]), []
    for look in range(100):
        now = float(look * interval)
        watch = watch.look(now, look != 20, ())
        if watch.recovered(now):
            recovered.append(now)
    assert recovered[0] == 21 * interval + 30 * 60


@pytest.mark.parametrize(("percent", "well"), [(0.0, True), (1.0, True), (1.1, False)])
def test_monitor_key_metrics_check_error_rates(inputs: dict[str, Any], percent: float, well: bool) -> None:
    assert healthy(inputs, probed("http://127.0.0.1/health", 200), errors=percent) is well


@pytest.mark.parametrize(("seconds", "well"), [(0.2, True), (5.0, True), (5.1, False)])
def test_monitor_key_metrics_verify_performance_metrics(
    inputs: dict[str, Any], seconds: float, well: bool
) -> None:
    assert healthy(inputs, probed("http://127.0.0.1/health", 200), latency=seconds) is well


@pytest.mark.parametrize("site", ["zekka", "matrixon"])
def test_monitor_key_metrics_test_critical_user_flows(inputs: dict[str, Any], site: str) -> None:
    """They are what a site lists as endpoints: from outside, through its edge."""
    (endpoint, *_others) = variables(site)["firebreak_endpoints"]
    assert healthy(inputs, probed(endpoint["url"], 200))
    assert not healthy(inputs, probed(endpoint["url"], 502))


@pytest.mark.parametrize(("failing", "recovers"), [(0, 30), (29, 60)])
def test_service_recovery_verification_within_30_to_60_minutes(
    inputs: dict[str, Any], failing: int, recovers: int
) -> None:
    """Half an hour when all is well, and as long again after a failure, for which there is time."""
    watch, interval = Watch(parse_duration(inputs["window"]), inputs["passes"]), 60
    for look in range(recovers + 1):
        assert not watch.too_late(look * interval, parse_duration(inputs["give_up_after"]))
        watch = watch.look(look * interval, not failing or look > failing, ())
        assert watch.recovered(look * interval) is (look == recovers)
