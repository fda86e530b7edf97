# SPDX-License-Identifier: GPL-3.0-or-later
"""What the logs have said in the last minutes and in the hour before: journal, files and containers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Sequence

from ..clients import docker, systemd
from ..clients.command import find
from ..clients.docker import Engine, Place, of_service
from ..clients.docker_logs import Printed, printed
from ..clients.logs import LogFile, Record, find_logs, newest_records
from ..deadlines import Deadline, gather
from ..errors import Unreachable
from ..moments import utc_now
from ..services import COMPOSE, Service
from .files import add_kernel, add_requests, errors_of, is_access_log, kernel_of, requests_of
from .parse import is_error, time_of, told
from .tally import WHOLE, Count, Errors, Http, Kernel, merged

JOURNAL_BUDGET = 2 * 1024 * 1024
JOURNAL_FIELDS = (
    "MESSAGE",
    "PRIORITY",
    "_TRANSPORT",
    "_SYSTEMD_UNIT",
    "UNIT",
    "SYSLOG_IDENTIFIER",
    "CONTAINER_NAME",
)
# Errors of any program, and whatever kernel and audit say.
JOURNAL_MATCHES = (
    "PRIORITY=0",
    "PRIORITY=1",
    "PRIORITY=2",
    "PRIORITY=3",
    "+",
    "_TRANSPORT=kernel",
    "+",
    "_TRANSPORT=audit",
)
# Who fails to log in, or to become root, is counted by the logins section; the internet does it all day.
LOGIN_PROGRAMS = ("sshd", "sudo", "su", "login", "fail2ban")

ACCESS_LOGS = ("/var/log/nginx/*access*.log", "/var/log/apache2/*access*.log", "/var/log/httpd/*access_log")
ERROR_LOGS = ("/var/log/nginx/*error*.log",)
# Where the journal has nothing of the kernel, syslog may.
KERNEL_LOGS = ("/var/log/ufw.log", "/var/log/kern.log", "/var/log/messages")
AUDIT_LOGS = ("/var/log/audit/audit.log",)

CONTAINERS, CONTAINER_LINES, CONTAINER_BUDGET = 30, 3000, 1024 * 1024
# Of one log, and of all: an engine that hangs over one must not cost the section.
CONTAINER_SECONDS, CONTAINERS_SECONDS = 1.0, 2.0


@dataclass(frozen=True)
class Unread:
    """A log of which nothing is known. `configured` when the inventory names it."""

    source: str
    reason: str
    configured: bool


@dataclass(frozen=True)
class Read:
    """What one part of the logs gave."""

    errors: tuple[Errors, ...] = ()
    http: tuple[Http, ...] = ()
    kernel: Kernel | None = None
    unread: tuple[Unread, ...] = ()
    cut: tuple[str, ...] = ()
    kernel_speaks: bool = False


@dataclass(frozen=True)
class Snapshot:
    """`now` in seconds since the epoch. Of the logs in `cut` only the newest part was read.

    `lesser` are the services that the inventory does not call essential.
    """

    now: float
    errors: tuple[Errors, ...] = ()
    http: tuple[Http, ...] = ()
    kernel: Kernel = field(default_factory=lambda: Kernel.empty(0.0))
    unread: tuple[Unread, ...] = ()
    cut: tuple[str, ...] = ()
    lesser: frozenset[str] = frozenset()


def observe(
    services: Sequence[Service],
    deadline: Deadline,
    clock: Callable[[], float] = lambda: utc_now().timestamp(),
) -> Snapshot:
    """All kinds of logs at once; one that cannot be read hides no other."""
    now = clock()
    tasks: Mapping[str, Callable[[Deadline], Read]] = {
        "journal": lambda inner: _journal(services, now, inner),
        "files": lambda _inner: _files(services, now),
        "containers": lambda inner: _containers(services, now, inner),
    }
    seen = gather(tasks, deadline.remaining())
    read = [outcome.value for outcome in seen.values() if outcome.value is not None]
    kernels = [one.kernel for one in read if one.kernel is not None]
    if not any(one.kernel_speaks for one in read):
        kernels += _kernel_files(KERNEL_LOGS, now)
    unread = [
        Unread(name, outcome.unseen, configured=name == "journal")
        for name, outcome in seen.items()
        if outcome.unseen
    ]
    return Snapshot(
        now,
        errors=tuple(errors for one in read for errors in one.errors),
        http=tuple(http for one in read for http in one.http),
        kernel=merged([*kernels, *_kernel_files(AUDIT_LOGS, now)], now),
        unread=(*unread, *(log for one in read for log in one.unread)),
        cut=tuple(log for one in read for log in one.cut),
        lesser=frozenset(service.name for service in services if not service.essential),
    )


def _journal(services: Sequence[Service], now: float, deadline: Deadline) -> Read:
    if find("journalctl") is None or not systemd.booted():
        return Read()
    records, cut = newest_records(
        JOURNAL_MATCHES, JOURNAL_FIELDS, now - WHOLE, JOURNAL_BUDGET, deadline.remaining()
    )
    owners = {str(service.unit): service.name for service in services if service.unit}
    counts: dict[str, Count] = {}
    kernel, speaks = Kernel.empty(now), False
    for record in records:
        message = record.fields.get("MESSAGE", "")
        if record.fields.get("_TRANSPORT") in ("kernel", "audit"):
            speaks = True
            add_kernel(kernel, record.time, message)
        program = _program(record)
        if program and record.fields.get("PRIORITY", "7") <= "3":
            counts.setdefault(program, Count(now)).add(record.time, told(message))
    seen_from = records[-1].time if cut and records else None
    errors = tuple(Errors(name, owners.get(name), count, seen_from) for name, count in counts.items())
    return Read(errors, kernel=kernel, cut=("journal",) if cut else (), kernel_speaks=speaks)


def _program(record: Record) -> str | None:
    """The unit it concerns; None for what is counted elsewhere."""
    fields = record.fields
    if fields.get("_TRANSPORT") == "kernel":
        return "kernel"
    # To the journal all that a container prints on stderr is an error.
    if "CONTAINER_NAME" in fields or fields.get("SYSLOG_IDENTIFIER", "").startswith(LOGIN_PROGRAMS):
        return None
    return fields.get("UNIT") or fields.get("_SYSTEMD_UNIT") or fields.get("SYSLOG_IDENTIFIER")


def _files(services: Sequence[Service], now: float) -> Read:
    whole = Read()
    done: set[str] = set()
    sets: list[tuple[str | None, Sequence[str]]] = [(one.name, one.logs) for one in services if one.logs]
    for service, patterns in [*sets, (None, (*ACCESS_LOGS, *ERROR_LOGS))]:
        files, troubles = find_logs(patterns)
        whole = _with(
            whole, unread=tuple(Unread(e.subject, e.problem, service is not None) for e in troubles)
        )
        if service and not files and not troubles and not _any(patterns):
            whole = _with(
                whole, unread=(Unread(f"logs of {service}", f"no file is {', '.join(patterns)}", True),)
            )
        for file in files:
            if file.path not in done and not file.compressed and file.mtime >= now - WHOLE:
                done.add(file.path)
                whole = _with_file(whole, file, service, now)
    return whole


def _with_file(whole: Read, file: LogFile, service: str | None, now: float) -> Read:
    try:
        if is_access_log(file):
            return _with(whole, http=(requests_of(file, now),))
        errors = errors_of(file, service, now)
    except (Unreachable, OSError) as error:
        reason = error.problem if isinstance(error, Unreachable) else str(error.strerror)
        return _with(whole, unread=(Unread(f"log {file.path}", reason, service is not None),))
    return _with(whole, errors=(errors,), cut=() if errors.seen_from is None else (file.path,))


def _with(read: Read, **more: tuple[Any, ...]) -> Read:
    return Read(
        errors=(*read.errors, *more.get("errors", ())),
        http=(*read.http, *more.get("http", ())),
        unread=(*read.unread, *more.get("unread", ())),
        cut=(*read.cut, *more.get("cut", ())),
    )


def _any(patterns: Sequence[str]) -> bool:
    """Whether there is a file at all: an empty log is a quiet one."""
    return any(next(Path("/").glob(pattern.lstrip("/")), None) for pattern in patterns)


def _kernel_files(patterns: Sequence[str], now: float) -> Iterator[Kernel]:
    for file in find_logs(patterns)[0]:
        if not file.compressed and file.mtime >= now - WHOLE:
            try:
                yield kernel_of(file, now)
            except (Unreachable, OSError):
                continue


def _containers(services: Sequence[Service], now: float, deadline: Deadline) -> Read:
    path = docker.socket_path()
    if path is None:
        return Read()
    places = docker.places(path, deadline.remaining)
    whole, end = Read(), Deadline(CONTAINERS_SECONDS)
    for place, service in list(_chosen(places, services))[:CONTAINERS]:
        engine = Engine(path, lambda: min(end.remaining(), deadline.remaining(CONTAINER_SECONDS)))
        try:
            lines = printed(engine, place.name, now - WHOLE, CONTAINER_LINES, CONTAINER_BUDGET)
        except (Unreachable, OSError) as error:
            reason = error.problem if isinstance(error, Unreachable) else str(error.strerror)
            whole = _with(whole, unread=(Unread(f"container {place.name}", reason, False),))
            continue
        finally:
            engine.close()
        whole = _with_container(whole, place.name, service, lines, now)
    return whole


def _chosen(places: Sequence[Place], services: Sequence[Service]) -> Iterator[tuple[Place, str | None]]:
    """Those of the configured services; all where none is configured. Not those that log to files."""
    configured = [one for one in services if one.runtime == COMPOSE]
    for place in places:
        own = next((one for one in configured if of_service([place], one.project, one.service)), None)
        if (own is None and not configured) or (own is not None and not own.logs):
            yield place, own.name if own else place.service


def _with_container(whole: Read, name: str, service: str | None, lines: Printed, now: float) -> Read:
    count, requests = Count(now), Http(f"container {name}", now)
    for line in lines.lines:
        stamp, _space, text = line.partition(b" ")
        if is_error(text):
            time = time_of(stamp, now)
            if time is not None:
                count.add(time, told(text.decode("utf-8", "replace")))
    add_requests(requests, (b"\n" + line.partition(b" ")[2] for line in lines.lines))
    first = time_of(lines.lines[0][:40], now) if lines.cut and lines.lines else None
    return _with(
        whole,
        errors=(Errors(f"container {name}", service, count, first),),
        http=(requests,) if requests.total or requests.before_total else (),
        cut=(f"container {name}",) if lines.cut else (),
    )
