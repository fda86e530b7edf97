# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import who
from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

PRINTED = """\
root     tty1         2026-11-21 21:07
responder pts/0        2026-11-21 22:01 (198.51.100.7)
responder pts/1        2026-11-21 22:02 (2001:db8::7)
nonsense
"""


@pytest.fixture
def prints(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(code: int, text: str) -> None:
        def run(argv: Sequence[str], timeout: float) -> Completed:
            return Completed(argv, code, text, "")

        monkeypatch.setattr(who, "run", run)
        monkeypatch.setattr(who, "require", lambda program, package: program)

    return install


def test_sessions_tell_who_from_where(prints: Any) -> None:
    prints(0, PRINTED)
    assert [(session.user, session.terminal, session.remote) for session in who.sessions(1.0)] == [
        ("root", "tty1", ""),
        ("responder", "pts/0", "198.51.100.7"),
        ("responder", "pts/1", "2001:db8::7"),
    ]


def test_a_program_that_fails_is_not_an_empty_host(prints: Any) -> None:
    prints(1, "cannot open")
    with pytest.raises(Unreachable, match="cannot open"):
        who.sessions(1.0)


def test_logins_tell_the_process_too(prints: Any) -> None:
    prints(
        0,
        "root     tty1         2026-11-21 21:07  old         812\n"
        "responder pts/0        2026-11-21 22:01   .          1734 (198.51.100.7)\n"
        "deploy   sshd pts/1   2026-11-21 22:02 00:05        1800 (2001:db8::7)\n"
        "nonsense\n",
    )
    assert [(one.user, one.terminal, one.leader, one.remote, one.id) for one in who.logins(1.0)] == [
        ("root", "tty1", 812, "", ""),
        ("responder", "pts/0", 1734, "198.51.100.7", ""),
        ("deploy", "pts/1", 1800, "2001:db8::7", ""),
    ]
