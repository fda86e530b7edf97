# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence that the Docker Engine holds. Nothing is stopped, and nothing is run in a container."""

from __future__ import annotations

import calendar
import json
import re
import time
from functools import partial
from pathlib import Path
from typing import Any, Iterator, Mapping, Tuple
from urllib.parse import quote

from ..clients.docker import Engine, socket_path
from ..errors import Unreachable
from .catalogue import Bundle
from .files import bundle
from .model import ABSENT, PROFILE, Means, Missing, Opened, Part, Read
from .state import cut_to

PROJECT_FILES = "com.docker.compose.project.config_files"
LEFT_OUT = "(value left out: profile full)"
STREAMS = {0: "stdin", 1: "stdout", 2: "stderr"}
# 2026-11-21T22:01:07.123456789Z
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z ")
# Stream, time in seconds with all digits, and the line with its time.
Frame = Tuple[str, str, bytes]


def containers(name: str, what: str, means: Means) -> Opened:
    """`name` is that of the step, `what` as in the catalogue."""
    path = socket_path()
    if path is None:
        return Opened((), [Missing(name, ABSENT, "there is no Docker Engine on this host")])
    if what == "engine":
        return Opened([_part("", str(path), partial(_engine, path, means))])
    listed = json.loads(_get(path, means, "/containers/json?all=true", means.most)[0])
    found = {str(item["Names"][0]).lstrip("/"): item for item in listed if item.get("Names")}
    if what == "compose_files":
        return _compose_files(found, means)
    return _WHAT[what](path, found, means)


def _part(key: str, source: str, read: Any, resumable: bool = False) -> Part:
    return Part(key, "api", source, read, resumable)


def _get(path: Path, means: Means, target: str, budget: int) -> tuple[bytes, bool]:
    engine = Engine(path, means.deadline.remaining)
    try:
        status, answer, whole = engine.raw("GET", target, budget=budget)
    finally:
        engine.close()
    if status != 200:
        said = answer[:200].decode("utf-8", "replace").strip()
        raise Unreachable(
            f"docker {target.partition('?')[0]}", f"it answered {status}: {said}", "Look there."
        )
    return answer, whole


def _engine(path: Path, means: Means, _more: Any, room: int) -> Read:
    asked = {"version": "/version", "info": "/info", "containers": "/containers/json?all=true&size=false"}
    asked.update(images="/images/json?digests=true", networks="/networks", volumes="/volumes")
    said = {name: json.loads(_get(path, means, target, room)[0]) for name, target in asked.items()}
    return cut_to(json.dumps(said, indent=1).encode() + b"\n", room)


def _inspect(path: Path, found: Mapping[str, Any], means: Means) -> Opened:
    def read(number: str, _more: Any, room: int) -> Read:
        said = json.loads(_get(path, means, f"/containers/{quote(number)}/json?size=false", room)[0])
        if not means.full:
            config = said.get("Config") or {}
            config["Env"] = [f"{word.partition('=')[0]}={LEFT_OUT}" for word in config.get("Env") or ()]
        return cut_to(json.dumps(said, indent=1).encode() + b"\n", room)

    missing = []
    if found and not means.full:
        missing.append(Missing("environment of the containers", PROFILE, "it holds secrets: profile full"))
    return Opened(_each(found, "/containers/{}/json", read), missing)


def _top(path: Path, found: Mapping[str, Any], means: Means) -> Opened:
    running = {name: item for name, item in found.items() if item.get("State") == "running"}

    def read(number: str, _more: Any, room: int) -> Read:
        said, whole = _get(path, means, f"/containers/{quote(number)}/top", room)
        return Read(said, cut=None if whole else f"it is longer than {room} bytes")

    return Opened(_each(running, "/containers/{}/top", read))


def _changes(path: Path, found: Mapping[str, Any], means: Means) -> Opened:
    def read(number: str, _more: Any, room: int) -> Read:
        said, whole = _get(path, means, f"/containers/{quote(number)}/changes", room)
        return Read(said, cut=None if whole else f"it is longer than {room} bytes")

    return Opened(_each(found, "/containers/{}/changes", read))


def _each(found: Mapping[str, Any], target: str, read: Any) -> list[Part]:
    return [
        _part(name, target.format(item["Id"][:12]), partial(read, item["Id"]))
        for name, item in sorted(found.items())
    ]


def _logs(path: Path, found: Mapping[str, Any], means: Means) -> Opened:
    parts: list[Part] = []
    for name, item in sorted(found.items()):
        read = partial(_read_log, path, means, item["Id"])
        parts.append(_part(name, f"/containers/{item['Id'][:12]}/logs", read, resumable=True))
    return Opened(parts)


def _read_log(path: Path, means: Means, number: str, more: Any, room: int) -> Read:
    """The lines since the window began, the oldest first, each with its stream and time."""
    since, spent = more or ["0" if means.full else str(int(means.since)), 0]
    room = min(room, means.most - spent)
    target = f"/containers/{quote(number)}/logs?stdout=true&stderr=true&timestamps=true&since={since}"
    answer, whole = _get(path, means, target, room)
    found = list(frames(answer))
    if whole:
        return Read(_lines(found))
    # Frames of one moment stay together: the next piece begins with a moment.
    begun = found[-1][1] if found else ""
    kept = [frame for frame in found if frame[1] != begun]
    if not kept or not begun:
        return Read(_lines(found), cut="the rest: it cannot be told where a next piece would begin")
    spent += len(answer)
    if spent >= means.most:
        return Read(_lines(kept), cut=f"what came after: {spent} bytes is its share of the budget")
    return Read(_lines(kept), more=[begun, spent])


def _lines(found: list[Frame]) -> bytes:
    return b"".join(
        stream.encode() + b" " + line + (b"" if line.endswith(b"\n") else b"\n")
        for stream, _at, line in found
    )


def frames(answer: bytes) -> Iterator[Frame]:
    """The messages of a log, whole ones only: framed, or as lines when the container has a terminal."""
    if not answer or answer[0] > 2 or answer[1:4] != b"\0\0\0":
        for line in answer[: answer.rfind(b"\n") + 1].splitlines(keepends=True):
            yield "terminal", _moment(line), line
        return
    at = 0
    while at + 8 <= len(answer):
        end = at + 8 + int.from_bytes(answer[at + 4 : at + 8], "big")
        if end > len(answer):
            return
        line = answer[at + 8 : end]
        yield STREAMS.get(answer[at], "other"), _moment(line), line
        at = end


def _moment(line: bytes) -> str:
    found = _STAMP.match(line)
    if found is None:
        return ""
    seconds = calendar.timegm(time.strptime(found[1].decode(), "%Y-%m-%dT%H:%M:%S"))
    return f"{seconds}.{(found[2] or b'0').decode().ljust(9, '0')}"


def _compose_files(found: Mapping[str, Any], means: Means) -> Opened:
    named = (str((item.get("Labels") or {}).get(PROJECT_FILES, "")) for item in found.values())
    paths = sorted({path for names in named for path in names.split(",") if path.startswith("/")})
    if not paths:
        return Opened((), [Missing("compose_files", ABSENT, "no container belongs to a compose project")])
    return bundle(Bundle(tuple(paths)), means)


_WHAT = {"inspect": _inspect, "top": _top, "changes": _changes, "logs": _logs}
