# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.certificate.renewal.act import Workshop
from ansible_collections.firebreak.incident.plugins.module_utils.clients.certbot import LETS_ENCRYPT
from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed
from ansible_collections.firebreak.incident.plugins.module_utils.errors import (
    Declined,
    FirebreakError,
    IdentityChanged,
)

from .conftest import lineage

RENEW = {"lineage": "api.example", "fingerprint": "sha256:old", "force": False}
SHOWN = {"name": "api.example", "address": "192.0.2.1", "port": 443, "fingerprint": "sha256:old"}
AFTER = {
    "lineage": "api.example",
    "filed": "sha256:old",
    "renewed": True,
    "served": [SHOWN],
    "service": "nginx",
}
LOCKED = Completed((), 1, "", "Another instance of Certbot is already running.\n")
DENIED = Completed((), 1, "  Domain: api.example\n  Type:   dns\n  Detail: NXDOMAIN\n\n", "")
DONE = Completed((), 0, "Congratulations\n", "")


class World:
    """A host: `filed` is the file, `served` what users get. Without `took_over` a reload changes nothing."""

    place = "nginx.service"

    def __init__(self, *answers: Completed, server: str = "https://acme.example/dir") -> None:
        self.answers, self.server = list(answers), server
        self.filed, self.served, self.now = "sha256:old", "sha256:old", 0.0
        self.broken: str | None = None
        self.took_over, self.reloads = True, 0
        self.told: list[tuple[bool, bool]] = []

    def complaint(self) -> str | None:
        return self.broken

    def reload(self) -> None:
        self.reloads += 1
        if self.took_over:
            self.served = self.filed

    def certbot(self, name: str, force: bool, rehearse: bool) -> Completed:
        self.told.append((force, rehearse))
        answer = self.answers.pop(0)
        if answer is DONE and not rehearse:
            self.filed = "sha256:new"
        return answer

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def workshop(self) -> Workshop:
        given: Any = self
        return Workshop(
            given,
            run_certbot=self.certbot,
            lineages=lambda: (lineage(server=self.server),),
            newest=lambda one: self.filed,
            presented=lambda shown: self.served,
            clock=lambda: self.now,
            sleep=self.sleep,
        )


def test_a_renewal_is_one_order_where_there_is_no_twin() -> None:
    world = World(DONE)
    world.workshop().renew(RENEW)
    assert world.told == [(False, False)]


def test_at_lets_encrypt_it_is_rehearsed_and_never_by_force() -> None:
    world = World(DONE, DONE, server=LETS_ENCRYPT)
    world.workshop().renew({**RENEW, "force": True})
    assert world.told == [(False, True), (True, False)]


def test_a_rehearsal_that_fails_orders_nothing() -> None:
    world = World(DENIED, server=LETS_ENCRYPT)
    with pytest.raises(FirebreakError, match=r"staging server of Let's Encrypt: dns: api\.example: NXDOMAIN"):
        world.workshop().renew(RENEW)
    assert world.told == [(False, True)]


def test_the_problem_and_its_cure_are_said() -> None:
    with pytest.raises(FirebreakError, match=r"dns: api\.example: NXDOMAIN; nothing was changed.*dig"):
        World(DENIED).workshop().renew(RENEW)


def test_success_without_a_new_certificate_is_none() -> None:
    idle = Completed((), 0, "Certificate not yet due for renewal\n", "")
    with pytest.raises(Declined, match="not yet due"):
        World(idle).workshop().renew(RENEW)


def test_another_certbot_is_waited_for_and_not_for_ever() -> None:
    world = World(LOCKED, LOCKED, DONE)
    world.workshop().renew(RENEW)
    assert (len(world.told), world.filed) == (3, "sha256:new")
    world = World(*[LOCKED] * 50)
    with pytest.raises(FirebreakError, match=r"another certbot is running.*pgrep"):
        world.workshop().renew(RENEW)
    assert world.now <= 33


@pytest.mark.parametrize("force", [False, True])
def test_what_the_other_certbot_renewed_is_taken_and_not_ordered_again(force: bool) -> None:
    world = World(LOCKED, DONE)
    workshop = world.workshop()
    workshop.sleep = lambda seconds: setattr(world, "filed", "sha256:theirs")
    workshop.renew({**RENEW, "force": force})
    assert (world.told, world.filed) == ([(force, False)], "sha256:theirs")


def test_what_was_renewed_meanwhile_is_not_renewed_again() -> None:
    world = World(DONE)
    world.filed = "sha256:other"
    with pytest.raises(IdentityChanged, match="meanwhile"):
        world.workshop().renew(RENEW)
    with pytest.raises(IdentityChanged, match="gone"):
        world.workshop().renew({**RENEW, "lineage": "other.example"})
    assert world.told == []


def test_a_failed_hook_does_not_undo_the_renewal() -> None:
    hook = Completed((), 0, "", "Hook 'deploy-hook' reported error code 3\n")
    world = World(hook)
    workshop = world.workshop()
    with pytest.raises(Declined):
        workshop.renew(RENEW)
    assert workshop.hooks == {"api.example": ("Hook 'deploy-hook' reported error code 3",)}


def test_a_reload_counts_when_a_handshake_shows_the_file() -> None:
    world = World()
    world.filed = "sha256:new"
    world.workshop().reload(AFTER)
    assert (world.reloads, world.served) == (1, "sha256:new")


def test_an_old_worker_that_still_answers_now_and_then_is_waited_for() -> None:
    world = World()
    world.filed = "sha256:new"
    workshop, answers = (
        world.workshop(),
        ["old", "new", "new", "old", "new", "new", "new", "new", "new", "old"],
    )
    workshop.presented = lambda shown: f"sha256:{answers.pop(0)}"
    workshop.reload(AFTER)
    assert answers == ["old"]


def test_a_reload_that_changes_nothing_fails_and_says_where() -> None:
    world = World()
    world.filed, world.took_over = "sha256:new", False
    with pytest.raises(FirebreakError, match=r"15 s later api\.example at 192\.0\.2\.1 port 443"):
        world.workshop().reload(AFTER)
    assert world.now < 16


def test_what_a_hook_has_reloaded_is_not_reloaded_again() -> None:
    world = World()
    world.filed = world.served = "sha256:new"
    world.workshop().reload(AFTER)
    assert world.reloads == 0


def test_with_a_broken_configuration_nothing_is_reloaded() -> None:
    world = World()
    world.filed, world.broken = "sha256:new", "[emerg] unknown directive in /a:1"
    with pytest.raises(FirebreakError, match="unknown directive in /a:1"):
        world.workshop().reload(AFTER)
    assert world.reloads == 0


@pytest.mark.parametrize(("filed", "renewed"), [("sha256:old", True), ("sha256:new", False)])
def test_a_reload_is_for_the_file_that_it_was_planned_for(filed: str, renewed: bool) -> None:
    world = World()
    world.filed = filed
    with pytest.raises(IdentityChanged):
        world.workshop().reload({**AFTER, "renewed": renewed})
    assert world.reloads == 0


def test_an_address_that_never_answered_proves_nothing_and_stops_nothing() -> None:
    world = World()
    world.filed = "sha256:new"
    workshop = world.workshop()
    workshop.presented = lambda shown: None if shown["address"] == "192.0.2.9" else world.served
    dead = {**SHOWN, "address": "192.0.2.9", "fingerprint": None}
    workshop.reload({**AFTER, "served": [SHOWN, dead]})
    assert world.reloads == 1


def test_where_no_address_answers_nothing_is_proved() -> None:
    world = World()
    world.filed = "sha256:new"
    workshop = world.workshop()
    workshop.presented = lambda shown: None
    with pytest.raises(FirebreakError, match="15 s later no address answers"):
        workshop.reload({**AFTER, "served": [{**SHOWN, "fingerprint": None}]})
    assert world.reloads == 1
