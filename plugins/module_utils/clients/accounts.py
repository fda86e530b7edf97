# SPDX-License-Identifier: GPL-3.0-or-later
"""The accounts of this host: passwd, shadow, what runs on a timetable for them, and what PAM asks of them.

A password hash never leaves this file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator

from ..errors import FirebreakError, Unreachable
from .command import find, require, run

# What stands in the password field: a hash; a hash made unusable; nothing, so that no password is asked
# for; or what no password ever fits.
SET, LOCKED, EMPTY, NONE = "set", "locked", "empty", "none"
SIZE_LIMIT = 4 * 1024 * 1024
# Each looks whether an account has expired.
EXPIRY_MODULES = ("pam_unix", "pam_sss", "pam_ldap", "pam_winbind")
PAM_DEPTH = 5

# What usermod is told to get from one state of the password field to another.
_WORDS = {
    (SET, LOCKED): ("--lock",),
    (EMPTY, NONE): ("--lock",),
    (LOCKED, SET): ("--unlock",),
    (NONE, EMPTY): ("--password", ""),
}


@dataclass(frozen=True)
class Account:
    """`expires` is the day it ends, counted from 1970-01-01, None for never.

    Without a line in shadow (`shadowed` False) an account cannot expire.
    """

    name: str
    uid: int
    shell: str
    password: str
    expires: int | None = None
    shadowed: bool = True


@dataclass(frozen=True)
class Places:
    """Where a host keeps it."""

    passwd: Path = field(default=Path("/etc/passwd"))
    shadow: Path = field(default=Path("/etc/shadow"))
    linger: Path = field(default=Path("/var/lib/systemd/linger"))
    crontabs: tuple[Path, ...] = field(default=(Path("/var/spool/cron/crontabs"), Path("/var/spool/cron")))
    at_jobs: tuple[Path, ...] = field(default=(Path("/var/spool/cron/atjobs"), Path("/var/spool/at")))
    pam: Path = field(default=Path("/etc/pam.d"))


HERE = Places()


def accounts(places: Places = HERE) -> tuple[Account, ...]:
    """The local accounts. Raises `Unreachable` when shadow cannot be read."""
    shadow = {fields[0]: fields for fields in records(places.shadow)}
    found = (_account(fields, shadow.get(fields[0])) for fields in records(places.passwd))
    return tuple(account for account in found if account is not None)


def records(path: Path) -> list[list[str]]:
    """The lines of passwd or shadow in their fields. Raises `Unreachable`."""
    return [line.split(":") for line in _text(path).splitlines() if line and not line.startswith("#")]


def uid_elsewhere(name: str) -> int | None:
    """The number of an account that LDAP or another directory knows, None when nobody does."""
    getent = find("getent")
    if getent is None:
        return None
    answer = run([getent, "passwd", "--", name], timeout=5.0)
    fields = answer.stdout.split(":")
    return int(fields[2]) if answer.ok and len(fields) > 3 and fields[2].isdigit() else None


def change(name: str, before: str, after: str, expires: int | None) -> None:
    """Take the password field from one state to another and set the day of expiry, both in one step."""
    day = "" if expires is None else str(expires)
    argv = [require("usermod", "passwd"), *_WORDS.get((before, after), ()), "--expiredate", day, "--", name]
    answer = run(argv, timeout=30.0)
    if not answer.ok:
        raise FirebreakError(
            f"account {name}",
            f"usermod refused: {answer.complaint}",
            "See that /etc has room and that /etc/shadow is not immutable (lsattr /etc/shadow).",
        )


def lingering(places: Places = HERE) -> frozenset[str]:
    """Whose service manager systemd starts at boot, without a login."""
    return frozenset(entry.name for entry in _entries(places.linger))


def with_crontab(places: Places = HERE) -> frozenset[str]:
    """Who has a crontab of their own."""
    files = (entry for folder in places.crontabs for entry in _entries(folder))
    return frozenset(entry.name for entry in files if entry.is_file(follow_symlinks=False))


def at_jobs(places: Places = HERE) -> tuple[int, ...]:
    """The number of the owner of each waiting at job."""
    files = [entry for folder in places.at_jobs for entry in _entries(folder) if entry.name != ".SEQ"]
    return tuple(entry.stat(follow_symlinks=False).st_uid for entry in files)


def blind_to_expiry(service: str, places: Places = HERE) -> bool:
    """Whether PAM lets expired accounts in by a service: nothing in its account phase looks at the date."""
    if not (places.pam / service).is_file():
        return False
    return not any(module.startswith(EXPIRY_MODULES) for module in _account_phase(places.pam, service))


def _account_phase(folder: Path, service: str, depth: int = 0) -> Iterator[str]:
    for line in _text(folder / service).replace("\\\n", " ").splitlines():
        words = line.split("#")[0].split()
        if words[:1] == ["@include"] and len(words) > 1 and depth < PAM_DEPTH:
            yield from _account_phase(folder, words[1], depth + 1)
        if len(words) < 3 or words[0].lstrip("-") != "account":
            continue
        if words[1] in ("include", "substack") and depth < PAM_DEPTH:
            yield from _account_phase(folder, words[2], depth + 1)
        # account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so
        yield next((Path(word).name for word in words if ".so" in word), "")


def _account(fields: list[str], shadow: list[str] | None) -> Account | None:
    if len(fields) < 7 or not fields[0] or not fields[2].isdigit():
        return None
    secret = fields[1]
    expires = None
    if shadow is not None:
        # A hash that stands in passwd itself is the one that counts.
        secret = shadow[1] if secret == "x" and len(shadow) > 1 else secret
        expires = int(shadow[7]) if len(shadow) > 7 and shadow[7].isdigit() else None
    return Account(fields[0], int(fields[2]), fields[6], _password(secret), expires, shadow is not None)


def _password(secret: str) -> str:
    if not secret:
        return EMPTY
    # No method of hashing gives anything shorter than the 13 characters of the oldest one.
    if len(secret.lstrip("!")) < 13:
        return NONE
    return LOCKED if secret.startswith("!") else SET


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(SIZE_LIMIT).decode("utf-8", "surrogateescape")
    except OSError as error:
        raise Unreachable(str(path), str(error.strerror), "Run as root (become: true).") from error


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Unreachable(str(folder), str(error.strerror), "Run as root (become: true).") from error
