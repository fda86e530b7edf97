# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import docker, postgres_programs
from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed
from ansible_collections.firebreak.incident.plugins.module_utils.clients.docker_exec import NotRunning
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_programs import (
    Ran,
    path_of,
    run_program,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import (
    STOPPED,
    Access,
    Refused,
)

ACCESS = Access(user="web", database='a "b"', host="127.0.0.1", password="s3cret")
INSIDE = Access(user="web", database="shop", container="shop-db")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    made: list[Any] = []

    def pipe(argv: Any, seconds: float, source: Any, sink: Any, env: Any) -> Completed:
        made.append((list(argv), seconds, dict(env)))
        data = source.read(100) if source else b""
        if sink:
            sink.write(data * 2)
        return Completed(argv, 0, "", "")

    def inside(engine: Path, container: str, *rest: Any) -> Completed:
        made.append((engine, container))
        return pipe(*rest)

    monkeypatch.setattr(postgres_programs, "pipe", pipe)
    monkeypatch.setattr(postgres_programs, "pipe_inside", inside)
    monkeypatch.setattr(postgres_programs, "path_of", lambda program, _major: f"/bin/{program}")
    monkeypatch.setattr(docker, "socket_path", lambda: Path("/engine"))
    return made


def test_nothing_of_the_way_in_is_in_the_argument_list(calls: list[Any]) -> None:
    ran = run_program(ACCESS, "pg_dump", ["-Fc"], 9, io.BytesIO(b"abc"), io.BytesIO())
    argv, seconds, env = calls[0]
    assert (argv, seconds) == (["/bin/pg_dump", "-Fc"], 9)
    assert env == {
        "PGHOST": "127.0.0.1",
        "PGPORT": "5432",
        "PGUSER": "web",
        "PGDATABASE": 'a "b"',
        "PGCONNECT_TIMEOUT": "5",
        "PGPASSWORD": "s3cret",
    }
    assert (ran.bytes_in, ran.bytes_out) == (3, 6)


def test_psql_says_who_it_is_and_writes_where_reading_is_the_default(calls: list[Any]) -> None:
    access = Access(user="nobody here", database="shop", writes=True)
    run_program(access, "psql", [], 9, settings={"lock_timeout": "5000"})
    env = calls[0][2]
    assert env["PGAPPNAME"] == "firebreak"
    assert env["PGOPTIONS"] == "-c default_transaction_read_only=off -c lock_timeout=5000"


def test_in_a_container_it_ends_by_itself_a_little_later(calls: list[Any]) -> None:
    run_program(INSIDE, "pg_restore", ["-f", "-"], 9.5)
    assert calls[0] == (Path("/engine"), "shop-db")
    assert calls[1][0] == ["timeout", "-s", "INT", "-k", "5", "12", "pg_restore", "-f", "-"]


def test_a_container_that_does_not_run_is_a_server_that_is_stopped(
    calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_arguments: Any) -> Completed:
        raise NotRunning("container shop-db", "it does not run or is paused", "See docker ps -a.")

    monkeypatch.setattr(postgres_programs, "pipe_inside", gone)
    with pytest.raises(Refused, match="does not run") as caught:
        run_program(INSIDE, "pg_dump", [], 9)
    assert caught.value.reason == STOPPED


@pytest.mark.parametrize("code", [126, 127])
def test_a_container_without_the_program_says_so(
    code: int, calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Completed(["x"], code, "", "exec: pg_dump: not found")
    monkeypatch.setattr(postgres_programs, "pipe_inside", lambda *_arguments: answer)
    with pytest.raises(Refused, match="pg_dump cannot be started: exec: pg_dump: not found"):
        run_program(INSIDE, "pg_dump", [], 9)


@pytest.mark.parametrize(
    ("major", "chosen"), [(13, "14"), (14, "14"), (15, "16"), (16, "16"), (17, "16"), (None, "16")]
)
def test_the_server_s_own_release_is_taken_else_a_newer_one(
    major: int | None, chosen: str, tmp_path: Path
) -> None:
    for release in ("9.6", "14", "16"):
        place = tmp_path / release / "bin"
        place.mkdir(parents=True)
        (place / "pg_dump").touch()
    assert path_of("pg_dump", major, [str(tmp_path)]) == str(tmp_path / chosen / "bin" / "pg_dump")


def test_the_first_error_is_what_it_complains_of() -> None:
    stderr = "pg_dump: last built-in OID is 16383\npg_dump: error: query failed: x\npg_dump: detail: y\n"
    assert Ran(1, stderr, 0, 0, 0).complaint == "pg_dump: error: query failed: x"
    assert Ran(1, "one\ntwo\n\n", 0, 0, 0).complaint == "two"
    assert Ran(7, "", 0, 0, 0).complaint == "exit code 7 and no message"


def test_a_program_older_than_the_server_is_not_started(
    calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/usr/lib/postgresql/15/bin/pg_dump"
    monkeypatch.setattr(postgres_programs, "path_of", lambda _program, _major: path)
    with pytest.raises(Refused, match=r"of release 15, and the server of 18.*postgresql-client-18"):
        run_program(ACCESS, "pg_dump", ["-Fc"], 9, major=18)
    assert calls == []
    assert run_program(ACCESS, "pg_dump", ["-Fc"], 9, major=13).ok and calls[0][0][0] == path
