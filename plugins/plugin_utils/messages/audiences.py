# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each audience is. A fault is named with its cure, and never by the address, which may be secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput

from ..people.contacts import People, Person
from ..people.due import AUDIENCES, ON_CALL, STATUS_PAGE, Notification
from .apprise_channel import channel_of
from .channel import Channel
from .sandbox import Sandbox
from .status_page import VARIABLE as STATUS_PAGE_VARIABLE
from .status_page import StatusPage

# Anything else may be an address without its beginning, which is not to be named.
_ROLE = re.compile(r"[A-Za-z0-9_-]{1,64}")
VARIABLE, SANDBOX = "firebreak_audiences", "firebreak_messages_sandbox"


class Nowhere(BadInput):
    """Nobody said where an audience is."""


@dataclass(frozen=True)
class Audiences:
    """`given` has for each audience its URLs, or the role whose people it is."""

    people: People
    given: Mapping[str, Any] = field(default_factory=dict, repr=False)
    status_page: Any = field(default=None, repr=False)
    sandbox: Path | None = None

    @classmethod
    def of(cls, variables: Mapping[str, Any], people: People) -> Audiences:
        """Raises `BadInput`."""
        given = variables.get(VARIABLE) or {}
        known = [name for name in AUDIENCES if name != STATUS_PAGE]
        if not isinstance(given, Mapping) or set(given) - set(known):
            raise BadInput(VARIABLE, "it cannot be read", f"It has {', '.join(known)}, or some of them.")
        sandbox = variables.get(SANDBOX)
        return cls(
            people,
            given,
            variables.get(STATUS_PAGE_VARIABLE),
            Path(str(sandbox)).expanduser() if sandbox else None,
        )

    def check(self, now: datetime) -> Iterator[BadInput]:
        """What is wrong with it all, before anything has to be sent."""
        places = [(f"{VARIABLE}.{name}", self.given[name]) for name in AUDIENCES if self.given.get(name)]
        places += [(_urls(person), person.urls) for person in self.people.people.values()]
        for where, given in places:
            yield from (each for each in self._places(where, given, now) if isinstance(each, BadInput))
        if self.status_page:
            try:
                problem = StatusPage.of(self.status_page).problem
            except BadInput as error:
                problem = error
            if problem is not None:
                yield problem

    def channels(
        self, notification: Notification, made: str | None, now: datetime
    ) -> tuple[list[Channel], list[BadInput]]:
        """Where it goes, and what is wrong with the rest. `made` is that on the status page."""
        found = list(self._all(notification, made, now))
        problems = [each for each in found if isinstance(each, BadInput)]
        # One place that was named twice is told once.
        channels = {each.id: each for each in found if not isinstance(each, BadInput)}
        if self.sandbox is None:
            return list(channels.values()), problems
        return [Sandbox(self.sandbox, each.id, each.shown) for each in channels.values()], problems

    def _all(
        self, notification: Notification, made: str | None, now: datetime
    ) -> Iterator[Channel | BadInput]:
        if notification.problem is not None:
            yield notification.problem
        elif notification.audience == STATUS_PAGE and not self.status_page:
            yield Nowhere(STATUS_PAGE_VARIABLE, "it is not set", "Give it url and token.")
        elif notification.audience == STATUS_PAGE:
            try:
                yield StatusPage.of(self.status_page, made)
            except BadInput as error:
                yield error
        elif notification.person is not None:
            yield from self._of_person(notification.person, now)
        else:
            where = f"{VARIABLE}.{notification.audience}"
            yield from self._places(where, self.given.get(notification.audience), now)

    def _of_person(self, person: Person, now: datetime) -> Iterator[Channel | BadInput]:
        common = self.given.get(ON_CALL)
        if person.urls:
            yield from self._places(_urls(person), person.urls, now)
        elif common and not isinstance(common, str):
            yield from self._places(f"{VARIABLE}.{ON_CALL}", common, now)
        else:
            cure = f"Give an Apprise URL that reaches {person.id}, or a common one in {VARIABLE}.{ON_CALL}."
            yield Nowhere(_urls(person), "it is empty", cure)

    def _places(self, where: str, given: Any, now: datetime) -> Iterator[Channel | BadInput]:
        if isinstance(given, str) and _ROLE.fullmatch(given):
            try:
                people = self.people.with_role(given, now)
            except BadInput as error:
                yield error
                return
            for person in people:
                yield from self._of_person(person, now)
        elif isinstance(given, str) or not isinstance(given, Sequence):
            problem = "it is neither a list nor a role" if given else "it is not set"
            yield (BadInput if given else Nowhere)(where, problem, "List Apprise URLs, or name a role.")
        else:
            for number, each in enumerate(given):
                try:
                    yield channel_of(f"{where}[{number}]", each)
                except BadInput as error:
                    yield error


def _urls(person: Person) -> str:
    return f"firebreak_people.{person.id}.urls"
