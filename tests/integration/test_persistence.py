# SPDX-License-Identifier: GPL-3.0-or-later
"""What an intruder leaves behind is found with and without a baseline; a clean host has none of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firebreak_lab import Lab

HOSTS = ("zekka1", "matrixon1")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHmvT9s0ZpVn2gJ0h6cWq8yq3xX0bqk3n1m8l7Vt5d2K ops@backup"

# Each as quiet as a fair intruder makes it; the programs do nothing.
PLANT = f"""
set -e
cp -a /usr/bin/scriptreplay /run/scriptreplay.clean
printf '#!/bin/sh\\ntrue\\n' > /usr/local/bin/.update; chmod 755 /usr/local/bin/.update
echo '*/5 * * * * root /usr/local/bin/.update >/dev/null 2>&1' > /etc/cron.d/update
touch -r /etc/crontab /etc/cron.d/update
install -d -m 700 -o deploy -g deploy /home/deploy/.ssh
echo '{KEY}' > /home/deploy/.ssh/authorized_keys; chown deploy: /home/deploy/.ssh/authorized_keys
printf '#!/bin/sh\\ntrue\\n' > /opt/x.sh; chmod 755 /opt/x.sh
printf '[Service]\\nType=oneshot\\nExecStart=/opt/x.sh\\n' > /etc/systemd/system/backup-sync.service
printf '[Timer]\\nOnCalendar=yearly\\n' > /etc/systemd/system/backup-sync.timer
cp /bin/bash /usr/local/bin/helper; chmod 4755 /usr/local/bin/helper
cp "$(ldconfig -p | awk '/libm.so.6/ {{print $NF; exit}}')" /usr/local/lib/libproc.so
echo /usr/local/lib/libproc.so > /etc/ld.so.preload
printf 'x' | dd of=/usr/bin/scriptreplay bs=1 seek=200 conv=notrunc status=none
touch -r /run/scriptreplay.clean /usr/bin/scriptreplay
"""
REMOVE = """
rm -rf /etc/ld.so.preload /etc/cron.d/update /usr/local/bin/.update /home/deploy/.ssh /opt/x.sh \
  /etc/systemd/system/backup-sync.* /usr/local/bin/helper /usr/local/lib/libproc.so
[ ! -e /run/scriptreplay.clean ] || mv /run/scriptreplay.clean /usr/bin/scriptreplay
"""
PLANTED = {
    ("persistence.cron.added", "/etc/cron.d/update", "critical"),
    ("persistence.key.added", "/home/deploy/.ssh/authorized_keys", "warning"),
    ("persistence.timer.added", "/etc/systemd/system/backup-sync.timer", "warning"),
    ("persistence.unit.added", "/etc/systemd/system/backup-sync.service", "warning"),
    ("persistence.suid.added", "/usr/local/bin/helper", "critical"),
    ("persistence.preload.set", "/etc/ld.so.preload", "critical"),
    ("persistence.package.changed", "/usr/bin/scriptreplay", "critical"),
}


@pytest.fixture
def clean(pristine: Lab) -> Iterator[Lab]:
    yield pristine
    for host in HOSTS:
        pristine.run(host, ["bash", "-c", REMOVE]).check("removing what was planted")


def remarkable(done: Any, host: str) -> set[tuple[str, str, str]]:
    findings = done.result(host, "persistence_info")["findings"]
    return {
        (found["id"], found["evidence"].get("path") or found["evidence"]["files"][0], found["level"])
        for found in findings
        if found["level"] != "notice"
    }


def test_what_was_planted_is_found_and_nothing_else(
    clean: Lab, play: Callable[..., Any], host_state: Callable[[str], str], tmp_path: Path
) -> None:
    folder = tmp_path / "baselines"
    before = {host: host_state(host) for host in HOSTS}
    healthy = play("check_persistence", write_baseline=str(folder))
    assert (healthy.code, healthy.changed()) == (0, 0), healthy.output
    assert {host: remarkable(healthy, host) for host in HOSTS} == {host: set() for host in HOSTS}
    assert {host: host_state(host) for host in HOSTS} == before
    for host in HOSTS:
        assert (folder / f"{host}.json").stat().st_mode & 0o777 == 0o600
        assert json.loads((folder / f"{host}.json").read_text())["host"] == host
        clean.run(host, ["bash", "-c", PLANT]).check(f"planting on {host}")

    without = play("check_persistence")
    compared = play("check_persistence", baseline=str(folder), write_baseline=str(folder))
    for done in (without, compared):
        assert done.code == 0, done.output
        for host in HOSTS:
            assert remarkable(done, host) - _refusal(done, host) == PLANTED, host
    # What is critical is never taken for good.
    assert all(_refusal(compared, host) for host in HOSTS)

    for host in HOSTS:
        clean.run(host, ["bash", "-c", REMOVE]).check(f"cleaning {host}")
    again = play("check_persistence", baseline=str(folder))
    assert {host: remarkable(again, host) for host in HOSTS} == {host: set() for host in HOSTS}


def _refusal(done: Any, host: str) -> set[tuple[str, str, str]]:
    return {found for found in remarkable(done, host) if found[0] == "persistence.baseline.refused"}
