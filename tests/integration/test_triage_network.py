# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, routes, blocks of one's own people, monitors: made bad, named by triage, and named no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from firebreak_lab import Lab

SECTIONS = ["network", "firewall", "monitoring"]
HOSTS = ("zekka1", "matrixon1")
# matrixon1, which must get in to zekka1 as every host of the inventory must.
NEIGHBOUR = "172.29.77.12"
ALERTS = "http://172.29.77.50:9093/api/v2/alerts"
RESOLVES = ["timeout", "5", "getent", "ahosts", "client1"]


def look(play: Callable[..., Any], *hosts: str) -> dict[str, dict[str, dict[str, Any]]]:
    """The findings by host and id."""
    done = play("triage", limit=",".join(hosts or HOSTS), sections=SECTIONS)
    assert (done.code, done.changed()) == (0, 0), done.output
    return {
        host: {each["id"]: each for each in done.result(host, "triage_info")["findings"]}
        for host in hosts or HOSTS
    }


def bad(found: dict[str, dict[str, Any]]) -> set[str]:
    return {name for name, each in found.items() if each["level"] != "notice"}


def test_a_dead_resolver_and_a_missing_route_are_named(pristine: Lab, play: Callable[..., Any]) -> None:
    resolvers = pristine.run("zekka1", ["cat", "/etc/resolv.conf"]).check("reading").stdout
    pristine.run("zekka1", ["tee", "/etc/resolv.conf"], input="nameserver 127.0.0.9\n").check(
        "breaking names"
    )
    route = pristine.run("matrixon1", ["ip", "-6", "route", "show", "default"]).stdout.split()
    pristine.run("matrixon1", ["ip", "-6", "route", "delete", "default"]).check("removing the route")
    try:
        assert pristine.run("zekka1", RESOLVES).rc != 0
        broken = look(play)
    finally:
        pristine.run("zekka1", ["tee", "/etc/resolv.conf"], input=resolvers).check("mending names")
        pristine.run("matrixon1", ["ip", "-6", "route", "add", *route]).check("mending the route")
    assert broken["zekka1"]["network.dns.failing"]["level"] == "critical"
    assert "127.0.0.9: Connection refused" in broken["zekka1"]["network.dns.failing"]["summary"]
    assert broken["matrixon1"]["network.route.missing"]["subject"] == "IPv6 default route"
    assert pristine.run("zekka1", RESOLVES).rc == 0
    mended = look(play)
    assert not {"network.dns.failing", "network.route.missing"} & {*mended["zekka1"], *mended["matrixon1"]}


def test_whoever_must_get_in_and_is_blocked_is_named_with_what_unblocks_them(
    pristine: Lab, play: Callable[..., Any]
) -> None:
    for command in (
        ["ufw", "prepend", "deny", "from", NEIGHBOUR],
        ["fail2ban-client", "set", "sshd", "banip", NEIGHBOUR],
    ):
        pristine.run("zekka1", command).check(" ".join(command))
    knock = ["timeout", "3", "bash", "-c", "exec 3<> /dev/tcp/172.29.77.11/443"]
    assert pristine.run("matrixon1", knock).rc != 0
    finding = look(play, "zekka1")["zekka1"]["firewall.protected.blocked"]
    assert finding["level"] == "critical"
    assert {block["layer"] for block in finding["evidence"]["blocks"]} == {"iptables", "fail2ban"}
    remedy = finding["remedy"]
    assert (remedy["playbook"], remedy["inputs"]) == ("fix_firewall", {"address": NEIGHBOUR})

    done = play(remedy["playbook"], limit="zekka1", **remedy["inputs"])
    assert done.code == 0, done.output
    assert pristine.run("matrixon1", knock).rc == 0
    assert "firewall.protected.blocked" not in look(play, "zekka1")["zekka1"]
    again = play(remedy["playbook"], limit="zekka1", **remedy["inputs"])
    assert (again.code, again.changed()) == (0, 0), again.output


def test_dead_guards_and_the_alerts_of_those_alive_are_named(pristine: Lab, play: Callable[..., Any]) -> None:
    alert = {
        "labels": {"alertname": "DiskFillsUp", "severity": "page", "instance": "db1:9100"},
        "annotations": {"summary": "/var fills up within the hour"},
        "startsAt": datetime.now(UTC).isoformat(),
    }
    post = [
        "curl",
        "-fsS",
        "-H",
        "Content-Type: application/json",
        "--data-binary",
        json.dumps([alert]),
        ALERTS,
    ]
    pristine.run("client1", post).check("posting an alert")
    pristine.run("client1", ["lab-monitoring", "stop", "prometheus"]).check("stopping Prometheus")
    pristine.run("zekka1", ["systemctl", "stop", "fail2ban"]).check("stopping fail2ban")
    broken = look(play)
    assert bad(broken["zekka1"]) == {
        "monitoring.alert.firing",
        "monitoring.monitor.unreachable",
        "firewall.fail2ban.down",
    }
    assert "/var fills up within the hour" in broken["matrixon1"]["monitoring.alert.firing"]["summary"]
    for name in ("monitoring.alert.firing", "monitoring.monitor.unreachable"):
        # Said in the same words by every host, so that the summary tells it once.
        assert broken["zekka1"][name] == broken["matrixon1"][name]
        assert broken["zekka1"][name]["level"] == "critical"

    pristine.reset()
    assert {host: bad(found) for host, found in look(play).items()} == {host: set() for host in HOSTS}
