# SPDX-License-Identifier: GPL-3.0-or-later
"""The directories in which logs may be touched, and nothing outside of them."""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path
from typing import Sequence

from ...errors import BadInput
from ...services import Service

DEFAULT = "/var/log"
# Directories that hold all kinds of things: whoever means the logs in one names those.
BROAD = frozenset(
    {
        "/",
        "/data",
        "/export",
        "/home",
        "/media",
        "/mnt",
        "/opt",
        "/root",
        "/run",
        "/srv",
        "/tmp",
        "/usr/local",
        "/var",
    }
    | {f"/var/{name}" for name in ("backups", "cache", "lib", "mail", "opt", "spool", "tmp", "www")}
)
# What is below these is no log, whatever it is called, or is looked after by somebody else.
FOREIGN = (
    *(f"/{name}" for name in ("bin", "boot", "dev", "etc", "lib", "lib64", "proc", "sbin", "sys", "usr")),
    *(f"/var/lib/{name}" for name in ("docker", "containerd", "containers", "dpkg", "rpm", "firebreak")),
    *(f"/var/lib/{name}" for name in ("mysql", "pgsql", "postgresql", "redis", "valkey")),
    "/run/firebreak",
    "/var/log/journal",
)
_WILD = re.compile(r"[*?\[]")
MOST_DIRECTORIES = 200


def log_roots(named: Sequence[str] | None, services: Sequence[Service]) -> tuple[str, ...]:
    """Without links and none within another. Raises `BadInput`.

    Of what is named, each must be there; of what the services log to, only what is there counts.
    """
    if named:
        found = {_checked(path) for path in named}
    else:
        found = {os.path.realpath(DEFAULT)} if Path(DEFAULT).is_dir() else set()
        found |= {
            _allowed(os.path.realpath(path), f"logs of service {service.name}")
            for service in services
            for pattern in service.logs
            for path in directories_of(pattern)
        }
    return tuple(sorted(path for path in found if not any(within(path, other) for other in found - {path})))


def directories_of(pattern: str) -> tuple[str, ...]:
    """The directories in which files matching a pattern lie."""
    parent = pattern.rpartition("/")[0]
    if not pattern.startswith("/") or not parent:
        raise BadInput(f"log {pattern!r}", "it is not an absolute path", "Write /var/log/app/*.log.")
    wild = _WILD.search(parent)
    if wild is None:
        return (parent,) if Path(parent).is_dir() else ()
    # What a name stands for that nobody has written is whoever's who may make one: a link leads nowhere.
    found = (path for path in Path("/").glob(parent.lstrip("/")) if path.is_dir())
    fixed = os.path.realpath(parent[: wild.start()].rpartition("/")[0] or "/")
    inside = (str(path) for path in found if within(os.path.realpath(path), fixed))
    return tuple(islice(inside, MOST_DIRECTORIES))


def within(path: str, directory: str) -> bool:
    """Whether it lies below, or is the same."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _checked(path: str) -> str:
    if not path.startswith("/"):
        raise BadInput(f"log root {path!r}", "it is not an absolute path", "Write for example /var/log/app.")
    if not Path(path).is_dir():
        raise BadInput(f"log root {path!r}", "it is no directory", "Name one that is there.")
    for each in (os.path.normpath(path), os.path.realpath(path)):
        _allowed(each, f"log root {path!r}")
    return os.path.realpath(path)


def _allowed(path: str, subject: str) -> str:
    # A POSIX path may begin with two slashes.
    plain = "/" + path.strip("/")
    if plain in BROAD or re.fullmatch(r"/home/[^/]+", plain):
        raise BadInput(
            subject, f"{plain} holds much that is no log", "Name the directory that holds the logs."
        )
    foreign = next((each for each in FOREIGN if within(plain, each)), None)
    if foreign is not None:
        raise BadInput(
            subject, f"nothing below {foreign} is deleted or changed here", "Leave it to what owns it."
        )
    return plain
