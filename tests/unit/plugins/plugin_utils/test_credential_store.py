# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import stat
import string
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, FirebreakError
from ansible_collections.firebreak.incident.plugins.plugin_utils.credential_store import (
    CommandStore,
    Entry,
    VaultFile,
    new_secret,
    open_store,
)

SECRETS = [("default", VaultSecret(b"vault password"))]
ENTRY = Entry("vault_db", "postgres", "web", "db1", "run-1", "INC-1", "2026-11-22T03:00:00.000Z")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets.yml"


def write(path: Path, content: Any) -> None:
    path.write_bytes(VaultLib(SECRETS).encrypt(yaml.safe_dump(content), SECRETS[0][1]))


def content(path: Path) -> Any:
    assert path.read_bytes().startswith(b"$ANSIBLE_VAULT;")
    return yaml.safe_load(VaultLib(SECRETS).decrypt(path.read_bytes()))


def test_a_new_secret_is_long_and_needs_no_quoting() -> None:
    made = {new_secret() for _number in range(200)}
    assert len(made) == 200
    allowed = set(string.ascii_letters + string.digits + "-_")
    assert all(len(secret) == 43 and set(secret) <= allowed and secret[0] not in "-_" for secret in made)


def test_a_secret_is_pending_before_it_is_current(path: Path) -> None:
    write(path, {"vault_db": "old", "other": 1})
    store = VaultFile(path, SECRETS)
    assert store.current("vault_db") == "old"
    store.pending(ENTRY, "new")
    found = content(path)
    assert found["vault_db"] == "old"
    record = found["firebreak_rotations"]["vault_db"]
    assert (record["status"], record["pending"], record["kept"]) == ("pending", "new", ["old"])
    assert (record["host"], record["incident"]) == ("db1", "INC-1")
    store.settled(ENTRY, "new", old_is_dead=True)
    found = content(path)
    assert (found["vault_db"], found["other"]) == ("new", 1)
    assert found["firebreak_rotations"]["vault_db"]["status"] == "current"
    assert "old" not in str(found)


def test_an_old_secret_is_kept_until_it_is_proven_dead(path: Path) -> None:
    write(path, {"vault_db": "old"})
    store = VaultFile(path, SECRETS)
    store.pending(ENTRY, "new")
    store.settled(ENTRY, "new", old_is_dead=False)
    assert content(path)["firebreak_rotations"]["vault_db"]["kept"] == ["old"]
    store.pending(ENTRY, "newer")
    assert content(path)["firebreak_rotations"]["vault_db"]["kept"] == ["old", "new"]


def test_a_secret_that_was_taken_back_is_forgotten(path: Path) -> None:
    write(path, {"vault_db": "old"})
    store = VaultFile(path, SECRETS)
    store.pending(ENTRY, "new-one")
    store.abandoned(ENTRY, "new-one")
    found = content(path)
    assert found["vault_db"] == "old"
    assert "new-one" not in str(found)
    assert "kept" not in found["firebreak_rotations"]["vault_db"]


def test_the_secret_of_a_rotation_that_was_cut_off_is_kept(path: Path) -> None:
    store = VaultFile(path, SECRETS)
    store.pending(ENTRY, "first")
    store.pending(ENTRY, "second")
    record = content(path)["firebreak_rotations"]["vault_db"]
    assert (record["pending"], record["kept"]) == ("second", ["first"])
    store.abandoned(ENTRY, "second")
    assert content(path)["firebreak_rotations"]["vault_db"]["kept"] == ["first"]


def test_two_hosts_may_not_rotate_one_name(path: Path) -> None:
    store = VaultFile(path, SECRETS)
    store.pending(ENTRY, "first")
    with pytest.raises(BadInput, match="being rotated on db1"):
        store.pending(replace(ENTRY, host="db2"), "second")
    assert "second" not in str(content(path))


@pytest.mark.parametrize(
    "same",
    [{"run": "run-1", "incident": None}, {"run": "run-2", "incident": "INC-1"}],
    ids=["run", "incident"],
)
def test_a_second_host_of_a_run_does_not_take_the_place_of_the_first(
    path: Path, same: dict[str, Any]
) -> None:
    store = VaultFile(path, SECRETS)
    store.pending(ENTRY, "first")
    store.settled(ENTRY, "first", old_is_dead=True)
    with pytest.raises(BadInput, match="in force on db1"):
        store.pending(replace(ENTRY, host="db2", **same), "second")
    assert content(path)["vault_db"] == "first"


def test_a_credential_that_moved_to_another_host_is_rotated_there_later(path: Path) -> None:
    store = VaultFile(path, SECRETS)
    store.pending(ENTRY, "first")
    store.settled(ENTRY, "first", old_is_dead=True)
    store.pending(replace(ENTRY, host="db2", run="run-2", incident="INC-2"), "second")
    assert content(path)["firebreak_rotations"]["vault_db"]["pending"] == "second"


def test_a_new_file_is_for_its_owner_alone_and_an_old_one_keeps_its_mode(path: Path) -> None:
    store = VaultFile(path, SECRETS)
    store.check()
    store.pending(ENTRY, "new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    store.settled(ENTRY, "new", old_is_dead=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_file_is_encrypted_again_with_the_password_that_opens_it(path: Path) -> None:
    write(path, {"vault_db": "old"})
    both = [("prod", VaultSecret(b"another password")), *SECRETS]
    VaultFile(path, both).pending(ENTRY, "new")
    assert content(path)["vault_db"] == "old"


@pytest.mark.parametrize(
    ("text", "secrets", "said"),
    [
        (None, None, "no vault password"),
        (b"vault_db: old\n", SECRETS, "not encrypted"),
        (VaultLib(SECRETS).encrypt("a: 1", VaultSecret(b"other")), SECRETS, "opens it"),
        (VaultLib(SECRETS).encrypt("a: !vault x", SECRETS[0][1]), SECRETS, "not plain YAML"),
        (VaultLib(SECRETS).encrypt("- a", SECRETS[0][1]), SECRETS, "no variables"),
    ],
)
def test_a_file_that_cannot_be_kept_is_refused_before_anything(
    path: Path, text: bytes | None, secrets: Any, said: str
) -> None:
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(BadInput, match=said):
        VaultFile(path, secrets).check()
    assert (path.read_bytes() if path.exists() else None) == text


def test_a_command_gets_each_step_on_its_standard_input(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    store = CommandStore(["sh", "-c", f"cat >> {kept}; echo >> {kept}"])
    store.check()
    store.pending(ENTRY, "new")
    store.settled(ENTRY, "new", old_is_dead=True)
    store.abandoned(ENTRY, "new")
    given = [json.loads(line) for line in kept.read_text().splitlines()]
    assert [(one["status"], one["old_is_dead"]) for one in given] == [
        ("pending", False),
        ("current", True),
        ("abandoned", False),
    ]
    assert (given[0]["secret"], given[0]["name"], given[0]["host"]) == ("new", "vault_db", "db1")
    assert store.current("vault_db") is None


def test_a_command_that_fails_is_told_without_the_secret() -> None:
    with pytest.raises(FirebreakError) as caught:
        CommandStore(["sh", "-c", "cat >&2; exit 3"]).pending(ENTRY, "hunter2")
    assert "vault_db (pending)" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_command_that_is_not_there_is_refused_before_anything() -> None:
    with pytest.raises(BadInput, match="no program here"):
        CommandStore(["no-such-program"]).check()


@pytest.mark.parametrize("given", [{}, {"command": ["a"], "vault_file": "b"}, {"command": []}])
def test_exactly_one_place_is_named(given: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="no place, or two"):
        open_store(given, str, None)
