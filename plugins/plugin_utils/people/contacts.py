# SPDX-License-Identifier: GPL-3.0-or-later
"""Who there is, who has which role, and whom to ask outside. Pure; a fault is named with its cure."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput

from .rotation import Rotation, zone_named

PEOPLE, ROLES, ROTATIONS = "firebreak_people", "firebreak_roles", "firebreak_rotations"
EXTERNAL = "firebreak_external_contacts"
# Those that the runbooks name, beside those of the site.
KNOWN_ROLES = (
    "incident_commander",
    "communications_lead",
    "engineering_lead",
    "engineering_manager",
    "security_lead",
    "database_admin",
    "devops_lead",
)
# Who has the turn in any of the rotations: a P0 goes to all of them.
EVERYBODY_ON_CALL = "everybody_on_call"


@dataclass(frozen=True)
class Person:
    """`urls` are Apprise's and secret; a person without any is told where the audience `on_call` is."""

    id: str
    name: str
    email: str = ""
    phone: str = ""
    urls: tuple[Any, ...] = field(default=(), repr=False)
    time_zone: str = "UTC"


@dataclass(frozen=True)
class External:
    """Whom to call outside: a provider, with the account they ask for."""

    service: str
    contact: str = ""
    account: str = ""
    notes: str = ""


@dataclass(frozen=True)
class People:
    """`roles` has for each role its people, the first of whom is it and others stand in, or a rotation."""

    people: Mapping[str, Person] = field(default_factory=dict)
    roles: Mapping[str, tuple[str, ...] | Rotation] = field(default_factory=dict)
    rotations: Mapping[str, Rotation] = field(default_factory=dict)
    external: tuple[External, ...] = ()

    @classmethod
    def of(cls, variables: Mapping[str, Any]) -> People:
        """From the inventory. Raises `BadInput` that names the variable, what is wrong there and the cure."""
        people = {
            str(name): _person(str(name), given) for name, given in _mapping(variables, PEOPLE, {}).items()
        }
        rotations = {
            str(name): Rotation.of(f"{ROTATIONS}.{name}", given)
            for name, given in _mapping(variables, ROTATIONS, {}).items()
        }
        for name, rotation in rotations.items():
            for person in rotation.everybody:
                _known(person, people, f"{ROTATIONS}.{name}")
        roles = {
            str(role): _members(str(role), given, people, rotations)
            for role, given in _mapping(variables, ROLES, {}).items()
        }
        external = tuple(
            _external(number, given) for number, given in enumerate(variables.get(EXTERNAL) or ())
        )
        return cls(people, roles, rotations, external)

    def with_role(self, role: str, now: datetime) -> tuple[Person, ...]:
        """All who have it at that time, the first of whom is it. Raises `BadInput` when nobody has."""
        if role == EVERYBODY_ON_CALL and role not in self.roles:
            names = tuple(dict.fromkeys(rotation.on_call(now) for rotation in self.rotations.values()))
        else:
            members = self.roles.get(role, ())
            names = (members.on_call(now),) if isinstance(members, Rotation) else members
        if not names:
            raise BadInput(
                f"role {role}",
                "nobody has it" if role in self.roles else "nobody was ever given it",
                f"Name people or a rotation under {ROLES}.{role}." + _close(role, self.roles),
            )
        return tuple(self.people[name] for name in names)

    def without_anybody(self, roles: Collection[str], now: datetime) -> Iterator[BadInput]:
        """For each of those roles that nobody has, what `with_role` would raise."""
        for role in roles:
            try:
                self.with_role(role, now)
            except BadInput as error:
                yield error


def check_names(person: str | None, role: str | None, variables: Mapping[str, Any]) -> None:
    """Of somebody who takes a role: whether both are meant. Raises `BadInput`.

    An inventory that names nobody is taken at its word, and a role may be new, but not nearly a known one.
    """
    people, roles = variables.get(PEOPLE), variables.get(ROLES)
    if person and isinstance(people, Mapping) and people:
        _known(person, people, "person")
    known = {*KNOWN_ROLES, *(roles if isinstance(roles, Mapping) else ())}
    if role and role not in known and difflib.get_close_matches(role, known, n=1, cutoff=0.85):
        raise BadInput(f"role {role!r}", "there is none of that name", _close(role, known).strip())


def _person(name: str, given: Any) -> Person:
    where = f"{PEOPLE}.{name}"
    known = {each.name for each in fields(Person)} - {"id"}
    if not isinstance(given, Mapping):
        raise BadInput(where, "it is no mapping", f"Give it {', '.join(sorted(known))}.")
    for key in given:
        if key not in known:
            raise BadInput(
                where, f"{key!r} is nothing a person has", f"It is one of {', '.join(sorted(known))}."
            )
    zone_named(str(given.get("time_zone", "UTC")), where)
    urls = given.get("urls") or ()
    if isinstance(urls, str):
        raise BadInput(f"{where}.urls", "it is no list", "Write [url] for one.")
    texts = {key: str(value) for key, value in given.items() if key != "urls"}
    return Person(id=name, urls=tuple(urls), **{"name": name, **texts})


def _members(
    role: str, given: Any, people: Collection[str], rotations: Mapping[str, Rotation]
) -> tuple[str, ...] | Rotation:
    where = f"{ROLES}.{role}"
    if isinstance(given, str):
        if given in rotations:
            return rotations[given]
        cure = f"Name one of {ROTATIONS}, or list people: [{given}]." + _close(given, rotations)
        raise BadInput(where, f"there is no rotation {given!r}", cure)
    if not isinstance(given, Sequence):
        raise BadInput(where, "it is neither a list of people nor the name of a rotation", "Write [ann].")
    for person in given:
        _known(str(person), people, where)
    return tuple(str(person) for person in given)


def _external(number: int, given: Any) -> External:
    where = f"{EXTERNAL}[{number}]"
    known = [each.name for each in fields(External)]
    if not isinstance(given, Mapping) or not given.get("service") or set(given) - set(known):
        raise BadInput(where, "it cannot be read", f"Give it a service, and of {', '.join(known[1:])} any.")
    return External(**{key: str(value) for key, value in given.items()})


def _known(person: str, people: Collection[str], where: str) -> None:
    if person not in people:
        cure = f"Add {person!r} to {PEOPLE}, or mend the name." + _close(person, people)
        raise BadInput(where, f"there is no person {person!r}", cure)


def _mapping(variables: Mapping[str, Any], name: str, default: Mapping[str, Any]) -> Mapping[str, Any]:
    given = variables.get(name) or default
    if not isinstance(given, Mapping):
        raise BadInput(name, "it is no mapping", "Write one entry for each name.")
    return given


def _close(word: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
