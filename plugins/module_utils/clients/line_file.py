# SPDX-License-Identifier: GPL-3.0-or-later
"""One line of a configuration file, replaced in one step and without changing whose file it is."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

from ..errors import FirebreakError, IdentityChanged, Unreachable

SIZE_LIMIT = 8 * 1024 * 1024
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(frozen=True)
class Edit:
    """`number` counts from 1. `old` None: the line is put in; `new` None: it is taken out."""

    path: str
    number: int
    old: str | None
    new: str | None

    @classmethod
    def of(cls, identity: Mapping[str, Any]) -> Edit:
        return cls(identity["path"], identity["number"], identity["old"], identity["new"])

    def as_identity(self) -> dict[str, Any]:
        return {"path": self.path, "number": self.number, "old": self.old, "new": self.new}

    @property
    def reverse(self) -> Edit:
        return Edit(self.path, self.number, self.new, self.old)


def read(path: str) -> str:
    """The whole file; `Unreachable` when it cannot be read or is larger than `SIZE_LIMIT` bytes."""
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise Unreachable(path, str(error.strerror), "Run as root (become: true).") from error
    if len(data) > SIZE_LIMIT:
        raise Unreachable(path, f"it is larger than {SIZE_LIMIT} bytes", "Edit it by hand.")
    # Whatever bytes stand in it must come out again as they were.
    return data.decode("utf-8", "surrogateescape")


def edited(text: str, edit: Edit) -> str:
    """The text after the edit; the same text when the edit is done already."""
    lines = _LINE.findall(text)
    bare = [line.rstrip("\r\n") for line in lines]
    if edit.old is None:
        if edit.new is None or edit.new in bare:
            return text
        at = min(edit.number - 1, len(lines))
        if at and not lines[at - 1].endswith("\n"):
            lines[at - 1] += "\n"
        return "".join([*lines[:at], edit.new + "\n", *lines[at:]])
    at = _place(bare, edit.number - 1, edit.old)
    if at < 0:
        if edit.old not in bare and (edit.new is None or edit.new in bare):
            return text
        raise IdentityChanged(
            f"{edit.path} line {edit.number}", f"{edit.old!r} no longer stands there", "Look at it again."
        )
    ending = lines[at][len(bare[at]) :]
    replacement = [] if edit.new is None else [edit.new + ending]
    return "".join([*lines[:at], *replacement, *lines[at + 1 :]])


def _place(lines: list[str], expected: int, line: str) -> int:
    """Where the line is, -1 when it is nowhere. It may have moved, but must then be the only one."""
    if expected < len(lines) and lines[expected] == line:
        return expected
    return lines.index(line) if lines.count(line) == 1 else -1


def replace(path: str, text: str) -> None:
    """Put `text` in the place of a file, keeping mode, owner and extended attributes.

    A symbolic link keeps pointing where it points.
    """
    target = Path(path).resolve()
    temporary: Path | None = None
    try:
        before = target.stat()
        descriptor, name = tempfile.mkstemp(prefix=".firebreak-", dir=str(target.parent))
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(text.encode("utf-8", "surrogateescape"))
            stream.flush()
            os.fsync(stream.fileno())
        shutil.copystat(str(target), name)
        os.chown(name, before.st_uid, before.st_gid)
        temporary.chmod(before.st_mode & 0o7777)
        temporary.replace(target)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        raise FirebreakError(
            path,
            str(error.strerror),
            f"The file is as it was. See that {target.parent} is writable and has room: df -h, df -i.",
        ) from error
