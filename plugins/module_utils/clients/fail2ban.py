# SPDX-License-Identifier: GPL-3.0-or-later
"""fail2ban, asked over its socket or through its client program. Understands the answers of 0.11 to 1.1."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Mapping, Sequence

from ..errors import BadInput, FirebreakError, Unreachable
from . import fail2ban_socket
from .command import Completed, find, require, run

PROGRAM, PACKAGE = "fail2ban-client", "fail2ban"
# The server answers while it bans; under a flood that takes a while.
TIMEOUT = 20.0
# What changes nothing. The acts are left to the program, which knows more of them than the server does.
_QUESTIONS = ("ping", "status", "get", "banned")
_COUNT = re.compile(r"(Currently failed|Total failed|Currently banned|Total banned):\s*(\d+)")
_BAN = re.compile(
    r"^(?P<address>\S+)\s+\S+ \S+ \+ (?P<seconds>-?\d+) = (?P<until>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)$"
)


@dataclass(frozen=True)
class Ban:
    """`until` is UTC; None when the ban has no end or its end is not known (see `endless`)."""

    address: str
    until: datetime | None
    endless: bool = False


@dataclass(frozen=True)
class Jail:
    """Counts since the server started; `bantime` and `findtime` in seconds, a negative bantime has no end."""

    name: str
    currently_failed: int
    total_failed: int
    currently_banned: int
    total_banned: int
    bantime: int
    findtime: int
    maxretry: int
    bans: tuple[Ban, ...]


def installed() -> bool:
    return find(PROGRAM) is not None


def running() -> bool:
    """Whether the server answers. Raises `Unreachable` when that cannot be known."""
    answer = _run("ping")
    if answer.ok and "pong" in answer.stdout:
        return True
    if "Permission denied" in answer.stderr + answer.stdout:
        raise Unreachable("fail2ban", "this user may not ask the server", "Run as root (become: true).")
    return False


def version() -> str:
    """The version of the client program, which is the server's: one package brings both."""
    answer = fail2ban_socket.ask(["version"], TIMEOUT) or _run("--version")
    found = re.search(r"\d+\.\d+\S*", answer.stdout)
    return found.group() if found else ""


def jails() -> tuple[str, ...]:
    listed = re.search(r"Jail list:[ \t]*(.*)", _ask("status").stdout)
    names = listed.group(1).split(",") if listed else []
    return tuple(sorted(name.strip() for name in names if name.strip()))


def jail(name: str) -> Jail:
    """One jail with everybody banned in it; `BadInput` names the jails there are when it is unknown."""
    status = _ask("status", name, jail_name=name).stdout
    counts = {label: int(number) for label, number in _COUNT.findall(status)}
    numbers = {
        what: _number(_ask("get", name, what, jail_name=name)) for what in ("bantime", "findtime", "maxretry")
    }
    return Jail(
        name=name,
        currently_failed=counts.get("Currently failed", 0),
        total_failed=counts.get("Total failed", 0),
        currently_banned=counts.get("Currently banned", 0),
        total_banned=counts.get("Total banned", 0),
        bans=_bans(name),
        **numbers,
    )


def bans() -> Mapping[str, tuple[Ban, ...]]:
    """Everybody banned, by jail. Asks only the jails that hold somebody: every question takes a while."""
    answer = _run("banned")
    held = _literal(answer.stdout) if answer.ok else None
    if not isinstance(held, list) or not all(isinstance(each, dict) for each in held):
        # Before 0.11.2 there is no such command.
        return {name: _bans(name) for name in jails()}
    return {str(name): _bans(str(name)) for each in held for name, addresses in each.items() if addresses}


def banned_in(address: str) -> tuple[str, ...]:
    """The jails that hold this very address, which is the server's own word for it."""
    answer = _run("banned", address)
    if not answer.ok:
        # Before 0.11.2 there is no such command.
        return tuple(name for name in jails() if address in (ban.address for ban in _bans(name)))
    return parse_banned_in(answer.stdout)


def parse_banned_in(text: str) -> tuple[str, ...]:
    """`[['sshd', 'recidive']]`, or flat in some versions."""
    value = _literal(text)
    if not isinstance(value, list):
        raise Unreachable(
            "fail2ban", f"cannot read the answer {text.strip()[:80]!r}", "See: fail2ban-client banned"
        )
    names = value[0] if value and isinstance(value[0], list) else value
    return tuple(sorted(str(name) for name in names))


def parse_bans(text: str) -> tuple[Ban, ...]:
    """The answer of `get <jail> banip --with-time`, whose times are the host's local ones."""
    found = (_BAN.match(line.strip()) for line in text.splitlines())
    return tuple(_ban(match["address"], int(match["seconds"]), match["until"]) for match in found if match)


def ban(address: str, jail_name: str) -> None:
    _act("set", jail_name, "banip", address)


def unban(address: str, jail_name: str | None = None) -> None:
    """Lift a ban in one jail, or in every jail there is, which also clears it from the database."""
    if jail_name is None:
        _act("unban", address)
    else:
        _act("set", jail_name, "unbanip", address)


def _ban(address: str, seconds: int, until: str) -> Ban:
    if seconds < 0:
        return Ban(address, None, endless=True)
    return Ban(address, datetime.strptime(until, "%Y-%m-%d %H:%M:%S").astimezone())


def _bans(name: str) -> tuple[Ban, ...]:
    timed = _run("get", name, "banip", "--with-time")
    if timed.ok:
        return parse_bans(timed.stdout)
    listed = re.search(r"Banned IP list:[ \t]*(.*)", _ask("status", name, jail_name=name).stdout)
    return tuple(Ban(address, None) for address in (listed.group(1).split() if listed else ()))


def _literal(text: str) -> object:
    """What a Python literal says, None when it is none."""
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return None


def _number(answer: Completed) -> int:
    try:
        return int(answer.stdout.strip())
    except ValueError as error:
        raise Unreachable(
            "fail2ban", f"{answer.stdout.strip()[:80]!r} is not a number", f"See: {' '.join(answer.argv)}"
        ) from error


def _run(*words: str) -> Completed:
    spoken = fail2ban_socket.ask(words, TIMEOUT) if words[0] in _QUESTIONS else None
    return spoken or run([require(PROGRAM, PACKAGE), *words], timeout=TIMEOUT)


def _ask(*words: str, jail_name: str | None = None) -> Completed:
    answer = _run(*words)
    if answer.ok:
        return answer
    said = answer.stdout + answer.stderr
    if jail_name is not None and ("does not exist" in said or "UnknownJail" in said):
        raise BadInput(f"jail {jail_name}", "fail2ban has no such jail", f"It has: {_names()}.")
    if "socket" in said:
        raise stopped(answer.complaint)
    raise Unreachable("fail2ban", answer.complaint, f"See: fail2ban-client {' '.join(words)}")


def stopped(problem: str = "the server does not answer") -> Unreachable:
    """What to say when the server is installed and not running."""
    return Unreachable("fail2ban", problem, "Test it with fail2ban-client -t, then: systemctl start fail2ban")


def _names() -> str:
    return ", ".join(jails()) or "none"


def _act(*words: str) -> None:
    try:
        _ask(*words, jail_name=words[1] if words[0] == "set" else None)
    except Unreachable as error:
        raise FirebreakError(error.subject, error.problem, error.cure) from error


def known(name: str, among: Sequence[str]) -> str:
    """The jail's name, or `BadInput` that names the jails there are."""
    if name not in among:
        raise BadInput(f"jail {name}", "fail2ban has no such jail", f"It has: {', '.join(among) or 'none'}.")
    return name
