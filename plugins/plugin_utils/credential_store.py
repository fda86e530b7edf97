# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the site keeps its secrets: a file of Ansible Vault, or a command that talks to whatever it has.

A new secret is stored before any server hears of it, and the one before is kept until it is proven dead.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, VaultSecret, is_encrypted, match_encrypt_secret

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, FirebreakError
from ansible_collections.firebreak.incident.plugins.plugin_utils.private_file import write_privately

PENDING, CURRENT, ABANDONED = "pending", "current", "abandoned"
# Beside the secrets themselves, in the same file: how far each rotation is, and what may still be in force.
JOURNAL = "firebreak_rotations"
COMMAND_SECONDS = 60.0
KEPT = 5


@dataclass(frozen=True)
class Entry:
    """Whose secret it is, and who changes it: what is stored beside it. `time` is UTC, ISO 8601."""

    name: str
    kind: str
    user: str
    host: str
    run: str
    incident: str | None
    time: str


def new_secret() -> str:
    """256 bits, in characters that need no quoting anywhere; the first one is never a dash."""
    while True:
        secret = secrets.token_urlsafe(32)
        if secret[0].isalnum():
            return secret


class Store(ABC):
    """Every method raises a `FirebreakError`, which never repeats a secret."""

    @abstractmethod
    def check(self) -> None:
        """Whether it can be used at all; asked before anything is changed."""

    @abstractmethod
    def current(self, name: str) -> str | None:
        """The secret in force as the store knows it; None when it does not, or cannot say."""

    @abstractmethod
    def pending(self, entry: Entry, secret: str) -> None:
        """A secret that is about to be set."""

    @abstractmethod
    def settled(self, entry: Entry, secret: str, old_is_dead: bool) -> None:
        """The secret is in force. The one before is let go of when it is proven dead."""

    @abstractmethod
    def abandoned(self, entry: Entry, secret: str) -> None:
        """The secret was taken back; the one before is in force as it was."""


class CommandStore(Store):
    """Gives each step to a command of the site, as one JSON object on its standard input."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = list(argv)

    def check(self) -> None:
        if not self._argv or shutil.which(self._argv[0]) is None:
            name = self._argv[0] if self._argv else ""
            raise BadInput(
                f"store command {name!r}", "it is no program here", "Give its path on the controller."
            )

    def current(self, name: str) -> str | None:
        return None

    def pending(self, entry: Entry, secret: str) -> None:
        self._give(entry, secret, PENDING, False)

    def settled(self, entry: Entry, secret: str, old_is_dead: bool) -> None:
        self._give(entry, secret, CURRENT, old_is_dead)

    def abandoned(self, entry: Entry, secret: str) -> None:
        self._give(entry, secret, ABANDONED, False)

    def _give(self, entry: Entry, secret: str, status: str, old_is_dead: bool) -> None:
        given = {**asdict(entry), "secret": secret, "status": status, "old_is_dead": old_is_dead}
        subject = f"store command {self._argv[0]}"
        try:
            done = subprocess.run(
                self._argv,
                input=json.dumps(given),
                capture_output=True,
                text=True,
                timeout=COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise FirebreakError(
                subject, f"it did not finish within {COMMAND_SECONDS:g} s", "See what it waits for."
            ) from None
        except OSError as error:
            raise FirebreakError(subject, str(error.strerror), "See that it can be executed.") from error
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            text = (said[-1] if said else f"exit code {done.returncode}").replace(secret, "***")
            raise FirebreakError(
                subject, f"it failed for {entry.name} ({status}): {text}", "Nothing is safe without it."
            )


class VaultFile(Store):
    """One encrypted YAML file. The variable of a credential's name holds the secret in force.

    Written as a whole, in one step; comments in it are lost. `secrets` are those that the run was started
    with: the file is encrypted again with the one that opens it.
    """

    def __init__(self, path: Path, vault_secrets: Sequence[tuple[str, VaultSecret]] | None) -> None:
        self._path, self._secrets = path, list(vault_secrets or ())

    def check(self) -> None:
        if not self._secrets:
            raise BadInput(
                f"vault file {self._path}",
                "this run has no vault password",
                "Start it with --vault-password-file or --ask-vault-pass; nothing was changed.",
            )
        self._read()
        if not os.access(self._path.parent, os.W_OK):
            raise BadInput(
                f"vault file {self._path}", "its directory cannot be written", "Name another file."
            )

    def current(self, name: str) -> str | None:
        value = self._read()[0].get(name)
        return value if isinstance(value, str) and value else None

    def pending(self, entry: Entry, secret: str) -> None:
        def change(content: dict[str, Any]) -> None:
            known = _journal(content).get(entry.name) or {}
            if known.get("status") == PENDING and known.get("host") != entry.host:
                raise BadInput(
                    f"vault file {self._path}",
                    f"{entry.name} is being rotated on {known.get('host')} since {known.get('time')}",
                    "A credential of another host needs another name.",
                )
            if _of_another_host(known, entry):
                raise BadInput(
                    f"vault file {self._path}",
                    f"the secret of {entry.name} is the one in force on {known.get('host')} since "
                    f"{known.get('time')}",
                    "One name holds one secret: a credential of another host needs another name.",
                )
            # Of a rotation that was cut off nobody knows whether its secret came into force.
            before = content.get(entry.name)
            kept = [known.get("pending"), *(known.get("kept") or ()), before]
            _journal(content)[entry.name] = _record(entry, PENDING, kept, pending=secret)

        self._change(change)

    def settled(self, entry: Entry, secret: str, old_is_dead: bool) -> None:
        def change(content: dict[str, Any]) -> None:
            known = _journal(content).get(entry.name) or {}
            kept = [] if old_is_dead else [value for value in known.get("kept") or () if value != secret]
            content[entry.name] = secret
            _journal(content)[entry.name] = _record(entry, CURRENT, kept)

        self._change(change)

    def abandoned(self, entry: Entry, secret: str) -> None:
        def change(content: dict[str, Any]) -> None:
            known = _journal(content).get(entry.name) or {}
            kept = [value for value in known.get("kept") or () if value != content.get(entry.name)]
            _journal(content)[entry.name] = _record(entry, ABANDONED, kept)

        self._change(change)

    def _read(self) -> tuple[dict[str, Any], str | None, VaultSecret | None]:
        """The content, and what opens it; nothing of a file that is not there yet."""
        subject = f"vault file {self._path}"
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return {}, None, None
        except OSError as error:
            raise BadInput(
                subject, str(error.strerror), "Name a file that can be read and written."
            ) from error
        if not is_encrypted(text):
            raise BadInput(
                subject, "it is not encrypted", "ansible-vault encrypt it first; nothing was changed."
            )
        try:
            plain, vault_id, secret = VaultLib(self._secrets).decrypt_and_get_vault_id(text)
        except AnsibleError:
            raise BadInput(
                subject, "no vault password of this run opens it", "Give its own; nothing was changed."
            ) from None
        try:
            content = yaml.safe_load(plain) or {}
        except yaml.YAMLError:
            raise BadInput(
                subject, "it is not plain YAML", "Use a file of its own; nothing was changed."
            ) from None
        if not isinstance(content, dict):
            raise BadInput(subject, "it holds no variables", "Use a file of its own; nothing was changed.")
        return content, vault_id, secret

    def _change(self, change: Callable[[dict[str, Any]], None]) -> None:
        with self._locked():
            content, vault_id, secret = self._read()
            change(content)
            if secret is None:
                vault_id, secret = match_encrypt_secret(self._secrets)
            plain = yaml.safe_dump(content, default_flow_style=False, sort_keys=False, allow_unicode=True)
            self._write(VaultLib(self._secrets).encrypt(plain, secret, vault_id))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One at a time, for the hosts of a play are worked on at once; the directory outlives the file."""
        descriptor = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, data: bytes) -> None:
        try:
            mode = self._path.stat().st_mode & 0o7777 if self._path.exists() else 0o600
            write_privately(self._path, data, mode)
        except OSError as error:
            raise FirebreakError(
                f"vault file {self._path}", str(error.strerror), "It is as it was before this step."
            ) from error


def open_store(
    given: Mapping[str, Any],
    base: Callable[[str], str],
    vault_secrets: Sequence[tuple[str, VaultSecret]] | None,
) -> Store:
    """The store that the option `store` names; `base` makes a path absolute."""
    if bool(given.get("command")) == bool(given.get("vault_file")):
        raise BadInput("store", "it names no place, or two", "Give either command or vault_file.")
    if given.get("command"):
        return CommandStore([str(word) for word in given["command"]])
    return VaultFile(Path(base(str(given["vault_file"]))), vault_secrets)


def _of_another_host(known: Mapping[str, Any], entry: Entry) -> bool:
    """Whether this very run or incident has put the secret of another host under that name."""
    together = known.get("run") == entry.run or (entry.incident and known.get("incident") == entry.incident)
    return bool(known.get("status") == CURRENT and known.get("host") != entry.host and together)


def _journal(content: dict[str, Any]) -> dict[str, Any]:
    journal = content.setdefault(JOURNAL, {})
    if not isinstance(journal, dict):
        raise BadInput(
            f"variable {JOURNAL}", "it is not what Firebreak wrote there", "Take it out of the file."
        )
    return journal


def _record(entry: Entry, status: str, kept: Sequence[Any], **more: str) -> dict[str, Any]:
    facts = {key: value for key, value in asdict(entry).items() if key != "name"}
    values = list(dict.fromkeys(value for value in kept if value))[:KEPT]
    return {"status": status, **facts, **more, **({"kept": values} if values else {})}
