# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificate nginx is told to serve for which name and port, on this host and in its containers."""

from __future__ import annotations

import fnmatch
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Iterator, Mapping, Sequence

from ..deadlines import Deadline
from ..errors import Unreachable
from . import docker
from .command import Completed, find, run
from .docker import Place
from .docker_exec import run_inside
from .nginx import PROGRAM, statements

TIMEOUT = 10.0
MAIN = "/etc/nginx/nginx.conf"
FILE_BUDGET, FILES, PATHS = 256 * 1024, 500, 50
# Of a shell, and of the engine, for a program that is not there.
NO_PROGRAM = (126, 127)
_HEADER = re.compile(r"^# configuration file (/.+):$", re.MULTILINE)
_LISTEN = re.compile(r"(?:(\[[0-9A-Fa-f:.]+\]|\*|[^:\[\]]+):)?(\d+)|(\[[0-9A-Fa-f:.]+\]|\*|[^:\[\]]+)")
# What nginx would read, where it cannot be asked for it: -T fails with the configuration. No keys.
_ALL_FILES = """find /etc/nginx -follow -type f -size -512 ! -name '*.key' ! -name '*.pem' 2>/dev/null |
head -n 500 | while read -r file; do
echo "# configuration file $file:"; cat "$file"; echo; done"""
CERTIFICATE, KEY = "ssl_certificate", "ssl_certificate_key"


@dataclass(frozen=True)
class Listen:
    """`address` is None for every one of the host."""

    address: str | None
    port: int
    default: bool = False


@dataclass(frozen=True)
class NginxCertificate:
    """One `ssl_certificate` of a server block; one with two of them has two of these.

    `certificate` and `key` are the paths as nginx sees them, `file` and `key_file` the same ones on this
    host, None where that is not known. `ports` are pairs of a port of the host and the container's own.
    """

    place: str
    listens: tuple[Listen, ...]
    names: tuple[str, ...]
    certificate: str
    key: str
    container: str | None = None
    file: str | None = None
    key_file: str | None = None
    ports: tuple[tuple[int, int], ...] = ()

    def inside(self, port: int) -> int | None:
        """Its own port, of a port of the host."""
        return dict(self.ports).get(port) if self.container else port


@dataclass(frozen=True)
class Configuration:
    """Of one nginx; `container` is None on the host.

    `broken` is what nginx says when it does not accept it. Then it was read without nginx.
    """

    container: str | None
    certificates: tuple[NginxCertificate, ...] = ()
    broken: str | None = None


def on_host(deadline: Deadline) -> Configuration | None:
    """None without nginx. Raises `Unreachable`."""
    program = find(PROGRAM)
    if program is None:
        return None
    answer = run([program, "-T"], timeout=deadline.remaining(TIMEOUT))
    if "Permission denied" in answer.stderr and not answer.ok and os.geteuid():
        raise Unreachable("nginx configuration", "permission denied", "Run as root (become: true).")
    files = _split(answer) if answer.ok else _from_disk()
    certificates = parse(files, next(iter(files), MAIN))
    return Configuration(
        None,
        tuple(
            replace(each, file=_plain(each.certificate), key_file=_plain(each.key)) for each in certificates
        ),
        None if answer.ok else _refusal(answer),
    )


def in_container(path: Path, place: Place, deadline: Deadline) -> Configuration | None:
    """None where there is no nginx in it. `path` is the engine's socket. Raises `Unreachable`."""
    answer = run_inside(path, place.name, [PROGRAM, "-T"], deadline.remaining(TIMEOUT))
    if answer.code in NO_PROGRAM:
        return None
    broken = None
    if not answer.ok:
        broken = _refusal(answer)
        answer = run_inside(path, place.name, ["sh", "-c", _ALL_FILES], deadline.remaining(TIMEOUT))
    files = _split(answer)
    main = MAIN if broken else next(iter(files), MAIN)
    ports = {outside: inside for inside, places in place.published.items() for _host, outside in places}
    found = parse(files, main)
    if {"127.0.0.1", "::1"} <= set(place.addresses):
        # It is in the host's own network.
        ports = {listen.port: listen.port for each in found for listen in each.listens}
    paths = dict.fromkeys(each for one in found for each in (one.certificate, one.key) if _plain(each))
    outside = {
        each: _outside(each, docker.host_path(path, place.name, each, deadline.remaining))
        for each in list(paths)[:PATHS]
    }
    return Configuration(
        place.name,
        tuple(
            replace(
                each,
                container=place.name,
                ports=tuple(sorted(ports.items())),
                file=outside.get(each.certificate),
                key_file=outside.get(each.key),
            )
            for each in found
        ),
        broken,
    )


def parse(files: Mapping[str, str], main: str) -> tuple[NginxCertificate, ...]:
    """Every server block with a certificate, in the order of the configuration."""
    reading = _Reading(files, str(PurePosixPath(main).parent))
    if main in files:
        reading.read(main, _Block(""))
    return tuple(reading.found())


@dataclass
class _Block:
    """One block with what it says itself; what it does not say, its parents may."""

    kind: str
    parent: _Block | None = None
    place: str = ""
    said: dict[str, list[list[str]]] = field(default_factory=dict)

    def look_up(self, name: str) -> list[list[str]]:
        if name in self.said or self.parent is None:
            return self.said.get(name, [])
        return self.parent.look_up(name)


class _Reading:
    def __init__(self, files: Mapping[str, str], root: str) -> None:
        self._files, self._root = files, root
        self._servers: list[_Block] = []
        self._left = FILES

    def read(self, path: str, block: _Block, within: tuple[str, ...] = ()) -> None:
        self._left -= 1
        blocks = [block]
        for number, words, end in statements(self._files[path]):
            if end == "}":
                if len(blocks) > 1:
                    blocks.pop()
            elif end == "{":
                inner = _Block(words[0] if words else "", blocks[-1], f"{path}:{number}")
                if inner.kind == "server" and len(words) == 1:
                    self._servers.append(inner)
                blocks.append(inner)
            elif words[:1] == ["include"] and len(words) == 2:
                for included in self._matching(words[1]):
                    if self._left > 0 and included not in (path, *within):
                        self.read(included, blocks[-1], (path, *within))
            elif words:
                blocks[-1].said.setdefault(words[0], []).append(words[1:])

    def found(self) -> Iterator[NginxCertificate]:
        for server in self._servers:
            listens = tuple(_listens(server.said.get("listen", [])))
            names = tuple(name for words in server.said.get("server_name", []) for name in words)
            keys = [words[0] for words in server.look_up(KEY) if words]
            for number, words in enumerate(server.look_up(CERTIFICATE)):
                # Those of different types stand in pairs, in the same order.
                if words and number < len(keys) and listens:
                    yield NginxCertificate(
                        server.place, listens, names, self._absolute(words[0]), self._absolute(keys[number])
                    )

    def _matching(self, pattern: str) -> list[str]:
        whole = self._absolute(pattern)
        return sorted(path for path in self._files if _matches(path, whole))

    def _absolute(self, path: str) -> str:
        special = path.startswith(("data:", "engine:", "store:", "$"))
        return path if special else os.path.normpath(PurePosixPath(self._root, path))


def _matches(path: str, pattern: str) -> bool:
    """As glob(3): what stands for anything stands for no slash, nor for a dot at the beginning."""
    parts, patterns = path.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(
        fnmatch.fnmatchcase(part, one) and (not part.startswith(".") or one.startswith("."))
        for part, one in zip(parts, patterns)
    )


def _listens(directives: Sequence[Sequence[str]]) -> Iterator[Listen]:
    for words in directives:
        parsed = _LISTEN.fullmatch(words[0]) if words else None
        if parsed is None or "udp" in words:
            continue
        address = (parsed.group(1) or parsed.group(3) or "*").strip("[]")
        port = int(parsed.group(2) or 80)
        default = "default_server" in words or "default" in words
        yield Listen(None if address in ("*", "0.0.0.0", "::") else address, port, default)


def _refusal(answer: Completed) -> str:
    """What is wrong, rather than the last line, which says that something is."""
    wrong = [line.strip() for line in answer.stderr.splitlines() if "[emerg]" in line or "[alert]" in line]
    return wrong[-1] if wrong else answer.complaint


def _split(answer: Completed) -> dict[str, str]:
    """The text of every file; the main one comes first."""
    if answer.truncated:
        raise Unreachable("nginx configuration", "it is too long to be read", "See: nginx -T")
    parts = _HEADER.split(answer.stdout)
    files: dict[str, str] = {}
    for path, text in zip(parts[1::2], parts[2::2]):
        # Its lines are counted from the one behind the header.
        files.setdefault(path, text[1:])
    return files


def _from_disk() -> dict[str, str]:
    """What the main file includes."""
    files: dict[str, str] = {}
    wanted = [MAIN]
    while wanted and len(files) < FILES:
        path = wanted.pop(0)
        if path in files:
            continue
        try:
            with Path(path).open("rb") as stream:
                files[path] = stream.read(FILE_BUDGET).decode("utf-8", "replace")
        except OSError as error:
            if path == MAIN:
                raise Unreachable(
                    f"file {path}", str(error.strerror), "Run as root (become: true)."
                ) from error
            continue
        for _number, words, end in statements(files[path]):
            if words[:1] == ["include"] and len(words) == 2 and end == ";":
                wanted += _found(str(PurePosixPath(MAIN).parent / words[1]))[:FILES]
    return files


def _found(pattern: str) -> list[str]:
    """Two stars are for pathlib every directory below, and for nginx no more than one."""
    plain = re.sub(r"\*+", "*", pattern).lstrip("/") or "*"
    return sorted(path for path in map(str, Path("/").glob(plain)) if _matches(path, pattern))


def _plain(path: str) -> str | None:
    """None for what is no path: a variable, the certificate itself, an engine."""
    return path if path.startswith("/") and "$" not in path else None


def _outside(inside: str, outside: str | None) -> str | None:
    """None for what lies in the container's own layers."""
    mounted = outside and PurePosixPath(outside).name == PurePosixPath(inside).name
    return outside if mounted else None
