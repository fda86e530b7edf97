# SPDX-License-Identifier: GPL-3.0-or-later
"""The next command, ready to be copied.

It repeats how this run was started, and it can be pasted without a second look: inputs may hold what an
attacker chose, and they must neither be read by the shell nor as a template by Ansible.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.finding import Remedy

_COLLECTION_PLAYBOOKS = "ansible_collections/firebreak/incident/playbooks"
_PLAIN = re.compile(r"[A-Za-z0-9_.,:@%/+-]+")
_FLAGS = {
    "remote_user": "-u",
    "private_key_file": "--private-key",
    "vault_ids": "--vault-id",
    "vault_password_files": "--vault-password-file",
}
_SWITCHES = {"ask_pass": "-k", "become_ask_pass": "-K", "ask_vault_pass": "-J"}


@dataclass(frozen=True)
class Launcher:
    """How playbooks are started: `pattern` is like `playbooks/{}.yml`, `running` is the one that runs."""

    pattern: str = "playbooks/{}.yml"
    options: tuple[str, ...] = ()
    running: str = ""

    @classmethod
    def of(
        cls, playbook: Path, arguments: Mapping[str, Any], defaults: Mapping[str, Any], cwd: Path
    ) -> Launcher:
        """From the path of the running playbook, the command line's arguments and their defaults."""
        directory = playbook.parent
        if str(directory).endswith(_COLLECTION_PLAYBOOKS):
            pattern = "firebreak.incident.{}"
        else:
            pattern = _relative(str(directory / "{}.yml"), cwd)
        options: list[str] = []
        for source in _changed(arguments, defaults, "inventory"):
            options += ["-i", _relative(source, cwd)]
        for name, flag in _FLAGS.items():
            for value in _changed(arguments, defaults, name):
                options += [flag, value]
        options += [switch for name, switch in _SWITCHES.items() if arguments.get(name)]
        return cls(pattern, tuple(options), playbook.stem)

    def command(self, playbook: str, hosts: Sequence[str], inputs: Mapping[str, Any] | None = None) -> str:
        words = ["ansible-playbook", self.pattern.format(playbook), *self.options]
        if hosts:
            words += ["-l", ",".join(hosts)]
        line = shlex.join(words)
        return f"{line} {_extra(inputs)}" if inputs else line

    def remedy(self, remedy: Remedy | None, hosts: Sequence[str]) -> str:
        """The command that deals with a finding; nothing when it is what runs already."""
        if remedy is None or remedy.playbook == self.running:
            return ""
        return self.command(remedy.playbook, hosts, remedy.inputs)


def _changed(arguments: Mapping[str, Any], defaults: Mapping[str, Any], name: str) -> list[str]:
    """The values given for an option, none when they are what Ansible takes anyway."""
    given = _texts(arguments.get(name))
    return [] if given == _texts(defaults.get(name)) else given


def _texts(value: Any) -> list[str]:
    values = [value] if isinstance(value, str) else value or []
    return [str(entry) for entry in values]


def _relative(source: str, cwd: Path) -> str:
    path = Path(source)
    return str(path.relative_to(cwd)) if path.is_absolute() and path.is_relative_to(cwd) else source


def _extra(inputs: Mapping[str, Any]) -> str:
    if all(isinstance(value, str) and _PLAIN.fullmatch(value) for value in inputs.values()):
        return " ".join(f"-e {name}={value}" for name, value in inputs.items())
    return f"-e {shlex.quote(_yaml(inputs))}"


def _yaml(value: Any) -> str:
    """JSON, but texts that could be a template are marked so that Ansible leaves them alone."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_quoted(str(key))}: {_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    if isinstance(value, str):
        return f"!unsafe {_quoted(value)}" if "{" in value else _quoted(value)
    return json.dumps(value)


def _quoted(text: str) -> str:
    """In printable ASCII. YAML knows no surrogate pairs, so JSON's own escapes will not do."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isascii() and character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
