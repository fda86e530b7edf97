# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs now: from which file, with what preloaded, and what the kernel itself has loaded."""

from __future__ import annotations

import contextlib
import os
import platform
import re
from pathlib import Path
from typing import Callable, Iterator, Sequence

from ..clients.procfs import TICKS, Procfs
from ..errors import Unreachable
from .model import KernelModule, Program

DELETED = " (deleted)"
ENVIRONMENT_LIMIT = 128 * 1024
TAINTED = re.compile(r"[OEF]")
LISTEN_STATES = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}


def observe_programs(remaining: Callable[[], float], procfs: Procfs | None = None) -> tuple[Program, ...]:
    """Every process with a program of its own; threads of the kernel have none."""
    procfs = procfs or Procfs()
    if procfs.others_hidden() or os.geteuid() != 0:
        raise Unreachable("processes", "only one's own can be looked into", "Run as root (become: true).")
    uptime = procfs.uptime()
    host_root = _identity(procfs.root / "self/root/")
    found = []
    for process in procfs.processes():
        if remaining() <= 0.1:
            raise Unreachable("processes", "there was no time for all of them", "Allow more with timeout.")
        if process.pid == os.getpid():
            continue
        program = _program(
            procfs.root / str(process.pid), process.pid, uptime - process.started / TICKS, host_root
        )
        if program is not None:
            found.append(program)
    return tuple(found)


def listening_ports(pids: Sequence[int], procfs: Procfs | None = None) -> dict[int, tuple[int, ...]]:
    """The ports on which these processes listen."""
    root = (procfs or Procfs()).root
    ports = dict(_listening(root))
    found = {}
    for pid in pids:
        inodes = set()
        with contextlib.suppress(OSError), os.scandir(root / str(pid) / "fd") as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    inodes.add(os.readlink(entry.path))
        mine = {ports[name] for name in inodes if name in ports}
        if mine:
            found[pid] = tuple(sorted(mine))
    return found


def observe_modules(root: str = "/") -> tuple[KernelModule, ...]:
    """What the kernel has loaded; empty where it takes no modules."""
    listed = _listed(root)
    if listed is None:
        return ()
    loaded = {path.parent.name for path in Path(f"{root}sys/module").glob("*/initstate")}
    hidden = loaded - listed.keys()
    if hidden:
        # One may have been loaded between the two looks.
        hidden -= (_listed(root) or {}).keys()
    names = [name for name, taint in listed.items() if TAINTED.search(taint)]
    here = _tree(f"{root}lib/modules/{platform.release()}") if names or hidden else None
    return tuple(
        KernelModule(name, listed.get(name, ""), name in hidden, None if here is None else name in here)
        for name in sorted({*names, *hidden})
    )


def _listed(root: str) -> dict[str, str] | None:
    try:
        lines = Path(f"{root}proc/modules").read_text(errors="replace").splitlines()
    except OSError:
        return None
    found = {}
    for line in lines:
        # nvidia 62914560 0 - Live 0x0000000000000000 (POE)
        fields = line.split()
        if fields:
            found[fields[0]] = fields[-1] if fields[-1].startswith("(") else ""
    return found


def _tree(folder: str) -> frozenset[str] | None:
    """The names of the modules installed for this kernel; None in a container, which has none."""
    if not Path(folder).is_dir():
        return None
    names = (name for _folder, _folders, files in os.walk(folder) for name in files)
    return frozenset(name.partition(".ko")[0].replace("-", "_") for name in names if ".ko" in name)


def _program(folder: Path, pid: int, age: float, host_root: tuple[int, int]) -> Program | None:
    try:
        exe = os.readlink(folder / "exe")
        status = (folder / "exe").stat()
        title = (folder / "cmdline").read_bytes()[:4096].decode("utf-8", "surrogateescape")
        with (folder / "environ").open("rb") as stream:
            environment = stream.read(ENVIRONMENT_LIMIT)
    except OSError:
        return None
    contained = _identity(folder / "root/") != host_root
    gone = exe.endswith(DELETED)
    path = exe[: -len(DELETED)] if gone else exe
    return Program(
        pid=pid,
        exe=path,
        title=title.replace("\0", " ").strip(),
        uid=folder.stat().st_uid,
        age=age,
        contained=contained,
        # One that was upgraded or deployed anew is there again.
        gone=gone and not os.path.lexists(f"{folder}/root{path}"),
        preload=preloaded(environment),
        ctime=status.st_ctime,
    )


def preloaded(environment: bytes) -> str:
    """The value of LD_PRELOAD or LD_AUDIT, empty without one."""
    for pair in environment.split(b"\0"):
        if pair.startswith((b"LD_PRELOAD=", b"LD_AUDIT=")):
            return pair.partition(b"=")[2].decode("utf-8", "surrogateescape")
    return ""


def _identity(path: Path | str) -> tuple[int, int]:
    try:
        status = Path(path).stat()
    except OSError:
        return (0, 0)
    return (status.st_dev, status.st_ino)


def _listening(root: Path) -> Iterator[tuple[str, int]]:
    for name, state in LISTEN_STATES.items():
        with contextlib.suppress(OSError):
            for line in (root / "net" / name).read_text(errors="replace").splitlines()[1:]:
                fields = line.split()
                if len(fields) > 9 and fields[3] == state:
                    yield f"socket:[{fields[9]}]", int(fields[1].rpartition(":")[2], 16)
