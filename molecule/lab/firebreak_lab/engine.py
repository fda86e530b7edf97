# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker Engine outside: the connection, running a command, what kind of host it is."""

from __future__ import annotations

import socket as sockets
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker  # type: ignore[import-untyped]
from docker.errors import DockerException, NotFound  # type: ignore[import-untyped]

from .model import LabError

CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Result:
    """What a command on a host did."""

    rc: int
    stdout: str
    stderr: str

    def check(self, what: str) -> Result:
        """Self, or an error with the command's own words."""
        if self.rc:
            raise LabError(f"{what} failed with {self.rc}: {(self.stderr or self.stdout).strip()[-600:]}")
        return self


def connect() -> Any:
    """A client of the engine."""
    try:
        client = docker.from_env(timeout=120)
        client.ping()
    except DockerException as error:
        raise LabError(f"no Docker Engine answers ({error}); start one with: tools/engine") from error
    return client


def exec_in(
    container: Any, argv: Sequence[str], *, timeout: float = 60, stdin: Iterable[bytes] | None = None
) -> Result:
    """Run a command in a container as root, ended from inside when the time is over."""
    api = container.client.api
    bounded = ["timeout", "-k", "2", f"{timeout:.3f}", *argv]
    handle = api.exec_create(container.id, bounded, stdin=stdin is not None)["Id"]
    stream = api.exec_start(handle, socket=True)
    raw: sockets.socket = getattr(stream, "_sock", stream)
    # The command ends itself inside; this is for an engine that stops answering.
    raw.settimeout(timeout + 10)
    out: dict[int, bytearray] = {1: bytearray(), 2: bytearray()}
    feeder = threading.Thread(target=_feed, args=(raw, stdin), daemon=True) if stdin is not None else None
    try:
        if feeder:
            feeder.start()
        for number, chunk in _frames(stream):
            out[number] += chunk
        if feeder:
            feeder.join()
    except TimeoutError:
        return Result(124, out[1].decode(errors="replace"), f"no answer within {timeout + 10:.0f} s")
    finally:
        stream.close()
        raw.close()
    return Result(_exit_code(api, handle), out[1].decode(errors="replace"), out[2].decode(errors="replace"))


def _frames(stream: Any) -> Iterator[tuple[int, bytes]]:
    """What came together with the headers of the answer lies in the reader above the socket already."""
    reader = stream._response.raw._fp.fp
    while header := reader.read(8):
        yield header[0], reader.read(int.from_bytes(header[4:], "big"))


def _feed(raw: sockets.socket, data: Iterable[bytes]) -> None:
    try:
        for chunk in data:
            raw.sendall(chunk)
        raw.shutdown(sockets.SHUT_WR)
    except OSError:
        return  # the command did not want to read all of it


def _exit_code(api: Any, handle: str) -> int:
    # The stream ends a moment before the engine has written down the exit code.
    for _ in range(100):
        code = api.exec_inspect(handle)["ExitCode"]
        if code is not None:
            return int(code)
        time.sleep(0.02)
    return 125


def systemd_options(client: Any, suite: str) -> dict[str, Any]:
    """What a container needs so that the suite's systemd boots as PID 1 on this engine's host."""
    info = client.info()
    options: dict[str, Any] = {
        "cap_add": ["ALL"],
        # Not every host has it to give; with it in the list such a host refuses the container.
        "cap_drop": ["SYS_RESOURCE"],
        "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
        "tmpfs": {"/run": "mode=755", "/run/lock": "", "/tmp": "mode=1777"},
    }
    if str(info.get("CgroupVersion", "1")) == "2":
        return options | {"cgroupns": "private"}
    if suite == "bookworm":
        return options | {"cgroupns": "host", "volumes": {str(CGROUP): {"bind": str(CGROUP), "mode": "rw"}}}
    if not (CGROUP / "unified").is_dir():
        raise LabError(
            "the systemd of Debian 13 needs cgroup v2, and this host has v1 only: mount -t cgroup2 none "
            f"{CGROUP}/unified, or boot it with systemd.unified_cgroup_hierarchy=1"
        )
    mount = {str(CGROUP / "unified"): {"bind": str(CGROUP), "mode": "rw"}}
    return options | {"cgroupns": "host", "volumes": mount}


def default_mtu() -> int:
    """The MTU of the interface that has the default route."""
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1] == "00000000" and fields[7] == "00000000":
            return int(Path(f"/sys/class/net/{fields[0]}/mtu").read_text())
    return 1500


__all__ = ["NotFound", "Result", "connect", "default_mtu", "exec_in", "systemd_options"]
