# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker Engine, asked over its socket: neither the docker command nor a library has to be there.

Only a Unix socket is spoken to. An engine on another host has its own triage.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import stat
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Collection, Mapping, Sequence, TypeVar
from urllib.parse import quote

from ..errors import Unreachable

DEFAULT_SOCKET = "/var/run/docker.sock"
ANSWER_BUDGET = 16 * 1024 * 1024

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
ONE_OFF = "com.docker.compose.oneoff"


@dataclass(frozen=True)
class Container:
    """One container as `docker inspect` knows it. Times are as the engine writes them (UTC).

    `state` is created, running, paused, restarting, removing, exited or dead; `health` is empty where no
    check is defined, else starting, healthy or unhealthy; `restarts` counts the automatic ones.
    """

    id: str
    name: str
    image: str
    project: str | None
    service: str | None
    state: str
    health: str = ""
    failing_streak: int = 0
    oom_killed: bool = False
    restarts: int = 0
    restart_policy: str = ""
    exit_code: int = 0
    error: str = ""
    started: str = ""
    finished: str = ""
    created: str = ""
    image_id: str = ""


@dataclass(frozen=True)
class Place:
    """Where a running container's ports are reached from this host.

    `published` maps a TCP port of the container to the addresses and ports of the host that lead to it.
    """

    name: str
    image: str
    project: str | None
    service: str | None
    addresses: tuple[str, ...] = ()
    published: Mapping[int, tuple[tuple[str, int], ...]] = field(default_factory=dict)

    def endpoints(self, port: int) -> tuple[tuple[str, int], ...]:
        """Its own addresses first: nothing lies between; then what is published."""
        return (*((address, port) for address in self.addresses), *self.published.get(port, ()))

    def called(self, names: Collection[str]) -> bool:
        """By the name of its service or image: redis, library/redis:7, but not redis-exporter."""
        image = self.image.rpartition("/")[2].partition("@")[0].partition(":")[0]
        return self.service in names or image in names


Labelled = TypeVar("Labelled", Container, Place)


def socket_path(environment: Mapping[str, str] | None = None) -> Path | None:
    """Where an engine should answer on this host; None where there is none."""
    given = (os.environ if environment is None else environment).get("DOCKER_HOST", "")
    path = Path(given[len("unix://") :] if given.startswith("unix://") else DEFAULT_SOCKET)
    try:
        return path if stat.S_ISSOCK(path.stat().st_mode) else None
    except PermissionError:
        return path
    except OSError:
        return None


def containers(path: Path, remaining: Callable[[], float]) -> tuple[Container, ...]:
    """Every container, running or not, but for those of `compose run`.

    `remaining` says how many seconds are left. Raises `Unreachable`.
    """
    engine = Engine(path, remaining)
    try:
        listed = engine.get("/containers/json?all=true")
        if not isinstance(listed, list):
            raise Unreachable(f"docker {path}", "its answer is no list", "See docker version.")
        lasting = [item["Id"] for item in listed if (item.get("Labels") or {}).get(ONE_OFF) != "True"]
        inspected = (engine.get(f"/containers/{quote(number)}/json") for number in lasting)
        return tuple(_container(item) for item in inspected if item is not None)
    finally:
        engine.close()


def places(path: Path, remaining: Callable[[], float]) -> tuple[Place, ...]:
    """Every running container, from a single question to the engine. Raises `Unreachable`."""
    engine = Engine(path, remaining)
    try:
        listed = engine.get("/containers/json")
    finally:
        engine.close()
    if not isinstance(listed, list):
        raise Unreachable(f"docker {path}", "its answer is no list", "See docker version.")
    return tuple(_place(item) for item in listed)


def running(remaining: Callable[[], float]) -> tuple[Place, ...]:
    """The same where a running engine is taken for granted: raises `Unreachable` without one."""
    path = socket_path()
    if path is None:
        raise Unreachable("docker", "it does not run on this host", "See systemctl status docker.")
    return places(path, remaining)


def host_path(path: Path, container: str, inside: str, remaining: Callable[[], float]) -> str | None:
    """Where on this host a directory of a container lies; None where that is not known."""
    engine = Engine(path, remaining)
    try:
        found = engine.get(f"/containers/{quote(container)}/json")
    finally:
        engine.close()
    if not isinstance(found, dict):
        return None
    layer = ((found.get("GraphDriver") or {}).get("Data") or {}).get("UpperDir")
    mounts = {str(mount.get("Destination")): mount.get("Source") for mount in found.get("Mounts") or ()}
    for place in (inside, *map(str, Path(inside).parents)):
        if mounts.get(place):
            return str(Path(mounts[place]) / Path(inside).relative_to(place))
    return str(layer) if layer else None


def confines(path: Path, container: str, remaining: Callable[[], float]) -> tuple[int, int | None]:
    """The pid of a container's first process on this host, 0 when it has none, and its limit in bytes."""
    engine = Engine(path, remaining)
    try:
        found = engine.get(f"/containers/{quote(container)}/json") or {}
    finally:
        engine.close()
    limit = (found.get("HostConfig") or {}).get("Memory")
    return int((found.get("State") or {}).get("Pid") or 0), int(limit) if limit else None


class Engine:
    """One kept connection; every request gets the time that is left."""

    def __init__(self, path: Path, remaining: Callable[[], float]) -> None:
        self._path, self._remaining = path, remaining
        self._connection = _Connection(path, remaining())

    def get(self, target: str) -> Any:
        """The decoded answer; None for an object that is gone."""
        status, answer = self.ask("GET", target)
        if status == http.client.NOT_FOUND:
            return None
        if status != http.client.OK:
            raise self._unreachable(f"it answered {status} to {target}", "See journalctl -u docker.")
        return answer

    def ask(self, method: str, target: str, body: Any = None) -> tuple[int, Any]:
        """The status and the decoded answer; a `body` is sent as JSON."""
        status, read, _whole = self.raw(method, target, body)
        try:
            return status, json.loads(read.decode("utf-8", "replace"))
        except ValueError:
            if status != http.client.OK:
                return status, None
            raise self._unreachable("its answer is not JSON", "See docker version.") from None

    def raw(
        self, method: str, target: str, body: Any = None, budget: int = ANSWER_BUDGET
    ) -> tuple[int, bytes, bool]:
        """The status, the answer as it came up to `budget` bytes, and whether that is all of it."""
        try:
            if self._connection.sock is not None:
                self._connection.sock.settimeout(self._remaining())
            sent = None if body is None else json.dumps(body)
            headers = {} if body is None else {"Content-Type": "application/json"}
            self._connection.request(method, target, sent, headers)
            answer = self._connection.getresponse()
            read = answer.read(budget + 1)
        except socket.timeout:
            raise self._unreachable("it did not answer in time", "See journalctl -u docker.") from None
        except PermissionError:
            raise self._unreachable("permission denied", "Run as root (become: true).") from None
        except (OSError, http.client.HTTPException) as error:
            problem = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise self._unreachable(problem, "See systemctl status docker.") from error
        whole = len(read) <= budget
        if not whole:
            # The rest of the answer would be taken for the beginning of the next one.
            self._connection.close()
        return answer.status, read[:budget], whole

    def close(self) -> None:
        self._connection.close()

    def _unreachable(self, problem: str, cure: str) -> Unreachable:
        return Unreachable(f"docker {self._path}", problem, cure)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _container(found: Mapping[str, Any]) -> Container:
    state: Mapping[str, Any] = found.get("State") or {}
    health: Mapping[str, Any] = state.get("Health") or {}
    config: Mapping[str, Any] = found.get("Config") or {}
    labels: Mapping[str, str] = config.get("Labels") or {}
    policy: Mapping[str, Any] = (found.get("HostConfig") or {}).get("RestartPolicy") or {}
    checked = health.get("Status", "")
    return Container(
        id=str(found.get("Id", ""))[:12],
        name=str(found.get("Name", "")).lstrip("/"),
        image=str(config.get("Image", "")),
        project=labels.get(PROJECT),
        service=labels.get(SERVICE),
        state=str(state.get("Status", "")),
        health="" if checked == "none" else checked,
        failing_streak=int(health.get("FailingStreak") or 0),
        oom_killed=bool(state.get("OOMKilled")),
        restarts=int(found.get("RestartCount") or 0),
        restart_policy=str(policy.get("Name", "")),
        exit_code=int(state.get("ExitCode") or 0),
        error=str(state.get("Error", "")),
        started=str(state.get("StartedAt", "")),
        finished=str(state.get("FinishedAt", "")),
        created=str(found.get("Created", "")),
        image_id=str(found.get("Image", "")),
    )


def _place(found: Mapping[str, Any]) -> Place:
    labels: Mapping[str, str] = found.get("Labels") or {}
    networks: Mapping[str, Any] = (found.get("NetworkSettings") or {}).get("Networks") or {}
    addresses = [
        str(network[key])
        for network in networks.values()
        for key in ("IPAddress", "GlobalIPv6Address")
        if network and network.get(key)
    ]
    published: dict[int, tuple[tuple[str, int], ...]] = {}
    for port in found.get("Ports") or ():
        if port.get("PublicPort") and port.get("Type") == "tcp":
            # Published on every address: the loopback one is nearest.
            bound = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(port.get("IP", ""), port.get("IP", ""))
            inside = int(port["PrivatePort"])
            published[inside] = (*published.get(inside, ()), (bound, int(port["PublicPort"])))
    return Place(
        name=str((found.get("Names") or [""])[0]).lstrip("/"),
        image=str(found.get("Image", "")),
        project=labels.get(PROJECT),
        service=labels.get(SERVICE),
        addresses=("127.0.0.1", "::1") if "host" in networks else tuple(addresses),
        published=published,
    )


def of_service(found: Sequence[Labelled], project: str | None, service: str | None) -> list[Labelled]:
    """The containers of one compose service; without a project, whatever project it belongs to."""
    return [item for item in found if item.service == service and project in (None, item.project)]


def moment(text: str) -> datetime | None:
    """A time as the engine writes it (2026-11-21T22:01:07.123456789Z); None for never (the year 1)."""
    found = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text)
    if not found or text.startswith("0001-"):
        return None
    return datetime.strptime(found.group(), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)


def complaint(status: int, answer: Any) -> str:
    """Why the engine refused, from its decoded answer."""
    said = answer.get("message") if isinstance(answer, dict) else None
    return str(said or f"the engine answered {status}")
