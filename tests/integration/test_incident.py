# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole incident, through the Python API: from the alert to the post-mortem, and who was told what."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import firebreak
from firebreak_lab import Attacker, Lab, broken, receivers
from firebreak_lab.receivers import FAIL, TAKE, Page, Receiver

CHECKOUT = Path(__file__).resolve().parents[2]
TWICE = [FAIL, FAIL, TAKE]
ROLES = ("on_call", "engineering_lead", "cto", "ceo", "engineering_manager", "devops_lead")


@dataclass
class Story:
    """What each step came to, by its name, and what arrived where."""

    directory: Path
    chat: Receiver
    mail: Receiver
    page: Page
    variables: Mapping[str, Any]
    incident: str = ""
    steps: dict[str, firebreak.Outcome] = field(default_factory=dict)

    def run(self, step: str, playbook: str, limit: str | None = None, **inputs: Any) -> firebreak.Outcome:
        outcome = firebreak.run(
            playbook,
            limit=limit,
            inventory=CHECKOUT / "inventories/lab",
            inputs={**self.variables, **({"incident": self.incident} if self.incident else {}), **inputs},
            environment={
                "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
                "XDG_STATE_HOME": str(self.directory / "state"),
            },
            timeout=120,
        )
        self.steps[step] = outcome
        return outcome

    def events(self) -> list[dict[str, Any]]:
        with sqlite3.connect(self.directory / "incidents.db") as database:
            database.row_factory = sqlite3.Row
            rows = database.execute("SELECT * FROM firebreak_events ORDER BY number").fetchall()
        return [dict(row) for row in rows]

    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.events()]


def variables(directory: Path, chat: Receiver, mail: Receiver, page: Page) -> dict[str, Any]:
    to_mail = f"mailto://127.0.0.1:{mail.port}/?from=firebreak@lab.example&to={{}}@lab.example"
    return {
        "firebreak_record": f"sqlite:///{directory / 'incidents.db'}",
        "firebreak_messages_sandbox": "",
        "firebreak_people": {"ann": {"name": "Ann", "urls": [to_mail.format("ann")]}},
        "firebreak_rotations": {},
        "firebreak_roles": {role: ["ann"] for role in ROLES},
        "firebreak_audiences": {"incidents": [f"json://127.0.0.1:{chat.port}/incidents"]},
        "firebreak_status_page": {"url": f"http://127.0.0.1:{page.port}", "token": "lab"},
    }


@pytest.fixture(scope="module")
def story(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The store of the application is full, and somebody guesses passwords at the same time."""
    directory = tmp_path_factory.mktemp("incident")
    lab.reset()
    with ExitStack() as stack:
        chat, mail = stack.enter_context(receivers.webhook()), stack.enter_context(receivers.mail_server())
        page = stack.enter_context(receivers.status_page())
        for each in (chat, mail):
            each.behaviour = list(TWICE)
        told = Story(directory, chat, mail, page, variables(directory, chat, mail, page))
        stack.enter_context(broken(lab, "redis-full"))
        Attacker(lab).attack("zekka1", 66)
        opened = told.run(
            "open", "open_incident", title="The API answers with errors", error_percent=60, user_facing="yes"
        )
        told.incident = str(opened.incident)
        told.run("triage", "triage", "zekka1")
        told.run("acknowledge", "update_incident", event="acknowledge")
        told.run("contain", "contain_security", "zekka1")
        told.run("fix", "fix_redis_memory", "zekka1")
        told.run("contained", "update_incident", event="contain")
        told.run("verify", "verify_recovery", "zekka1", window="3s", interval="1s", give_up_after="40s")
        told.run(
            "resolved",
            "update_incident",
            event="resolve",
            root_cause="a limit that was too low",
            resolution="raised",
        )
        told.run("close", "close_incident")
        told.run("review", "write_postmortem", directory=str(directory / "review"))
        yield told
    lab.reset()


def test_every_step_is_carried_out(story: Story) -> None:
    assert {name: (step.status, step.message) for name, step in story.steps.items() if not step.ok} == {}


def test_triage_names_what_is_wrong_and_the_fixes_put_it_right(story: Story) -> None:
    found = {finding.id for finding in story.steps["triage"].hosts["zekka1"].findings}
    assert {"redis.memory.full", "logins.source.brute_force"} <= found
    assert story.steps["contain"].hosts["zekka1"].verdicts[-1] == "resolved"
    assert story.steps["fix"].hosts["zekka1"].verdicts[-1] == "resolved"


def test_the_timeline_wrote_itself_each_thing_once(story: Story) -> None:
    kinds = story.kinds()
    for kind in ("opened", "acknowledged", "contained", "resolved", "closed"):
        assert kinds.count(f"incident.{kind}") == 1
    acts = [event["data"] for event in story.events() if event["kind"] == "act.done"]
    assert any("firewall.block" in act for act in acts)
    assert any("redis.maxmemory" in act for act in acts)
    assert len(acts) == len(set(acts))
    assert "verdict.measured" in kinds
    assert "findings.seen" in kinds


def test_who_has_to_know_is_told_once_although_receivers_failed_twice(story: Story) -> None:
    assert len(story.chat.seen) == len(story.chat.got) + 2
    assert len(story.mail.seen) == len(story.mail.got) + 2
    chat = [str(message["body"]) for message in story.chat.got]
    assert len(chat) == len(set(chat))
    assert chat
    pages = [message for message in story.mail.got if b"ann@lab.example" in message]
    assert len(pages) == len(set(pages))
    assert pages
    assert len(story.page.incidents) == 1


def test_the_post_mortem_tells_it(story: Story) -> None:
    (text,) = (story.directory / "review").glob("*.md")
    (page,) = (story.directory / "review").glob("*.html")
    said = text.read_text(encoding="utf-8")
    for word in (
        "The API answers with errors",
        "firewall",
        "172.29.77.66",
        "maxmemory",
        "a limit that was too low",
    ):
        assert word in said.replace("\\", "")
        assert word in page.read_text(encoding="utf-8")


def test_no_secret_is_in_the_record(story: Story, lab: Lab) -> None:
    secrets = lab.run("zekka1", ["cat", "/etc/firebreak-lab/secrets.env"]).stdout
    recorded = (story.directory / "incidents.db").read_bytes()
    for line in secrets.splitlines():
        assert line.partition("=")[2].strip("'\"").encode() not in recorded
