# SPDX-License-Identifier: GPL-3.0-or-later
"""Drop-ins of systemd units that do not outlive a boot, each with its environment file and its end.

The environment is a file of its own, for what a unit's own `EnvironmentFile=` says wins over every
`Environment=`; only a file that is named later wins over that.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping

from ..errors import FirebreakError, Unreachable
from . import systemd

ROOT = Path("/run/systemd/system")
NAME = "90-firebreak-logging"
TIMER = "firebreak-logging-"
SIZE_LIMIT = 65536


@dataclass(frozen=True)
class Place:
    """Where the drop-in of a unit lies, with its environment."""

    unit: str
    root: Path = ROOT

    @property
    def folder(self) -> Path:
        return self.root / f"{self.unit}.d"

    @property
    def text(self) -> Path:
        return self.folder / f"{NAME}.conf"

    @property
    def environment(self) -> Path:
        return self.folder / f"{NAME}.env"

    @property
    def timer(self) -> str:
        # systemd-run takes .service off, and an @ would make it an instance of a template there is not.
        return TIMER + re.sub(r"[^\w-]", "_", self.unit)


def read(place: Place) -> str | None:
    """The text of a drop-in, None when there is none."""
    try:
        with place.text.open("rb") as stream:
            return stream.read(SIZE_LIMIT).decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unreachable(str(place.text), str(error.strerror), "Run as root (become: true).") from error


def all_units(root: Path = ROOT) -> tuple[str, ...]:
    """The units that have such a drop-in."""
    return tuple(sorted(path.parent.name[: -len(".d")] for path in root.glob(f"*.d/{NAME}.conf")))


def put(place: Place, text: str, environment: Mapping[str, str]) -> None:
    """Write both files, or neither. Nothing takes effect before `reload`."""
    files = {}
    if environment:
        lines = (f"{name}={value}\n" for name, value in environment.items())
        # It may hold what only the service is to know.
        files[place.environment] = ("".join(lines), 0o600)
    # It names the other.
    files[place.text] = (text, 0o644)
    try:
        place.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        for path, (content, mode) in files.items():
            _write(_beside(path), content, mode)
        for path in files:
            _beside(path).replace(path)
    except OSError as error:
        for path in files:
            with contextlib.suppress(OSError):
                _beside(path).unlink()
        with contextlib.suppress(OSError):
            place.folder.rmdir()
        raise FirebreakError(
            str(place.folder), str(error.strerror), "See that /run has room and is writable."
        ) from error


def take(place: Place) -> bool:
    """Remove both files, and the folder when nothing else is in it. False when there was no drop-in."""
    found = place.text.exists()
    try:
        for path in (place.text, place.environment):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
        with contextlib.suppress(OSError):
            place.folder.rmdir()
    except OSError as error:
        raise FirebreakError(
            str(place.text), str(error.strerror), "Remove it by hand and run systemctl daemon-reload."
        ) from error
    return found


def end_in(place: Place, seconds: int, restart: str) -> None:
    """Have systemd take the drop-in away after so long, whatever becomes of us, and run `restart` then."""
    paths = " ".join(shlex.quote(str(path)) for path in (place.text, place.environment))
    folder = shlex.quote(str(place.folder))
    # No semicolon: systemd 252 writes the command down with it escaped, and after a daemon-reload reads it
    # back with the backslash in it.
    script = f"rm -f {paths} && ( rmdir {folder} || true ) && systemctl daemon-reload && {restart}"
    systemd.disarm(place.timer)
    systemd.arm(place.timer, seconds, f"Ends enhanced logging of {place.unit}", ["/bin/sh", "-c", script])


def reload() -> None:
    """Have systemd read its unit files anew."""
    answer = systemd.control("daemon-reload")
    if not answer.ok:
        raise Unreachable("systemd", answer.complaint, "See systemctl is-system-running.")


def _beside(path: Path) -> Path:
    # systemd reads only what ends in .conf.
    return path.with_name(f".{path.name}.new")


def _write(path: Path, text: str, mode: int) -> None:
    descriptor = os.open(
        str(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode
    )
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
