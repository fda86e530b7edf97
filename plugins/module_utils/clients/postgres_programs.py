# SPDX-License-Identifier: GPL-3.0-or-later
"""pg_dump, pg_dumpall, pg_restore and psql, each fed from a file and emptied into one.

The password goes by the environment, everything else of `Access` as well: nothing shows in a process list.
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Sequence

from ..errors import Unreachable
from . import docker
from .command import Completed, find
from .docker_exec import NotRunning, pipe_inside
from .pipes import Sink, Source, pipe
from .postgres_psql import NOT_EXECUTABLE, NOT_FOUND, PLACES, become, os_user
from .postgres_session import CONNECT_SECONDS, NONE, STOPPED, Access, Refused, as_options

# The time limit inside a container, which holds when nobody here is left to end anything.
KILL_AFTER, LATER = 5, 2
# Its directory says of which release a program is.
RELEASE = re.compile(r"(?:/|pgsql-)(\d+)/bin/[^/]+$")


@dataclass(frozen=True)
class Ran:
    """How a program ended: `stderr` is the last 64 KiB of it, `bytes_in` what it was given to read."""

    code: int
    stderr: str
    bytes_in: int
    bytes_out: int
    seconds: float

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def complaint(self) -> str:
        """The first error it named, else the last thing it said, for a message."""
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if re.search(r"\b(error|FATAL|ERROR):", line)]
        return (errors or lines[-1:] or [f"exit code {self.code} and no message"])[0]


def run_program(
    access: Access,
    program: str,
    arguments: Sequence[str],
    seconds: float,
    source: Source | None = None,
    sink: Sink | None = None,
    major: int | None = None,
    settings: Mapping[str, str] = NONE,
) -> Ran:
    """Run `program` as `access` wants it: on this host or in its container, as the right user.

    On this host it is the one of the server's `major` version where that is installed (without one, the
    newest); in a container the one that is there. Without `source` it reads nothing, without `sink` its
    output is thrown away. `settings` are the server's, for its session.

    A program that fails is no error here: see `code`. Raises `Refused` when it cannot be started,
    `Unreachable` when `seconds` are over (it is interrupted then), and passes on what the files raise.
    """
    given, taken = _CountedSource(source), _CountedSink(sink)
    ends = (None if source is None else given, None if sink is None else taken)
    env = _environment(access, program, settings)
    started = time.monotonic()
    if access.container is None:
        path = path_of(program, major)
        if path is None:
            raise Refused(access, f"{program} is not on this host", "Install postgresql-client.")
        release = RELEASE.search(path)
        if major is not None and release and int(release.group(1)) < major:
            raise Refused(
                access,
                f"{program} here is of release {release.group(1)}, and the server of {major}",
                f"Install postgresql-client-{major}.",
            )
        done = pipe([*become(os_user(access)), path, *arguments], seconds, *ends, env)
    else:
        done = _inside(access, [program, *arguments], seconds, *ends, env)
    return Ran(done.code, done.stderr, given.count, taken.count, round(time.monotonic() - started, 3))


def path_of(program: str, major: int | None = None, places: Sequence[str] = PLACES) -> str | None:
    """Where it is on this host: of that version, else of the next newer one, else of the newest.

    Debian's own in /usr/bin is a script that goes looking for the cluster.
    """
    found = {}
    for pattern in (f"pgsql-[0-9]*/bin/{program}", f"[0-9]*/bin/{program}"):
        for place in places:
            for path in Path(place).glob(pattern):
                number = re.search(r"\d+", path.parts[-3])
                found[int(number.group()) if number else 0] = str(path)
    if not found:
        return find(program)
    newer = [release for release in sorted(found) if major is not None and release >= major]
    return found[(newer or [max(found)])[0]]


def _environment(access: Access, program: str, settings: Mapping[str, str]) -> Mapping[str, str]:
    """Those of pg_dump and its like keep their own application_name: who looks at the sessions knows it."""
    given = {
        "PGHOST": access.host,
        "PGPORT": str(access.port),
        "PGUSER": access.user,
        "PGDATABASE": access.database,
        "PGCONNECT_TIMEOUT": str(math.ceil(CONNECT_SECONDS)),
    }
    if program == "psql":
        given.update(PGAPPNAME="firebreak", PGCLIENTENCODING="UTF8")
    wanted = {**({"default_transaction_read_only": "off"} if access.writes else {}), **settings}
    if wanted:
        given["PGOPTIONS"] = as_options(wanted)
    return given if access.password is None else {**given, "PGPASSWORD": access.password}


def _inside(
    access: Access,
    argv: Sequence[str],
    seconds: float,
    source: Source | None,
    sink: Sink | None,
    env: Mapping[str, str],
) -> Completed:
    engine = docker.socket_path()
    if engine is None:
        raise Refused(access, "there is no Docker Engine on this host", "See systemctl status docker.")
    limit = ["timeout", "-s", "INT", "-k", str(KILL_AFTER), str(math.ceil(seconds) + LATER)]
    try:
        done = pipe_inside(engine, str(access.container), [*limit, *argv], seconds, source, sink, env)
    except Unreachable as error:
        if not isinstance(error, NotRunning):
            raise
        raise Refused(access, f"{error.subject}: {error.problem}", error.cure, STOPPED) from error
    if done.code in (NOT_EXECUTABLE, NOT_FOUND):
        raise Refused(access, f"{argv[0]} cannot be started: {done.complaint}", "Install it there.")
    return done


class _CountedSource:
    def __init__(self, source: Source | None) -> None:
        self._source, self.count = source, 0

    def read(self, size: int) -> bytes:
        data = b"" if self._source is None else self._source.read(size)
        self.count += len(data)
        return data


class _CountedSink:
    def __init__(self, sink: Sink | None) -> None:
        self._sink, self.count = sink, 0

    def write(self, data: bytes) -> None:
        self.count += len(data)
        if self._sink is not None:
            self._sink.write(data)
