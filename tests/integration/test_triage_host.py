# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machine is short of, what its logs say, what was changed, and who tried to become root."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from firebreak_lab import Lab, broken

from .conftest import statuses

ITEMS = "https://172.29.77.11/api/items"
HOGS = {
    "lab-hog": ["-p", "CPUQuota=10%", "sh", "-c", "while :; do :; done"],
    "lab-full": [
        "-p",
        "MemoryMax=64M",
        "python3",
        "-c",
        "x = bytearray(60 << 20); import time; time.sleep(90)",
    ],
    "lab-held": [
        "python3",
        "-c",
        "import os, time\n"
        "log = open('/var/tmp/held.log', 'wb', 0)\n"
        "log.write(bytes(63 << 20))\n"
        "os.unlink(log.name)\n"
        "time.sleep(90)",
    ],
}
RELEASE = """
rm -rf /run/lab-release && mkdir /run/lab-release && cd /run/lab-release
git init -q -b main
for message in first second; do
  git -c user.name=Alice -c user.email=alice@zekka.example commit -q --allow-empty -m $message
done
"""


def found(play: Any, host: str) -> dict[str, dict[str, Any]]:
    """The findings of a host by id and subject."""
    return {f"{one['id']} {one['subject']}": one for one in play.result(host, "triage_info")["findings"]}


def troubles(play: Any, host: str) -> list[str]:
    """Pressure is left out: it is that of the machine on which the containers of the lab run."""
    return [
        name
        for name, one in found(play, host).items()
        if one["level"] != "notice" and one["id"] != "host.pressure.high"
    ]


@contextlib.contextmanager
def hogs(lab: Lab) -> Iterator[None]:
    """One unit at its CPU quota, one at its memory limit, one that holds a deleted file on a full disk."""
    lab.run("zekka1", ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", "/var/tmp"]).check("mounting")
    try:
        for unit, words in HOGS.items():
            lab.run("zekka1", ["systemd-run", "-q", f"--unit={unit}", *words]).check(f"starting {unit}")
        yield
    finally:
        lab.run("zekka1", ["systemctl", "stop", *HOGS])
        lab.run("zekka1", ["umount", "/var/tmp"]).check("unmounting")


def deleted_and_full(lab: Lab) -> bool:
    """What df and ls show: no room, and nothing that takes it."""
    for _attempt in range(50):
        shown = lab.run("zekka1", ["sh", "-c", "df --output=pcent /var/tmp; ls -A /var/tmp"]).stdout.split()
        if len(shown) == 2 and int(shown[1].rstrip("%")) > 90:
            return True
    return False


def test_what_the_machine_is_short_of_is_named_with_who_is_to_blame(
    pristine: Lab, play: Callable[..., Any]
) -> None:
    with hogs(pristine):
        assert deleted_and_full(pristine)
        short = found(play("triage", limit="zekka1", sections=["host"]), "zekka1")
    held = short["host.disk.deleted_open filesystem /var/tmp"]
    assert held["evidence"]["files"][0]["path"] == "/var/tmp/held.log"
    assert held["evidence"]["bytes"] == 63 << 20
    assert "lab-hog.service was stopped in" in short["host.cgroup.throttled lab-hog.service"]["summary"]
    assert short["host.cgroup.memory_full lab-full.service"]["level"] == "warning"

    assert troubles(play("triage", limit="zekka1", sections=["host"]), "zekka1") == []


def test_failing_requests_errors_and_changes_are_told_while_they_last(
    pristine: Lab, play: Callable[..., Any]
) -> None:
    services = {
        "app": {
            "runtime": "systemd",
            "unit": "zekka.service",
            "logs": ["/opt/zekka/logs/*.log"],
            "directory": "/run/lab-release",
        },
        "redis": {"runtime": "systemd", "unit": "redis-server.service"},
    }
    pristine.run("zekka1", ["bash", "-c", RELEASE]).check("making a release")
    with broken(pristine, "redis-stopped"):
        assert statuses(pristine, f"{ITEMS}?token=hidden", 25) == [503] * 25
        during = play("triage", limit="zekka1", sections=["logs"], firebreak_services=services)
    failing = found(during, "zekka1")["logs.http.failing /var/log/nginx/access.log"]
    assert failing["level"] == "critical"
    assert failing["evidence"]["failing"] == {"503 /api/items": 25}
    assert found(during, "zekka1")["logs.errors.rising service app"]["level"] == "warning"
    assert "hidden" not in str(failing)

    assert statuses(pristine, ITEMS, 5) == [200] * 5
    after = play("triage", limit="zekka1", sections=["logs", "changes"], firebreak_services=services)
    pristine.run("zekka1", ["rm", "-rf", "/run/lab-release"])
    assert found(after, "zekka1")["logs.http.failing /var/log/nginx/access.log"]["level"] == "notice"
    changes = after.result("zekka1", "triage_info")["changes"]["changes"]
    told = [(change["kind"], change["subject"], change["by"]) for change in changes]
    assert any(kind == "service" and "redis-server.service" in subject for kind, subject, _by in told)
    assert told.count(("release", "app", "Alice")) == 2
    assert any(kind == "packages" and "apt-get install" in by for kind, _subject, by in told)


def test_who_is_refused_by_sudo_is_named_and_its_arguments_are_not(
    pristine: Lab, play: Callable[..., Any]
) -> None:
    guess = "echo guess | runuser -u www-data -- sudo -k -S /usr/bin/id --token=hidden"
    assert "password" in pristine.run("zekka1", ["bash", "-c", f"{guess} & {guess} & {guess}; wait"]).stderr
    done = play("triage", limit="zekka1", sections=["logins"])
    refused = found(done, "zekka1")["logins.sudo.refused account www-data"]
    assert (refused["level"], refused["evidence"]["refused"]) == ("warning", 3)
    uses = done.result("zekka1", "triage_info")["logins"]["sudo"]
    assert "responder" in uses
    assert "hidden" not in str(done.result("zekka1", "triage_info"))
