# SPDX-License-Identifier: GPL-3.0-or-later
"""fail2ban-client's answers, of several versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import fail2ban, fail2ban_socket
from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "firewall"
NO_SOCKET = "ERROR   Failed to access socket path: /var/run/fail2ban/fail2ban.sock. Is fail2ban running?\n"


def said(name: str) -> str:
    return (FIXTURES / name).read_text()


ANSWERS: Mapping[str, tuple[int, str, str]] = {
    "ping": (0, "Server replied: pong\n", ""),
    "--version": (0, "1.0.2\n", ""),
    "status": (0, said("fail2ban_status.txt"), ""),
    "status sshd": (0, said("fail2ban_status_sshd.txt"), ""),
    "get sshd bantime": (0, "600\n", ""),
    "get sshd findtime": (0, "601\n", ""),
    "get sshd maxretry": (0, "5\n", ""),
    "get sshd banip --with-time": (0, said("fail2ban_banip_sshd.txt"), ""),
    "get recidive banip --with-time": (0, said("fail2ban_banip_recidive.txt"), ""),
    "get nginx-http-auth banip --with-time": (0, "\n", ""),
    "banned": (0, said("fail2ban_banned.txt"), ""),
    "banned 203.0.113.60": (0, "[['sshd', 'recidive']]\n", ""),
    "banned 203.0.113.99": (0, "[[]]\n", ""),
    "status nope": (255, "Sorry but the jail 'nope' does not exist\n", "ERROR   NOK: ('nope',)\n"),
}


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, str, str]]:
    answers = dict(ANSWERS)

    def run(argv: Sequence[str], **_given: Any) -> Completed:
        code, stdout, stderr = answers[" ".join(argv[1:])]
        return Completed(tuple(argv), code, stdout, stderr)

    monkeypatch.setattr(fail2ban, "run", run)
    monkeypatch.setattr(fail2ban_socket, "PATH", FIXTURES / "no.sock")
    monkeypatch.setattr(fail2ban, "require", lambda program, package: program)
    return answers


def test_a_jail_is_read_with_its_settings_and_bans(host: Mapping[str, Any]) -> None:
    jail = fail2ban.jail("sshd")
    assert (jail.bantime, jail.findtime, jail.maxretry) == (600, 601, 5)
    assert (jail.currently_banned, jail.total_banned) == (2, 2)
    assert [ban.address for ban in jail.bans] == ["203.0.113.60", "203.0.113.61"]


def test_the_server_and_its_jails_are_found(host: Mapping[str, Any]) -> None:
    assert fail2ban.running()
    assert fail2ban.version() == "1.0.2"
    assert fail2ban.jails() == ("nginx-http-auth", "recidive", "sshd")


def test_the_end_of_a_ban_is_told_in_local_time_and_read_as_utc() -> None:
    (ban,) = fail2ban.parse_bans("203.0.113.7 \t2026-11-21 23:36:37 + 600 = 2026-11-21 23:46:37")
    assert ban.until is not None
    assert ban.until.astimezone(UTC) == datetime(2026, 11, 21, 23, 46, 37).astimezone(UTC)


def test_a_ban_without_an_end_has_none() -> None:
    (ban,) = fail2ban.parse_bans("203.0.113.7 \t2026-11-21 23:36:37 + -1 = 9999-12-31 23:59:59")
    assert (ban.until, ban.endless) == (None, True)


def test_only_jails_that_hold_somebody_are_asked_for_the_ends(host: dict[str, Any]) -> None:
    del host["get nginx-http-auth banip --with-time"]
    assert {name: len(bans) for name, bans in fail2ban.bans().items()} == {"sshd": 2, "recidive": 2}


def test_versions_without_the_command_banned_are_asked_jail_by_jail(host: dict[str, Any]) -> None:
    for words in ("banned", "banned 203.0.113.60"):
        host[words] = (255, "Invalid command\n", "")
    assert fail2ban.banned_in("203.0.113.60") == ("recidive", "sshd")
    assert len(fail2ban.bans()["sshd"]) == 2


def test_versions_without_times_give_the_list_of_the_status(host: dict[str, Any]) -> None:
    host["get sshd banip --with-time"] = (255, "", "invalid\n")
    assert [(ban.address, ban.until) for ban in fail2ban.jail("sshd").bans] == [
        ("203.0.113.60", None),
        ("203.0.113.61", None),
    ]


@pytest.mark.parametrize(
    ("text", "jails"),
    [("[['sshd', 'recidive']]\n", ("recidive", "sshd")), ("[[]]", ()), ("['sshd']", ("sshd",)), ("[]", ())],
)
def test_the_jails_of_an_address(text: str, jails: tuple[str, ...]) -> None:
    assert fail2ban.parse_banned_in(text) == jails


def test_an_answer_that_cannot_be_read_is_not_nobody() -> None:
    with pytest.raises(Unreachable):
        fail2ban.parse_banned_in("what?")


def test_an_unknown_jail_is_answered_with_those_there_are(host: Mapping[str, Any]) -> None:
    with pytest.raises(BadInput, match="nginx-http-auth, recidive, sshd"):
        fail2ban.jail("nope")
    with pytest.raises(BadInput, match="It has: sshd"):
        fail2ban.known("nope", ["sshd"])


def test_a_stopped_server_is_named_with_the_cure(host: dict[str, Any]) -> None:
    host["ping"] = host["status"] = (255, "", NO_SOCKET)
    assert not fail2ban.running()
    with pytest.raises(Unreachable, match="systemctl start fail2ban"):
        fail2ban.jails()


def test_without_the_right_nothing_is_said_of_the_server(host: dict[str, Any]) -> None:
    host["ping"] = (255, "", "ERROR   Permission denied to socket: /var/run/…, (you must be root)\n")
    with pytest.raises(Unreachable, match="Run as root"):
        fail2ban.running()
