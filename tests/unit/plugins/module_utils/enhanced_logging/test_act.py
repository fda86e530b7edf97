# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import dropins, systemd
from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed
from ansible_collections.firebreak.incident.plugins.module_utils.enhanced_logging import act
from ansible_collections.firebreak.incident.plugins.module_utils.enhanced_logging.observe import (
    VERBOSE,
    Current,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError, IdentityChanged

START = "{ path=/usr/sbin/sshd ; argv[]=/usr/sbin/sshd -D $SSHD_OPTS ; ignore_errors=no ; pid=0 }"
UNIT = {"unit": "app.service", "sshd": False, "environment": {"LOG_LEVEL": "debug"}, "seconds": 600}
DAEMON = {"unit": "ssh.service", "sshd": True, "environment": {}, "seconds": 600}


class Host:
    """Stands for systemd, the unit's process and sshd."""

    def __init__(self, root: Path) -> None:
        self.done: list[str] = []
        self.root = root
        self.comes_up = self.sshd_well = True
        self.current = Current("app.service", "loaded", "active", 42, start=START, environment={})

    def place(self, unit: str) -> dropins.Place:
        return dropins.Place(unit, self.root)

    def look(self, unit: str | None) -> Current:
        return self.current

    def control(self, *words: str) -> Completed:
        self.done.append(words[0])
        if words[0] == "restart":
            on = self.comes_up and any(self.root.glob("*.d/*.conf"))
            self.current = replace(
                self.current,
                environment={"LOG_LEVEL": "debug"} if on else {},
                command=f"sshd -o {VERBOSE} -D" if on else "sshd -D",
                pid=self.current.pid + 1,
            )
        return Completed(words, 0, "", "")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    host = Host(tmp_path)
    monkeypatch.setattr(act, "Place", host.place)
    monkeypatch.setattr(act, "current_of", host.look)
    monkeypatch.setattr(act, "STAY_SECONDS", 0.0)
    monkeypatch.setattr(act, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(act, "require", lambda program, package: f"/usr/sbin/{program}")
    monkeypatch.setattr(
        act, "run", lambda argv: Completed(argv, 0 if host.sshd_well else 255, "", "line 7: Bad option")
    )
    monkeypatch.setattr(systemd, "control", host.control)
    monkeypatch.setattr(systemd, "arm", lambda *words: host.done.append("arm"))
    monkeypatch.setattr(systemd, "disarm", lambda unit: host.done.append("disarm"))
    return host


def drop_in(host: Host, unit: str) -> str | None:
    return dropins.read(host.place(unit))


def test_the_end_is_armed_before_anything_is_changed(host: Host) -> None:
    act.PERFORM["logging.enhance"](UNIT)
    assert host.done == ["disarm", "arm", "daemon-reload", "restart"]
    text = drop_in(host, "app.service") or ""
    assert "EnvironmentFile=-" in text and "# Ends 2" in text
    act.PERFORM["logging.restore"](UNIT)
    assert host.done[4:] == ["disarm", "daemon-reload", "restart"]
    assert list(host.root.iterdir()) == []


def test_a_longer_end_restarts_nothing(host: Host) -> None:
    act.PERFORM["logging.enhance"](UNIT)
    host.done.clear()
    act.PERFORM["logging.enhance"]({**UNIT, "seconds": 7200})
    assert host.done == ["disarm", "arm", "daemon-reload"]


def test_once_the_end_has_come_there_is_nothing_to_take_back(host: Host) -> None:
    act.PERFORM["logging.restore"](UNIT)
    assert host.done == ["disarm"]


def test_a_service_that_does_not_take_it_gets_its_old_configuration_back(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(act, "SETTLE_SECONDS", 0.0)
    host.comes_up = False
    with pytest.raises(FirebreakError, match="it was taken back and runs as before"):
        act.PERFORM["logging.enhance"](UNIT)
    assert list(host.root.iterdir()) == []
    assert host.done[-4:] == ["disarm", "daemon-reload", "reset-failed", "restart"]


def test_sshd_is_told_first_on_its_command_line_and_only_once(host: Host) -> None:
    act.PERFORM["logging.enhance"](DAEMON)
    line = "ExecStart=/usr/sbin/sshd -o LogLevel=VERBOSE -D $SSHD_OPTS\n"
    assert (drop_in(host, "ssh.service") or "").endswith(f"ExecStart=\n{line}")
    host.current = replace(host.current, start=START.replace("-D", "-o LogLevel=VERBOSE -D"))
    act.PERFORM["logging.enhance"]({**DAEMON, "seconds": 7200})
    assert (drop_in(host, "ssh.service") or "").endswith(f"ExecStart=\n{line}")


@pytest.mark.parametrize("start", ["", START.replace("$SSHD_OPTS", '-o "Banner none"')])
def test_a_sshd_that_is_started_in_a_way_of_its_own_is_left_alone(host: Host, start: str) -> None:
    host.current = replace(host.current, start=start)
    with pytest.raises(FirebreakError, match="in a way of its own"):
        act.PERFORM["logging.enhance"](DAEMON)
    assert host.done == []


def test_a_broken_configuration_of_sshd_is_never_restarted(host: Host) -> None:
    host.sshd_well = False
    with pytest.raises(FirebreakError, match="Bad option"):
        act.PERFORM["logging.enhance"](DAEMON)
    assert host.done == []


def test_a_unit_that_has_stopped_since_is_left_alone(host: Host) -> None:
    host.current = replace(host.current, active="inactive")
    with pytest.raises(IdentityChanged, match="it is inactive now"):
        act.PERFORM["logging.enhance"](UNIT)


def test_every_action_has_its_undo() -> None:
    assert set(act.PERFORM) == {"logging.enhance", "logging.restore"}
