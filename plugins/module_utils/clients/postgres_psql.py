# SPDX-License-Identifier: GPL-3.0-or-later
"""A session through psql, started anew for every statement: on this host or inside a container.

The statement goes in by standard input and the password by the environment; neither shows in a process
list. Parameters become psql variables, which libpq quotes.
"""

from __future__ import annotations

import math
import os
import pwd
import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from ..errors import FirebreakError, Unreachable
from . import docker
from .command import OUTPUT_BUDGET, Completed, find, run
from .docker_exec import NotRunning, run_inside
from .postgres_session import (
    CONNECT_SECONDS,
    STOPPED,
    Access,
    Failed,
    Refused,
    Remaining,
    Session,
    as_options,
    checked,
    refusal,
    settings,
    silence,
)

# Debian's /usr/bin/psql is a Perl script that looks for the newest of these: it takes four times as long.
PLACES = ("/usr/lib/postgresql", "/usr")
ARGUMENTS = ("-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-f", "-")
QUIT = "\\q\n"
COULD_NOT_CONNECT = 2
NOT_EXECUTABLE, NOT_FOUND = 126, 127
# `psql:<stdin>:2: ERROR:  42P01: relation "x" does not exist`; the second word is in the server's language.
_COMPLAINT = re.compile(r"^psql:<stdin>:\d+: [^\s:]+:\s+([0-9A-Z]{5}):\s+(.*)$", re.MULTILINE)
_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r"}

# Starts psql with a script, an environment and a time limit in seconds.
Starter = Callable[[str, Mapping[str, str], float], Completed]


def os_user(access: Access) -> pwd.struct_passwd | None:
    """Whom psql must be started as for peer authentication; None when that is us, or cannot be done."""
    if not access.over_socket or access.container is not None or os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(access.user)
    except KeyError:
        return None
    return entry if entry.pw_uid != 0 else None


class PsqlSession(Session):
    def __init__(self, access: Access, remaining: Remaining, start: Starter | None = None) -> None:
        super().__init__(access, remaining)
        self._start = start or (self._inside if access.container else self._here)

    def close(self) -> None:
        """Nothing lasts."""

    def _lines(
        self, statement: str, params: Mapping[str, Any], timeout: float, lock_timeout: float
    ) -> list[str]:
        seconds = min(timeout, self._remaining())
        started, text = time.monotonic(), script(statement, checked(params))
        try:
            done = self._start(text, self._environment(seconds, lock_timeout), seconds + 1)
        except Unreachable as error:
            if isinstance(error, NotRunning):
                said = f"{error.subject}: {error.problem}"
                raise Refused(self.access, said, error.cure, STOPPED) from error
            if time.monotonic() - started < seconds:
                raise
            raise silence(self.access, seconds) from error
        if done.truncated:
            raise Unreachable(
                str(self.access), f"the answer has more than {OUTPUT_BUDGET} bytes", "Ask for less."
            )
        if done.code:
            raise self._translated(done)
        return done.stdout.split("\n")[:-1]

    def _environment(self, seconds: float, lock_timeout: float) -> Mapping[str, str]:
        access = self.access
        given = {
            "PGHOST": access.host,
            "PGPORT": str(access.port),
            "PGUSER": access.user,
            "PGDATABASE": access.database,
            "PGAPPNAME": "firebreak",
            "PGCLIENTENCODING": "UTF8",
            "PGCONNECT_TIMEOUT": str(max(2, math.ceil(min(seconds, CONNECT_SECONDS)))),
            "PGOPTIONS": as_options(settings(access, seconds, lock_timeout)),
        }
        return given if access.password is None else {**given, "PGPASSWORD": access.password}

    def _here(self, stdin: str, env: Mapping[str, str], seconds: float) -> Completed:
        return run(self._command(), seconds, stdin, env)

    def _command(self) -> Sequence[str]:
        psql = newest()
        if psql is None:
            raise Refused(
                self.access,
                "neither psycopg2 for this Python nor psql is on this host",
                "Install postgresql-client.",
            )
        return [*become(os_user(self.access)), psql, *ARGUMENTS]

    def _inside(self, stdin: str, env: Mapping[str, str], seconds: float) -> Completed:
        engine = docker.socket_path()
        if engine is None:
            raise Refused(
                self.access, "there is no Docker Engine on this host", "See systemctl status docker."
            )
        return run_inside(engine, str(self.access.container), ["psql", *ARGUMENTS], seconds, stdin, env)

    def _translated(self, done: Completed) -> FirebreakError:
        if done.code in (NOT_EXECUTABLE, NOT_FOUND):
            return Refused(self.access, f"psql cannot be started: {done.complaint}", "Install it there.")
        found = _COMPLAINT.search(done.stderr)
        if found and not found.group(1).startswith("57P"):
            return Failed(self.access, found.group(2), found.group(1))
        if found is None and done.code != COULD_NOT_CONNECT:
            return Unreachable(str(self.access), f"psql: {done.complaint}", "See that it runs by hand.")
        return refusal(self.access, done.stderr or done.stdout)


def script(statement: str, params: Mapping[str, Any]) -> str:
    """What psql reads: its variables, then the statement that names them."""
    variables: list[str] = []
    tokens = {name: _token(value, variables) for name, value in params.items()}
    assignments = [f"\\set {_variable(i)} '{_escaped(text)}'\n" for i, text in enumerate(variables)]
    return f"{''.join(assignments)}{statement % tokens}\n;\n{QUIT}"


def newest() -> str | None:
    """The path of psql itself."""
    found = sorted(Path(PLACES[0]).glob("[0-9]*/bin/psql"), key=_release) or sorted(
        Path(PLACES[1]).glob("pgsql-[0-9]*/bin/psql"), key=_release
    )
    return str(found[-1]) if found else find("psql")


def _release(path: Path) -> float:
    found = re.search(r"\d+(?:\.\d+)?", path.parts[-3])
    return float(found.group()) if found else 0.0


def become(user: pwd.struct_passwd | None) -> Sequence[str]:
    """What stands before a command for it to run as that user."""
    if user is None:
        return ()
    setpriv = find("setpriv")
    if setpriv:
        ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        return (setpriv, *ids, "--")
    return (find("runuser") or "runuser", "-u", user.pw_name, "--")


def _token(value: Any, variables: list[str]) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        # With a space before a minus, so that none before it makes a comment of the two.
        return f" {value!r}" if value < 0 else repr(value)
    if isinstance(value, list):
        return f"ARRAY[{','.join(_token(item, variables) for item in value)}]" if value else "'{}'"
    variables.append(value.isoformat() if isinstance(value, datetime) else value)
    token = f":'{_variable(len(variables) - 1)}'"
    return f"{token}::timestamptz" if isinstance(value, datetime) else token


def _variable(number: int) -> str:
    return f"firebreak_{number}"


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in text)
