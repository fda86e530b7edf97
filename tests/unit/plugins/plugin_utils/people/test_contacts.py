# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.plugin_utils.people.contacts import (
    EVERYBODY_ON_CALL,
    People,
    check_names,
)

from .conftest import BEGAN, site


def people(**given: Any) -> People:
    return People.of(site(**given))


def test_a_role_has_its_people_the_first_of_whom_is_it() -> None:
    found = people(firebreak_roles={"database_admin": ["dora", "ann"]})
    assert [person.id for person in found.with_role("database_admin", BEGAN)] == ["dora", "ann"]


def test_a_role_that_is_a_rotation_is_with_whoever_has_the_turn() -> None:
    for weeks, name in ((0, "ann"), (1, "ben")):
        (person,) = people().with_role("on_call", BEGAN + timedelta(weeks=weeks))
        assert person.id == name


def test_everybody_on_call_is_who_has_the_turn_in_any_rotation() -> None:
    assert [each.id for each in people().with_role(EVERYBODY_ON_CALL, BEGAN)] == ["ann", "dora"]


def test_a_role_that_nobody_has_is_named_with_the_cure() -> None:
    with pytest.raises(BadInput, match=r"role cto: nobody was ever given it. .*firebreak_roles\.cto"):
        people(firebreak_roles={}).with_role("cto", BEGAN)
    with pytest.raises(BadInput, match="role cto: nobody has it"):
        people(firebreak_roles={"cto": []}).with_role("cto", BEGAN)


def test_who_takes_a_role_is_somebody_of_the_inventory() -> None:
    check_names("ann", "incident_commander", site())
    with pytest.raises(BadInput, match=r"there is no person 'annn'\. .*Did you mean 'ann'\?"):
        check_names("annn", None, site())


def test_an_inventory_that_names_nobody_is_taken_at_its_word() -> None:
    check_names("whoever is here", "incident_commander", {})


def test_a_role_may_be_new_but_is_not_nearly_a_known_one() -> None:
    check_names(None, "scribe", site())
    for role, meant in (("incident_comander", "incident_commander"), ("on-call", "on_call")):
        with pytest.raises(BadInput, match=f"Did you mean '{meant}'"):
            check_names(None, role, site())


def test_external_contacts_have_what_the_provider_asks_for() -> None:
    (found,) = people(
        firebreak_external_contacts=[
            {"service": "CDN", "contact": "+1 555 0100", "account": "A-1", "notes": "enterprise plan"}
        ]
    ).external
    assert (found.service, found.account) == ("CDN", "A-1")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"firebreak_roles": {"cto": ["anne"]}},
            r"firebreak_roles\.cto: there is no person 'anne'.* Did you mean 'ann'",
        ),
        ({"firebreak_roles": {"on_call": "primari"}}, "no rotation 'primari'.* Did you mean 'primary'"),
        ({"firebreak_roles": {"cto": 7}}, "neither a list of people nor the name of a rotation"),
        ({"firebreak_roles": ["cto"]}, "firebreak_roles: it is no mapping"),
        ({"firebreak_people": {"ann": "Ann"}}, r"firebreak_people\.ann: it is no mapping"),
        ({"firebreak_people": {"ann": {"nam": "Ann"}}}, "'nam' is nothing a person has"),
        ({"firebreak_people": {"ann": {"time_zone": "Mars"}}}, "no time zone 'Mars'"),
        ({"firebreak_people": {"ann": {"urls": "json://x"}}}, r"firebreak_people\.ann\.urls: it is no list"),
        ({"firebreak_external_contacts": [{"contact": "x"}]}, r"firebreak_external_contacts\[0\]"),
        (
            {
                "firebreak_rotations": {
                    "p": {"anchor": "2026-01-05T09:00", "time_zone": "UTC", "people": ["x"]}
                }
            },
            "there is no person 'x'",
        ),
    ],
)
def test_what_cannot_be_meant_is_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        people(**given)


def test_the_urls_of_a_person_are_in_no_text_of_it() -> None:
    found = people(
        firebreak_people={"ann": {"urls": ["slack://T0K3N"]}}, firebreak_roles={}, firebreak_rotations={}
    )
    assert "T0K3N" not in repr(found)


def test_without_any_variable_there_is_nobody() -> None:
    assert People.of({}) == People()
