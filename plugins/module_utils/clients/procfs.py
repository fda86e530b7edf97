# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's own account of the host: /proc, the cgroup limits, mounted filesystems, the kernel log.

Bytes and seconds; rates are left to whoever reads twice.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Iterator

from ..errors import Unreachable

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
FILE_BUDGET = 4 * 1024 * 1024
KERNEL_RECORDS = 20_000
KERNEL_RECORD_BYTES = 8192

# Limit, use, statistics, and which of these counts the file cache that goes first when room is needed.
CGROUP_MEMORY = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)
# Asking one of these, or a path below one, may never come back when its server or daemon is gone.
REMOTE_KINDS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "lustre", "beegfs", "afs", "9p", "ocfs2", "gfs2"}
)
# Images: full and read-only by design.
IMAGE_KINDS = frozenset({"squashfs", "erofs", "iso9660", "udf", "cramfs"})
# Local, but not on a block device of their own.
POOL_KINDS = frozenset({"zfs", "bcachefs", "btrfs"})
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class CpuTimes:
    """Clock ticks since boot, summed over `cpus`; `blocked` processes wait for I/O at this moment."""

    cpus: int
    total: int
    idle: int
    iowait: int
    steal: int
    blocked: int


@dataclass(frozen=True)
class Process:
    """`started` is in clock ticks since boot: with the pid it is the identity of a process."""

    pid: int
    name: str
    state: str
    started: int
    ticks: int
    rss: int


@dataclass(frozen=True)
class Mount:
    """`options` are those of the mount, `super_options` those of the filesystem itself.

    `root` is the directory of the filesystem that is mounted there.
    """

    point: str
    kind: str
    source: str
    device: str
    options: frozenset[str]
    super_options: frozenset[str]
    root: str = "/"

    @property
    def remote(self) -> bool:
        return self.kind in REMOTE_KINDS or self.kind.startswith("fuse")


@dataclass(frozen=True)
class Space:
    """Bytes and inodes. `available` is what is left to ordinary users, `free` counts what only root gets."""

    total: int
    free: int
    available: int
    inodes: int
    inodes_available: int


@dataclass(frozen=True)
class KernelMessage:
    """`at` is in seconds since boot."""

    at: float
    text: str


@dataclass(frozen=True)
class Procfs:
    """Reads below `root` and `cgroup`. Every method raises `Unreachable` when a file cannot be read."""

    root: Path = field(default=Path("/proc"))
    cgroup: Path = field(default=Path("/sys/fs/cgroup"))
    kernel_log: Path = field(default=Path("/dev/kmsg"))
    passwd: Path = field(default=Path("/etc/passwd"))
    fstab: Path = field(default=Path("/etc/fstab"))

    def uptime(self) -> float:
        """Seconds since boot."""
        return float(self._text("uptime").split()[0])

    def load(self) -> tuple[float, float, float]:
        """Average number of tasks that run or wait, over 1, 5 and 15 minutes."""
        one, five, fifteen = self._text("loadavg").split()[:3]
        return float(one), float(five), float(fifteen)

    def cpu_times(self) -> CpuTimes:
        lines = [line.split() for line in self._text("stat").splitlines()]
        whole = next(([int(ticks) for ticks in line[1:]] for line in lines if line[:1] == ["cpu"]), None)
        if whole is None:
            raise self._odd("stat", "it has no line for the CPU")
        _user, _nice, _system, idle, iowait, _irq, _softirq, steal = (whole + [0] * 8)[:8]
        return CpuTimes(
            cpus=max(1, sum(bool(re.match(r"cpu\d", line[0])) for line in lines if line)),
            # Guest time, the last two columns, is contained in user and nice already.
            total=sum(whole[:8]),
            idle=idle,
            iowait=iowait,
            steal=steal,
            blocked=next((int(line[1]) for line in lines if line[:1] == ["procs_blocked"]), 0),
        )

    def memory(self) -> dict[str, int]:
        """/proc/meminfo in bytes."""
        found: dict[str, int] = {}
        for line in self._text("meminfo").splitlines():
            name, _colon, rest = line.partition(":")
            fields = rest.split()
            if fields and fields[0].isdigit():
                found[name] = int(fields[0]) * (1024 if fields[1:] == ["kB"] else 1)
        return found

    def cgroup_memory(self) -> tuple[int, int] | None:
        """Limit and use in bytes of the cgroup at the root of this namespace; None without a limit.

        Cache that nobody needs does not count as used.
        """
        for limit_file, use_file, statistics, cache in CGROUP_MEMORY:
            try:
                limit = int((self.cgroup / limit_file).read_text())
                use = int((self.cgroup / use_file).read_text())
                lines = [line.split() for line in (self.cgroup / statistics).read_text().splitlines()]
            except (OSError, ValueError):
                continue
            # Version 1 says "no limit" with a number next to 2**63.
            if limit < 1 << 60:
                return limit, max(0, use - sum(int(line[1]) for line in lines if line[0] == cache))
        return None

    def vmstat(self) -> dict[str, int]:
        """Event counters since boot; pages where the kernel counts pages."""
        lines = (line.split() for line in self._text("vmstat").splitlines())
        return {line[0]: int(line[1]) for line in lines if len(line) == 2}

    def pressure(self, resource: str) -> dict[str, float] | None:
        """Share of the last 10 s in percent in which `some` or all (`full`) tasks waited for a resource.

        None when this kernel does not measure it.
        """
        try:
            lines = (self.root / "pressure" / resource).read_text().splitlines()
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EOPNOTSUPP):
                return None
            raise self._unreadable(f"pressure/{resource}", error) from error
        return {
            fields[0]: float(fields[1].partition("=")[2])
            for fields in (line.split() for line in lines)
            if len(fields) > 1
        }

    def processes(self) -> Iterator[Process]:
        """Every process that can be seen. One that ends meanwhile is left out."""
        return filter(None, map(self.process, self.pids()))

    def process(self, pid: int) -> Process | None:
        """None when it has ended or cannot be seen."""
        try:
            line = self._of_process(pid, "stat")
        except OSError:
            return None
        # The name stands in parentheses and may itself hold any character.
        head, _end, tail = line.rpartition(")")
        fields = tail.split()
        if len(fields) < 22:
            return None
        return Process(
            pid=pid,
            name=head.partition("(")[2],
            state=fields[0],
            started=int(fields[19]),
            ticks=int(fields[11]) + int(fields[12]),
            rss=int(fields[21]) * PAGE,
        )

    def pids(self) -> list[int]:
        try:
            with os.scandir(self.root) as entries:
                return [int(entry.name) for entry in entries if entry.name.isdigit()]
        except OSError as error:
            raise self._unreadable("", error) from error

    def disk_io(self, pid: int) -> tuple[int, int] | None:
        """Bytes that a process has had read from and written to disks; None when it is not to be seen."""
        try:
            lines = self._of_process(pid, "io").splitlines()
        except OSError:
            return None
        found = {name: int(count) for name, _colon, count in (line.partition(": ") for line in lines)}
        return found.get("read_bytes", 0), found.get("write_bytes", 0)

    def name(self, pid: int) -> str | None:
        """None when it has ended."""
        try:
            return self._of_process(pid, "comm").rstrip("\n")
        except OSError:
            return None

    def others_hidden(self) -> bool:
        """Whether /proc shows this user its own processes only (mount option `hidepid`)."""
        return not (self.root / "1").exists()

    def owner(self, pid: int) -> str | None:
        """The user a process runs under, by name when it is a local one; None when it has ended."""
        try:
            uid = (self.root / str(pid)).stat().st_uid
        except OSError:
            return None
        return self._local_users().get(uid, str(uid))

    def unit(self, pid: int) -> str | None:
        """The innermost service, scope or container of a process; None outside of any."""
        groups = self.groups(pid)
        # The service manager's own hierarchy knows best; in a container the others may show the outside.
        managed = [groups.pop(name) for name in ("", "name=systemd") if name in groups]
        for path in (*managed, *groups.values()):
            for part in reversed(path.split("/")):
                if part.endswith((".service", ".scope")) or re.fullmatch(r"[0-9a-f]{64}", part):
                    return part
        return None

    def groups(self, pid: int) -> dict[str, str]:
        """The cgroup of a process for each controller; that of version 2 under the empty name."""
        try:
            lines = self._of_process(pid, "cgroup").splitlines()
        except OSError:
            return {}
        fields = (line.split(":", 2) for line in lines if line.count(":") > 1)
        return {controller: path for _id, names, path in fields for controller in names.split(",")}

    def mounts(self) -> tuple[Mount, ...]:
        return tuple(filter(None, (_mount(line) for line in self._text("self/mountinfo").splitlines())))

    def meant_to_be_writable(self) -> frozenset[str]:
        """The mount points that fstab wants writable."""
        try:
            lines = [line.split() for line in self.fstab.read_text(errors="replace").splitlines()]
        except OSError:
            return frozenset()
        return frozenset(
            line[1]
            for line in lines
            if len(line) > 3 and not line[0].startswith("#") and "ro" not in line[3].split(",")
        )

    def block_kinds(self) -> frozenset[str]:
        """The filesystem types of this kernel that live on a block device."""
        lines = (line.split() for line in self._text("filesystems").splitlines())
        return frozenset(line[0] for line in lines if len(line) == 1)

    def kernel_messages(self) -> tuple[KernelMessage, ...]:
        """What the kernel itself said since boot, as far as its buffer reaches back, oldest first."""
        try:
            descriptor = os.open(str(self.kernel_log), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise Unreachable(
                f"kernel log {self.kernel_log}", str(error.strerror), "Run as root (become: true)."
            ) from error
        try:
            if not stat.S_ISCHR(os.fstat(descriptor).st_mode):
                raise Unreachable(
                    f"kernel log {self.kernel_log}", "it is no device", "It is the kernel's in a real host."
                )
            return tuple(filter(None, (_kernel_message(record) for record in _records(descriptor))))
        finally:
            os.close(descriptor)

    def _local_users(self) -> dict[int, str]:
        # Asking the name service would ask LDAP too, which may be what is down.
        try:
            lines = [line.split(":") for line in self.passwd.read_text(errors="replace").splitlines()]
        except OSError:
            return {}
        return {int(line[2]): line[0] for line in lines if len(line) > 2 and line[2].isdigit()}

    def _of_process(self, pid: int, name: str) -> str:
        # A host has thousands of these: a Path for each would take longer than to read it.
        with FileIO(f"{self.root}/{pid}/{name}") as stream:
            return stream.read().decode("utf-8", "replace")

    def _text(self, name: str) -> str:
        try:
            with (self.root / name).open("rb") as stream:
                return stream.read(FILE_BUDGET).decode("utf-8", "replace")
        except OSError as error:
            raise self._unreadable(name, error) from error

    def _unreadable(self, name: str, error: OSError) -> Unreachable:
        return Unreachable(str(self.root / name), str(error.strerror), "See that /proc is mounted.")

    def _odd(self, name: str, problem: str) -> Unreachable:
        return Unreachable(str(self.root / name), problem, "Look at it by hand.")


def space(point: str) -> Space:
    """Of a mounted filesystem. Never ask this of a network filesystem: a dead server never answers."""
    try:
        found = os.statvfs(point)
    except OSError as error:
        raise Unreachable(
            f"filesystem {point}", str(error.strerror), "See that it is in order: dmesg names the device."
        ) from error
    return Space(
        total=found.f_blocks * found.f_frsize,
        free=found.f_bfree * found.f_frsize,
        available=found.f_bavail * found.f_frsize,
        inodes=found.f_files,
        inodes_available=found.f_favail,
    )


def _mount(line: str) -> Mount | None:
    # 36 35 98:0 /root/inside /point rw,noatime master:1 - ext3 /dev/root rw,errors=continue
    before, separator, after = line.partition(" - ")
    fields, rest = before.split(" "), after.split(" ")
    if not separator or len(fields) < 6 or len(rest) < 3:
        return None
    return Mount(
        point=_unescaped(fields[4]),
        kind=rest[0],
        source=_unescaped(rest[1]),
        device=fields[2],
        options=frozenset(fields[5].split(",")),
        super_options=frozenset(rest[2].split(",")),
        root=_unescaped(fields[3]),
    )


def _unescaped(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match.group(1), 8)), text)


def _records(descriptor: int) -> Iterator[bytes]:
    """One record a read, until there is nothing more to read."""
    for _count in range(KERNEL_RECORDS):
        try:
            record = os.read(descriptor, KERNEL_RECORD_BYTES)
        except OSError as error:
            # The oldest record was overwritten while we read: the next read goes on after it.
            if error.errno == errno.EPIPE:
                continue
            if error.errno in (errno.EAGAIN, errno.EINVAL):
                return
            raise Unreachable("kernel log", str(error.strerror), "Run as root (become: true).") from error
        if not record:
            return
        yield record


def _kernel_message(record: bytes) -> KernelMessage | None:
    # 4,1234,98765432,-;Out of memory: Killed process 4242 (node) total-vm:…
    head, separator, text = record.partition(b";")
    fields = head.split(b",")
    # Above 7 lies the facility: anybody may write to the log, only the kernel as facility 0.
    if not separator or len(fields) < 3 or not fields[0].isdigit() or int(fields[0]) > 7:
        return None
    return KernelMessage(int(fields[2]) / 1e6, text.split(b"\n", 1)[0].decode("utf-8", "replace"))
