# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages were installed, upgraded and removed lately: dpkg, apt, rpm, and what apk leaves."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Iterator

from ..errors import Unreachable
from .command import find, run

# Enough for some thousand packages; older runs are not what changed lately.
TAIL = 1024 * 1024
INSTALLED, UPGRADED, REMOVED = "installed", "upgraded", "removed"

# 2026-11-22 01:33:20 upgrade nginx:amd64 1.22.1-9 1.22.1-9+deb12u1
_DPKG = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (install|upgrade|remove|purge) ([^ :]+)(?::\S+)? (\S+) (\S+)"
)
# 2026-11-22T01:33:20+0000 SUBDEBUG Upgrade: nginx-1:1.24.0-2.x86_64
_DNF = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)([+-]\d{4}|Z) \w+ (\w+): (\S+)")
# `Upgraded` is the old version that goes.
_DNF_VERBS = {
    "Install": INSTALLED,
    "Installed": INSTALLED,
    "Upgrade": UPGRADED,
    "Erase": REMOVED,
    "Removed": REMOVED,
}


@dataclass(frozen=True)
class PackageChange:
    """`time` in seconds since the epoch; `old` and `new` are versions, empty where there is none."""

    time: float
    verb: str
    name: str
    old: str = ""
    new: str = ""


@dataclass(frozen=True)
class Run:
    """One run of apt. `end` is None for one that was broken off or is still going on."""

    start: float
    end: float | None
    command: str
    who: str


@dataclass(frozen=True)
class Host:
    """Where the logs are; below `root` in a test."""

    root: Path = Path("/")

    def changes(self, since: float, timeout: float) -> tuple[PackageChange, ...]:
        """Oldest first. Raises `Unreachable` where no log of a package manager can be read."""
        for name, parse in (("var/log/dpkg.log", _dpkg), ("var/log/dnf.rpm.log", _dnf)):
            log = self.root / name
            if log.exists():
                text = _tail(log)
                rotated = Path(f"{log}.1")
                if rotated.exists() and rotated.stat().st_mtime >= since:
                    text = _tail(rotated) + text
                return tuple(change for change in parse(text) if change.time >= since)
        return self._without_a_log(since, timeout)

    def apt_runs(self) -> tuple[Run, ...]:
        """Who ran apt, and how, oldest first; nothing where there is no apt."""
        log = self.root / "var/log/apt/history.log"
        return tuple(filter(None, map(_apt_run, _tail(log).split("\n\n")))) if log.exists() else ()

    def _without_a_log(self, since: float, timeout: float) -> tuple[PackageChange, ...]:
        rpm = find("rpm")
        if rpm and any((self.root / name).exists() for name in ("var/lib/rpm", "usr/lib/sysimage/rpm")):
            shown = run([rpm, "-qa", "--qf", "%{INSTALLTIME} %{NAME} %{VERSION}-%{RELEASE}\n"], timeout)
            fields = (line.split() for line in shown.stdout.splitlines())
            found = (
                PackageChange(float(one[0]), INSTALLED, one[1], "", one[2])
                for one in fields
                if len(one) == 3 and one[0].isdigit()
            )
            return tuple(sorted((one for one in found if one.time >= since), key=lambda one: one.time))
        database = self.root / "lib/apk/db/installed"
        if database.exists():
            # apk writes no log: only when it last did something is known.
            written = database.stat().st_mtime
            return (PackageChange(written, UPGRADED, "packages (apk)"),) if written >= since else ()
        raise Unreachable("package log", "none was found", "Ask the package manager of this host.")


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            stream.seek(max(0, size - TAIL))
            text = stream.read(TAIL).decode("utf-8", "replace")
    except OSError as error:
        raise Unreachable(f"log {log}", str(error.strerror), "Run as root (become: true).") from error
    return text if size <= TAIL else text.partition("\n")[2]


def _dpkg(text: str) -> Iterator[PackageChange]:
    for stamp, verb, name, old, new in _DPKG.findall(text):
        moment = _local(stamp)
        if moment is None:
            continue
        before, after = ("" if version == "<none>" else version for version in (old, new))
        if verb == "upgrade":
            yield PackageChange(moment, UPGRADED, name, before, after)
        else:
            # What was installed before is only configured anew.
            yield PackageChange(moment, INSTALLED if verb == "install" else REMOVED, name, before, after)


def _dnf(text: str) -> Iterator[PackageChange]:
    for stamp, zone, verb, package in _DNF.findall(text):
        if verb in _DNF_VERBS:
            moment = datetime.strptime(f"{stamp}{zone.replace('Z', '+0000')}", "%Y-%m-%dT%H:%M:%S%z")
            yield PackageChange(moment.timestamp(), _DNF_VERBS[verb], package)


def _apt_run(stanza: str) -> Run | None:
    fields = dict(line.partition(": ")[::2] for line in stanza.strip().splitlines())
    start = _local(fields.get("Start-Date", ""))
    if start is None:
        return None
    return Run(
        start,
        _local(fields.get("End-Date", "")),
        fields.get("Commandline", ""),
        fields.get("Requested-By", ""),
    )


def _local(stamp: str) -> float | None:
    """The logs are in the zone of the host."""
    try:
        return datetime.fromisoformat(" ".join(stamp.split())).timestamp()
    except (ValueError, OverflowError):
        return None
