# SPDX-License-Identifier: GPL-3.0-or-later
"""Who nginx on this host lets in: its `allow` and `deny` directives, and how one of them is edited."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Iterator, Mapping

from ..errors import FirebreakError, Unreachable
from . import line_file
from .command import find, require, run

PROGRAM, PACKAGE = "nginx", "nginx"
TIMEOUT = 20.0
_HEADER = re.compile(r"^# configuration file (.+):$", re.MULTILINE)
_TOKEN = re.compile(
    r"""(?P<space>\s+) | (?P<comment>\#[^\n]*) | (?P<end>[;{}])
      | "(?P<double>(?:[^"\\]|\\.)*)" | '(?P<single>(?:[^'\\]|\\.)*)'
      | (?P<bare>(?:[^\s;{}"'\\]|\\.|\$\{)(?:[^\s;{}\\]|\\.|(?<=\$)\{[^}]*\})*) | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_NOT_RUNNING = ("invalid PID number", "No such process", "No such file or directory")
_DEPTH_LIMIT = 16


@dataclass(frozen=True)
class Access:
    """One `allow` or `deny`. `level` numbers the block it stands in, `block` names it for a reader.

    nginx takes the first directive of a level that fits; a level with none takes over its parent's.
    """

    path: str
    number: int
    line: str
    verb: str
    what: str
    level: int
    block: str

    @property
    def statement(self) -> str:
        return f"{self.verb} {self.what};"

    @property
    def editable(self) -> bool:
        """Whether the whole directive stands in the one line, so that it can be taken out of it."""
        return _directive(self.what).search(self.line) is not None


def without(line: str, what: str) -> str | None:
    """The line when `deny what;` is taken out of it, None when nothing is left."""
    rest = _directive(what).sub("", line, count=1)
    return rest.rstrip() if rest.strip() else None


def _directive(what: str) -> re.Pattern[str]:
    return re.compile(rf"\bdeny\s+{re.escape(what)}\s*;[ \t]*")


@dataclass
class _Reading:
    """The configuration while it is walked through: how many blocks were seen, and what in them."""

    files: Mapping[str, str]
    root: str
    levels: int = 0
    found: list[Access] = field(default_factory=list)

    def read(self, path: str, level: int, block: str, depth: int = 0) -> None:
        lines = self.files[path].split("\n")
        open_blocks = [(level, block)]
        for number, words, end in statements(self.files[path]):
            if end == "}":
                if len(open_blocks) > 1:
                    open_blocks.pop()
            elif end == "{":
                self.levels += 1
                name = " ".join(words)
                inside = open_blocks[-1][1]
                open_blocks.append((self.levels, f"{inside} > {name}" if inside else name))
            elif words[:1] == ["include"] and len(words) == 2 and depth < _DEPTH_LIMIT:
                for included in self._matching(words[1]):
                    self.read(included, *open_blocks[-1], depth + 1)
            elif words[:1] in (["allow"], ["deny"]) and len(words) == 2:
                line = lines[number - 1].rstrip("\r")
                self.found.append(Access(path, number, line, words[0], words[1], *open_blocks[-1]))

    def _matching(self, pattern: str) -> list[str]:
        whole = str(PurePosixPath(self.root, pattern))
        return sorted(path for path in self.files if fnmatch.fnmatchcase(path, whole))


def read() -> tuple[Access, ...] | None:
    """Every access rule in the order of the configuration, None without nginx. Raises `Unreachable`."""
    if find(PROGRAM) is None:
        return None
    answer = run([require(PROGRAM, PACKAGE), "-T"], timeout=TIMEOUT)
    if answer.truncated or not answer.ok:
        problem = "the configuration is too long to be read" if answer.truncated else answer.complaint
        raise Unreachable("nginx configuration", problem, "See: nginx -t")
    paths = list(dict.fromkeys(_HEADER.findall(answer.stdout)))
    return parse({path: line_file.read(path) for path in paths}, paths[0]) if paths else ()


def parse(files: Mapping[str, str], main: str) -> tuple[Access, ...]:
    """From the text of every file, beginning with the path of the main one."""
    reading = _Reading(files, root=str(PurePosixPath(main).parent))
    reading.read(main, 0, "")
    return tuple(reading.found)


def statements(text: str) -> Iterator[tuple[int, list[str], str]]:
    """Line, words and what ends them (`;`, `{` or `}`) of each directive."""
    words: list[str] = []
    number = started = 1
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "end":
            yield started if words else number, words, match.group()
            words = []
        elif kind not in ("space", "comment"):
            if not words:
                started = number
            words.append(match[kind] if kind else match.group())
        number += match.group().count("\n")


def edit(change: line_file.Edit) -> None:
    """Change one line, test the configuration, load it; the old file is put back when that fails."""
    before = line_file.read(change.path)
    after = line_file.edited(before, change)
    if after == before:
        return
    line_file.replace(change.path, after)
    try:
        _checked("-t")
        reload()
    except FirebreakError:
        line_file.replace(change.path, before)
        raise


def reload() -> None:
    """Have a running nginx take over its configuration; without a running one there is nothing to do."""
    answer = run([require(PROGRAM, PACKAGE), "-s", "reload"], timeout=TIMEOUT)
    if not answer.ok and not any(sign in answer.stderr for sign in _NOT_RUNNING):
        raise FirebreakError("nginx", f"it does not reload: {answer.complaint}", "See: nginx -t")


def _checked(*words: str) -> None:
    answer = run([require(PROGRAM, PACKAGE), *words], timeout=TIMEOUT)
    if not answer.ok:
        raise FirebreakError("nginx configuration", answer.complaint, "The file is as it was.")
