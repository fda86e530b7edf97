# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence in /proc: what runs, what it has open, whom it talks to. No program of the host is trusted."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping

from ..clients import quiet_files
from ..clients.procfs import FILE_BUDGET, TICKS, Procfs
from ..errors import Unreachable
from .files import Line, read_lines, read_piece, utc
from .model import ABSENT, UNREADABLE, Means, Missing, Opened, Part, Read

PROC = Path("/proc")
MOST_OPEN_FILES = 4096
NAMESPACES = ("net", "mnt", "pid", "user")
DELETED = " (deleted)"
PROTOCOLS = ("tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "icmp", "icmp6")
# include/net/tcp_states.h
TCP_STATES = (
    "UNKNOWN",
    "ESTABLISHED",
    "SYN-SENT",
    "SYN-RECV",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "TIME-WAIT",
    "CLOSE",
    "CLOSE-WAIT",
    "LAST-ACK",
    "LISTEN",
    "CLOSING",
    "NEW-SYN-RECV",
)
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_STATUS = {"Uid": "uids", "Gid": "gids", "PPid": "parent", "TracerPid": "traced_by", "CapEff": "capabilities"}


def open_state(read: str, means: Means) -> Opened:
    """`read` is one of READERS."""
    if read == "deleted_binaries":
        return deleted_binaries(means)
    if read == "clock":
        return Opened([Part("", "api", "clock", lambda _more, _room: Read(_clock()), resumable=False)])
    if read == "kernel_log":
        return _kernel_log()
    if read == "connections":
        part = Part("", "file", "/proc/*/net", lambda _more, room: connections(room), resumable=False)
        return Opened([part])
    line_of, source, what = READERS[read]
    pids = _pids()
    denied = _denied(pids) if what else 0

    def lines(after: int | None) -> Iterator[Line]:
        for pid in pids:
            if after is None or pid > after:
                # One that ends meanwhile is left out: that is no lack of the collection.
                yield pid, line_of(pid) or b""

    def read_part(more: Any, room: int) -> Read:
        return read_lines(lines(more), means, room)

    missing = []
    if denied:
        reason = f"{denied} of {len(pids)} processes do not show {what} to this user: run as root"
        missing.append(Missing(read, UNREADABLE, f"{reason} (become: true)"))
    return Opened([Part("", "file", source, read_part)], missing)


def _pids() -> list[int]:
    return sorted(int(name) for name in _names(PROC) if name.isdigit())


def _denied(pids: list[int]) -> int:
    if os.geteuid() == 0:
        return 0
    return sum(not os.access(PROC / str(pid) / "environ", os.R_OK) for pid in pids)


def _clock() -> bytes:
    now = time.time()
    said = {
        "now": utc(now),
        "epoch_seconds": now,
        "uptime_seconds": Procfs().uptime(),
        "booted": utc(now - Procfs().uptime()),
        "timezone": time.tzname,
        "utc_offset_seconds": time.localtime().tm_gmtoff,
        "localtime": os.path.realpath("/etc/localtime"),
        "hostname": os.uname().nodename,
    }
    return json.dumps(said, indent=1).encode() + b"\n"


def _kernel_log() -> Opened:
    try:
        messages = Procfs().kernel_messages()
    except Unreachable as error:
        # In a container there is none of its own, and root is refused the host's.
        cause = ABSENT if os.geteuid() == 0 else UNREADABLE
        return Opened((), [Missing("kernel_log", cause, str(error))])
    data = "".join(f"{message.at:.6f} {message.text}\n" for message in messages).encode()
    part = Part("", "file", "/dev/kmsg", lambda _more, room: cut_to(data, room), resumable=False)
    return Opened([part])


def cut_to(data: bytes, room: int) -> Read:
    if len(data) <= room:
        return Read(data)
    return Read(data[:room], cut=f"{len(data) - room} of {len(data)} bytes did not fit into the budget")


def process(pid: int) -> dict[str, Any] | None:
    """One line about a process; None when it has ended. Times in UTC, memory in bytes."""
    place = PROC / str(pid)
    stat = _text(place / "stat")
    head, _end, tail = stat.rpartition(")")
    fields = tail.split()
    if len(fields) < 22:
        return None
    status = dict(line.partition(":")[::2] for line in _text(place / "status").splitlines())
    exe = _link(place / "exe")
    line: dict[str, Any] = {
        "pid": pid,
        "name": head.partition("(")[2],
        "state": fields[0],
        "session": int(fields[3]),
        "terminal": int(fields[4]),
        "started": utc(_booted() + int(fields[19]) / TICKS),
        "started_ticks": int(fields[19]),
        "cpu_ticks": int(fields[11]) + int(fields[12]),
        "rss": int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
        "command": _words(place / "cmdline"),
        "exe": exe,
        "exe_deleted": bool(exe and exe.endswith(DELETED)),
        "cwd": _link(place / "cwd"),
        "root": _link(place / "root"),
        "cgroup": _text(place / "cgroup").strip(),
        "login_uid": _text(place / "loginuid").strip(),
        "namespaces": {name: _link(place / "ns" / name) for name in NAMESPACES},
    }
    line.update((name, status.get(key, "").strip()) for key, name in _STATUS.items())
    return line


def _booted() -> float:
    return time.time() - Procfs().uptime()


def open_files(pid: int) -> dict[str, Any] | None:
    found = dict(_descriptors(pid))
    if not found:
        return None
    return {"pid": pid, "open": found, "truncated": len(found) >= MOST_OPEN_FILES}


def _descriptors(pid: int) -> Iterator[tuple[str, str]]:
    place = PROC / str(pid) / "fd"
    for name in sorted(_names(place), key=lambda name: (len(name), name))[:MOST_OPEN_FILES]:
        target = _link(place / name)
        if target is not None:
            yield name, target


def memory_maps(pid: int) -> bytes:
    try:
        maps = quiet_files.read_start(f"{PROC}/{pid}/maps", FILE_BUDGET)
    except OSError:
        return b""
    return f"== pid {pid} {_link(PROC / str(pid) / 'exe')!r}\n".encode() + maps if maps else b""


def environment(pid: int) -> dict[str, Any] | None:
    words = _words(PROC / str(pid) / "environ")
    return {"pid": pid, "environment": words} if words else None


# What makes the line of a process, where it comes from, and what other users' processes do not show.
READERS: Mapping[str, tuple[Callable[[int], Any], str, str]] = {
    "processes": (process, "/proc/*/{stat,status,cmdline,exe,cwd,cgroup}", "program and directory"),
    "open_files": (open_files, "/proc/*/fd", "open files"),
    "memory_maps": (memory_maps, "/proc/*/maps", "memory maps"),
    "environment": (environment, "/proc/*/environ", "their environment"),
}


def connections(room: int) -> Read:
    """A JSON line for each socket of each network namespace, that of pid 1 first."""
    owners: dict[str, list[int]] = {}
    namespaces: dict[str, int] = {}
    for pid in _pids():
        namespace = _link(PROC / str(pid) / "ns" / "net")
        if namespace is not None:
            namespaces.setdefault(namespace, pid)
        for _name, target in _descriptors(pid):
            found = _SOCKET.fullmatch(target)
            if found:
                owners.setdefault(found[1], []).append(pid)
    gathered: list[bytes] = []
    for namespace, pid in (namespaces or {"": os.getpid()}).items():
        for protocol in PROTOCOLS:
            text = _text(PROC / str(pid) / "net" / protocol, 4 * FILE_BUDGET)
            for row in text.splitlines()[1:]:
                line = connection(row, protocol, owners)
                if line is not None:
                    said = {"namespace": namespace, "namespace_pid": pid, **line}
                    gathered.append(json.dumps(said).encode() + b"\n")
    return cut_to(b"".join(gathered), room)


def connection(row: str, protocol: str, owners: Mapping[str, list[int]]) -> dict[str, Any] | None:
    # 0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   107  0 21411 1 …
    fields = row.split()
    try:
        state = int(fields[3], 16)
        return {
            "protocol": protocol,
            "local": endpoint(fields[1]),
            "peer": endpoint(fields[2]),
            "state": TCP_STATES[state] if protocol.startswith("tcp") else f"{state:02X}",
            "queued": fields[4],
            "uid": int(fields[7]),
            "inode": fields[9],
            "pids": owners.get(fields[9], []),
        }
    except (IndexError, ValueError):
        return None


def endpoint(text: str) -> str:
    """`0100007F:1538` as `127.0.0.1:5432`; IPv6 in brackets."""
    address, _colon, port = text.partition(":")
    raw = bytes.fromhex(address)
    # The kernel prints words of the host's byte order.
    words = [int.from_bytes(raw[at : at + 4], "big") for at in range(0, len(raw), 4)]
    packed = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    if len(packed) == 4:
        return f"{socket.inet_ntop(socket.AF_INET, packed)}:{int(port, 16)}"
    return f"[{socket.inet_ntop(socket.AF_INET6, packed)}]:{int(port, 16)}"


def deleted_binaries(means: Means) -> Opened:
    """Each deleted program once, however many processes run it, copied out of the memory that holds it."""
    parts: list[Part] = []
    seen = set()
    for pid in _pids():
        place = f"{PROC}/{pid}/exe"
        target = _link(Path(place))
        if target is None or not target.endswith(DELETED):
            continue
        try:
            status = Path(place).stat()
        except OSError:
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        name = Path(target[: -len(DELETED)]).name
        read = partial(read_piece, place, most=means.most)
        parts.append(Part(f"{pid:010d} {name}", "file", f"{place} -> {target}", read))
    return Opened(parts)


def _text(path: Path, most: int = FILE_BUDGET) -> str:
    try:
        return quiet_files.read_start(str(path), most).decode("utf-8", "surrogateescape")
    except OSError:
        return ""


def _words(path: Path) -> list[str]:
    text = _text(path)
    return text.rstrip("\0").split("\0") if text else []


def _link(path: Path) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None


def _names(directory: Path) -> list[str]:
    # The names alone: a path for each of ten thousand descriptors costs more than reading it.
    try:
        with os.scandir(directory) as entries:
            return [entry.name for entry in entries]
    except OSError:
        return []
