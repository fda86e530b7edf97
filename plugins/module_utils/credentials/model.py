# SPDX-License-Identifier: GPL-3.0-or-later
"""A credential as `firebreak_credentials` names it, and what each kind of server must do with it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from ..errors import BadInput
from ..services import SPEC

POSTGRES, REDIS, SYSTEM = "postgres", "redis", "system"
KINDS = (POSTGRES, REDIS, SYSTEM)
ROTATE = "credentials.rotate"
# It names a variable in the site's vault.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")

INFO_SPEC: Mapping[str, Any] = {
    "credentials": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "no_log": False,
        "options": {
            "name": {"type": "str", "required": True},
            "kind": {"type": "str", "required": True, "choices": list(KINDS)},
            "user": {"type": "str", "required": True},
            "deploy": {"type": "list", "elements": "str", "required": True},
            "verify": {"type": "list", "elements": "str", "default": []},
            "old": {"type": "str", "no_log": True},
            "new": {"type": "str", "no_log": True},
        },
    },
    **SPEC,
}


@dataclass(frozen=True)
class Credential:
    """`deploy` and `verify` are commands of the site on this host; the former gets the secret on its input.

    `old` is the secret in force now, as far as it is known; `new` the one to come.
    """

    name: str
    kind: str
    user: str
    deploy: tuple[str, ...] = ()
    verify: tuple[str, ...] = ()
    old: str | None = field(default=None, repr=False)
    new: str | None = field(default=None, repr=False)

    @property
    def target(self) -> str:
        return f"{self.kind} {self.user} ({self.name})"


@dataclass(frozen=True)
class Account:
    """What a server knows of the user: `passwords` that are valid for it, `sessions` it has now.

    `identity` tells the user from another one that takes its name. `problem` says why it has no password
    that could be rotated. A kind without sessions has None.
    """

    identity: str = ""
    passwords: int = 0
    sessions: int | None = None
    problem: str | None = None


class Holder(ABC):
    """Where one user's password lies. Every method raises a `FirebreakError` when it could not be done.

    `begin` comes first and keeps what `take_back` needs, in memory only. Between `add` and `drop_old` the
    old secret may still be valid: only a server that keeps several can do so.
    """

    @abstractmethod
    def look(self) -> Account:
        """Changes nothing."""

    @abstractmethod
    def begin(self, identity: str) -> None:
        """Raises `IdentityChanged` when the user is no longer the one that was planned for."""

    @abstractmethod
    def add(self, new: str) -> None:
        """From now on the new secret is valid."""

    @abstractmethod
    def accepts(self, secret: str) -> bool | None:
        """Whether the user gets in with it, really tried; None where this cannot be tried."""

    @abstractmethod
    def take_back(self) -> None:
        """As it was at `begin`."""

    @abstractmethod
    def drop_old(self) -> None:
        """From now on only the new secret is valid; raises when the server knows another one."""

    @abstractmethod
    def persist(self) -> str | None:
        """Why the change would not survive a restart of the server; None when it does."""

    @abstractmethod
    def end_sessions(self) -> int | None:
        """How many sessions from before the change were ended, all of them; None for a kind without."""


def parse_credentials(given: Sequence[Mapping[str, Any]]) -> tuple[Credential, ...]:
    """Raises `BadInput` that never repeats a secret."""
    found = tuple(_credential(values) for values in given)
    for what, keys in (
        ("name", [credential.name for credential in found]),
        ("kind and user", [(credential.kind, credential.user) for credential in found]),
    ):
        if len(set(keys)) < len(keys):
            raise BadInput("credentials", f"two have the same {what}", "Name each once.")
    return found


def _credential(values: Mapping[str, Any]) -> Credential:
    name, user = str(values["name"]), str(values["user"])
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"credential {name!r}",
            "its name is no name of a variable",
            "It is stored under it: use letters, digits and underscores.",
        )
    if not user or any(character in user for character in ":\n\0 "):
        raise BadInput(f"credential {name}", f"user {user!r} is no name of a user", "Give the user's name.")
    return Credential(
        name=name,
        kind=str(values["kind"]),
        user=user,
        deploy=tuple(values.get("deploy") or ()),
        verify=tuple(values.get("verify") or ()),
        old=values.get("old") or None,
        new=values.get("new") or None,
    )
