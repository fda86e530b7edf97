# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that can be asked to open their logs anew, and the signal for it."""

from __future__ import annotations

import os
import re
import signal
import time
from typing import Callable, Mapping, Sequence

from ...clients import holders
from ...clients.holders import Use, Uses
from ...clients.procfs import Procfs
from ...errors import Declined, IdentityChanged

# By the name of the process. For anything else a signal may mean an end or a reload of what is broken.
SIGNALS: Mapping[str, str] = {
    "nginx": "SIGUSR1",
    "rsyslogd": "SIGHUP",
    "syslog-ng": "SIGHUP",
    "apache2": "SIGUSR1",
    "httpd": "SIGUSR1",
    "mongod": "SIGUSR1",
    "varnishncsa": "SIGHUP",
    "dnsmasq": "SIGUSR2",
    "supervisord": "SIGUSR2",
}
# With its version, as distributions call it; a name may hold anything else too.
FAMILY = re.compile(r"php-fpm[\d.]*")
WAIT_SECONDS, POLL_SECONDS = 5.0, 0.05


def signal_of(name: str) -> str | None:
    return "SIGUSR1" if FAMILY.fullmatch(name) else SIGNALS.get(name)


def catches(procfs: Procfs, pid: int, name: str) -> bool:
    """Whether the process has a handler for a signal that would end it otherwise."""
    for line in _status(procfs, pid):
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (getattr(signal, name) - 1) & 1)
    return False


def parent(procfs: Procfs, pid: int) -> int:
    return next((int(line.split()[1]) for line in _status(procfs, pid) if line.startswith("PPid:")), 0)


def _status(procfs: Procfs, pid: int) -> Sequence[str]:
    try:
        return (procfs.root / str(pid) / "status").read_text(errors="replace").splitlines()
    except OSError:
        return ()


def head_of(procfs: Procfs, pids: Sequence[int]) -> int:
    """Of a program's processes the one that started the others."""
    return next((pid for pid in sorted(pids) if parent(procfs, pid) not in pids), min(pids))


class Reopener:
    """Sends the signal and waits until the old files are let go."""

    def __init__(
        self,
        procfs: Procfs,
        kill: Callable[[int, int], None] = os.kill,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._procfs, self._kill, self._sleep, self._clock = procfs, kill, sleep, clock

    def ask(self, pid: int, started: int, name: str, keys: Sequence[tuple[int, int]]) -> None:
        """Raises `IdentityChanged` when it is another process, `Declined` when it keeps a file open."""
        subject, wanted = f"process {name} (pid {pid})", signal_of(name)
        process = self._procfs.process(pid)
        if process is None or process.started != started or process.name != name or wanted is None:
            raise IdentityChanged(subject, "it is gone or another one by now", "Look again.")
        if not catches(self._procfs, pid, wanted):
            raise IdentityChanged(subject, f"it has no handler for {wanted}", "Restart it instead.")
        try:
            self._kill(pid, getattr(signal, wanted))
        except OSError as error:
            raise IdentityChanged(subject, str(error.strerror), "Look again.") from error
        end = self._clock() + WAIT_SECONDS
        while self._holds(keys):
            if self._clock() >= end:
                raise Declined(
                    subject, f"it still holds its old log {WAIT_SECONDS:g} s after {wanted}", "Restart it."
                )
            self._sleep(POLL_SECONDS)

    def _holds(self, keys: Sequence[tuple[int, int]]) -> bool:
        seen: Uses = holders.uses(self._procfs, lambda: False)
        return any(_writing(seen.of.get(key, ())) for key in keys)


def _writing(uses: Sequence[Use]) -> bool:
    return any(use.deleted or holders.writes(use) for use in uses)
