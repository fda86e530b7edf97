# SPDX-License-Identifier: GPL-3.0-or-later
"""New, deployed, verified, the old one dropped and proven dead, its sessions ended; or everything as it was.

The order is the safety: until the site has the new secret and it works, the old one can be put back.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Callable, Mapping, Sequence

from ..clients.command import Completed
from ..errors import BadInput, FirebreakError
from ..lifecycle import Performer
from .model import ROTATE, Credential, Holder

OLD, NEW, BOTH, UNKNOWN = "old", "new", "both", "unknown"

# Runs a command of the site with this on its standard input; raises `Unreachable` when it takes too long.
Hook = Callable[[Sequence[str], str], Completed]


@dataclass
class Proof:
    """What is known of one credential after its rotation; filled in while it goes on.

    `in_force` is old, new, both or unknown. `old_refused` is None where it could not be tried, and
    `unproven` says why. `sessions_ended` is None for a kind without sessions.
    """

    in_force: str = OLD
    old_refused: bool | None = None
    unproven: str | None = None
    sessions_ended: int | None = None
    not_persistent: str | None = None


@dataclass(frozen=True)
class Case:
    """One credential with the place where its password lies."""

    credential: Credential
    holder: Holder
    proof: Proof


def performers(cases: Sequence[Case], hook: Hook) -> Mapping[str, Performer]:
    by_name = {case.credential.name: case for case in cases}

    def rotate(identity: Mapping[str, Any]) -> None:
        _Rotation(by_name[identity["name"]], hook).carry_out(str(identity["is"]))

    return {ROTATE: rotate}


class _Rotation:
    def __init__(self, case: Case, hook: Hook) -> None:
        self._credential, self._holder, self._proof = case.credential, case.holder, case.proof
        self._hook = hook
        # The old secret, once it has been seen to be the one in force.
        self._old: str | None = None
        self._asks_for_it = True

    def carry_out(self, identity: str) -> None:
        new = self._credential.new
        if new is None:
            raise BadInput(
                self._credential.target,
                "there is no new secret for it",
                "Run it as a task: Ansible makes one.",
            )
        self._holder.begin(identity)
        self._look_at_the_old()
        deployed = False
        try:
            self._proof.in_force = UNKNOWN
            self._holder.add(new)
            deployed = True
            self._deploy(new)
            self._verify(new)
        except FirebreakError as error:
            raise self._failed(error, self._put_back(deployed)) from error
        self._proof.in_force = BOTH
        self._finish()

    def _look_at_the_old(self) -> None:
        """Only a secret that gets in now can be proven dead later, and only where a wrong one does not."""
        old = self._credential.old
        if self._holder.accepts(secrets.token_urlsafe()) is not False:
            self._asks_for_it = False
            self._proof.unproven = "any password is let in from this host, so logging in proves nothing"
        elif old is None:
            self._proof.unproven = "the old secret is not known here, so it could not be tried"
        elif not self._holder.accepts(old):
            self._proof.unproven = "the old secret that was given was not the one in force"
        else:
            self._old = old

    def _deploy(self, secret: str) -> None:
        if self._credential.deploy:
            self._run("deploy", self._credential.deploy, secret)

    def _verify(self, new: str) -> None:
        if self._asks_for_it and not self._holder.accepts(new):
            raise self._error("the new secret does not get in")
        if self._credential.verify:
            self._run("verify", self._credential.verify, "")

    def _put_back(self, deployed: bool) -> str:
        """Undo what was done; says in which state things are now."""
        try:
            self._holder.take_back()
        except FirebreakError as error:
            return f"AND the old one could not be put back ({error}): the new one may be in force"
        self._proof.in_force = OLD
        if not deployed:
            return "the old one is in force, nothing was deployed"
        if self._old is None:
            return (
                "the old one is in force again; it is not known here, and the hook may have deployed the new "
                "one: deploy the old one by hand"
            )
        try:
            self._deploy(self._old)
            if not self._holder.accepts(self._old):
                return "the old one was put back AND does not get in"
        except FirebreakError as error:
            return f"the old one is in force again, AND deploying it failed: {error}"
        return "the old one is in force again, deployed again, and gets in"

    def _finish(self) -> None:
        """From here on there is no way back: users have the new one, and it works."""
        try:
            self._holder.drop_old()
        except FirebreakError as error:
            raise self._failed(
                error, "the new one is in force and deployed; the old one may still be valid"
            ) from error
        if self._old is not None:
            self._proof.old_refused = not self._holder.accepts(self._old)
            if not self._proof.old_refused:
                raise self._error("the old secret still gets in; the new one is in force and deployed")
        self._proof.in_force = NEW
        try:
            self._proof.not_persistent = self._holder.persist()
            self._proof.sessions_ended = self._holder.end_sessions()
        except FirebreakError as error:
            state = "the new one is in force and deployed, the old one is not valid any more"
            raise self._failed(error, state) from error

    def _run(self, what: str, argv: Sequence[str], stdin: str) -> None:
        answer = self._hook(argv, stdin)
        if not answer.ok:
            raise self._error(f"its {what} command {argv[0]} failed: {self._shown(answer.complaint)}")

    def _shown(self, text: str) -> str:
        for secret in (self._credential.new, self._credential.old):
            text = text.replace(secret, "***") if secret else text
        return text

    def _error(self, problem: str) -> FirebreakError:
        return FirebreakError(self._credential.target, problem, "")

    def _failed(self, error: FirebreakError, state: str) -> FirebreakError:
        return FirebreakError(
            self._credential.target,
            f"{self._shown(error.problem)}; {state}",
            "Mend the cause, then rotate again.",
        )
