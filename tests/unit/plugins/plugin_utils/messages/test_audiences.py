# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.apprise_channel import channel_of
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.audiences import Audiences
from ansible_collections.firebreak.incident.plugins.plugin_utils.people.contacts import People
from firebreak_lab.receivers import Receiver

from .conftest import BEGAN, Place, url_of

PEOPLE = {
    "firebreak_people": {
        "ann": {"name": "Ann", "urls": ["json://ann.example/t0ken"]},
        "ben": {"name": "Ben"},
    },
    "firebreak_roles": {"chiefs": ["ann"], "on_call": ["ben"]},
}


def audiences(**given: Any) -> Audiences:
    variables = {**PEOPLE, "firebreak_audiences": given}
    return Audiences.of(variables, People.of(variables))


@pytest.mark.parametrize(
    ("url", "shown", "deduplicates"),
    [
        ("slack://T1234/B1234/abcd", "Slack", False),
        ("pagerduty://integration@api", "Pager Duty", True),
        ("opsgenie://a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6", "Opsgenie", True),
        ("mailto://smtp.example/?from=a@x.example&to=b@y.example", "e-mail …@y.example", False),
        ({"url": "jsons://hook.example/t0ken", "deduplicates": True}, "JSON", True),
    ],
)
def test_what_a_place_is_and_whether_it_knows_a_message_again(
    url: Any, shown: str, deduplicates: bool
) -> None:
    channel = channel_of("x", url)
    assert channel.shown.startswith(shown)
    assert channel.deduplicates is deduplicates
    assert "t0ken" not in repr(channel) and "abcd" not in repr(channel)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nonsense://t0ken", "Apprise cannot read this URL"),
        ("", "Apprise cannot read this URL"),
        (None, "Apprise cannot read this URL"),
        ("mailto://smtp.example/?from=a@x.example&to=b@y.example,c@y.example", "it names 2 receivers"),
        ("mailto://smtp.example/?from=a@x.example&to=t0ken", "it names nobody to write to"),
        ({"url": "json://x", "retries": 3}, "it cannot be read"),
    ],
)
def test_a_place_that_cannot_be_read_is_named_by_where_it_is_written(given: Any, said: str) -> None:
    with pytest.raises(BadInput, match=r"firebreak_audiences\.incidents\[0\]: " + said) as caught:
        channel_of("firebreak_audiences.incidents[0]", given)
    assert "t0ken" not in str(caught.value)


def test_faults_are_told_before_anything_has_to_be_sent() -> None:
    found = [
        str(each)
        for each in audiences(incidents=["nonsense://x"], executives="boss", security=7).check(BEGAN)
    ]
    assert [each.partition(":")[0] for each in found] == [
        "firebreak_audiences.incidents[0]",
        "role boss",
        "firebreak_audiences.security",
    ]


@pytest.mark.parametrize(
    "given", ["hooks.slack.example/services/t0ken", "t0ken:x@pager", "slack://t0ken/b/c", {"url": "t0ken"}]
)
def test_an_address_that_was_written_as_if_it_were_a_role_is_not_named(given: Any) -> None:
    (fault,) = audiences(incidents=given).check(BEGAN)
    assert "it is neither a list nor a role" in str(fault) and "t0ken" not in str(fault)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://status.example", ["everybody on the way can read the token. Use https://."]),
        ("http://127.0.0.1:8080", []),
        ("https://status.example", []),
        ("status.example", ["it is no address of a web server. Begin it with https://."]),
    ],
)
def test_a_status_page_that_is_unsafe_or_wrong_is_told_of_before_it_is_needed(
    url: str, said: list[str]
) -> None:
    given = {**PEOPLE, "firebreak_status_page": {"url": url, "token": "t0ken"}}
    faults = [str(each) for each in Audiences.of(given, People.of(given)).check(BEGAN)]
    assert faults == [f"firebreak_status_page.url: {each}" for each in said]


def test_an_audience_that_is_not_known_is_refused() -> None:
    with pytest.raises(BadInput, match="It has incidents, on_call, executives"):
        audiences(everyone=[])


def test_an_audience_may_be_a_role(place: Place, hook: Receiver) -> None:
    place.variables.update(
        firebreak_people={"ann": {"name": "Ann", "urls": [url_of(hook)]}},
        firebreak_roles={"chiefs": ["ann"]},
        firebreak_audiences={"incidents": "chiefs"},
    )
    place.open()
    place.escalate(0)
    assert len(hook.got) == 1


def paged(place: Place, hook: Receiver, **given: Any) -> dict[str, Any]:
    place.variables.update(
        firebreak_people={"ben": {"name": "Ben"}},
        firebreak_roles={"on_call": ["ben"]},
        firebreak_escalation={"path": [{"after": "0s", "to": "on_call"}], "matrix": []},
        firebreak_audiences=given,
    )
    place.open()
    return place.escalate(0)


def test_who_has_no_address_is_paged_where_all_on_call_are(place: Place, hook: Receiver) -> None:
    paged(place, hook, on_call=[url_of(hook)])
    (message,) = hook.got
    assert message["body"]["message"].startswith("Ben, you are wanted as on call")


def test_who_cannot_be_paged_at_all_makes_it_fail(place: Place, hook: Receiver) -> None:
    result = paged(place, hook, incidents=[url_of(hook)])
    assert result["failed"]
    assert "page of inc-1: firebreak_people.ben.urls: it is empty. Give an Apprise URL" in result["msg"]
    assert len(hook.got) == 1


def test_an_audience_that_is_nowhere_is_a_warning(place: Place, hook: Receiver) -> None:
    result = paged(place, hook, on_call=[url_of(hook)])
    assert "failed" not in result
    assert any("firebreak_audiences.incidents: it is not set" in each for each in result["warnings"])


def test_a_place_that_is_wrong_does_not_keep_the_others_waiting(place: Place, hook: Receiver) -> None:
    place.variables["firebreak_audiences"] = {"incidents": ["nonsense://x", url_of(hook), url_of(hook)]}
    place.open()
    result = place.escalate(0)
    assert result["failed"] and "firebreak_audiences.incidents[0]" in result["msg"]
    assert len(hook.got) == 1
