# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.template import Templates
from ansible_collections.firebreak.incident.plugins.plugin_utils.placeholders import Unfilled


def templates(directory: Path, text: str, name: str = "initial") -> Templates:
    (directory / f"{name}.j2").write_text(text)
    return Templates.of(directory)


def test_both_runbooks_have_their_templates() -> None:
    assert Templates().names() == [
        "customer",
        "customer_resolution",
        "escalation",
        "executive",
        "initial",
        "page",
        "resolution",
        "status_page",
        "status_page_resolution",
        "status_page_update",
        "summary",
        "update",
    ]


def test_one_of_the_site_takes_the_place_of_the_built_in_one(tmp_path: Path) -> None:
    own = templates(tmp_path, "Subject: Ours: {{ title }}\n\nHello {{ title }}\n")
    text = own.render("initial", {"title": "it is down"})
    assert (text.subject, text.body) == ("Ours: it is down", "Hello it is down\n")
    assert "Severity" in own.render("page", {**KNOWN}).body


KNOWN = {
    "title": "it is down",
    "severity": "Sev1 / P0",
    "incident": "inc-1",
    "person": "Ann",
    "role": "on call",
    "because": "it has begun",
    "started": "12:00",
    "duration": "3 min",
}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Subject: x\n\nImpact: [description]\n", r"\[description\] is not filled in"),
        ("Subject: [Incident Title]\n\nx\n", r"\[Incident Title\] is not filled in"),
        ("Subject: x\n\n[$amount] by [Name]\n", r"\[\$amount\], \[Name\] is not filled in"),
        ("Subject: x\n\nBy {{ root_cause }}\n", "root_cause is not filled in"),
        ("Subject: x\n\n{% for a in absent %}{{ a }}{% endfor %}\n", "absent is not filled in"),
        ("Subject: x\n\n{{ nothing }}\n", "nothing is not filled in"),
    ],
)
def test_what_was_left_unfilled_is_refused_with_its_name(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Unfilled, match=said):
        templates(tmp_path, text).render("initial", {"title": "t", "nothing": ""})


@pytest.mark.parametrize(
    "text",
    ["see [the page](https://x.example)", "[fd77::1]:80", "[1]", "{% if absent %}[x{% endif %}", "a[0]"],
)
def test_what_is_no_placeholder_is_sent(tmp_path: Path, text: str) -> None:
    assert templates(tmp_path, f"Subject: x\n\n{text} .\n").render("initial", {}).body


def test_what_a_machine_said_may_have_brackets() -> None:
    text = Templates().render("page", {**KNOWN, "title": "[FIRING] disk full"})
    assert text.subject == "PAGE [Sev1 / P0] [FIRING] disk full (inc-1)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no subject\n\nx\n", "it has no subject or no text"),
        ("Subject: x\n", "it has no subject or no text"),
        ("Subject: {{ x\n\nx\n", "it cannot be read"),
        ("Subject: {{ title.__class__ }}\n\nx\n", "__class__"),
        ("Subject: {{ ().__class__.__bases__ }}\n\nx\n", "it cannot be read"),
    ],
)
def test_a_template_that_cannot_be_used_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        templates(tmp_path, text).render("initial", {"title": "t"})


@pytest.mark.parametrize(
    "text",
    [
        "{{ 1 / 0 }}",
        "{{ title + 1 }}",
        "{% include 'x' %}",
        "{{ title.encode('ascii') }}",
        "{{ hosts[9].x }}",
    ],
)
def test_a_template_that_trips_over_itself_is_named_and_tells_no_value(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match=r"template .*initial\.j2") as caught:
        templates(tmp_path, f"Subject: x\n\n{text}\n").render(
            "initial", {"title": "s\u00e4cret", "hosts": ["a"]}
        )
    assert "s\u00e4cret" not in str(caught.value)


def test_values_are_never_taken_for_templates() -> None:
    evil = "{{ 7 * 7 }} {% for x in [] %} {{ ''.__class__ }} ${{ 1 }}"
    text = Templates().render("page", {**KNOWN, "title": evil})
    assert evil in text.subject and evil in text.body


@pytest.mark.parametrize(
    "call", ["<!channel>", "<!here|x>", "<@U012>", "<@&77>", "<#C1>", "@everyone", "@Here"]
)
def test_a_title_can_call_nobody(call: str) -> None:
    text = Templates().render("page", {**KNOWN, "title": f"down {call}", "hosts": [call]})
    assert call not in text.subject + text.body
    assert call.strip("<>@!&#") in text.subject


def test_what_is_no_call_stays_as_it_is() -> None:
    text = Templates().render("page", {**KNOWN, "title": "ann@shop.example, a<b, @ann, all@x"})
    assert "ann@shop.example, a<b, @ann" in text.subject


def test_a_text_without_end_is_cut_off() -> None:
    text = Templates().render("page", {**KNOWN, "title": "x" * 1_000_000, "hosts": ["y" * 1_000_000]})
    assert len(text.subject) == 250 and text.subject.endswith("\u2026")
    assert len(text.body) < 10_000


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\u2066", "\x1b[31m", "\x07", "\ud800", "\x00"])
def test_what_hides_or_turns_text_around_is_taken_out(hidden: str) -> None:
    text = Templates().render(
        "page", {**KNOWN, "title": f"a{hidden}b", "hosts": {f"c{hidden}": f"d{hidden}"}}
    )
    assert hidden not in text.subject + text.body
    text.body.encode()


def test_a_space_that_does_not_break_stays_a_space() -> None:
    assert "1 000 users" in Templates().render("page", {**KNOWN, "title": "1\u00a0000 users"}).subject


@pytest.mark.parametrize("name", ["absent", "../secret", "a/b", ""])
def test_a_template_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(BadInput, match="It is one of customer, customer_resolution"):
        Templates().render(name, {})


def test_a_title_can_begin_no_header_and_steer_no_terminal(tmp_path: Path) -> None:
    own = templates(tmp_path, "Subject: {{ title }}\n\n{{ title }}\n")
    text = own.render("initial", {"title": "x\r\nBcc: mallory@x.example\x1b[2J"})
    assert text.subject == "x"
    assert "\x1b" not in text.body


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no such directory"):
        Templates.of(tmp_path / "absent")
