# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_programs import Ran
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import Access
from ansible_collections.firebreak.incident.plugins.module_utils.clients.procfs import Space
from ansible_collections.firebreak.incident.plugins.module_utils.errors import (
    FirebreakError,
    IdentityChanged,
    Unreachable,
)
from ansible_collections.firebreak.incident.plugins.module_utils.information import Context
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup import files
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.act import (
    Setting,
    performers,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.catalogue import (
    Backup,
    everything,
    found,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.observe import Proofs
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.verify import Verification
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.server import Server

from .conftest import PLAIN

STARTED = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
NAME = "shop-20260102T030405Z.dump"
DUMP = b"-- a dump\n" * 1000


class World:
    """pg_dump and the site's script as they are meant to be, and what was asked of them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.asked: list[tuple[str, str, Sequence[str], Any]] = []
        self.output, self.code, self.stderr = DUMP, 0, ""
        self.broken: Mapping[str, str] = {}
        self.script: Callable[[], None] = lambda: None
        self.cluster, self.free = PLAIN, 10**12
        self.verified: list[str] = []

    def run(
        self, access: Access, program: str, arguments: Sequence[str], _seconds: float, **more: Any
    ) -> Ran:
        self.asked.append((program, access.database, arguments, more.get("major")))
        for start in range(0, len(self.output), 1000):
            more["sink"].write(self.output[start : start + 1000])
        return Ran(self.code, self.stderr, 0, len(self.output), 0.1)

    def check(self, backup: Backup, _access: Access, _seconds: float) -> Verification:
        name = Path(backup.path).name
        self.verified.append(name)
        reason = self.broken.get(name.replace(".part", ""), "")
        digest = hashlib.sha256(Path(backup.path).read_bytes()).hexdigest()
        return Verification(not reason, reason, 0.1, 2, 50, digest)

    def ask(self, _command: Sequence[str], _user: str | None, _seconds: float) -> str:
        self.script()
        return "all well"

    def perform(self, action: str, **identity: Any) -> None:
        setting = Setting(
            server=Server(Access(database="main")),
            cluster=lambda: self.cluster,
            proofs=Proofs(Access(), 10, self.check),
            context=Context(run="r1", incident="INC-1"),
            seconds=10,
            lock_seconds=2.5,
            run=self.run,
            ask=self.ask,
            clock=lambda: STARTED,
            statvfs=lambda _place: Space(10**12, self.free, self.free, 10, 10),
        )
        performers(setting)[action]({"directory": str(self.directory), **identity})

    def names(self) -> list[str]:
        return sorted(path.name for path in self.directory.iterdir())

    def manifest(self, name: str = NAME) -> Any:
        return json.loads((self.directory / f"{name}.json").read_text())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "new" / "backups")


def test_a_dump_gets_its_name_when_it_was_read_back(world: World) -> None:
    world.perform("postgres.backup", database="shop")
    assert world.names() == [NAME, f"{NAME}.json"]
    assert world.asked[0] == ("pg_dump", "shop", ["-Fc", "--lock-wait-timeout=2500"], 15)
    path = world.directory / NAME
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (DUMP, 0o600)
    assert world.directory.stat().st_mode & 0o777 == 0o700
    manifest = world.manifest()
    assert manifest["sha256"] == hashlib.sha256(DUMP).hexdigest()
    assert (manifest["size"], manifest["mtime_ns"]) == (len(DUMP), path.stat().st_mtime_ns)
    assert (manifest["database"], manifest["started"]) == ("shop", "2026-01-02T03:04:05.678Z")
    assert (manifest["tables"], manifest["rows"], manifest["server_version"]) == (2, 50, "15.20")
    assert (manifest["incident"], manifest["run"]) == ("INC-1", "r1")
    assert found(str(world.directory))[0].proved


def test_a_standby_is_dumped_without_what_it_does_not_have(world: World) -> None:
    world.cluster = replace(PLAIN, standby=True)
    world.perform("postgres.backup", database="shop")
    assert "--no-unlogged-table-data" in world.asked[0][2]


@pytest.mark.parametrize("superuser", [True, False])
def test_roles_come_without_their_passwords_where_nobody_may_read_them(superuser: bool, world: World) -> None:
    world.cluster = replace(PLAIN, superuser=superuser)
    world.perform("postgres.backup.globals")
    assert world.names() == ["cluster-20260102T030405Z.globals.sql"]
    program, _database, arguments, _major = world.asked[0]
    assert (program, "--no-role-passwords" in arguments) == ("pg_dumpall", not superuser)


def test_what_fails_leaves_nothing_behind(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_off(**change: Any) -> str:
        for name, value in change.items():
            monkeypatch.setattr(world, name, value)
        with pytest.raises(FirebreakError) as caught:
            world.perform("postgres.backup", database="shop")
        assert world.names() == []
        monkeypatch.undo()
        return str(caught.value)

    assert "pg_dump: pg_dump: error: oh" in broken_off(code=1, stderr="pg_dump: error: oh\n")
    waited = "canceling statement due to statement timeout\npg_dump: detail: Query was: LOCK TABLE a IN"
    assert "waited 2 s for a table" in broken_off(code=1, stderr=f"pg_dump: error: ERROR:  {waited}\n")
    assert "cannot be read back: cut off" in broken_off(broken={NAME: "cut off"})
    monkeypatch.setattr(files, "CHECK_EVERY", 2000)
    assert "grew beyond what was expected" in broken_off(free=10**8)
    monkeypatch.setattr(Path, "rename", _refuse)
    assert "No space left on device" in broken_off()


def _refuse(*_arguments: Any) -> None:
    raise OSError(28, os.strerror(28))


def test_a_disk_that_fills_up_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.Careful, "write", _refuse)
    with pytest.raises(Unreachable, match="No space left on device"):
        world.perform("postgres.backup", database="shop")
    assert world.names() == []


def test_what_is_there_already_is_not_touched(world: World) -> None:
    world.perform("postgres.backup", database="shop")
    before = world.manifest()
    world.output = b"another"
    with pytest.raises(Unreachable, match="File exists"):
        world.perform("postgres.backup", database="shop")
    assert (world.directory / NAME).read_bytes() == DUMP
    assert world.manifest() == before


def script_writes(world: World, name: str, content: bytes = DUMP) -> None:
    def write() -> None:
        world.directory.mkdir(parents=True, exist_ok=True)
        (world.directory / name).write_bytes(content)

    world.script = write


def test_what_a_script_wrote_gets_its_manifest(world: World) -> None:
    world.directory.mkdir(parents=True)
    (world.directory / "before.sql").write_bytes(DUMP)
    script_writes(world, "backup-20260102T030406Z.sql")
    world.perform("postgres.backup.command", command=["/b.sh"], user=None, databases=["shop"])
    manifest = world.manifest("backup-20260102T030406Z.sql")
    assert (manifest["database"], manifest["command"]) == ("shop", ["/b.sh"])
    assert world.verified == ["backup-20260102T030406Z.sql"]


def test_a_script_that_writes_the_same_file_anew_has_written(world: World) -> None:
    world.directory.mkdir(parents=True)
    (world.directory / "shop.sql").write_bytes(b"old")
    script_writes(world, "shop.sql")
    world.perform("postgres.backup.command", command=["/b.sh"], user=None, databases=["shop"])
    assert world.manifest("shop.sql")["size"] == len(DUMP)
    world.perform("postgres.backup.command", command=["/b.sh"], user=None, databases=["shop"])


@pytest.mark.parametrize("name", [None, "shop.log"])
def test_a_script_that_writes_no_dump_has_failed(name: str | None, world: World) -> None:
    if name:
        script_writes(world, name)
    with pytest.raises(Unreachable, match=r"wrote no dump into .*; it said: all well"):
        world.perform("postgres.backup.command", command=["/b.sh"], user=None, databases=["shop"])


def test_a_script_that_writes_a_broken_dump_has_failed(world: World) -> None:
    script_writes(world, "shop.sql")
    world.broken = {"shop.sql": "it was cut off"}
    with pytest.raises(Unreachable, match="cannot be restored: it was cut off"):
        world.perform("postgres.backup.command", command=["/b.sh"], user=None, databases=["shop"])
    assert world.names() == ["shop.sql"]


def several(world: World, *hours: int) -> list[Backup]:
    world.directory.mkdir(parents=True)
    for hour in hours:
        path = world.directory / f"shop-20260102T{hour:02}0000Z.sql"
        path.write_bytes(DUMP)
    return list(everything(str(world.directory)))


def delete(world: World, backup: Backup, keep: int = 2, **more: Any) -> None:
    identity = {"inode": backup.inode, "mtime_ns": backup.mtime_ns, "database": "shop", **more}
    world.perform("postgres.backup.delete", path=backup.path, keep=keep, **identity)


def test_a_backup_goes_with_its_manifest(world: World) -> None:
    oldest = several(world, 1, 2, 3)[-1]
    Path(oldest.path + ".json").write_text("{}")
    delete(world, oldest)
    assert world.names() == ["shop-20260102T020000Z.sql", "shop-20260102T030000Z.sql"]


def test_it_stays_when_too_few_newer_ones_can_be_read_now(world: World) -> None:
    oldest = several(world, 1, 2, 3)[-1]
    world.broken = {"shop-20260102T030000Z.sql": "it was cut off"}
    with pytest.raises(IdentityChanged, match="only 1 newer ones can be restored, and 2 are to be kept"):
        delete(world, oldest)
    assert len(world.names()) == 3


def test_another_file_of_that_name_stays(world: World) -> None:
    oldest = several(world, 1, 2, 3)[-1]
    for change in ({"inode": 1}, {"mtime_ns": 1}):
        with pytest.raises(IdentityChanged, match="another one by now"):
            delete(world, oldest, **change)
    Path(oldest.path).unlink()
    with pytest.raises(IdentityChanged):
        delete(world, oldest)
