# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.criteria import (
    CRITERIA_SPEC,
    Criteria,
    parse_criteria,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.session import Session

Make = Callable[..., Session]


def criteria(**given: Any) -> Criteria:
    return parse_criteria({**dict.fromkeys(CRITERIA_SPEC), **given})


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"states": ["idle", "active"]}, True),
        ({"states": ["idle in transaction"]}, False),
        ({"min_age": "90s"}, True),
        ({"min_age": "91"}, False),
        ({"min_age": "2m"}, False),
        ({"min_age": "0"}, True),
        ({"users": ["web"]}, True),
        ({"users": ["Web"]}, False),
        ({"applications": ["shop"]}, True),
        ({"applications": ["sho"]}, False),
        ({"databases": ["shop"]}, True),
        ({"clients": ["10.0.0.9"]}, True),
        ({"clients": ["10.0.0.0/8"]}, True),
        ({"clients": ["10.0.0.8", "local"]}, False),
        ({"clients": ["fd00::/8"]}, False),
        ({"pids": [4242]}, True),
        ({"pids": [4243]}, False),
        ({"users": ["web"], "databases": ["shop"], "min_age": "1m"}, True),
        ({"users": ["web"], "databases": ["other"], "min_age": "1m"}, False),
    ],
)
def test_all_that_is_given_must_hold(session: Make, given: dict[str, Any], meant: bool) -> None:
    assert criteria(**given).match(session()) is meant


@pytest.mark.parametrize("name", ["users", "applications", "databases", "clients", "pids", "states"])
def test_an_empty_list_means_nobody(session: Make, name: str) -> None:
    assert not criteria(min_age="0", **{name: []}).match(session())


def test_who_comes_over_the_socket_is_local(session: Make) -> None:
    assert criteria(clients=["local"]).match(session(client=None))
    assert not criteria(clients=["0.0.0.0/0"]).match(session(client=None))


def test_a_session_without_an_application_name_can_be_named(session: Make) -> None:
    assert criteria(applications=[""]).match(session(application=None))


@pytest.mark.parametrize("client", ["fe80::1%eth0", "2001:db8::1"])
def test_addresses_of_version_6_are_understood(session: Make, client: str) -> None:
    assert criteria(clients=["::/0"]).match(session(client=client))


def test_nothing_given_is_not_everything() -> None:
    with pytest.raises(BadInput, match="nothing says which sessions"):
        criteria()


@pytest.mark.parametrize(
    "given", [{"min_age": "soon"}, {"clients": ["somewhere"]}, {"clients": ["10.0.0.7/8"]}]
)
def test_slips_of_the_finger_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        criteria(**given)


def test_only_a_state_that_was_asked_for_must_stay() -> None:
    assert criteria(states=["idle"]).of_state
    assert criteria(min_age="0").of_state
    assert not criteria(users=["web"]).of_state
