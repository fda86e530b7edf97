# SPDX-License-Identifier: GPL-3.0-or-later
"""Closes and opens accounts, ends sessions and processes. What is in place already is no error."""

from __future__ import annotations

import signal
import time
from typing import Any, Callable, Mapping

from ..clients import accounts, systemd, user_processes
from ..errors import FirebreakError, IdentityChanged
from ..lifecycle import Performer
from . import observe
from .observe import Live
from .people import of_person

# What a session and a process are given to end by themselves.
GRACE_SECONDS = 2.0
# After that they are killed, and killed again while new ones are born.
KILL_SECONDS = 3.0
POLL_SECONDS = 0.05


def _set(identity: Mapping[str, Any]) -> None:
    """Take an account from one condition to another, if it is in the first one still."""
    name, before, after = identity["user"], identity["from"], identity["to"]
    found = _condition(identity)
    if found == after:
        return
    if found != before:
        raise IdentityChanged(
            f"account {name}",
            f"it was found as {before} and is now {found}",
            "Somebody has changed it since: look at users_info and decide anew.",
        )
    accounts.change(name, before["password"], after["password"], after["expires"])
    found = _condition(identity)
    if found != after:
        raise FirebreakError(
            f"account {name}", f"usermod left it as {found} instead of {after}", "Look at it: chage -l."
        )


def _condition(identity: Mapping[str, Any]) -> Mapping[str, Any]:
    for account in accounts.accounts():
        if (account.name, account.uid) == (identity["user"], identity["uid"]):
            return {"password": account.password, "expires": account.expires}
    raise IdentityChanged(
        f"account {identity['user']}",
        f"it is no longer here with uid {identity['uid']}",
        "Look at users_info.",
    )


def _end(identity: Mapping[str, Any]) -> None:
    """End one session with everything in it; a login without logind by its process."""
    session = identity["session"]
    if session is None:
        _end_leader(identity)
        return

    def living() -> Live | None:
        return next((one for one in observe.sessions().live if one.login.id == session), None)

    found = living()
    if found is None:
        return
    login = found.login
    if [login.user, login.leader, found.started] != [identity[key] for key in ("user", "leader", "started")]:
        raise IdentityChanged(
            f"session {session}",
            f"it is now one of {login.user} with leader {login.leader}",
            "Look at sessions_info.",
        )
    systemd.end_login(session)
    if _until(lambda: living() is None, GRACE_SECONDS):
        return
    systemd.end_login(session, force=True)
    _until(lambda: living() is None, KILL_SECONDS)


def _end_leader(identity: Mapping[str, Any]) -> None:
    pid, since = identity["leader"], identity["started"]

    def ended() -> bool:
        return bool(user_processes.started(pid) != since)

    for number, seconds in ((signal.SIGHUP, GRACE_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        if since is None or not user_processes.send(pid, since, number) or _until(ended, seconds):
            return


def _end_processes(identity: Mapping[str, Any]) -> None:
    """End what a person has running, also what was born since the plan was made."""
    uid = identity["uid"]
    manager = f"user@{uid}.service"
    managed = systemd.booted() and systemd.show(manager, ["ActiveState"]).get("ActiveState") == "active"
    if managed:
        systemd.control("stop", "--no-block", manager)
    if not _ended(uid, signal.SIGTERM):
        _until(lambda: not _signalled(uid, signal.SIGKILL), KILL_SECONDS)
    if managed:
        # Killed by us, it would count as failed.
        _until(lambda: systemd.show(manager, ["ActiveState"]).get("ActiveState") in _OVER, GRACE_SECONDS)
        systemd.control("reset-failed", manager)


_OVER = ("inactive", "failed")


def _ended(uid: int, number: signal.Signals) -> bool:
    """Whether one signal to each of them and some patience is enough."""
    _signalled(uid, number)
    return _until(lambda: not _running(uid), GRACE_SECONDS)


def _signalled(uid: int, number: signal.Signals) -> bool:
    """Signal all of them; False when there are none."""
    running = _running(uid)
    for pid, since in running:
        user_processes.send(pid, since, number)
    return bool(running)


def _running(uid: int) -> list[tuple[int, int]]:
    seen = observe.runners()
    return [(process.pid, process.started) for process in of_person(seen.processes, uid, seen.me)]


def _until(holds: Callable[[], bool], seconds: float) -> bool:
    """Whether it comes to hold within that time."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_SECONDS)
    return True


PERFORM: Mapping[str, Performer] = {
    "accounts.lock": _set,
    "accounts.unlock": _set,
    "sessions.end": _end,
    "sessions.end_processes": _end_processes,
}
