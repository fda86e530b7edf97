# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.postmortem.account import Account, account
from ansible_collections.firebreak.incident.plugins.plugin_utils.postmortem.as_html import as_html
from ansible_collections.firebreak.incident.plugins.plugin_utils.postmortem.as_markdown import as_markdown
from ansible_collections.firebreak.incident.plugins.plugin_utils.postmortem.drawing import drawing
from ansible_collections.firebreak.incident.plugins.plugin_utils.postmortem.words import SECTIONS, gaps

from .conftest import Record
from .story import EVIL, act, finding, message, night, node, opened, run, said

Write = Callable[[Account], str]
BOTH = pytest.mark.parametrize("write", [as_markdown, as_html])


class Page(HTMLParser):
    """Which elements and attributes there are, and whether each is closed."""

    VOID = ("meta",)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes.update(name for name, _value in attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            raise ValueError(f"</{tag}> closes nothing")


def everywhere_evil(record: Record) -> Account:
    """Each word that somebody else may choose is chosen by an attacker."""
    tree = [node(0, 1, 1, user=EVIL, application=EVIL, query=EVIL), node(1, 2, 0, client=EVIL)]
    result = {
        "findings": [finding(EVIL, "critical", EVIL, EVIL)],
        "actions": [act(EVIL, EVIL, reason=EVIL, undo=EVIL), act(EVIL, EVIL, "refused", reason=EVIL)],
        "verdict": EVIL,
        "before": {"tree": tree},
        "after": {},
    }
    drafts = [
        opened(title=EVIL),
        said(3, "role", role=EVIL, person=EVIL, actor=EVIL),
        said(4, "severity", severity=EVIL, reasons=[EVIL], facts={EVIL: EVIL, "users_percent": EVIL}),
        *run(5, EVIL, [(EVIL, result)]),
        message(6, EVIL, EVIL, person=EVIL, address=EVIL, role=EVIL, because=EVIL),
        message(7, EVIL, EVIL, "message.failed", outcome=EVIL, why=EVIL),
        said(8, "note", text=EVIL),
        said(9, "resolve", resolution=EVIL, root_cause=EVIL, text=EVIL),
    ]
    return account(record(drafts), [EVIL])


def test_nothing_from_an_event_is_markup_of_the_page(record: Record, told: Account) -> None:
    evil, good = Page(as_html(everywhere_evil(record))), Page(as_html(told))
    assert evil.open == good.open == []
    assert not {"script", "img", "a", "link", "iframe"} & evil.elements
    # The list is of what was altered.
    assert evil.elements <= good.elements | {"ul", "li"}
    assert evil.attributes <= good.attributes


@BOTH
def test_nothing_turns_round_or_moves_text(record: Record, write: Write) -> None:
    text = write(everywhere_evil(record))
    assert text.replace("\n", "").isprintable()
    assert "u202e" in text


def test_nothing_from_an_event_is_markdown(record: Record) -> None:
    text = as_markdown(everywhere_evil(record))
    drawn = re.compile(r"^    .*$", re.MULTILINE)
    rest = re.sub(r"\\[\\`*_{}\[\]<>#|~!&@$]", "", drawn.sub("", text))
    assert "<" not in rest
    assert "](" not in rest.replace("**[To be filled in]**", "")
    assert "`" not in rest
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith(" |") or set(line) == {"|", "-"} for line in rows)


def test_addresses_and_mentions_are_no_links_in_markdown(record: Record) -> None:
    note = said(3, "note", text="see http://evil.test and www.evil.test, @everyone, $x$")
    text = as_markdown(account(record([opened(), note])))
    assert "http:\\//evil" in text
    assert "www\\.evil" in text
    assert "\\@everyone, \\$x\\$" in text


def test_the_page_needs_nothing_but_itself(told: Account) -> None:
    page = as_html(told)
    assert not {"src", "href", "style", "srcset"} & Page(page).attributes
    assert not re.search(r"url\(|@import", page)
    assert "default-src 'none'" in page


def test_the_drawing_is_well_formed_whatever_was_recorded(record: Record, told: Account) -> None:
    for each in (told, everywhere_evil(record)):
        ElementTree.fromstring(drawing(each))


def test_many_events_are_drawn_as_marks_that_do_not_cover_each_other(record: Record) -> None:
    notes = [said(3 + number / 10, "note", text=str(number)) for number in range(500)]
    root = ElementTree.fromstring(drawing(account(record([opened(), *notes]))))
    places = [
        float(match.group(1))
        for group in root.iter("g")
        if (match := re.match(r"translate\(([\d.]+)", group.get("transform", "")))
    ]
    assert 10 < len(places) < 80
    assert all(after - before >= 12.9 for before, after in pairwise(places))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_events_are_drawn_too(record: Record, count: int) -> None:
    events = [opened(), said(20, "acknowledge"), said(40, "contain"), said(88, "resolve"), said(90, "close")]
    root = ElementTree.fromstring(drawing(account(record(events[:count]))))
    assert "nan" not in ElementTree.tostring(root, "unicode").lower()


@BOTH
def test_what_only_people_know_is_marked(told: Account, write: Write) -> None:
    text = write(told)
    for section in SECTIONS:
        assert section.title in text
    assert gaps(told)[:4] == ["Users affected", "Data loss", "Data breach", "Root cause"]
    assert text.count("To be filled in") >= len(gaps(told))


def test_what_nobody_was_sure_of_has_to_be_found_out(record: Record) -> None:
    told = account(record([opened(facts={"users_percent": "unsure", "vulnerability": "unsure"})]))
    assert {"Users affected", "Vulnerability"} <= set(gaps(told))


@BOTH
def test_what_responders_have_said_is_no_gap(told: Account, write: Write) -> None:
    assert "Resolution" not in gaps(told)
    assert "The transaction behind the others was ended." in write(told)


@BOTH
@pytest.mark.parametrize(
    "said_there",
    [
        "Sev2 (P1)",
        "1 h 28 min",
        "cleo",
        "$2,500 an hour",
        "15 sessions wait for locks",
        "still there",
        "undone",
        "it is protected here",
        "pid 4311 web (checkout) waits 95 s",
        "2026-11-23 23:29:07 UTC",
    ],
)
def test_both_tell_the_same(told: Account, write: Write, said_there: str) -> None:
    assert said_there in write(told).replace("\\", "")


@BOTH
def test_a_record_that_was_altered_is_told_first(record: Record, write: Write) -> None:
    text = write(account(record(night()), ["event 7 (act.done) was altered"]))
    assert text.index("Do not rely on this") < text.index("Summary")
    assert "event 7 (act.done) was altered" in text.replace("\\", "")


@BOTH
def test_a_security_incident_is_marked_as_restricted(told: Account, write: Write) -> None:
    assert "restricted to those" not in write(told)
    secret = replace(told, incident=replace(told.incident, security=True))
    assert "restricted to those" in write(secret)


@BOTH
def test_of_an_incident_that_is_not_over_that_is_said_first(write: Write, record: Record) -> None:
    drafts = night()
    over = write(account(record(drafts)))
    early = write(account([event for event in record(drafts) if event.time < drafts[-1].time][:5]))
    assert "was not over when this was written" in early.partition("Summary")[0]
    assert "was not over" not in over


@BOTH
def test_what_people_wrote_in_several_lines_is_read_as_one(write: Write, record: Record) -> None:
    text = "The pool was too small.\n\n  It is\tlarger now.\r\n"
    drafts = [opened(text=text), said(3, "update", text=text), said(9, "resolve", root_cause=text)]
    told = write(account(record(drafts)))
    assert told.count("The pool was too small. It is larger now.") >= 3
    assert "\\n" not in told


@BOTH
def test_a_title_without_end_is_cut_off(write: Write, record: Record) -> None:
    told = write(account(record([opened(title="long " * 1000)])))
    assert max(told.split("Summary")[0].count("long"), told.count("Post-incident")) < 200


@BOTH
def test_of_an_escalation_whom_it_reached_in_which_role_and_why(write: Write, record: Record) -> None:
    reason = "severity 1 is not resolved after 30 minutes"
    sent = message(40, "escalation", "person", person="cleo", role="engineering_manager", because=reason)
    told = write(account(record([opened(), sent])))
    assert f"escalation to cleo (Slack 3fa9c1) as engineering manager because {reason}" in told
    assert "ann, cleo" in told
