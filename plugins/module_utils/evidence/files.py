# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence in files: small ones bundled, large ones in pieces, and listings."""

from __future__ import annotations

import json
import os
import re
import stat
from base64 import b64encode
from functools import partial
from pathlib import Path
from typing import Any, Iterable, Iterator, Mapping, Tuple

from ..clients import quiet_files
from ..clients.procfs import Procfs
from ..deadlines import Deadline
from ..moments import iso
from .catalogue import Bundle, Files, Listing
from .model import ABSENT, PROFILE, UNREADABLE, Means, Missing, Opened, Part, Read

PIECE_SECONDS = 15.0
SMALL_FILE = 256 * 1024
HASHED_EXECUTABLE = 8 * 1024 * 1024
HASHED_FILE = 64 * 1024 * 1024
NOT_LISTED = frozenset({"/proc", "/sys", "/var/lib/docker", "/var/lib/containerd", "/run/docker"})
# A server that is down never answers, and what the kernel makes up is read elsewhere.
LOCAL_FILESYSTEMS = ("ext", "xfs", "btrfs", "zfs", "f2fs", "vfat", "tmpfs", "ramfs", "reiserfs", "jfs")
KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}

_ROTATED = re.compile(r"[.-]\d+(\.(gz|xz|bz2|zst))?$")

# What orders the lines of an artefact, and the line.
Line = Tuple[Any, Any]


def read_lines(lines: Iterable[Line], means: Means, room: int) -> Read:
    """As many lines as there are room and time for; the key of the last one says where to go on.

    A dictionary becomes a line of JSON; an empty line is only a place to stop at.
    """
    gathered: list[bytes] = []
    size, last = 0, None
    # What takes long goes on in another call, so that a cut-off costs only the last one.
    pause = Deadline(min(PIECE_SECONDS, means.deadline.remaining()))
    for key, line in lines:
        if last is not None and (size >= room or pause.remaining() < 0.2):
            return Read(b"".join(gathered), more=last)
        data = line if isinstance(line, bytes) else json.dumps(line, sort_keys=False).encode() + b"\n"
        gathered.append(data)
        size += len(data)
        last = key
    return Read(b"".join(gathered))


def bundle(source: Bundle, means: Means) -> Opened:
    paths = sorted({path for pattern in source.patterns for path in quiet_files.matching(pattern)})
    secret = () if means.full else source.secret

    def lines(after: str | None) -> Iterator[Line]:
        for path in paths:
            if after is None or path > after:
                line = _bundled(path, path in secret)
                if line is not None:
                    yield path, line

    part = Part(
        "", "file", " ".join(source.patterns), lambda more, room: read_lines(lines(more), means, room)
    )
    left_out = [Missing(f"contents of {path}", PROFILE, "they are secret: profile full") for path in secret]
    return Opened([part], left_out)


def _bundled(path: str, secret: bool) -> dict[str, Any] | None:
    try:
        line = describe(path, os.lstat(path))
        kind = line["type"]
        if kind == "link":
            line["resolved"] = os.path.realpath(path)
        if secret or kind not in ("file", "link"):
            return None if kind == "directory" else line
        data = quiet_files.read_start(path, SMALL_FILE + 1)
    except OSError as error:
        return {"path": path, "error": error.strerror or str(error)}
    line["truncated"] = len(data) > SMALL_FILE
    data = data[:SMALL_FILE]
    try:
        line["text"] = data.decode()
    except UnicodeDecodeError:
        line["base64"] = b64encode(data).decode()
    return line


def describe(path: str, status: os.stat_result) -> dict[str, Any]:
    """What a listing says of one file; sizes in bytes, times in UTC."""
    line: dict[str, Any] = {
        "path": path,
        "type": KINDS.get(stat.S_IFMT(status.st_mode), "other"),
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "uid": status.st_uid,
        "gid": status.st_gid,
        "size": status.st_size,
        "inode": status.st_ino,
        "links": status.st_nlink,
        "modified": utc(status.st_mtime),
        "changed": utc(status.st_ctime),
        "accessed": utc(status.st_atime),
    }
    if line["type"] == "link":
        line["target"] = os.readlink(path)
    return line


def utc(seconds: float) -> str | None:
    from datetime import datetime, timezone

    try:
        return iso(datetime.fromtimestamp(seconds, timezone.utc))
    except (OverflowError, ValueError, OSError):
        return None


def files(source: Files, means: Means) -> Opened:
    patterns = [*source.patterns, *(source.full_patterns if means.full else ())]
    if source.services:
        given = (service.get("logs") for service in means.services.values() if isinstance(service, Mapping))
        # A name that does not begin with / or ~/ would depend on where this runs.
        patterns += [str(path) for paths in given for path in paths or () if str(path).startswith("/")]
    # Two names of one file are one artefact.
    found = {_real(path): path for pattern in patterns for path in quiet_files.matching(pattern)}
    parts: list[Part] = []
    missing: list[Missing] = []
    for path, name in sorted(found.items()):
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            missing.append(Missing(name, ABSENT, "it is a link to nothing, or was removed just now"))
            continue
        except OSError as error:
            missing.append(Missing(name, UNREADABLE, error.strerror or str(error)))
            continue
        if not stat.S_ISREG(status.st_mode) or path.startswith("/var/log/journal/"):
            continue
        if not path.startswith("/proc/"):
            if not status.st_size:
                continue
            if not means.full and _written(path, status) < means.since:
                reason = f"last written {utc(status.st_mtime)}, before the window: profile full"
                missing.append(Missing(path, PROFILE, reason))
                continue
        parts.append(Part(path, "file", path, partial(read_piece, path, most=means.most)))
    return Opened(parts, missing)


def _written(path: str, status: os.stat_result) -> float:
    """An intruder may set the one date and not the other; being rotated sets that other one too."""
    return status.st_mtime if _ROTATED.search(path) else max(status.st_mtime, status.st_ctime)


def _real(path: str) -> str:
    # Links in /proc lead to the process that reads them.
    return path if path.startswith("/proc/") else os.path.realpath(path)


def read_piece(path: str, more: Any, room: int, most: int) -> Read:
    """The next piece of a file as it is now. What is written meanwhile is not waited for.

    Of a file larger than `most` bytes the end is taken: the newest lines. `more` holds inode, offset and
    end. A file that was replaced or cut off between two pieces ends the artefact.
    """
    with quiet_files.opened(path) as descriptor:
        status = os.fstat(descriptor)
        cut = None
        if more is None:
            # /proc tells no size.
            end = status.st_size or most
            offset = max(0, end - most)
            if offset:
                cut = f"the first {offset} of {end} bytes were left out, to keep to the budget"
        else:
            inode, offset, end = more
            if inode != status.st_ino or (status.st_size and status.st_size < end):
                return Read(b"", cut=f"it was replaced or cut off while it was read, at byte {offset}")
        if offset:
            os.lseek(descriptor, offset, os.SEEK_SET)
        data = quiet_files.read_up_to(descriptor, min(room, end - offset))
        offset += len(data)
        if data and offset < end and (status.st_size or len(data) == room):
            return Read(data, more=[status.st_ino, offset, end], cut=cut)
        return Read(data, cut=cut)


def listing(source: Listing, means: Means) -> Opened:
    def lines(after: str | None) -> Iterator[Line]:
        for root in source.roots:
            if Path(root).is_dir() and not Path(root).is_symlink():
                yield from _listed(root, source, means, after)

    def read(more: Any, room: int) -> Read:
        return read_lines(lines(more), means, room)

    return Opened([Part("", "file", " ".join(source.roots), read)])


def _listed(root: str, source: Listing, means: Means, after: str | None) -> Iterator[Line]:
    within = None
    if after is not None:
        behind, here = _root_of(after, source.roots), source.roots.index(root)
        if behind > here:
            return
        within = after if behind == here else None
    foreign = NOT_LISTED | {
        mount.point for mount in Procfs().mounts() if not mount.kind.startswith(LOCAL_FILESYSTEMS)
    }
    yield from _below(root, foreign, source, means, within)


def _root_of(path: str, roots: tuple[str, ...]) -> int:
    return next((n for n, root in enumerate(roots) if path == root or path.startswith(root + "/")), 0)


def _below(
    directory: str, foreign: frozenset[str], source: Listing, means: Means, after: str | None
) -> Iterator[Line]:
    # A stack of its own: a host can be given directories deeper than Python calls functions.
    waiting = [iter(_entries(directory))]
    while waiting:
        entry = next(waiting[-1], None)
        if entry is None:
            waiting.pop()
            continue
        path, status = entry
        behind = after is not None and _order(path) <= _order(after)
        if isinstance(status, OSError):
            if not behind:
                yield path, {"path": path, "error": status.strerror or str(status)}
            continue
        if not behind:
            old = source.recent and max(status.st_mtime, status.st_ctime) < means.since
            yield path, b"" if old else _with_hash(path, status, source.hashed)
        finished = behind and after is not None and not (after + "/").startswith(path + "/")
        if stat.S_ISDIR(status.st_mode) and path not in foreign and not finished:
            waiting.append(iter(_entries(path)))


def _order(path: str) -> list[str]:
    """Paths as the walk meets them: a directory before what is in it, and that before its neighbours."""
    return path.split("/")


def _entries(directory: str) -> list[tuple[str, Any]]:
    try:
        return [(f"{directory}/{name}", status) for name, status in quiet_files.names_in(directory)]
    except OSError as error:
        return [(f"{directory}/", error)]


def _with_hash(path: str, status: os.stat_result, hashed: str) -> dict[str, Any]:
    try:
        line = describe(path, status)
    except OSError as error:
        return {"path": path, "error": error.strerror or str(error)}
    wanted = hashed == "all" or (hashed == "executables" and status.st_mode & 0o111)
    if wanted and stat.S_ISREG(status.st_mode):
        most = HASHED_FILE if hashed == "all" else HASHED_EXECUTABLE
        try:
            line["sha256"] = quiet_files.sha256_of(path, most)
        except OSError as error:
            line["error"] = error.strerror or str(error)
    return line
