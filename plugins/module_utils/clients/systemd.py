# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd, asked through systemctl and loginctl in the form meant for programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Mapping, Sequence

from ..errors import Unreachable
from .command import Completed, require, run

BOOTED = Path("/run/systemd/system")
PROPERTIES = (
    "Id,Names,LoadState,ActiveState,SubState,Result,Type,NRestarts,ExecMainCode,ExecMainStatus,"
    "UnitFileState,ActiveEnterTimestampMonotonic,InactiveEnterTimestampMonotonic,Wants,ConsistsOf,"
    "ConditionResult,TriggeredBy"
)
# Old versions draw one before units in trouble, whatever they are told.
BULLETS = "●* "
SESSION_PROPERTIES = ("Name", "RemoteHost", "TTY", "Timestamp", "Service", "State", "Class")
LOGIN_PROPERTIES = ("Id", "User", "Leader", "Scope")
# Sessions of people; those of cron are `background`. Others belong to service managers and greeters.
LOGIN_CLASSES = ("user", "background")


@dataclass(frozen=True)
class Unit:
    """One unit. The `…_since` are in seconds of the monotonic clock, 0 for never.

    `result` says why it is not running any more (success, exit-code, signal, oom-kill, start-limit-hit,
    …); `restarts` counts the automatic ones since somebody started it.
    """

    name: str
    load: str
    active: str
    sub: str
    result: str = "success"
    kind: str = ""
    restarts: int = 0
    exit_code: int = 0
    exit_status: int = 0
    enabled: str = ""
    active_since: float = 0.0
    inactive_since: float = 0.0
    condition: bool = True
    triggered_by: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()
    consists_of: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Session:
    """One login: `since` as systemd writes it, `remote` is empty for a local one."""

    user: str
    remote: str
    terminal: str
    since: str
    service: str
    state: str


@dataclass(frozen=True)
class Timer:
    """A timer that waits for its time; `unit` has no ending."""

    unit: str
    description: str


def arm(unit: str, seconds: int, description: str, argv: Sequence[str]) -> None:
    """Have systemd run `argv` once after `seconds`, whatever becomes of us. Raises `Unreachable`."""
    _answer(
        run(
            [
                require("systemd-run", "systemd"),
                "--quiet",
                "--collect",
                f"--unit={unit}",
                f"--description={description}",
                f"--on-active={seconds}s",
                # Without it systemd may take a minute longer.
                "--timer-property=AccuracySec=100ms",
                "--",
                *argv,
            ]
        )
    )


def disarm(unit: str) -> None:
    """Stop a timer; nothing happens when it does not wait any more."""
    answer = run([require("systemctl", "systemd"), "stop", f"{unit}.timer"])
    if not answer.ok and "not loaded" not in answer.stderr:
        _answer(answer)


def waiting(pattern: str) -> tuple[Timer, ...]:
    """The timers that wait and whose names without the ending match a shell pattern."""
    show = [require("systemctl", "systemd"), "show", "--property=Id,Description,ActiveState"]
    shown = _answer(run([*show, "--", f"{pattern}.timer"]))
    return tuple(
        Timer(block["Id"][: -len(".timer")], block.get("Description", ""))
        for block in _blocks(shown)
        if block.get("ActiveState") == "active" and block.get("Id", "").endswith(".timer")
    )


@dataclass(frozen=True)
class Login(Session):
    """A session with its identity: `leader` is the process that logged in, 0 when that is not known.

    `scope` is the unit that holds its processes.
    """

    id: str = ""
    uid: int | None = None
    leader: int = 0
    scope: str = ""


def booted() -> bool:
    """Whether systemd runs this host; in most containers it does not."""
    return BOOTED.is_dir()


def units(named: Sequence[str], timeout: float) -> tuple[Unit, ...]:
    """All services that systemd knows of, failed units of every kind, and those that are `named`."""
    systemctl = require("systemctl", "systemd")
    listed = _answer(run([systemctl, "list-units", "--all", "--plain", "--no-legend", "--full"], timeout))
    lines = (line.lstrip(BULLETS).split() for line in listed.splitlines())
    units = [Unit(name=line[0], load=line[1], active=line[2], sub=line[3]) for line in lines if len(line) > 3]
    services = [unit for unit in units if unit.name.endswith(".service")]
    failed = {unit.name for unit in units if unit.active == "failed"}
    # Of each that is shown systemd works out everything, which takes it a millisecond: not of mere names.
    wanted = sorted({*named, *failed, *(unit.name for unit in services if not _only_a_name(unit))})
    found = {unit.name: unit for unit in services}
    if wanted:
        # A name that is given is answered for, loaded or not.
        shown = _answer(run([systemctl, "show", f"--property={PROPERTIES}", "--", *wanted], timeout))
        found.update((unit.name, unit) for unit in map(_unit, _blocks(shown)))
    return tuple(found.values())


def _only_a_name(unit: Unit) -> bool:
    """Another unit mentions it, or somebody has masked it: there is nothing more to know."""
    return unit.load in ("not-found", "masked") and unit.active == "inactive"


def sessions(timeout: float) -> tuple[Session, ...]:
    """Who is logged in, as logind sees it."""
    # Beside people's sessions there are those of their service managers and of the login screen.
    shown = _shown_sessions(SESSION_PROPERTIES, timeout)
    people = (block for block in shown if block.get("Class", "user").startswith("user"))
    return tuple(_session(block) for block in people if block.get("Name"))


def logins(timeout: float) -> tuple[Login, ...]:
    """Every login session with its identity, those that cron opened too."""
    shown = _shown_sessions((*SESSION_PROPERTIES, *LOGIN_PROPERTIES), timeout)
    people = (block for block in shown if block.get("Class", "user").startswith(LOGIN_CLASSES))
    return tuple(_login(block) for block in people if block.get("Name") and block.get("Id"))


def end_login(session: str, force: bool = False, timeout: float = 10.0) -> None:
    """Ask logind to end a session, or kill everything in it. One that has ended is no error."""
    loginctl = require("loginctl", "systemd")
    words = ["kill-session", "--signal=SIGKILL"] if force else ["terminate-session"]
    answer = run([loginctl, *words, "--", session], timeout)
    if not answer.ok and "No session" not in answer.complaint:
        raise Unreachable(f"session {session}", answer.complaint, "See loginctl session-status.")


def show(unit: str, properties: Sequence[str], timeout: float = 10.0) -> Mapping[str, str]:
    """Properties of one unit as systemctl prints them; one that it does not know is missing."""
    systemctl = require("systemctl", "systemd")
    argv = [systemctl, "show", f"--property={','.join(properties)}", "--", unit]
    return next(_blocks(_answer(run(argv, timeout))), {})


def control(*words: str, timeout: float = 60.0) -> Completed:
    """Run `systemctl` with these words and give what it answered."""
    return run([require("systemctl", "systemd"), *words], timeout)


def _shown_sessions(properties: Sequence[str], timeout: float) -> tuple[Mapping[str, str], ...]:
    loginctl = require("loginctl", "systemd")
    listed = _answer(run([loginctl, "list-sessions", "--no-legend"], timeout))
    numbers = [line.split()[0] for line in listed.splitlines() if line.strip()]
    if not numbers:
        return ()
    # Unlike systemctl, loginctl takes one property at a time.
    wanted = [f"--property={name}" for name in properties]
    # A session that ends meanwhile makes loginctl fail, after it has shown the others.
    return tuple(_blocks(run([loginctl, "show-session", *wanted, "--", *numbers], timeout).stdout))


def _answer(completed: Completed) -> str:
    if not completed.ok:
        raise Unreachable("systemd", completed.complaint, "See that it answers: systemctl is-system-running.")
    return completed.stdout


def _blocks(text: str) -> Iterator[Mapping[str, str]]:
    for block in text.split("\n\n"):
        pairs = (line.partition("=") for line in block.splitlines())
        found = {name: value for name, equals, value in pairs if equals}
        if found:
            yield found


def _unit(block: Mapping[str, str]) -> Unit:
    return Unit(
        name=block.get("Id", ""),
        names=tuple(block.get("Names", "").split()),
        load=block.get("LoadState", ""),
        active=block.get("ActiveState", ""),
        sub=block.get("SubState", ""),
        result=block.get("Result", "success"),
        kind=block.get("Type", ""),
        restarts=_number(block.get("NRestarts")),
        exit_code=_number(block.get("ExecMainCode")),
        exit_status=_number(block.get("ExecMainStatus")),
        enabled=block.get("UnitFileState", ""),
        active_since=_number(block.get("ActiveEnterTimestampMonotonic")) / 1e6,
        inactive_since=_number(block.get("InactiveEnterTimestampMonotonic")) / 1e6,
        condition=block.get("ConditionResult", "yes") == "yes",
        triggered_by=tuple(block.get("TriggeredBy", "").split()),
        wants=tuple(block.get("Wants", "").split()),
        consists_of=tuple(block.get("ConsistsOf", "").split()),
    )


def _session(block: Mapping[str, str]) -> Session:
    return Session(
        user=block["Name"],
        remote=block.get("RemoteHost", ""),
        terminal=block.get("TTY", ""),
        since=block.get("Timestamp", ""),
        service=block.get("Service", ""),
        state=block.get("State", ""),
    )


def _login(block: Mapping[str, str]) -> Login:
    return Login(
        user=block["Name"],
        remote=block.get("RemoteHost", ""),
        terminal=block.get("TTY", ""),
        since=block.get("Timestamp", ""),
        service=block.get("Service", ""),
        state=block.get("State", ""),
        id=block["Id"],
        uid=int(block["User"]) if block.get("User", "").isdigit() else None,
        leader=_number(block.get("Leader")),
        scope=block.get("Scope", ""),
    )


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0
