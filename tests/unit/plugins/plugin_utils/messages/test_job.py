# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of what could not be sent, and how the inventory is mended."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.job import escalate

from .conftest import NAME, Place

PATH = {"path": [{"after": "0s", "to": "on_call"}]}
MATRIX = [{"name": "worse", "when": {"severities": [2]}, "to": ["on_call"]}]


def site(place: Place, **given: Any) -> dict[str, Any]:
    place.variables = {"firebreak_record": place.variables["firebreak_record"], **given}
    place.open(severity="P1")
    return place.escalate(0)


def test_where_the_inventory_names_nobody_that_is_said_once_with_what_to_fill_in(place: Place) -> None:
    result = site(place)
    assert result["failed"] and result["names_nobody"]
    (problem,) = result["problems"]
    assert problem.startswith(f"NOBODY IS TOLD of {NAME}: this inventory names nobody. Tell people by hand.")
    assert "firebreak_people, firebreak_roles and firebreak_audiences" in problem
    assert [(each["id"], each["level"]) for each in result["findings"]] == [
        ("incident.people.missing", "critical")
    ]


def test_where_there_is_nothing_to_tell_nobody_is_missed(place: Place) -> None:
    result = place.escalate(0)
    assert "failed" not in result
    place.variables = {"firebreak_record": place.variables["firebreak_record"]}
    assert "failed" not in place.escalate(0)


def test_a_mistyped_id_is_named_also_where_nobody_is_told(place: Place) -> None:
    record = {"firebreak_record": place.variables["firebreak_record"]}
    place.open()
    with pytest.raises(BadInput, match="inc-9: there is none of that id"):
        escalate(record, "inc-9", "ann", place.clock, place.sleep)
    with pytest.raises(BadInput, match="it is not an id"):
        escalate(record, "../x", "ann", place.clock, place.sleep)


def test_a_role_that_nobody_has_is_said_once_for_all_that_it_misses(place: Place) -> None:
    result = site(
        place,
        firebreak_people={"ann": {}},
        firebreak_escalation={**PATH, "matrix": MATRIX},
    )
    assert result["problems"] == [
        f"page and escalation of {NAME}: role on_call: nobody was ever given it. "
        "Name people or a rotation under firebreak_roles.on_call."
    ]
    assert result["msg"].startswith("NOT sent: page and escalation")
    assert "is not filled in" not in result["msg"]


@pytest.mark.parametrize(
    ("person", "said"),
    [
        ({"phone": "+1 555 0101", "email": "ann@example.org"}, "Call Ann, +1 555 0101."),
        ({"email": "ann@example.org"}, "Write to ann@example.org."),
    ],
)
@pytest.mark.parametrize("urls", [[], ["json://127.0.0.1:1/"]])
def test_who_cannot_be_paged_is_named_with_how_to_reach_them(
    place: Place, person: dict[str, Any], said: str, urls: list[str]
) -> None:
    result = site(
        place,
        firebreak_people={"ann": {"name": "Ann", "urls": urls, **person}},
        firebreak_roles={"on_call": ["ann"]},
        firebreak_escalation={**PATH, "matrix": []},
    )
    (problem,) = result["problems"]
    assert problem.endswith(said)


def test_what_was_sent_is_said_in_a_line_each(place: Place, tmp_path: Any) -> None:
    result = site(
        place,
        firebreak_people={"ann": {"name": "Ann", "urls": ["json://127.0.0.1:1/"]}},
        firebreak_roles={"on_call": ["ann"]},
        firebreak_audiences={"incidents": ["json://127.0.0.1:1/"]},
        firebreak_escalation={**PATH, "matrix": []},
        firebreak_status_page={"url": "http://127.0.0.1:1", "token": "x"},
        firebreak_messages_sandbox=str(tmp_path / "messages"),
    )
    assert result["msg"].splitlines()[:2] == [
        f"page of {NAME} sent to ann",
        f"initial of {NAME} sent to incidents",
    ]
