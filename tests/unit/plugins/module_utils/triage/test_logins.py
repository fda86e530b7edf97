# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import systemd, who
from ansible_collections.firebreak.incident.plugins.module_utils.clients.systemd import Session
from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.logins.observe import Request, Snapshot
from ansible_collections.firebreak.incident.plugins.module_utils.logins.scan import Period
from ansible_collections.firebreak.incident.plugins.module_utils.triage import logins, sudo

SESSION = Session("responder", "198.51.100.7", "pts/0", "today", "sshd", "active")
QUIET = Snapshot(Period(0.0, 3600.0), 3600, seen_from=0.0)
NOBODY = sudo.Uses(3600)
BLIND = Unreachable("login logs", "there is nothing to read", "Run with become.")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A host whose logs and sessions are given, or the error that is raised in their place."""

    def install(
        attempts: Any = QUIET, sessions: Any = (SESSION,), booted: bool = True, uses: Any = NOBODY
    ) -> list[Request]:
        asked: list[Request] = []

        def answer(value: Any) -> Any:
            if isinstance(value, Exception):
                raise value
            return value

        def observe(request: Request) -> Any:
            asked.append(request)
            return answer(attempts)

        other = systemd if booted else who
        monkeypatch.setattr(logins, "observe", observe)
        monkeypatch.setattr(logins, "protected_here", lambda: answer(BLIND))
        monkeypatch.setattr(sudo, "observe", lambda *_args: answer(uses))
        monkeypatch.setattr(systemd, "booted", lambda: booted)
        monkeypatch.setattr(other, "sessions", lambda _timeout: answer(sessions))
        return asked

    return install


def look(window: str = "1h") -> tuple[Any, list[str]]:
    data, findings = logins.judge(logins.collect({"login_window": window}, Deadline(5.0)))
    return json.loads(json.dumps(data)), [finding.id for finding in findings]


def test_attempts_and_sessions_stand_beside_each_other(host: Any) -> None:
    asked = host()
    look("30m")
    assert (asked[0].window_seconds, asked[0].budget) == (1800, 32 * 1024 * 1024)
    data, findings = look()
    assert data["sessions"] == [
        {
            "user": "responder",
            "remote": "198.51.100.7",
            "terminal": "pts/0",
            "since": "today",
            "service": "sshd",
            "state": "active",
        }
    ]
    assert (data["attackers"], findings) == ([], [])


def test_without_logind_utmp_is_asked(host: Any) -> None:
    host(booted=False)
    assert look()[0]["sessions"][0]["user"] == "responder"


def test_logs_that_cannot_be_read_are_a_finding_and_hide_no_session(host: Any) -> None:
    host(attempts=BLIND)
    data, findings = look()
    assert findings == ["logins.attempts.unseen"]
    assert "attackers" not in data
    assert len(data["sessions"]) == 1


def test_sessions_that_cannot_be_seen_are_not_nobody(host: Any) -> None:
    host(sessions=BLIND)
    data, findings = look()
    assert data["sessions"] is None
    assert (data["attackers"], findings) == ([], [])


def test_a_window_that_means_nothing_is_a_finding(host: Any) -> None:
    host()
    assert look("soon")[1] == ["logins.attempts.unseen"]


def test_sudo_that_cannot_be_seen_hides_nothing_else(host: Any) -> None:
    host(uses=BLIND)
    data, findings = look()
    assert data["sudo"] is None
    assert (data["attackers"], findings) == ([], ["logins.sudo.unseen"])
