# SPDX-License-Identifier: GPL-3.0-or-later
"""ufw, through its own program: its rules are its own, whatever they become underneath."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import FirebreakError, Unreachable
from .command import Completed, find, require, run
from .iptables import split

# ufw holds its lock and reads every rule file; it is a slow program.
TIMEOUT = 30.0
_NUMBERED = re.compile(
    r"^\[ *(?P<number>\d+)\] (?P<to>.+?) +(?P<action>ALLOW|DENY|REJECT|LIMIT) (?:IN|OUT|FWD) +(?P<source>\S+)"
)


@dataclass(frozen=True)
class Added:
    """One rule as `ufw show added` gives it, without the leading `ufw`."""

    spec: str

    @property
    def words(self) -> tuple[str, ...]:
        return _quoted_as_shell(self.spec)


@dataclass(frozen=True)
class Numbered:
    """One rule in the order of evaluation; `to` and `source` as ufw prints them."""

    number: int
    action: str
    to: str
    source: str


@dataclass(frozen=True)
class Ufw:
    """`active` False means that none of the rules is in force."""

    active: bool
    added: tuple[Added, ...] = ()
    numbered: tuple[Numbered, ...] = ()


def read() -> Ufw | None:
    """What ufw holds, None when it is not installed. Raises `Unreachable`."""
    if find("ufw") is None:
        return None
    status = _run("status", "numbered")
    if "Status: active" not in status.stdout:
        return Ufw(active=False)
    return Ufw(True, parse_added(_run("show", "added").stdout), parse_numbered(status.stdout))


def parse_added(text: str) -> tuple[Added, ...]:
    return tuple(Added(line[4:].strip()) for line in text.splitlines() if line.startswith("ufw "))


def parse_numbered(text: str) -> tuple[Numbered, ...]:
    found = (_NUMBERED.match(line) for line in text.splitlines())
    return tuple(
        Numbered(int(match["number"]), match["action"], match["to"].strip(), match["source"])
        for match in found
        if match
    )


def delete(spec: str) -> None:
    """Delete one rule by its text; nothing happens when there is no such rule any more."""
    if spec not in _specs():
        return
    words = _without_comment(_quoted_as_shell(spec))
    if words[0] == "route":
        _change("route", "delete", *words[1:])
    else:
        _change("--force", "delete", *words)


def insert(number: int, spec: str) -> None:
    """Put a rule back at its number, or at the end when there are fewer rules now; once only."""
    if spec in _specs():
        return
    words = _quoted_as_shell(spec)
    route = ("route",) if words[0] == "route" else ()
    rest = words[len(route) :]
    at_number = [*route, "insert", str(number), *rest]
    # The end of its own family's rules is no position that can be inserted at.
    if number < 1 or "Invalid position" in _answer(*at_number).stderr:
        _change(*route, *rest)
    if spec not in _specs():
        raise FirebreakError("ufw", f"it did not take the rule {spec!r}", "See: ufw status numbered")


def _specs() -> list[str]:
    return [added.spec for added in parse_added(_run("show", "added").stdout)]


def _quoted_as_shell(spec: str) -> tuple[str, ...]:
    # `show added` puts a comment in single quotes and never escapes anything inside them.
    before, quote, comment = spec.partition(" comment '")
    words = split(before)
    return (*words, "comment", comment[:-1]) if quote else words


def _without_comment(words: tuple[str, ...]) -> tuple[str, ...]:
    return words[: words.index("comment")] if "comment" in words else words


def _run(*words: str) -> Completed:
    answer = _answer(*words)
    if not answer.ok:
        raise Unreachable("ufw", answer.complaint, "Run as root (become: true).")
    return answer


def _change(*words: str) -> None:
    answer = _answer(*words)
    if not answer.ok:
        raise FirebreakError("ufw", f"{' '.join(words)}: {answer.complaint}", "See: ufw status numbered")


def _answer(*words: str) -> Completed:
    return run([require("ufw", "ufw"), *words], timeout=TIMEOUT)
