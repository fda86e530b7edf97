# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import systemd
from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

SHOWN = (Path(__file__).parents[3] / "fixtures" / "triage" / "systemctl_show.txt").read_text()
SESSION = """\
Id=12
Name=responder
Timestamp=Sat 2026-11-21 23:50:03 UTC
TTY=pts/0
RemoteHost=198.51.100.7
Service=sshd
Class=user
State=active

Id=13
Name=responder
Timestamp=Sat 2026-11-21 23:50:03 UTC
Service=systemd-user
Class=manager
State=active
"""
Answer = Callable[[Sequence[str]], Completed]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Sequence[str]]]:
    """Stands for the programs: by verb what each prints, and the exit code."""

    def install(**by_verb: tuple[int, str]) -> list[Sequence[str]]:
        asked: list[Sequence[str]] = []

        def run(argv: Sequence[str], timeout: float) -> Completed:
            asked.append(argv)
            code, text = by_verb[argv[1].replace("-", "_")]
            return Completed(argv, code, text if code == 0 else "", "" if code == 0 else text)

        monkeypatch.setattr(systemd, "run", run)
        monkeypatch.setattr(systemd, "require", lambda program, package: f"/usr/bin/{program}")
        return asked

    return install


def test_units_are_read_from_what_systemctl_shows(answers: Any) -> None:
    answers(list_units=(0, ""), show=(0, SHOWN))
    found = {unit.name: unit for unit in systemd.units(["nope.service"], 1.0)}
    assert len(found) == 12, "a unit that is shown twice is one unit"
    redis, postgres, dummy = (
        found["redis-server.service"],
        found["postgresql@15-main.service"],
        found["postgresql.service"],
    )
    assert redis.names == ("redis-server.service", "redis.service")
    assert (redis.load, redis.active, redis.sub, redis.enabled) == ("loaded", "inactive", "dead", "enabled")
    assert redis.inactive_since == pytest.approx(2677.096188)
    assert (postgres.active, postgres.kind) == ("inactive", "forking")
    assert (dummy.active, dummy.sub, dummy.kind) == ("active", "exited", "oneshot")
    assert dummy.wants == dummy.consists_of == ("postgresql@15-main.service",)
    assert found["rsyslog.service"].triggered_by == ("syslog.socket",)
    assert found["nope.service"].load == "not-found"
    assert not found["rescue.service"].condition


def test_failed_units_of_other_kinds_are_asked_for_by_name(answers: Any) -> None:
    failed = (
        "data.mount    loaded failed failed /data\n"
        "sys.slice loaded active active A slice\n"
        "● certbot.service loaded failed failed Certbot\n"
        "odd.timer loaded failed failed Odd\n"
    )
    asked = answers(list_units=(0, failed), show=(0, SHOWN))
    systemd.units(["zekka.service"], 1.0)
    assert asked[1][asked[1].index("--") + 1 :] == [
        "certbot.service", "data.mount", "odd.timer", "zekka.service"
    ]  # fmt: skip


def test_services_of_which_there_is_nothing_to_know_are_not_asked_for(answers: Any) -> None:
    listed = (
        "gone.service not-found inactive dead gone.service\n"
        "hidden.service masked inactive dead hidden.service\n"
        "still.service masked active running It was running when it was masked\n"
        "missed.service not-found failed failed missed.service\n"
        "named.service not-found inactive dead named.service\n"
    )
    asked = answers(list_units=(0, listed), show=(0, "Id=still.service\nActiveState=active\n"))
    found = {unit.name: unit for unit in systemd.units(["named.service"], 1.0)}
    assert asked[1][asked[1].index("--") + 1 :] == ["missed.service", "named.service", "still.service"]
    assert (found["gone.service"].load, found["gone.service"].active) == ("not-found", "inactive")
    assert found["hidden.service"].load == "masked"


def test_where_there_is_no_service_nothing_is_shown(answers: Any) -> None:
    asked = answers(list_units=(0, "-.slice loaded active active Root Slice\n"))
    assert systemd.units([], 1.0) == ()
    assert len(asked) == 1, "without a name systemctl shows the manager"


def test_old_systemd_leaves_properties_out(answers: Any) -> None:
    answers(
        list_units=(0, "a.service loaded active running A\n"),
        show=(0, "Id=a.service\nLoadState=loaded\nActiveState=active\nSubState=running\n"),
    )
    unit = systemd.units([], 1.0)[0]
    assert (unit.name, unit.result, unit.restarts, unit.condition) == ("a.service", "success", 0, True)


def test_a_bus_that_does_not_answer_is_unreachable(answers: Any) -> None:
    answers(list_units=(1, "Failed to connect to bus: No such file or directory"))
    with pytest.raises(Unreachable, match="Failed to connect to bus"):
        systemd.units([], 1.0)


def test_sessions_tell_who_from_where(answers: Any) -> None:
    asked = answers(
        list_sessions=(0, "12 1000 responder - pts/0\n13 1000 responder -\n"), show_session=(0, SESSION)
    )
    (session,) = systemd.sessions(1.0)
    assert (session.user, session.remote, session.service) == ("responder", "198.51.100.7", "sshd")
    assert list(asked[1][-2:]) == ["12", "13"]
    assert "--property=Name" in asked[1], "loginctl does not take a list"


def test_nobody_logged_in_needs_no_second_question(answers: Any) -> None:
    asked = answers(list_sessions=(0, "\n"))
    assert systemd.sessions(1.0) == ()
    assert len(asked) == 1


TIMERS = """\
Id=firebreak-release-run-1.timer
Description=Firebreak frees this host at 2026-11-21T22:02:00.000Z
ActiveState=active

Id=firebreak-release-run-0.timer
Description=An old one
ActiveState=inactive
"""


def stand_in(monkeypatch: pytest.MonkeyPatch, code: int, stdout: str, stderr: str) -> list[Sequence[str]]:
    asked: list[Sequence[str]] = []

    def run(argv: Sequence[str], *_given: Any) -> Completed:
        asked.append(argv)
        return Completed(argv, code, stdout, stderr)

    monkeypatch.setattr(systemd, "run", run)
    monkeypatch.setattr(systemd, "require", lambda program, _package: program)
    return asked


def test_only_timers_that_wait_are_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = stand_in(monkeypatch, 0, TIMERS, "")
    (timer,) = systemd.waiting("firebreak-release-*")
    assert timer.unit == "firebreak-release-run-1"
    assert "22:02:00.000Z" in timer.description
    assert asked[0][-1] == "firebreak-release-*.timer"


def test_no_timer_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, 0, "\n", "")
    assert systemd.waiting("firebreak-release-*") == ()


def test_a_timer_is_due_to_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = stand_in(monkeypatch, 0, "", "")
    systemd.arm("u", 30, "words", ["/usr/sbin/nft", "list"])
    assert {"--unit=u", "--on-active=30s", "--timer-property=AccuracySec=100ms"} <= set(asked[0])
    assert list(asked[0][-3:]) == ["--", "/usr/sbin/nft", "list"]


def test_a_timer_that_systemd_does_not_take_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, 1, "", "Failed to start transient timer unit: Access denied\n")
    with pytest.raises(Unreachable, match="Access denied"):
        systemd.arm("u", 30, "words", ["true"])


def test_a_timer_that_is_gone_need_not_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, 5, "", "Failed to stop u.timer: Unit u.timer not loaded.\n")
    systemd.disarm("u")
    stand_in(monkeypatch, 1, "", "Failed to stop u.timer: Access denied\n")
    with pytest.raises(Unreachable, match="Access denied"):
        systemd.disarm("u")


def test_a_login_has_its_identity_and_those_of_cron_count(answers: Any) -> None:
    shown = SESSION.replace("Id=12", "Id=12\nUser=1000\nLeader=4242\nScope=session-12.scope") + (
        "\nId=14\nUser=1001\nName=deploy\nLeader=0\nService=cron\nClass=background\nState=closing\n"
    )
    answers(list_sessions=(0, "12 1000\n13 1000\n14 1001\n"), show_session=(0, shown))
    found = systemd.logins(1.0)
    assert [(one.id, one.user, one.uid, one.leader, one.scope) for one in found] == [
        ("12", "responder", 1000, 4242, "session-12.scope"),
        ("14", "deploy", 1001, 0, ""),
    ]


def test_a_session_that_has_ended_needs_no_ending(answers: Any) -> None:
    answers(terminate_session=(1, "No session '12' known"), kill_session=(1, "Access denied"))
    systemd.end_login("12")
    with pytest.raises(Unreachable, match="Access denied"):
        systemd.end_login("12", force=True)
