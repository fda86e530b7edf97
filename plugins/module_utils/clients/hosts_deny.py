# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of denied clients that programs built with TCP wrappers read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from . import line_file

PATH = "/etc/hosts.deny"
_SEPARATOR = re.compile(r"[,\s]+")


@dataclass(frozen=True)
class Entry:
    """One client of one line; `editable` when it can be taken out of it."""

    number: int
    line: str
    client: str
    editable: bool = True


def read() -> tuple[Entry, ...] | None:
    """Every client that is denied, None when there is no such file. Raises `Unreachable`."""
    if not Path(PATH).exists():
        return None
    return tuple(parse(line_file.read(PATH)))


def parse(text: str) -> Iterator[Entry]:
    """`daemons : client client … [: option]`. A line that is continued on the next one is not edited."""
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        first, line = number, lines[number]
        while line.endswith("\\") and number + 1 < len(lines):
            number += 1
            line = line[:-1] + lines[number]
        number += 1
        if not line.lstrip().startswith("#"):
            yield from _entries(first + 1, line, editable=number == first + 1)


def without(line: str, client: str) -> str | None:
    """The line when this client is taken out, None when nobody is left in it."""
    parts = _parts(line)
    rest = [word for word in _clients(parts[1]) if word != client]
    return ":".join([parts[0], " " + ", ".join(rest), *parts[2:]]) if rest else None


def _entries(number: int, line: str, editable: bool) -> Iterator[Entry]:
    parts = _parts(line)
    clients = _clients(parts[1]) if len(parts) > 1 else []
    editable = editable and "EXCEPT" not in clients
    for client in clients:
        if client == "EXCEPT":
            return
        yield Entry(number, line, client, editable)


def _clients(text: str) -> list[str]:
    return [word for word in _SEPARATOR.split(text) if word]


def _parts(line: str) -> list[str]:
    """Split at colons, but not at those of an IPv6 address in brackets."""
    parts = [""]
    depth = 0
    for character in line:
        depth += {"[": 1, "]": -1}.get(character, 0)
        if character == ":" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def edit(change: line_file.Edit) -> None:
    """Take one client out, or put it back; nothing happens when that is done already."""
    before = line_file.read(change.path)
    after = line_file.edited(before, change)
    if after != before:
        line_file.replace(change.path, after)
