# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom to ban, whom to let go, and which jails are worth a word."""

from __future__ import annotations

from ansible_collections.firebreak.incident.plugins.module_utils.clients.fail2ban import Ban, Jail
from ansible_collections.firebreak.incident.plugins.module_utils.fail2ban.act import PERFORM
from ansible_collections.firebreak.incident.plugins.module_utils.fail2ban.decide import ban, inform, unban
from ansible_collections.firebreak.incident.plugins.module_utils.fail2ban.observe import Banned, Server


def jail(name: str = "sshd", bantime: int = 600, bans: int = 0) -> Jail:
    banned = tuple(Ban(f"203.0.{number // 250}.{number % 250}", None) for number in range(bans))
    return Jail(name, 3, 30, bans, bans, bantime, 600, 5, banned)


def test_a_free_address_is_banned_and_can_be_let_go_from_that_jail() -> None:
    decision = ban(Banned({"203.0.113.7": ("recidive",)}, "sshd", 600), ["203.0.113.7"])
    (act,) = decision.plan.acts
    assert act.identity == {"address": "203.0.113.7", "jails": ["sshd"]}
    assert act.undo and (act.undo.action, act.undo.identity) == ("fail2ban.unban", act.identity)
    assert decision.symptom == 1


def test_a_banned_address_is_in_place() -> None:
    decision = ban(Banned({"203.0.113.7": ("sshd",)}, "sshd", 600), ["203.0.113.7"])
    assert (decision.symptom, decision.plan.acts) == (0, ())


def test_a_ban_without_an_end_is_refused() -> None:
    decision = ban(Banned({"203.0.113.7": ()}, "sshd", -1), ["203.0.113.7"])
    assert decision.plan.acts == ()
    assert "has no end" in decision.plan.refusals[0].reason
    assert decision.symptom == 1


def test_letting_go_is_from_all_jails_and_the_undo_bans_in_the_same() -> None:
    holding = {"203.0.113.7": ("recidive", "sshd"), "203.0.113.8": ()}
    decision = unban(Banned(holding), list(holding))
    (act,) = decision.plan.acts
    assert act.identity == {"address": "203.0.113.7"}
    assert act.undo and act.undo.identity == {"address": "203.0.113.7", "jails": ["recidive", "sshd"]}
    assert decision.symptom == 1


def test_every_action_and_its_undo_have_a_performer() -> None:
    assert set(PERFORM) == {"fail2ban.ban", "fail2ban.unban"}


def test_a_host_without_fail2ban_is_no_finding() -> None:
    data, findings = inform(Server(installed=False))
    assert (data["installed"], data["version"], findings) == (False, None, [])


def test_a_server_that_does_not_answer_is_a_warning() -> None:
    _data, findings = inform(Server(installed=True, version="1.0.2"))
    assert [(finding.id, finding.level) for finding in findings] == [("fail2ban.server.stopped", "warning")]


def test_a_jail_whose_bans_have_no_end_is_a_notice() -> None:
    _data, findings = inform(Server(True, True, "1.0.2", (jail(), jail("forever", -1))))
    assert [(finding.id, finding.subject) for finding in findings] == [
        ("fail2ban.jail.ban_without_end", "fail2ban jail forever")
    ]


def test_the_list_of_the_banned_is_bounded_and_the_count_is_whole() -> None:
    data, _findings = inform(Server(True, True, "1.0.2", (jail(bans=800),)))
    assert (data["jails"][0]["banned"], len(data["jails"][0]["addresses"])) == (800, 500)


def test_only_jails_whose_bans_end_are_usable() -> None:
    data, _findings = inform(Server(True, True, "1.0.2", (jail("sshd"), jail("recidive", bantime=-1))))
    assert data["usable_jails"] == ["sshd"]
