# SPDX-License-Identifier: GPL-3.0-or-later
"""What the package manager knows: whose a file is, and whether it is still as it was installed.

dpkg's and apk's databases are read here and not through their programs: those have no deadline, tell nothing
when they are ended early, and are themselves among the files in question. Files that are documentation are
left out. An intruder with root can edit the database too: what differs is proof, what agrees is none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Callable, Iterable, Iterator

from ..errors import Unreachable
from .command import find, run

MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
DOCUMENTATION = tuple(
    f"/usr/share/{name}/" for name in ("doc", "doc-base", "man", "info", "locale", "lintian", "help", "gnome")
)
PROGRAMS = re.compile(r"(/usr(/local)?)?/(bin|sbin|lib(32|64|x32|exec)?)/")
COMMANDS = re.compile(r"(/usr(/local)?)?/s?bin/")
CODE = re.compile(r"\.(so(\.[\d.]+)?|ko(\.\w+)?|py|p[lm]|rb|php|js|sh)$")
CHUNK = 1 << 20
# The list of all files of a large installation.
RPM_BUDGET = 128 * 1024 * 1024
# dpkg writes both files of a package within one run.
SAME_RUN_SECONDS = 3600.0


@dataclass(frozen=True)
class Owned:
    """`installed` is the ctime of dpkg's file list of the package, in seconds; None where none is kept."""

    package: str
    installed: float | None = None


@dataclass(frozen=True)
class Differs:
    """A file of a package that is not as it was installed. `how` is changed, missing or replaced.

    `runs`: it is a program, a library or a script. `ctime` is in seconds, 0 for what is missing.
    """

    path: str
    package: str
    how: str
    conffile: bool = False
    runs: bool = False
    ctime: float = 0.0


@dataclass(frozen=True)
class Verification:
    """`late` files were not reached in time. `edited` are packages whose checksums were written later."""

    manager: str
    checked: int
    differs: tuple[Differs, ...] = ()
    late: int = 0
    edited: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """One checksum of a database; `path` as the package names it."""

    path: str
    package: str
    algorithm: str
    digest: str
    conffile: bool = False


class Packages:
    """The database of the host whose files are below `root`."""

    def __init__(self, root: str = "/") -> None:
        self._root = root.rstrip("/")
        self._info = Path(f"{self._root}/var/lib/dpkg/info")
        self._apk = Path(f"{self._root}/lib/apk/db/installed")
        self._aliases = [name for name in MERGED if Path(f"{self._root}/{name}").is_symlink()]

    @property
    def manager(self) -> str:
        """`dpkg`, `apk` or `rpm`; raises `Unreachable` on a host with none of them."""
        if self._info.is_dir():
            return "dpkg"
        if self._apk.is_file():
            return "apk"
        if find("rpm"):
            return "rpm"
        raise Unreachable("packages", "neither dpkg, rpm nor apk is here", "Compare with a baseline.")

    def owners(self, paths: Iterable[str], remaining: Callable[[], float]) -> dict[str, Owned]:
        """Of those `paths` that belong to a package, the package."""
        spelled = {
            spelling: path for path in paths if path.startswith("/") for spelling in self._spellings(path)
        }
        diverted = {to: source for source, (to, _package) in self._diversions().items()}
        spelled.update({diverted[path]: path for path in list(spelled) if path in diverted})
        found: dict[str, Owned] = {}
        for package, installed, names in self._lists(remaining):
            for name in names:
                if name in spelled:
                    found.setdefault(spelled[name], Owned(package, installed))
        return found

    def verify(self, remaining: Callable[[], float]) -> Verification:
        """Compare every file with its checksum, programs first, for as long as there is time."""
        manager = self.manager
        if manager == "rpm":
            return _verify_rpm(remaining())
        records = sorted(self._records(manager), key=lambda record: not PROGRAMS.match(record.path))
        differs: list[Differs] = []
        checked = 0
        for record in records:
            if checked % 64 == 0 and remaining() <= 0.1:
                break
            checked += 1
            how = self._how(record)
            if how and self._still_its(record, manager):
                path = self._canonical(record.path)
                differs.append(_judged(Differs(path, record.package, how, record.conffile), self._root))
        edited = self._edited() if manager == "dpkg" else ()
        return Verification(manager, checked, tuple(differs), len(records) - checked, edited)

    def installed_at(self) -> list[float]:
        """When packages came here: ctimes of dpkg's file lists, in seconds."""
        return [entry.stat().st_ctime for entry in self._entries(".list")]

    def _records(self, manager: str) -> list[Record]:
        if manager == "apk":
            records: Iterable[Record] = parse_apk(_text(self._apk))
        else:
            records = self._dpkg_records()
        return [record for record in records if not record.path.startswith(DOCUMENTATION)]

    def _dpkg_records(self) -> Iterator[Record]:
        diversions = self._diversions()
        for entry in self._entries(".md5sums"):
            package = entry.name.rpartition(".")[0]
            for record in parse_md5sums(_text(Path(entry.path)), package):
                to, by = diversions.get(record.path, ("", ""))
                yield record if not to or by == package.partition(":")[0] else _moved(record, to)
        yield from parse_conffiles(_text(Path(f"{self._root}/var/lib/dpkg/status")))

    def _how(self, record: Record) -> str:
        """How a file differs, empty when it does not."""
        path = self._root + record.path
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return "missing"
        except OSError:
            return "replaced" if Path(path).is_symlink() and not record.conffile else ""
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return "replaced"
            try:
                return "" if _digest(stream, record.algorithm) == record.digest else "changed"
            except OSError:
                return ""

    def _still_its(self, record: Record, manager: str) -> bool:
        """Whether a file was not taken over by another package, which leaves the old checksum behind."""
        if manager != "dpkg" or record.conffile:
            return True
        return record.path in _text(self._info / f"{record.package}.list").split("\n")

    def _lists(self, remaining: Callable[[], float]) -> Iterator[tuple[str, float | None, Iterable[str]]]:
        manager = self.manager
        if manager == "dpkg":
            for entry in self._entries(".list"):
                yield (
                    entry.name[: -len(".list")],
                    entry.stat().st_ctime,
                    _text(Path(entry.path)).split("\n"),
                )
        elif manager == "apk":
            for record in parse_apk(_text(self._apk)):
                yield record.package, None, (record.path,)
        else:
            for name, package in _rpm_files(remaining()):
                yield package, None, (name,)

    def _entries(self, ending: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._info) as entries:
                return [entry for entry in entries if entry.name.endswith(ending)]
        except OSError:
            return []

    def _edited(self) -> tuple[str, ...]:
        lists = {entry.name[: -len(".list")]: entry.stat().st_ctime for entry in self._entries(".list")}
        sums = {entry.name[: -len(".md5sums")]: entry.stat().st_ctime for entry in self._entries(".md5sums")}
        return tuple(
            sorted(name for name, at in sums.items() if name in lists and at - lists[name] > SAME_RUN_SECONDS)
        )

    def _diversions(self) -> dict[str, tuple[str, str]]:
        """From where, to where, and for the sake of which package."""
        try:
            lines = _text(Path(f"{self._root}/var/lib/dpkg/diversions")).split("\n")
        except Unreachable:
            return {}
        return {lines[at]: (lines[at + 1], lines[at + 2]) for at in range(0, len(lines) - 2, 3)}

    def _spellings(self, path: str) -> Iterator[str]:
        """A path as packages may name it: where /bin is /usr/bin, some say the one, some the other."""
        yield path
        merged = path.startswith("/usr/")
        if path.split("/")[2 if merged else 1] in self._aliases:
            yield path[len("/usr") :] if merged else f"/usr{path}"

    def _canonical(self, path: str) -> str:
        return f"/usr{path}" if path.split("/")[1] in self._aliases else path


def parse_md5sums(text: str, package: str) -> Iterator[Record]:
    """dpkg's `<package>.md5sums`: a checksum, two spaces, a path without its first slash."""
    for line in text.split("\n"):
        digest, _gap, path = line.partition("  ")
        if len(digest) == 32 and path:
            yield Record("/" + path.lstrip("/"), package, "md5", digest)


def parse_conffiles(text: str) -> Iterator[Record]:
    """The configuration files that dpkg's status names with their checksums as shipped."""
    package, inside = "", False
    for line in text.split("\n"):
        if not line.startswith(" "):
            inside = line.startswith("Conffiles:")
            if line.startswith("Package: "):
                package = line[len("Package: ") :].strip()
        elif inside:
            # Obsolete ones have a word more and no checksum at the end.
            path, _gap, digest = line.strip().rpartition(" ")
            if re.fullmatch(r"[0-9a-f]{32}", digest):
                yield Record(path, package, "md5", digest, conffile=True)


def parse_apk(text: str) -> Iterator[Record]:
    """apk's database: P: package, F: folder, R: file in it, Z: its checksum, Q1 for SHA-1, Q2 for SHA-256."""
    package = folder = name = ""
    for line in text.split("\n"):
        key, _colon, value = line.partition(":")
        if key == "P":
            package = value
        elif key == "F":
            folder = value
        elif key == "R":
            name = value
        elif key == "Z" and name:
            path = f"/{folder}/{name}" if folder else f"/{name}"
            algorithm = {"Q1": "sha1", "Q2": "sha256"}.get(value[:2])
            try:
                digest = base64.b64decode(value[2:], validate=True).hex()
            except (binascii.Error, ValueError):
                continue
            if algorithm:
                # apk protects what is in /etc as dpkg does its conffiles.
                yield Record(path, package, algorithm, digest, path.startswith("/etc/"))


def parse_rpm(text: str) -> Iterator[Differs]:
    """`rpm -Va`: nine flags (5: the checksum), an attribute letter (c: configuration), a path."""
    for line in text.split("\n"):
        found = re.fullmatch(
            r"(missing|[A-Z0-9.?]{8,9})\s+(?:([cdglr])\s+)?(/.*?)(?: \(.*\))?", line.rstrip()
        )
        if found is None or found[2] in ("d", "g", "l"):
            continue
        if found[1] == "missing" or "5" in found[1]:
            how = "missing" if found[1] == "missing" else "changed"
            yield Differs(found[3], "", how, found[2] == "c")


def _verify_rpm(timeout: float) -> Verification:
    rpm = find("rpm") or "rpm"
    answer = run([rpm, "-Va", "--nodeps", "--noscripts", "--nomtime"], timeout, budget=RPM_BUDGET)
    found = (item for item in parse_rpm(answer.stdout) if not item.path.startswith(DOCUMENTATION))
    differs = [_judged(item, "") for item in found]
    if not answer.stdout and answer.stderr:
        raise Unreachable("rpm", answer.complaint, "See rpm -Va.")
    return Verification("rpm", len(differs), tuple(differs))


def _rpm_files(timeout: float) -> Iterator[tuple[str, str]]:
    rpm = find("rpm") or "rpm"
    answer = run([rpm, "-qa", "--qf", r"[%{FILENAMES}\t%{=NAME}\n]"], timeout, budget=RPM_BUDGET)
    if not answer.ok:
        raise Unreachable("rpm", answer.complaint, "See rpm -qa.")
    for line in answer.stdout.split("\n"):
        path, _tab, package = line.rpartition("\t")
        yield path, package


def _digest(stream: BinaryIO, algorithm: str) -> str:
    try:
        digest = hashlib.new(algorithm)
    except ValueError as error:
        raise Unreachable(
            "packages", f"this host forbids {algorithm}", "Verify from a rescue system."
        ) from error
    while True:
        block = stream.read(CHUNK)
        if not block:
            return digest.hexdigest()
        digest.update(block)


def _judged(found: Differs, root: str) -> Differs:
    runs = bool(CODE.search(found.path))
    try:
        status = os.lstat(root + found.path)
    except OSError:
        return replace(found, runs=runs or bool(COMMANDS.match(found.path)))
    return replace(found, runs=runs or bool(status.st_mode & 0o111), ctime=status.st_ctime)


def _moved(record: Record, path: str) -> Record:
    return replace(record, path=path)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise Unreachable(str(path), str(error.strerror), "See that the package manager works.") from error
