# SPDX-License-Identifier: GPL-3.0-or-later
"""The logs below the allowed directories, told by their names from everything else that lies there."""

from __future__ import annotations

import os
import re
from typing import Callable, Sequence

from ...clients.tree import Tree
from .model import LIVE, PACKED, ROTATED, File, Log
from .protection import MARKS, WAL, why_not

_PACKED = re.compile(r"\.(?:gz|xz|bz2|zst|lz4|Z)$")
_TURN = re.compile(
    r"(?:\.\d{1,4}|\.old|[-_.]\d{4}[-_.]?\d\d[-_.]?\d\d(?:[-_.T]?\d{2,10}){0,3}Z?|[-_.]\d{10})(?=\.log$|$)"
)
# The name of a log, or what a program writes beside it; a bare word as syslog's files have it.
_LOG = re.compile(
    r"(?:^|[-_.])(?:logs?|out|err|stdout|stderr)$|^(?:syslog|messages|secure|maillog|cron|debug|boot|dmesg"
    r"|wtmp|btmp|lastlog|faillog|mail\.\w+|daemon\.\w+|access|error|slowlog|gc)$",
    re.IGNORECASE,
)
# What is kept of one takes half a kilobyte.
LOGS_MOST, PROTECTED_MOST = 300_000, 1000


def kind_of(name: str) -> str | None:
    """What a file of that name is; None when it does not look like a log."""
    packed = _PACKED.search(name)
    bare = name[: packed.start()] if packed else name
    turned = _TURN.search(bare)
    stem = bare[: turned.start()] + bare[turned.end() :] if turned else bare
    if not stem.strip(".") or not _LOG.search(stem):
        return None
    if packed:
        return PACKED
    return ROTATED if turned else LIVE


class Logs:
    """`found` are the logs below `roots`, `protected` what was left alone, with the reason.

    Not `complete` when the time was over.
    """

    def __init__(self, roots: Sequence[str], time_is_over: Callable[[], bool]) -> None:
        self.found: list[Log] = []
        self.protected: dict[str, str] = {}
        self.unreadable: dict[str, str] = {}
        self.complete = True
        for root in roots:
            self._walk(root, time_is_over)

    def _walk(self, root: str, time_is_over: Callable[[], bool]) -> None:
        tree = Tree(root, time_is_over)
        # Whatever is in a directory comes before the next one beside it.
        data = ""
        try:
            for folder in tree.folders():
                # Asked for by name: what lies in it may be too much to keep.
                if data and (folder.path + "/").startswith(data):
                    continue
                because = self._no_place(folder.path)
                if because:
                    self._protect(folder.path, because)
                    data = folder.path.rstrip("/") + "/"
                    continue
                for name, status in folder.files:
                    self._consider(folder.path, folder.status.st_dev, name, status)
        except OSError as error:
            self.unreadable[root] = error.strerror or str(error)
        self.unreadable.update(tree.first_unreadable)
        self.complete = self.complete and tree.complete and len(self.found) < LOGS_MOST

    def _protect(self, path: str, because: str) -> None:
        if len(self.protected) < PROTECTED_MOST:
            self.protected[path] = because

    def _no_place(self, directory: str) -> str | None:
        if any(os.path.lexists(f"{directory}/{mark}") for mark in MARKS):
            return "it is the data directory of a server"
        if set(directory.strip("/").split("/")) & WAL:
            return "it is a database's write-ahead log"
        return None

    def _consider(self, directory: str, place: int, name: str, status: os.stat_result) -> None:
        kind = kind_of(name)
        if kind is None or not _plain(status) or len(self.found) >= LOGS_MOST:
            return
        path = f"{directory.rstrip('/')}/{name}"
        because = why_not(path)
        if because is None and status.st_nlink > 1:
            because = "it has another name somewhere, so that nothing would be freed"
        if because is not None:
            self._protect(path, because)
        else:
            self.found.append(Log(File.of(path, status), place, kind))


def _plain(status: os.stat_result) -> bool:
    return (status.st_mode & 0o170000) == 0o100000
