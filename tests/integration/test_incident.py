# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole incident, through the Python API: from the alert to the post-mortem, and who was told what.

Exactly once means, when the sender is killed after it handed a message over and before it recorded that:
- Mail and chat know no message again. It is not sent a second time, and people are told that it may not have
  arrived.
- A webhook that was said to know its messages by their key (`deduplicates`) gets it again, with the same key.
- The status page is asked, and has it already.
What had not been handed over yet is sent by the next run, everywhere.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

import firebreak
from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso, parse_iso, utc_now
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.delivery import LEASE
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.watched import IDEMPOTENCY_KEY
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import Draft, Event
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.store import Store
from firebreak_lab import Attacker, Lab, broken, receivers
from firebreak_lab.receivers import FAIL, HANG, TAKE, Page, Receiver

CHECKOUT = Path(__file__).resolve().parents[2]
TWICE = [FAIL, FAIL, TAKE]
ROLES = (
    "on_call",
    "everybody_on_call",
    "engineering_lead",
    "cto",
    "ceo",
    "engineering_manager",
    "devops_lead",
)


STARTED = utc_now() - timedelta(minutes=1)
ALERT = {
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "SshBruteForce", "instance": "zekka1:9100", "severity": "critical"},
            "annotations": {},
            "startsAt": iso(STARTED),
            "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": "b5d4045c3f466fa9",
        }
    ],
}
INCIDENT = f"alert-b5d4045c3f466fa9-{STARTED:%Y%m%d-%H%M%S}"
PROGRAM = """
import json, sys, firebreak
playbook, inventory, inputs = json.loads(sys.argv[1])
firebreak.run(playbook, inventory=inventory, inputs=inputs, timeout=60)
"""


@dataclass
class Story:
    """What each step came to, by its name, and what arrived where. `said` is what the reaction to the alert
    told, `counts` how much was handed over by each time that a sender was killed.

    `incidents` are told at `chat`, `pager` (which knows messages by their key) and by mail.
    """

    directory: Path
    chat: Receiver
    pager: Receiver
    mail: Receiver
    page: Page
    steps: dict[str, firebreak.Outcome] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    counts: list[dict[str, int]] = field(default_factory=list)

    @property
    def inventory(self) -> Path:
        return self.directory / "inventories/lab"

    @property
    def record(self) -> Path:
        return self.directory / "incidents.db"

    @property
    def places(self) -> dict[str, Receiver]:
        return {"chat": self.chat, "pager": self.pager, "mail": self.mail, "page": self.page}

    @property
    def seen(self) -> dict[str, int]:
        """How many messages were handed over at each place."""
        return {name: len(place.seen) for name, place in self.places.items()}

    @property
    def environment(self) -> dict[str, str]:
        return {
            "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
            "XDG_STATE_HOME": str(self.directory / "state"),
        }

    def run(self, step: str, playbook: str, limit: str | None = None, **inputs: Any) -> firebreak.Outcome:
        self.steps[step] = firebreak.run(
            playbook,
            limit=limit,
            inventory=self.inventory,
            inputs={"incident": INCIDENT, **inputs},
            environment=self.environment,
            timeout=120,
        )
        return self.steps[step]

    def start(self, *words: str) -> subprocess.Popen[str]:
        """A program that uses the API, as a user would start it."""
        return subprocess.Popen(
            [sys.executable, *words],
            env={**os.environ, **self.environment, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
        )

    def events(self) -> list[Event]:
        with Store(f"sqlite:///{self.record}") as store:
            return store.events(INCIDENT)

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events()]

    def pass_time(self, time: timedelta) -> None:
        """The record becomes what it would be if everything had happened that much earlier."""
        events = self.events()
        self.record.unlink()
        with Store(f"sqlite:///{self.record}") as store:
            store.open(INCIDENT, _earlier(events[0], time))
            store.append(INCIDENT, [_earlier(event, time) for event in events[1:]])


def _earlier(event: Event, time: timedelta) -> Draft:
    data = dict(event.data)
    if "until" in data:
        data["until"] = iso(parse_iso(data["until"]) - time)
    moment = iso(parse_iso(event.time) - time)
    return Draft(event.key, moment, event.kind, event.actor, event.host, data)


def write_inventory(story: Story) -> None:
    """That of the lab, with places that are really there."""
    to_mail = f"mailto://127.0.0.1:{story.mail.port}/?from=firebreak@lab.example&to={{}}@lab.example"
    told = {
        "firebreak_record": f"sqlite:///{story.record}",
        "firebreak_messages_sandbox": "",
        "firebreak_people": {"ann": {"name": "Ann", "urls": [to_mail.format("ann")]}},
        "firebreak_rotations": {},
        "firebreak_roles": {role: ["ann"] for role in ROLES},
        "firebreak_audiences": {
            "incidents": [
                f"json://127.0.0.1:{story.chat.port}/incidents",
                {"url": f"json://127.0.0.1:{story.pager.port}/incidents", "deduplicates": True},
                to_mail.format("all"),
            ],
            "executives": [to_mail.format("chiefs")],
        },
        "firebreak_status_page": {"url": f"http://127.0.0.1:{story.page.port}", "token": "lab"},
    }
    shutil.copytree(CHECKOUT / "inventories/lab", story.inventory)
    (story.directory / ".lab").symlink_to(CHECKOUT / ".lab")
    common = story.inventory / "group_vars/all.yml"
    common.write_text(json.dumps({**yaml.safe_load(common.read_text()), **told}))


def react_to_the_alert(story: Story) -> list[str]:
    """Alertmanager tells the example of it, and again a moment later; what the example says that it did."""
    program = story.start(str(CHECKOUT / "examples/alertmanager_webhook.py"), str(story.inventory), "zekka1")
    with program:
        assert program.stdout and program.stdout.readline() == "waiting for alerts\n"
        for _time in range(2):
            urllib.request.urlopen("http://127.0.0.1:9099/", json.dumps(ALERT).encode(), timeout=10).close()
        said: list[str] = []
        while not said or not said[-1].startswith("contain_security"):
            said.append(program.stdout.readline())
            assert said[-1], said
        program.terminate()
    assert program.returncode == 0
    return said


def kill_while_it_sends(story: Story, receiver: Receiver, playbook: str, **inputs: Any) -> None:
    """A sender and all its processes are killed while a receiver has a message and has not answered."""
    receiver.behaviour = [HANG, TAKE]
    receiver.arrived.clear()
    receiver.released.clear()
    given = json.dumps([playbook, str(story.inventory), {"incident": INCIDENT, **inputs}])
    with story.start("-c", PROGRAM, given) as sender:
        assert receiver.arrived.wait(30)
        for pid in family(sender.pid):
            os.kill(pid, signal.SIGKILL)
    receiver.released.set()


def family(pid: int) -> list[int]:
    """A process and all that it has started."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found = [pid]
    for each in found:
        found += [child for child, parent in pairs if parent == each]
    return found


def tell_and_be_killed(story: Story) -> list[dict[str, int]]:
    """At each place in turn. How much was handed over before, at each death, and by the run after them."""
    counts = [story.seen]
    kill_while_it_sends(
        story, story.chat, "update_incident", event="update", text="Twice as much memory now."
    )
    counts.append(story.seen)
    for receiver in (story.pager, story.mail, story.page):
        kill_while_it_sends(story, receiver, "escalate")
        counts.append(story.seen)
    story.pass_time(LEASE)
    story.run("after the kills", "escalate")
    return [*counts, story.seen]


@pytest.fixture(scope="module")
def story(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The store of the application is full, and somebody guesses passwords at the same time."""
    directory = tmp_path_factory.mktemp("incident")
    lab.reset()
    with ExitStack() as stack:
        chat, pager = stack.enter_context(receivers.webhook()), stack.enter_context(receivers.webhook())
        mail, page = (
            stack.enter_context(receivers.mail_server()),
            stack.enter_context(receivers.status_page()),
        )
        for each in (chat, mail):
            each.behaviour = list(TWICE)
        told = Story(directory, chat, pager, mail, page)
        write_inventory(told)
        stack.enter_context(broken(lab, "redis-full"))
        Attacker(lab).attack("zekka1", 66)
        told.said = react_to_the_alert(told)
        told.run("acknowledge", "update_incident", event="acknowledge")
        told.run("fix", "fix_redis_memory", "zekka1")
        told.run("contained", "update_incident", event="contain")
        told.counts = tell_and_be_killed(told)
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


def test_the_alert_opened_it_and_had_its_host_looked_at_and_contained(story: Story) -> None:
    said = [line for line in story.said if f" of {INCIDENT}: " in line]
    steps = [f"{name} of {INCIDENT}: successful" for name in ("open_incident", "triage", "contain_security")]
    assert [": ".join(line.split(": ")[:2]) for line in said] == steps
    opened = story.events()[0]
    assert (opened.kind, opened.data["title"]) == ("incident.opened", "SshBruteForce on zekka1")


def test_triage_names_what_is_wrong_and_the_fix_puts_it_right(story: Story) -> None:
    seen = [str(event.data) for event in story.events() if event.kind == "findings.seen"]
    assert any("redis.memory.full" in each and "logins.source.brute_force" in each for each in seen)
    assert story.steps["fix"].hosts["zekka1"].verdicts[-1] == "resolved"


def test_the_timeline_wrote_itself_each_thing_once(story: Story) -> None:
    kinds = story.kinds()
    for kind in ("opened", "acknowledged", "contained", "resolved", "closed"):
        assert kinds.count(f"incident.{kind}") == 1
    acts = [event.data for event in story.events() if event.kind == "act.done"]
    assert any("firewall.block" in str(act) for act in acts)
    assert any("redis.maxmemory" in str(act) for act in acts)
    assert len(acts) == len({str(act) for act in acts})
    assert "verdict.measured" in kinds
    assert "findings.seen" in kinds


def test_who_has_to_know_is_told_once_although_receivers_failed_twice(story: Story) -> None:
    for receiver in (story.chat, story.mail):
        assert len(receiver.seen) == len(receiver.got) + 2
    chat = [str(message["body"]) for message in story.chat.got]
    assert len(chat) == len(set(chat))
    assert len(story.mail.got) == len(set(story.mail.got))
    assert [mail for mail in story.mail.got if b"To: ann@lab.example" in mail]
    assert len(story.page.incidents) == 1


def test_a_sender_that_is_killed_at_any_place_makes_no_message_come_twice_or_never(story: Story) -> None:
    before, *killed, after = story.counts
    names = list(story.places)
    # Killed at one place, it had not begun to send to those that come after it.
    for number, counts in enumerate(killed, 1):
        assert counts == {name: before[name] + (name in names[:number]) for name in names}
    assert after == {name: before[name] + (2 if name == "pager" else 1) for name in names}
    keys = [message["headers"][IDEMPOTENCY_KEY] for message in story.pager.seen]
    assert keys[before["pager"]] == keys[before["pager"] + 1]
    assert len(set(keys)) == len(keys) - 1
    (texts,) = story.page.incidents.values()
    assert len(texts) == len({str(text) for text in texts})
    doubtful = [text for text in story.steps["after the kills"].warnings if "may not have arrived" in text]
    assert len(doubtful) == 2
    assert "JSON" in doubtful[0] and "e-mail" in doubtful[1]


def test_the_post_mortem_tells_it(story: Story) -> None:
    (text,) = (story.directory / "review").glob("*.md")
    (page,) = (story.directory / "review").glob("*.html")
    said = text.read_text(encoding="utf-8")
    for word in (
        "SshBruteForce on zekka1",
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
