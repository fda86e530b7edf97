# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import postgres_psql
from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed
from ansible_collections.firebreak.incident.plugins.module_utils.clients.docker_exec import NotRunning
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_psql import (
    PsqlSession,
    newest,
    os_user,
    script,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import (
    LOST,
    OTHER,
    PASSWORD,
    STOPPED,
    Access,
    Failed,
    Refused,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

ACCESS = Access(user="web", database="shop", host="127.0.0.1", password="s3cret")


def session(code: int = 0, stdout: str = "", stderr: str = "", **more: Any) -> PsqlSession:
    return PsqlSession(
        ACCESS, lambda: 5.0, lambda _text, _env, _seconds: Completed(["psql"], code, stdout, stderr, **more)
    )


@pytest.mark.parametrize(
    ("value", "assigned"),
    [
        ("plain", "plain"),
        ("O'Brien", "O\\'Brien"),
        ("back\\slash", "back\\\\slash"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("; DROP TABLE x; --", "; DROP TABLE x; --"),
        ("$$ :x :'y' \"z\" `id` %(n)s", "$$ :x :\\'y\\' \"z\" `id` %(n)s"),
        ("ünïcödé \u2028 ☃", "ünïcödé \u2028 ☃"),
    ],
)
def test_text_goes_through_a_variable_and_never_into_the_statement(value: str, assigned: str) -> None:
    assert script("SELECT %(v)s", {"v": value}) == (
        f"\\set firebreak_0 '{assigned}'\nSELECT :'firebreak_0'\n;\n\\q\n"
    )


@pytest.mark.parametrize(
    ("value", "token"),
    [
        (None, "NULL"),
        (True, "true"),
        (7, "7"),
        (-7, " -7"),
        (0.1, "0.1"),
        ([1, None], "ARRAY[1,NULL]"),
        ([], "'{}'"),
        (["a", "b"], "ARRAY[:'firebreak_0',:'firebreak_1']"),
        (datetime(2026, 1, 2, tzinfo=UTC), ":'firebreak_0'::timestamptz"),
    ],
)
def test_other_values_keep_their_type(value: Any, token: str) -> None:
    assert script("SELECT %(v)s", {"v": value}).endswith(f"SELECT {token}\n;\n\\q\n")


def test_a_doubled_percent_sign_is_one_without_parameters_too() -> None:
    assert script("SELECT 'a%%'", {}) == "SELECT 'a%'\n;\n\\q\n"


def test_the_password_and_the_limits_go_by_the_environment() -> None:
    seen: dict[str, str] = {}

    def start(_text: str, env: Mapping[str, str], _seconds: float) -> Completed:
        seen.update(env)
        return Completed(["psql"], 0, "", "")

    PsqlSession(ACCESS, lambda: 60.0, start).execute("VACUUM", timeout=30, lock_timeout=1.5)
    assert seen["PGPASSWORD"] == "s3cret"
    assert "-c statement_timeout=30000 -c lock_timeout=1500" in seen["PGOPTIONS"]
    assert not any("s3cret" in argument for argument in postgres_psql.ARGUMENTS)


def test_no_statement_may_take_longer_than_what_is_left() -> None:
    given: list[float] = []

    def start(_text: str, env: Mapping[str, str], seconds: float) -> Completed:
        assert "statement_timeout=2000 " in env["PGOPTIONS"]
        given.append(seconds)
        return Completed(["psql"], 0, "", "")

    PsqlSession(ACCESS, lambda: 2.0, start).execute("SELECT 1", timeout=30)
    assert given == [3.0]


def test_every_line_is_a_row_and_only_a_line_feed_ends_one() -> None:
    assert session(stdout='{"a": "x\u2028y"}\n{"a": ""}\n').rows("…") == [{"a": "x\u2028y"}, {"a": ""}]
    assert session(stdout="").rows("…") == []


def test_an_answer_that_was_cut_off_is_none() -> None:
    with pytest.raises(Unreachable, match="bytes"):
        session(stdout='{"a": 1}\n', truncated=True).rows("…")


@pytest.mark.parametrize(
    ("stderr", "code", "problem"),
    [
        (
            'psql:<stdin>:2: ERROR:  42P01: relation "x" does not exist\nLINE 1: SELECT * FROM x\n'
            "                      ^\nLOCATION:  parserOpenTable, parse_relation.c:1395\n",
            "42P01",
            'relation "x" does not exist',
        ),
        (
            "psql:<stdin>:1: FEHLER:  55P03: Sperre nicht erhalten\n",
            "55P03",
            "Sperre nicht erhalten",
        ),
    ],
)
def test_a_refused_statement_carries_its_code_whatever_the_language(
    stderr: str, code: str, problem: str
) -> None:
    with pytest.raises(Failed) as caught:
        session(3, stderr=stderr).execute("…")
    assert (caught.value.code, caught.value.problem) == (code, problem)


@pytest.mark.parametrize(
    ("code", "stderr", "reason"),
    [
        (2, 'psql: error: FATAL:  password authentication failed for user "web"', PASSWORD),
        (
            2,
            "psql:<stdin>:1: FATAL:  57P01: terminating connection due to administrator command\n"
            "psql:<stdin>:1: server closed the connection unexpectedly\n",
            LOST,
        ),
        (127, "psql: not found", OTHER),
        (126, 'exec: "psql": executable file not found in $PATH', OTHER),
    ],
)
def test_no_session_is_told_from_a_refused_statement(code: int, stderr: str, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        session(code, stderr=stderr).execute("…")
    assert caught.value.reason == reason


def test_garbage_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="Segmentation"):
        session(-11, stderr="Segmentation fault").execute("…")


def test_a_container_that_does_not_run_is_a_stopped_server() -> None:
    def start(_text: str, _env: Mapping[str, str], _seconds: float) -> Completed:
        raise NotRunning("container db", "it does not run or is paused", "See docker ps -a.")

    with pytest.raises(Refused) as caught:
        PsqlSession(Access(container="db"), lambda: 5.0, start).execute("…")
    assert caught.value.reason == STOPPED


def test_the_program_itself_is_taken_before_the_wrapper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_psql, "PLACES", (str(tmp_path), str(tmp_path)))
    for release in ("9.6", "13", "17"):
        psql = tmp_path / release / "bin" / "psql"
        psql.parent.mkdir(parents=True)
        psql.touch()
    assert newest() == str(tmp_path / "17" / "bin" / "psql")


@pytest.mark.parametrize(
    ("access", "uid", "expected"),
    [
        (Access(user="daemon"), 0, "daemon"),
        (Access(user="daemon"), 1000, None),
        (Access(user="daemon", host="127.0.0.1"), 0, None),
        (Access(user="daemon", container="db"), 0, None),
        (Access(user="no-such-user-here"), 0, None),
        (Access(user="root"), 0, None),
    ],
)
def test_root_becomes_the_user_that_peer_authentication_wants(
    access: Access, uid: int, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    entry = os_user(access)
    assert (entry and entry.pw_name) == expected
    assert expected is None or entry == pwd.getpwnam(expected)
