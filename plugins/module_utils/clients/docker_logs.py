# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers printed, and whether their images are still what their names stand for."""

from __future__ import annotations

import http.client
import json
import os
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence
from urllib.parse import quote

from ..errors import Unreachable
from .docker import Engine, complaint
from .logs import LogFile, line_start, read_blocks, unwrapped


@dataclass(frozen=True)
class Printed:
    """The newest lines, each behind its time in RFC 3339 and a space. `cut`: there are more of that time."""

    lines: tuple[bytes, ...]
    cut: bool = False


def printed(engine: Engine, container: str, since: float, lines: int, budget: int) -> Printed:
    """What a container printed after `since` (seconds since the epoch), at most so many bytes or lines.

    Raises `Unreachable`, which says it too when the log driver cannot be read from.
    """
    inspected = engine.get(f"/containers/{quote(container)}/json")
    if inspected is None:
        return Printed(())
    log = Path(str(inspected.get("LogPath") or "/nowhere"))
    # Asked for the end of a log that somebody has truncated, the engine never answers.
    if log.name.endswith("-json.log") and os.access(log, os.R_OK):
        return _from_file(log, since, budget)
    options = f"stdout=1&stderr=1&timestamps=1&since={int(since)}&tail={lines}"
    status, body, whole = engine.raw("GET", f"/containers/{quote(container)}/logs?{options}", budget=budget)
    if status != http.client.OK:
        raise Unreachable(
            f"log of container {container}",
            complaint(status, _object(body)),
            "See docker inspect for its log driver.",
        )
    found = tuple(_unframed(body).splitlines())
    return Printed(found, not whole or len(found) >= lines)


def _from_file(log: Path, since: float, budget: int) -> Printed:
    status = log.stat()
    file = LogFile(str(log), status.st_size, status.st_mtime, False)
    start = line_start(file, file.size - budget)
    begins = datetime.fromtimestamp(since, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S").encode()
    found, older = [], False
    for block in read_blocks(file, start):
        for record in block.splitlines():
            # {"log":"GET / 200\n","stream":"stdout","time":"2026-11-22T02:17:40.123456789Z"}
            _text_before, mark, rest = record.rpartition(b'"time":"')
            time = rest.rstrip(b'"}')
            if mark and time[:19] >= begins:
                found.append(time + b" " + unwrapped(record))
            older = older or bool(mark and time[:19] < begins)
    return Printed(tuple(found), start > 0 and not older)


def _object(data: bytes) -> Mapping[str, Any]:
    """Empty for what is none in JSON."""
    try:
        found: object = json.loads(data.decode("utf-8", "replace"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def image_ids(path: Path, names: Sequence[str], remaining: Callable[[], float]) -> dict[str, str]:
    """What each of these image names stands for now; one that stands for nothing is left out."""
    engine = Engine(path, remaining)
    try:
        found = {name: engine.get(f"/images/{quote(name)}/json") for name in names}
    finally:
        engine.close()
    return {name: str(image.get("Id", "")) for name, image in found.items() if image}


def _unframed(body: bytes) -> bytes:
    """Without a terminal, what is printed comes in frames: 1 byte for the stream, 3 zeros, 4 of length."""
    if body[:1] not in (b"\1", b"\2") or body[1:4] != b"\0\0\0":
        return body
    pieces, at = [], 0
    while at + 8 <= len(body):
        length = int.from_bytes(body[at + 4 : at + 8], "big")
        pieces.append(body[at + 8 : at + 8 + length])
        at += 8 + length
    return b"".join(pieces)
