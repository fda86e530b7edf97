# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a unit log more until an end that is armed first, and takes that back."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Any, Mapping

from ..clients import dropins, systemd
from ..clients.command import require, run
from ..clients.dropins import Place
from ..errors import FirebreakError, IdentityChanged
from ..lifecycle import Performer
from ..moments import iso, utc_now
from .decide import effective
from .observe import VERBOSE, Current, current_of

# So long a service has to come up, and then to stay up: one that dies of its new level does so at once.
SETTLE_SECONDS, STAY_SECONDS = 5.0, 1.0
POLL_SECONDS = 0.1
# What can be copied from how systemd shows a command to how it reads one.
_PLAIN = re.compile(r"argv\[\]=(/\S+)((?: [\w./:=@$,{}-]+)*) ;")


def _enhance(identity: Mapping[str, Any]) -> None:
    """Arm the end, write the drop-in, restart what does not run with it yet. A failure takes all back."""
    place, sshd, environment = Place(identity["unit"]), identity["sshd"], identity["environment"]
    current = current_of(place.unit)
    if current.active != "active":
        raise IdentityChanged(place.unit, f"it is {current.active} now", "Start it first.")
    text = _text(place, current, identity)
    if sshd:
        _test_sshd()
    dropins.end_in(place, identity["seconds"], _restart_command(place, sshd))
    try:
        dropins.put(place, text, environment)
        dropins.reload()
        if not effective(sshd, environment, current):
            _restart(place)
            _prove(place, sshd, environment)
    except FirebreakError as error:
        _take_back(place)
        raise FirebreakError(
            error.subject, f"{error.problem}; it was taken back and runs as before", error.cure
        ) from error


def _restore(identity: Mapping[str, Any]) -> None:
    """Take the drop-in away. Where the end has come already there is nothing to do."""
    place, sshd = Place(identity["unit"]), identity["sshd"]
    there = dropins.take(place)
    systemd.disarm(place.timer)
    if not there:
        return
    dropins.reload()
    if current_of(place.unit).active == "active":
        if sshd:
            _test_sshd()
        _restart(place)


def _take_back(place: Place) -> None:
    dropins.take(place)
    systemd.disarm(place.timer)
    dropins.reload()
    # Having died too often with it must not keep it down without it.
    systemd.control("reset-failed", "--", place.unit)
    _restart(place)


def _text(place: Place, current: Current, identity: Mapping[str, Any]) -> str:
    end = iso(utc_now() + timedelta(seconds=identity["seconds"]))
    lines = [f"# Ends {end}, by {place.timer}.timer of Firebreak.", "[Service]"]
    if not identity["sshd"]:
        return "\n".join([*lines, f"EnvironmentFile=-{place.environment}", ""])
    start = _PLAIN.search(current.start.replace(f" -o {VERBOSE}", ""))
    if start is None:
        raise FirebreakError(
            place.unit, f"it starts sshd in a way of its own: {current.start}", "Set LogLevel by hand."
        )
    # On the command line it wins over every file, and the first one there wins.
    command = f"{start.group(1)} -o {VERBOSE}{start.group(2)}"
    return "\n".join([*lines, "ExecStart=", f"ExecStart={command}", ""])


def _restart_command(place: Place, sshd: bool) -> str:
    command = f"systemctl try-restart '{place.unit}'"
    # A sshd that does not start again shuts everybody out; as it is it only says too much.
    return f"{require('sshd', 'openssh-server')} -t && {command}" if sshd else command


def _test_sshd() -> None:
    answer = run([require("sshd", "openssh-server"), "-t"])
    if not answer.ok:
        raise FirebreakError(
            "sshd", f"its configuration is broken: {answer.complaint}", "Mend it (sshd -t), then try again."
        )


def _restart(place: Place) -> None:
    answer = systemd.control("restart", "--", place.unit)
    if not answer.ok:
        raise FirebreakError(
            place.unit, f"it did not start again: {answer.complaint}", "See journalctl -u for why."
        )


def _prove(place: Place, sshd: bool, environment: Mapping[str, str]) -> None:
    """The new process runs with it, and stays."""
    end = time.monotonic() + SETTLE_SECONDS
    pid, since = 0, end
    while True:
        current, now = current_of(place.unit), time.monotonic()
        on = current.active == "active" and effective(sshd, environment, current)
        if not on or current.pid != pid:
            pid, since = (current.pid if on else 0), now
        elif now >= since + STAY_SECONDS:
            return
        if now > end:
            break
        time.sleep(POLL_SECONDS)
    raise FirebreakError(
        place.unit,
        f"after the restart it is {current.active} and its process does not have what was set",
        "Something sets it later: see systemctl cat.",
    )


PERFORM: Mapping[str, Performer] = {"logging.enhance": _enhance, "logging.restore": _restore}
