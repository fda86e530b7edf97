# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.logs import Record
from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Outcome
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.triage import sudo
from ansible_collections.firebreak.incident.plugins.module_utils.triage.sudo import Use, Uses, parse_use

NOW = 1795314600.0
CALL = "TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/mysql --password=hidden"


def judged(*calls: Use) -> tuple[object, list[str]]:
    data, findings = sudo.judge(Outcome(0.0, Uses(3600, calls)))
    return json.loads(json.dumps(data)), [finding.summary for finding in findings]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (f"   alice : {CALL}", ("alice", "root", "/usr/bin/mysql", "", 0)),
        (
            f"alice : 3 incorrect password attempts ; {CALL}",
            ("alice", "root", "/usr/bin/mysql", "3 incorrect password attempts", 3),
        ),
        (
            f"alice : user NOT in sudoers ; {CALL}",
            ("alice", "root", "/usr/bin/mysql", "user NOT in sudoers", 1),
        ),
        (
            f"alice : command not allowed ; {CALL}",
            ("alice", "root", "/usr/bin/mysql", "command not allowed", 1),
        ),
        (
            f"alice : a password is required ; {CALL}",
            ("alice", "root", "/usr/bin/mysql", "a password is required", 0),
        ),
        (
            "bob : PWD=/srv ; USER=postgres ; GROUP=dba ; ENV=PGPASSWORD=hidden ; COMMAND=/usr/bin/psql -c x",
            ("bob", "postgres", "/usr/bin/psql", "", 0),
        ),
    ],
    ids=["used", "guessed", "stranger", "forbidden", "only asked", "more fields"],
)
def test_a_line_of_sudo_is_read_without_the_arguments(
    message: str, expected: tuple[str, str, str, str, int]
) -> None:
    use = parse_use(NOW, message)
    assert use is not None
    assert (use.user, use.target, use.program, use.problem, use.tries) == expected
    assert "hidden" not in str(use)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "pam_unix(sudo:auth): authentication failure; logname=alice uid=1000 user=alice",
        "pam_unix(sudo:session): session opened for user root(uid=0) by alice(uid=1000)",
        "alice : unable to resolve host db1",
        "\0\0",
    ],
)
def test_other_lines_of_sudo_are_no_use_of_it(message: str) -> None:
    assert parse_use(NOW, message) is None


def test_to_become_root_is_not_wrong() -> None:
    data, findings = judged(*[Use(NOW, "alice", "root", "/bin/sh")] * 50)
    expected = {"used": 50, "refused": 0, "as": ["root"], "programs": {"/bin/sh": 50}, "problems": {}}
    assert (data, findings) == ({"alice": expected}, [])


@pytest.mark.parametrize(("calls", "count"), [(2, 0), (3, 1)])
def test_who_is_refused_three_times_is_named(calls: int, count: int) -> None:
    refused = [Use(NOW, "www-data", "root", "/bin/sh", "user NOT in sudoers", 1)] * calls
    assert len(judged(*refused)[1]) == count


def test_a_success_after_refusals_is_said() -> None:
    tries = Use(NOW, "alice", "root", "/bin/sh", "3 incorrect password attempts", 3)
    summary = judged(tries, Use(NOW, "alice", "root", "/bin/sh"))[1][0]
    assert "sudo refused alice 3 times within 1 h, and was let through 1 time" in summary


def test_scripts_that_ask_whether_a_password_is_needed_are_no_attack() -> None:
    asked = [Use(NOW, "alice", "root", "/bin/true", "a password is required")] * 20
    assert judged(*asked)[1] == []


def test_the_journal_is_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    records = [
        Record(NOW, {"MESSAGE": f"alice : {CALL}"}),
        Record(NOW, {"MESSAGE": "other"}),
        Record(NOW, {}),
    ]
    monkeypatch.setattr(sudo, "booted", lambda: True)
    monkeypatch.setattr(sudo, "find", lambda _name: "/usr/bin/journalctl")
    monkeypatch.setattr(sudo, "newest_records", lambda *_args: (records, False))
    assert [use.user for use in sudo.observe("1h", NOW, 5.0).calls] == ["alice"]


def test_without_a_journal_the_log_file_is_read_within_the_window(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "auth.log").write_text(
        f"2026-11-22T01:00:00.000000+00:00 db1 sudo:    early : {CALL}\n"
        f"2026-11-22T02:29:00.000000+00:00 db1 sudo[77]:    alice : {CALL}\n"
        "2026-11-22T02:29:01.000000+00:00 db1 sshd[1]: mallory : sudo\n"
        "garbage\n"
    )
    monkeypatch.setattr(sudo, "booted", lambda: False)
    monkeypatch.setattr(sudo, "LOGS", (f"{tmp_path}/auth.log",))
    assert [use.user for use in sudo.observe("1h", NOW, 5.0).calls] == ["alice"]


def test_a_window_that_means_nothing_is_bad_input() -> None:
    with pytest.raises(BadInput):
        sudo.observe("soon", NOW, 5.0)
