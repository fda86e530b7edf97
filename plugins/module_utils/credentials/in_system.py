# SPDX-License-Identifier: GPL-3.0-or-later
"""The password of a local account of the operating system."""

from __future__ import annotations

from ..clients import shadow
from ..errors import FirebreakError, IdentityChanged
from .model import Account, Holder


class SystemHolder(Holder):
    """Sessions are left alone: a login does not remember its password."""

    def __init__(self, user: str) -> None:
        self._user = user
        self._before: str | None = None

    def look(self) -> Account:
        stored = shadow.password_hash(self._user)
        if stored is None:
            return Account(problem="there is no such local account")
        if not shadow.usable(stored):
            return Account(identity=self._user, problem="the account is locked or has no password")
        return Account(identity=self._user, passwords=1)

    def begin(self, identity: str) -> None:
        self._before = shadow.password_hash(self._user)
        if self._before is None or not shadow.usable(self._before):
            raise IdentityChanged(f"account {identity}", "it was locked or removed meanwhile", "Look again.")

    def add(self, new: str) -> None:
        shadow.set_password(self._user, new)

    def accepts(self, secret: str) -> bool | None:
        return shadow.matches(secret, shadow.password_hash(self._user) or "")

    def take_back(self) -> None:
        if self._before is not None and shadow.password_hash(self._user) != self._before:
            shadow.set_hash(self._user, self._before)

    def drop_old(self) -> None:
        if shadow.password_hash(self._user) in (None, self._before):
            raise FirebreakError(
                f"account {self._user}", "its password is the old one", "See chpasswd and PAM."
            )

    def persist(self) -> str | None:
        return None

    def end_sessions(self) -> int | None:
        return None
