# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at files on a host that may be hostile: no link followed, nothing blocked on, all of it bounded."""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import os
import stat
from dataclasses import replace
from typing import Iterator

from .model import Item

HASH_LIMIT = 64 * 1024 * 1024
TEXT_LIMIT = 64 * 1024
CHUNK = 1 << 20
LONGEST_FOLDER = 20_000


def expand(pattern: str) -> Iterator[str]:
    """The paths that fit, hidden ones too (which the shell and `glob` leave out)."""
    head, star, _tail = pattern.partition("*")
    if not star:
        if os.path.lexists(pattern):
            yield pattern
        return
    folder, rest = head.rpartition("/")[0], pattern[len(head.rpartition("/")[0]) + 1 :]
    wanted, _slash, below = rest.partition("/")
    try:
        with os.scandir(folder or "/") as entries:
            names = sorted(entry.name for _count, entry in zip(range(LONGEST_FOLDER), entries))
    except OSError:
        return
    for name in names:
        if fnmatch.fnmatchcase(name, wanted):
            path = f"{folder}/{name}"
            if below:
                yield from expand(f"{path}/{below}")
            else:
                yield path


def item_at(kind: str, path: str) -> Item | None:
    """The file there with what lstat tells; None when it is neither a file nor a link."""
    try:
        status = os.lstat(path)
    except (OSError, ValueError):
        return None
    detail = {}
    if stat.S_ISLNK(status.st_mode):
        with contextlib.suppress(OSError):
            detail["link"] = os.readlink(path)
    elif not stat.S_ISREG(status.st_mode):
        return None
    return Item(
        kind=kind,
        path=path,
        uid=status.st_uid,
        gid=status.st_gid,
        mode=stat.S_IMODE(status.st_mode),
        size=status.st_size,
        mtime=status.st_mtime,
        ctime=status.st_ctime,
        detail=detail,
    )


def read(item: Item) -> Item:
    """With the beginning of its text and the checksum of all of it, unless it is too large or a link."""
    if "link" in item.detail or item.size > HASH_LIMIT:
        return item
    digest = hashlib.sha256()
    text = b""
    try:
        descriptor = os.open(item.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return item
            left = HASH_LIMIT
            while left > 0:
                block = stream.read(min(left, CHUNK))
                if not block:
                    break
                digest.update(block)
                text = text or block[:TEXT_LIMIT]
                left -= len(block)
    except OSError:
        return item
    binary = b"\0" in text[:4096]
    return replace(
        item,
        sha256=digest.hexdigest(),
        text="" if binary else text.decode("utf-8", "surrogateescape"),
    )


def text_of(path: str, limit: int = TEXT_LIMIT) -> str:
    """The beginning of a file that is no link; empty when there is none or it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return ""
            return stream.read(limit).decode("utf-8", "surrogateescape")
    except (OSError, ValueError):
        return ""
