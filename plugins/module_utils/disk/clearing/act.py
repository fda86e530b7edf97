# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes room, one act at a time; every file is looked at again, by descriptor, right before it is touched."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping

from ...clients import beneath, container_logs, docker, holders, journal, package_caches
from ...clients.holders import Uses
from ...clients.procfs import Procfs
from ...deadlines import Deadline
from ...errors import Declined, FirebreakError, IdentityChanged, Unreachable
from ...lifecycle import Performer
from ...moments import utc_now
from .manifest import Manifest
from .model import Batch, File, shown
from .pack import Left, Packer
from .protection import MARKS, is_evidence, why_not
from .reopening import Reopener

COMPRESS_SECONDS, DIGEST_SECONDS, RESTART_SECONDS = 1800.0, 600.0, 120.0
CHUNK = 1024 * 1024
NAMED = 5
STAMP = "%Y%m%dT%H%M%SZ"


@dataclass
class Workshop:
    """`batches` are the files of the acts by digest, `work` is what there is to say of what was done.

    `delete_backup` deletes one from its identity, when enough newer ones verify. `begun`: one was tried.
    """

    procfs: Procfs
    manifest: Manifest
    packer: Packer
    reopener: Reopener
    delete_backup: Performer
    batches: dict[str, Batch] = field(default_factory=dict)
    work: list[dict[str, Any]] = field(default_factory=list)
    begun: bool = False
    clock: Callable[[], datetime] = utc_now

    def performers(self) -> Mapping[str, Performer]:
        return {
            action: self._begins(perform)
            for action, perform in (
                ("disk.logs.reopen", self.reopen),
                ("disk.cache.clean", self.clean),
                ("disk.logs.compress", self.compress),
                ("disk.log.turn_over", self.turn_over),
                ("disk.journal.vacuum", self.vacuum),
                ("disk.container_log.truncate", self.truncate),
                ("disk.container.restart", self.restart),
                ("disk.logs.delete", self.delete),
                ("disk.deleted.truncate", self.cut),
                ("disk.backup.delete", self.delete_one_backup),
            )
        }

    def reopen(self, identity: Mapping[str, Any]) -> None:
        keys = [(each["device"], each["inode"]) for each in identity["files"]]
        # When the last who has it open lets go, what was in it is gone.
        self.manifest.note({"action": "disk.logs.reopen", "files": identity["files"]})
        self.reopener.ask(identity["pid"], identity["started"], identity["name"], keys)
        self._note("reopen", f"{identity['name']} (pid {identity['pid']})", identity["bytes"])

    def clean(self, identity: Mapping[str, Any]) -> None:
        batch = self._batch(identity["digest"])
        self.manifest.record("disk.cache.clean", batch.files, {})
        package_caches.clean(batch.directory)
        gone = [file for file in batch.files if not os.path.lexists(file.path)]
        self._note("clean", batch.directory, sum(file.bytes for file in gone))

    def compress(self, identity: Mapping[str, Any]) -> None:
        batch, deadline = self._batch(identity["digest"]), Deadline(COMPRESS_SECONDS)
        freed, left = 0, _Left()
        uses = self._uses()
        with self._directory(batch) as folder:
            for file in batch.files:
                because = _in_use(file, uses)
                if because is None and deadline.over:
                    because = "there was no time for it"
                if because is None:
                    try:
                        freed += file.bytes - self.packer.pack(file, folder, lambda: deadline.over)
                    except (Left, OSError) as error:
                        because = str(error)
                left.add(file, because)
        self._finish("compress", batch, freed, left)

    def turn_over(self, identity: Mapping[str, Any]) -> None:
        batch, deadline = self._batch(identity["batch"]), Deadline(COMPRESS_SECONDS)
        file = batch.files[0]
        name = file.name
        aside = f"{name}-{self.clock():{STAMP}}"
        with self._directory(batch) as folder:
            successor = _put_aside(file, aside, folder)
            try:
                self.reopener.ask(identity["pid"], identity["started"], identity["name"], [file.key])
            except FirebreakError:
                _put_back(name, aside, successor, folder)
                raise
            status = beneath.status(aside, folder)
            if status is None or (status.st_dev, status.st_ino) != file.key:
                raise IdentityChanged(f"log {shown(file.path)}", "it was taken away", "See who rotates it.")
            turned = File.of(f"{batch.directory}/{aside}", status)
            freed, left = 0, _Left()
            try:
                freed = turned.bytes - self.packer.pack(turned, folder, lambda: deadline.over)
            except (Left, OSError) as error:
                left.add(turned, str(error))
        self._note("turn_over", shown(turned.path), freed, 1, left)

    def vacuum(self, identity: Mapping[str, Any]) -> None:
        directory, keep = str(identity["directory"]), int(identity["keep"])
        before = journal.sizes().get(directory, 0)
        self.manifest.note(
            {"action": "disk.journal.vacuum", "directory": directory, "bytes": before, "keep": keep}
        )
        journal.vacuum(keep, lambda: journal.sizes().get(directory, 0))
        self._note("vacuum", directory, before - journal.sizes().get(directory, 0))

    def truncate(self, identity: Mapping[str, Any]) -> None:
        path = str(identity["path"])
        try:
            status = Path(path).lstat()
        except OSError as error:
            raise IdentityChanged(f"container log {path}", str(error.strerror), "Look again.") from error
        file = File.of(path, status)
        self.manifest.record("disk.container_log.truncate", [file], {})
        container_logs.truncate(path, identity["device"], identity["inode"])
        self._note("truncate", f"log of container {identity['name']}", file.bytes)

    def restart(self, identity: Mapping[str, Any]) -> None:
        engine = docker.socket_path()
        if engine is None:
            raise Unreachable("docker", "it does not run on this host", "See systemctl status docker.")
        deadline = Deadline(RESTART_SECONDS)
        container_logs.restart(engine, identity["container"], identity["started"], deadline.remaining)

    def delete(self, identity: Mapping[str, Any]) -> None:
        batch, uses = self._batch(identity["digest"]), self._uses()
        freed, left, deadline = 0, _Left(), Deadline(DIGEST_SECONDS)
        with self._directory(batch) as folder:
            # Evidence is told by its content, so that what is found elsewhere later can be recognised.
            digests = {
                file.path: _sha256(file, folder, deadline) for file in batch.files if is_evidence(file.path)
            }
            self.manifest.record("disk.logs.delete", batch.files, digests)
            for file in batch.files:
                name = file.name
                because = _in_use(file, uses, readers=True) or _changed(file, name, folder)
                if because is None and digests.get(file.path, "") is None:
                    because = "it could not be read to its end in time, and it may be evidence"
                if because is None:
                    try:
                        os.unlink(name, dir_fd=folder)
                        freed += file.bytes
                    except OSError as error:
                        because = error.strerror or str(error)
                left.add(file, because)
        self._finish("delete", batch, freed, left)

    def cut(self, identity: Mapping[str, Any]) -> None:
        """Through the process's own descriptor, for no name leads there."""
        pid, subject = identity["pid"], f"process {identity['name']} (pid {identity['pid']})"
        process = self.procfs.process(pid)
        if process is None or process.started != identity["started"]:
            raise IdentityChanged(subject, "it is gone or another one by now", "Look again.")
        wanted = {(each["device"], each["inode"]) for each in identity["files"]}
        freed, seen = 0, self._uses()
        for key in wanted:
            own = [use for use in seen.of.get(key, ()) if holders.writes(use)]
            if not own or not all(use.deleted and holders.appends(use) for use in own):
                continue
            file = File.of(own[0].path, own[0].status)
            self.manifest.record("disk.deleted.truncate", [file], {})
            with contextlib.suppress(OSError):
                descriptor = os.open(own[0].link, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK)
                try:
                    status = os.fstat(descriptor)
                    if (status.st_dev, status.st_ino) == key and status.st_nlink == 0:
                        os.ftruncate(descriptor, 0)
                        freed += file.bytes
                finally:
                    os.close(descriptor)
        if not freed:
            raise IdentityChanged(subject, "none of the files is as it was", "Look again.")
        self._note("truncate", subject, freed)

    def delete_one_backup(self, identity: Mapping[str, Any]) -> None:
        path = str(identity["path"])
        try:
            status = Path(path).lstat()
        except OSError as error:
            raise IdentityChanged(f"backup {path}", str(error.strerror), "Look again.") from error
        file = File.of(path, status)
        self.manifest.record("disk.backup.delete", [file], {})
        self.delete_backup(identity)
        self._note("delete", f"backup {shown(path)}", file.bytes)

    def _begins(self, perform: Performer) -> Performer:
        def begun(identity: Mapping[str, Any]) -> None:
            self.begun = True
            perform(identity)

        return begun

    def _batch(self, digest: str) -> Batch:
        batch = self.batches.get(digest)
        if batch is None:
            raise IdentityChanged("files", "they are not those that were planned", "Look again.")
        return batch

    @contextlib.contextmanager
    def _directory(self, batch: Batch) -> Iterator[int]:
        with beneath.directory(batch.directory) as folder:
            refused = next((mark for mark in MARKS if beneath.has(mark, folder)), None)
            if refused:
                raise IdentityChanged(
                    f"directory {shown(batch.directory)}", f"it holds {refused} by now", "Leave it alone."
                )
            yield folder

    def _uses(self) -> Uses:
        return holders.uses(self.procfs, lambda: False)

    def _finish(self, what: str, batch: Batch, freed: int, left: _Left) -> None:
        subject = shown(batch.directory) if len(batch.files) > 1 else shown(batch.files[0].path)
        if left.count == len(batch.files):
            raise IdentityChanged(subject, f"nothing was done: {left.said}", "Look again.")
        self._note(what, subject, freed, len(batch.files) - left.count, left)

    def _note(self, what: str, subject: str, freed: int, files: int = 1, left: _Left | None = None) -> None:
        note: dict[str, Any] = {"what": what, "object": subject, "bytes": freed, "files": files}
        if left is not None and left.count:
            note.update(left=left.count, left_because=left.said)
        self.work.append(note)


class _Left:
    """How many files were left as they are, and why the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self._reasons: list[str] = []

    def add(self, file: File, because: str | None) -> None:
        if because is not None:
            self.count += 1
            if len(self._reasons) < NAMED:
                self._reasons.append(f"{shown(file.name)}: {because}")

    @property
    def said(self) -> str:
        return "; ".join(self._reasons)


def _in_use(file: File, uses: Uses, readers: bool = False) -> str | None:
    for use in uses.of.get(file.key, ()):
        if readers or holders.writes(use):
            return f"process {use.pid} has it open"
    return None if uses.complete else "not every process can be looked at"


def _changed(file: File, name: str, folder: int) -> str | None:
    status = beneath.status(name, folder)
    if status is None:
        return "it is gone or no file any more"
    if status.st_nlink > 1:
        return "it has another name somewhere"
    return why_not(file.path) if file.is_still(status) else "it is another file by now, or was written to"


def _sha256(file: File, folder: int, deadline: Deadline) -> str | None:
    """None when it cannot be read to its end: a file with holes may be as long as it likes."""
    try:
        descriptor = beneath.opened(file.name, folder, os.O_RDONLY)
    except OSError:
        return None
    digest = hashlib.sha256()
    with os.fdopen(descriptor, "rb") as stream:
        for data in iter(lambda: stream.read(CHUNK), b""):
            if deadline.over:
                return None
            digest.update(data)
    return digest.hexdigest()


def _put_aside(file: File, aside: str, folder: int) -> tuple[int, int]:
    """The new file that takes the log's name, as its program would have made it.

    Raises `Declined`, and `IdentityChanged` when the name leads to something else by now.
    """
    name = file.name
    status = _named_aside(file, aside, folder)
    fresh = f"{aside}.new"
    try:
        descriptor = beneath.opened(fresh, folder, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            os.fchown(descriptor, status.st_uid, status.st_gid)
            os.fchmod(descriptor, status.st_mode & 0o777)
            made = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        # Somebody else may have turned it over meanwhile, and its program writes to the next one.
        _same(file, beneath.status(name, folder))
        os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
    except (OSError, IdentityChanged) as error:
        for each in (fresh, aside):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(each, dir_fd=folder)
        if isinstance(error, IdentityChanged):
            raise
        raise Declined(f"log {shown(name)}", f"no new one can be made: {error.strerror}", "Look.") from error
    return made.st_dev, made.st_ino


def _named_aside(file: File, aside: str, folder: int) -> os.stat_result:
    try:
        descriptor = beneath.opened(file.name, folder, os.O_RDONLY)
        try:
            status = _same(file, os.fstat(descriptor))
            beneath.name_it(descriptor, aside, folder)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Declined(
            f"log {shown(file.name)}", f"it cannot be put aside: {error.strerror}", "Look."
        ) from error
    return status


def _same(file: File, status: os.stat_result | None) -> os.stat_result:
    if status is None or (status.st_dev, status.st_ino) != file.key:
        raise IdentityChanged(f"log {shown(file.path)}", "it is another file by now", "Look again.")
    return status


def _put_back(name: str, aside: str, successor: tuple[int, int], folder: int) -> None:
    """The log gets its name again, unless somebody has begun to write to the new one."""
    status = beneath.status(name, folder)
    if status is not None and (status.st_dev, status.st_ino) == successor and status.st_size == 0:
        os.rename(aside, name, src_dir_fd=folder, dst_dir_fd=folder)
