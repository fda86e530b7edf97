# SPDX-License-Identifier: GPL-3.0-or-later
"""A server of secrets in memory, a hook that notes what it was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed
from ansible_collections.firebreak.incident.plugins.module_utils.credentials.model import Account, Holder
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError


@dataclass
class FakeHolder(Holder):
    """Keeps several secrets at once, as Redis does. `breaks` names the methods that fail."""

    valid: set[str] = field(default_factory=lambda: {"old"})
    breaks: set[str] = field(default_factory=set)
    anybody: bool = False
    keeps_old: bool = False
    account: Account = field(default_factory=lambda: Account("id-1", 1, 3))
    log: list[str] = field(default_factory=list)

    def _step(self, name: str) -> None:
        self.log.append(name)
        if name in self.breaks:
            raise FirebreakError("server", f"{name} broke", "")

    def look(self) -> Account:
        self._step("look")
        return self.account

    def begin(self, identity: str) -> None:
        self._step("begin")

    def add(self, new: str) -> None:
        self._step("add")
        if "taking effect" not in self.breaks:
            self.valid.add(new)

    def accepts(self, secret: str) -> bool | None:
        return self.anybody or secret in self.valid

    def take_back(self) -> None:
        self._step("take_back")
        self.valid = {"old"}

    def drop_old(self) -> None:
        self._step("drop_old")
        if not self.keeps_old:
            self.valid -= {"old"}

    def persist(self) -> str | None:
        self._step("persist")
        return "there is no file" if "persistence" in self.breaks else None

    def end_sessions(self) -> int | None:
        self._step("end_sessions")
        return 3


@dataclass
class FakeHook:
    """`fails` holds pairs of command and input that end with an error."""

    fails: set[tuple[str, str]] = field(default_factory=set)
    given: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, argv: Sequence[str], stdin: str) -> Completed:
        self.given.append((argv[0], stdin))
        code = int((argv[0], stdin) in self.fails)
        return Completed(argv, code, "", f"cannot use {stdin}" if code else "")
