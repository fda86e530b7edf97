# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages import (
    apprise_channel,
    mail,
    status_page,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.job import Request, escalate, notify
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import Draft, Event
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.recorder import Recorder
from firebreak_lab import receivers
from firebreak_lab.receivers import Page, Receiver

BEGAN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NAME = "inc-1"


class Killed(BaseException):
    """What ends a process at once."""


@dataclass
class Place:
    """A site with a record; `minute` is what its clock shows since the incident began."""

    variables: dict[str, Any]
    minute: float = 0
    slept: list[float] = field(default_factory=list)
    killed_asleep: bool = False

    def clock(self) -> datetime:
        return BEGAN + timedelta(minutes=self.minute)

    def sleep(self, seconds: float) -> None:
        if seconds and self.killed_asleep:
            raise Killed
        self.slept.append(seconds)

    def open(self, **data: Any) -> None:
        told = {"title": "the shop is down", "severity": "P2", **data}
        with Recorder.of(self.variables).store() as store:
            store.open(NAME, Draft("open", iso(BEGAN), "incident.opened", "ann", None, told))

    def add(self, kind: str, **data: Any) -> None:
        with Recorder.of(self.variables).store() as store:
            number = len(store.events(NAME))
            store.append(NAME, [Draft(f"{kind}{number}", iso(self.clock()), kind, "ann", "db1", data)])

    def events(self, kind: str = "") -> list[Event]:
        with Recorder.of(self.variables).store() as store:
            return [event for event in store.events(NAME) if event.kind.startswith(kind)]

    def escalate(self, minute: float, check: bool = False) -> dict[str, Any]:
        self.minute = minute
        return escalate(self.variables, None, "ann", self.clock, self.sleep, check)

    def notify(self, minute: float, template: str, audiences: list[str], **values: Any) -> dict[str, Any]:
        self.minute = minute
        asked = Request(NAME, template, audiences, values)
        return notify(self.variables, asked, "ann", self.clock, self.sleep)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Nobody is paged, so that there is one message for each thing that happens."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Place(
        {
            "firebreak_record": f"sqlite:///{tmp_path / 'incidents.db'}",
            "firebreak_escalation": {"path": [], "matrix": []},
        }
    )


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for an answer."""
    for module in (apprise_channel, mail, status_page):
        monkeypatch.setattr(module, "READ_SECONDS", 0.3)
    monkeypatch.setattr(mail, "CONNECT_SECONDS", 0.0)


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receivers.webhook() as receiver:
        yield receiver


@pytest.fixture
def mailbox() -> Iterator[Receiver]:
    with receivers.mail_server() as receiver:
        yield receiver


@pytest.fixture
def page() -> Iterator[Page]:
    with receivers.status_page() as receiver:
        yield receiver


def url_of(hook: Receiver, **more: Any) -> Mapping[str, Any]:
    return {"url": f"json://127.0.0.1:{hook.port}/s3cret", **more}


def mail_to(mailbox: Receiver) -> str:
    return f"mailto://127.0.0.1:{mailbox.port}/?from=firebreak@site.example&to=all@site.example"
