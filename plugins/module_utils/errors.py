# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong, said so that a responder can act on it."""

from __future__ import annotations

from typing import Any, Mapping


class FirebreakError(Exception):
    """A failure that names the object it concerns and the cure.

    `result` is what the task returns beside its message, for instance the acts that were done
    before a later one failed.
    """

    def __init__(
        self, subject: str, problem: str, cure: str, result: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(f"{subject}: {problem.rstrip('.')}. {cure}")
        self.subject = subject
        self.problem = problem
        self.cure = cure
        self.result: Mapping[str, Any] = result or {}

    def as_result(self) -> dict[str, Any]:
        """The keyword arguments for `fail_json`.

        A name in the message may be an attacker's, and not every callback keeps it from the terminal.
        """
        return {**self.result, "msg": "".join(map(_visible, str(self)))}


def _visible(character: str) -> str:
    if character.isprintable() or character in "\n\t":
        return character
    return character.encode("unicode_escape").decode("ascii")


class BadInput(FirebreakError):
    """The caller asked for something that cannot be meant."""


class Unreachable(FirebreakError):
    """A server or a program could not be asked, so nothing is known about it."""


class IdentityChanged(FirebreakError):
    """What an act was planned for is no longer there or has become something else."""


class Declined(FirebreakError):
    """The one who was to do it would not, and nothing is changed: no failure, and not to be hidden either."""
