# SPDX-License-Identifier: GPL-3.0-or-later
"""The two sites of the runbooks, as the example inventories have them, and an incident that happens there.

What responders say goes through the desk of the record, and what is due through that of the messages into
files, one for each message and place. Only the database is replaced: by a list of the same events.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.job import Desk, Report
from ansible_collections.firebreak.incident.plugins.plugin_utils.people.policy import Policy
from ansible_collections.firebreak.incident.plugins.plugin_utils.postmortem.account import account
from ansible_collections.firebreak.incident.plugins.plugin_utils.postmortem.as_html import as_html
from ansible_collections.firebreak.incident.plugins.plugin_utils.postmortem.as_markdown import as_markdown
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.desk import Said, event, opening
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import BEGINNING, Draft, Event
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.incident import Incident, fold
from ansible_collections.firebreak.incident.plugins.plugin_utils.severity.site import Scale

ROOT = Path(__file__).parents[4]
# A Saturday, in the turn of engineer_b.
BEGAN = datetime(2026, 11, 21, 22, 1, 7, tzinfo=UTC)
ID = "incident-20261121-220107"
# What a vault would hold, by the last word of the name.
_SECRETS = {
    "smtp": "smtp.example",
    "pagerduty": "pagerduty://integration@api",
    "incidents": "slack://T1234/B1234/abcd",
    "engineering": "slack://T1234/B1234/efgh",
    "security": "slack://T1234/B1234/ijkl",
}


def variables(site: str) -> dict[str, Any]:
    """Those of an example inventory, with addresses in place of what lies in the vault."""
    text = (ROOT / f"inventories/{site}/group_vars/all.yml").read_text(encoding="utf-8")
    given: dict[str, Any] = yaml.safe_load(re.sub(r"\{\{ vault_(\w+) \}\}", _secret, text))
    return given


def _secret(match: re.Match[str]) -> str:
    words = match.group(1).split("_")
    return f"json://{words[-1]}.example/page" if "page" in words else _SECRETS.get(words[-1], "secret")


@dataclass(frozen=True)
class Sent:
    """`whom` is an audience or a person, `place` what it went to."""

    event: str
    whom: str
    place: str
    subject: str
    text: str


@dataclass
class Response:
    """The incident, and the journal of its messages. Minutes count from the detection."""

    variables: dict[str, Any]
    directory: Path
    minute: float = 0
    recorded: list[Event] = field(default_factory=list)
    sent: list[tuple[float, Sent]] = field(default_factory=list)

    def clock(self) -> datetime:
        return BEGAN + timedelta(minutes=self.minute)

    def open(self, **given: Any) -> Draft:
        draft = opening(self._said("open", {"title": "The shop answers with errors", **given}), Scale())
        self.note(draft)
        return draft

    def say(self, minute: float, word: str, **given: Any) -> Draft:
        self.minute = minute
        draft = event(self._said(word, given), self.incident(), Scale())
        assert draft is not None
        self.add(draft)
        return draft

    def add(self, *drafts: Draft) -> None:
        for draft in drafts:
            self.note(draft)

    def note(self, draft: Draft) -> None:
        self.first(draft)

    def first(self, draft: Draft) -> bool:
        if draft.key in {event.key for event in self.recorded}:
            return False
        previous = self.recorded[-1].digest if self.recorded else BEGINNING
        self.recorded.append(Event.following(draft, ID, len(self.recorded) + 1, previous))
        return True

    def events(self, kind: str = "") -> list[Event]:
        return [event for event in self.recorded if event.kind.startswith(kind)]

    def incident(self) -> Incident:
        return fold(self.recorded)

    def escalate(self, minute: float, check: bool = False) -> dict[str, Any]:
        self.minute = minute
        report = Report()
        self.desk().escalate(self, report, check)
        return report.as_dict()

    def desk(self) -> Desk:
        return Desk.of(self.variables, "escalate@control", self.clock, lambda _seconds: None)

    def tell(self, *minutes: float) -> list[Sent]:
        """What calls at those minutes send."""
        found = []
        for minute in minutes:
            known = set(self.directory.iterdir()) if self.directory.exists() else set()
            self.escalate(minute)
            new = sorted(set(self.directory.iterdir()) - known) if self.directory.exists() else []
            found += [(minute, _read(path)) for path in new]
        self.sent += found
        return [each for _minute, each in found]

    def due(self, minute: float, event: str, whom: str) -> dict[str, Any]:
        """The only one such that is due then."""
        (found,) = [
            each
            for each in self.escalate(minute, check=True)["due"]
            if (each["event"], each["person"] or each["audience"]) == (event, whom)
        ]
        return dict(found)

    def minutes(self, event: str, whom: str) -> list[float]:
        """When it was sent; what went to several places counts once."""
        return list(dict.fromkeys(m for m, each in self.sent if (each.event, each.whom) == (event, whom)))

    def documents(self) -> list[str]:
        """The post-mortem as Markdown and as HTML, without what keeps words from being markup."""
        told = account(self.recorded)
        return [as_markdown(told).replace("\\", ""), re.sub(r"</?mark>", "", as_html(told))]

    def policy(self) -> Policy:
        return Policy.of(self.variables)

    def _said(self, word: str, given: dict[str, Any]) -> Said:
        actor = given.pop("actor", "ann@control")
        return Said(word, f"{word}{self.minute}", actor, self.clock(), **given)


def response(site: str, tmp_path: Path) -> Response:
    box = tmp_path / "messages"
    return Response({**variables(site), "firebreak_messages_sandbox": str(box)}, box)


def said(sent: Sequence[Sent]) -> set[str]:
    return {f"{each.event} {each.whom}" for each in sent}


def text(sent: Sequence[Sent], event: str, whom: str) -> str:
    """That of a message, with its subject; the same at all of its places."""
    (found,) = {f"{each.subject}\n{each.text}" for each in sent if (each.event, each.whom) == (event, whom)}
    return found


def minutes_until(due: dict[str, Any]) -> float:
    """From the detection to the deadline."""
    return (datetime.fromisoformat(due["deadline"]) - BEGAN).total_seconds() / 60


def _read(path: Path) -> Sent:
    head, _blank, body = path.read_text(encoding="utf-8").partition("\n\n")
    told = dict(line.split(": ", 1) for line in head.splitlines())
    return Sent(told["Event"], told["Audience"], told["To"], told["Subject"], body)
