# SPDX-License-Identifier: GPL-3.0-or-later
"""What sshd and nginx write about a login, and when they wrote it.

User names are chosen by the attacker and stand in the middle of the line. So every pattern is fixed at
both ends of the line and takes the address from the end that sshd writes: the name
`x from 6.6.6.6 port 1 ssh2` accuses nobody but its owner.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterator

from ..clients.logs import unwrapped
from ..log_times import STAMP, moment, rfc3339

_TAG = rb"\n" + STAMP + rb" [^ ]+ sshd[^ ]*\]: "
_ENDED = rb"(?:Connection (?:closed|reset) by|Disconnected from|Disconnecting) "
_INVALID = b"invalid user "
_GUESS = rb"(?:password|keyboard-interactive[^ ]*)"

# One match for each line that says something about a login. This runs over gigabytes, so only the plain
# forms are taken apart here; whatever else begins like a login is handed on whole, for `parse_rare`.
# Groups: stamp; user and address of a failed guess; user and address of a connection that ended before a
# login; the rest of any other line.
SSH_LINES = re.compile(
    _TAG + rb"(?:"
    rb"Failed " + _GUESS + rb" for ((?:invalid user )?[^ ]*) from ([^ ]+) port [^ ]+ ssh2(?=\n)|"
    + _ENDED + rb"(?:authenticating user |(?=invalid user ))"
    rb"((?:invalid user )?[^ ]*) ([^ ]+) port [^ ]+ \[preauth\](?=\n)|"
    rb"((?:Failed [pk]|Accepted |message repeated |error: maximum |" + _ENDED
    + rb"(?:authenticating|invalid) user )[^\n]*))"
)  # fmt: skip
SSH_ANY = re.compile(rb"\n" + STAMP + rb" [^ ]+ sshd[^ ]*\]: ")

_REPEATED = re.compile(rb"message repeated ([0-9]{1,6}) times: \[ (.*)\]")
_FAILED = re.compile(rb"Failed " + _GUESS + rb" for (.*) from ([^ ]+) port [0-9]+ ssh2")
_CUT = re.compile(
    rb"error: maximum authentication attempts exceeded for (.*) from ([^ ]+) port [0-9]+ ssh2 \[preauth\]"
)
# Of the reasons that may follow, one quotes a name that the client chose; only the fixed one is taken.
_CLOSED = re.compile(
    _ENDED + rb"(?:authenticating user (?!invalid user )|(?=invalid user ))(.*) ([^ ]+) port [0-9]+"
    rb"(?:: Too many authentication failures)? \[preauth\]"
)
# An account that lets somebody in exists, so its name is none of the attacker's: read from the left.
_ACCEPTED = re.compile(rb"Accepted ([^ ]+) for (.+?) from ([^ ]+) port [0-9]+(?: ssh2)?(?:: .*)?")

GUESSED, ENDED, CUT, ACCEPTED = "guessed", "ended", "cut", "accepted"


@dataclass(frozen=True)
class Rare:
    """A login line that is not of the plain form.

    `kind`: a password was `guessed` in vain, the connection `ended` before a login, it was `cut` for too
    many attempts, or the login was `accepted`. `count` is how often the line stands for it.
    """

    kind: str
    user: bytes
    address: bytes
    method: bytes = b""
    count: int = 1


def parse_rare(text: bytes) -> Rare | None:
    """What a line says, from its verb on; None when it says nothing certain about a login."""
    repeated = _REPEATED.fullmatch(text)
    count, text = (int(repeated.group(1)), repeated.group(2)) if repeated else (1, text)
    for kind, pattern in ((GUESSED, _FAILED), (ENDED, _CLOSED), (CUT, _CUT)):
        match = pattern.fullmatch(text)
        if match:
            return Rare(kind, match.group(1), match.group(2), count=count)
    match = _ACCEPTED.fullmatch(text)
    return Rare(ACCEPTED, match.group(2), match.group(3), match.group(1)) if match else None


def account_of(user: bytes) -> tuple[str, bool]:
    """The account that `bob` or `invalid user bob` names, and whether it exists."""
    exists = not user.startswith(_INVALID)
    return readable(user if exists else user[len(_INVALID) :]), exists


def readable(name: bytes) -> str:
    """A name somebody else has chosen, fit to be shown on a terminal: nothing in it moves the cursor."""
    text = name[:_LONGEST_NAME].decode("utf-8", "backslashreplace")
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


_LONGEST_NAME = 100


@dataclass(frozen=True)
class NginxFailure:
    """A refused basic authentication. `address` is None when the line was cut before the client."""

    time: float
    user: bytes
    address: bytes | None


# nginx writes a user name as it came, line breaks and all, but only up to its first colon. So no name can
# hold a stamp or `client: `, and what stands before a colon belongs to one record.
_NGINX_RECORDS = re.compile(
    rb'\n((?:\{"log":")?[0-9/]{10} [0-9:]{8} \[error\] [0-9]+#[0-9]+: \*[0-9]+ user \\?"'
    rb"[^:\n]*(?:\n(?![0-9/]{10} [0-9]{2}:)[^:\n]*)*(?::[^\n]*)?)"
)
_NGINX_TIME = re.compile(rb"([0-9]{4})/([0-9]{2})/([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ")
# The comma behind the address shows that it is whole.
_NGINX = re.compile(
    rb"[0-9/]{10} [0-9:]{8} \[error\] [0-9]+#[0-9]+: \*[0-9]+ "
    rb'user "([^:]*?)"(?:: password mismatch| was not found in "[^"\n]*"), client: ([^ ,]+),.*'
)
_DOCKER_TIME = re.compile(rb'"time":"([^"]+)"\}?\s*$')


def nginx_time(line: bytes) -> float | None:
    """The time of a line of nginx's error log, bare or wrapped by Docker's json-file driver."""
    match = _NGINX_TIME.match(line)
    if match:
        return moment([int(number) for number in match.groups()])
    match = _DOCKER_TIME.search(line) if line.startswith(b'{"log"') else None
    return rfc3339(match.group(1)) if match else None


def nginx_failures(block: bytes) -> Iterator[NginxFailure]:
    """The refused basic authentications in a block.

    User name and request are both the client's, one on each side of the address; the first `, client: ` is
    nginx's own. A name so long that nginx cuts the line before it is a failure that accuses nobody.
    """
    for record in _NGINX_RECORDS.findall(block):
        time = nginx_time(record)
        if time is not None:
            match = _NGINX.fullmatch(unwrapped(record))
            user, address = match.groups() if match else (b"", None)
            yield NginxFailure(time, user, address)
