# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking something back never shuts out who must stay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import network
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres import Access
from ansible_collections.firebreak.incident.plugins.module_utils.errors import IdentityChanged
from ansible_collections.firebreak.incident.plugins.module_utils.fail2ban import act as fail2ban
from ansible_collections.firebreak.incident.plugins.module_utils.firewall import act as firewall
from ansible_collections.firebreak.incident.plugins.module_utils.ledger import Ledger
from ansible_collections.firebreak.incident.plugins.module_utils.plan import Act, Undo
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.entry import identity_of
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.server import Server
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.write_access import (
    act as write_access,
)
from ansible_collections.firebreak.incident.plugins.module_utils.undo.job import job


@pytest.mark.parametrize(
    ("action", "refused"),
    [
        ("firewall.add_nft_rule", True),
        ("firewall.add_ufw_rule", True),
        ("firewall.edit_nginx", True),
        ("firewall.block", True),
        ("fail2ban.ban", True),
        ("firewall.unblock", False),
        ("fail2ban.unban", False),
    ],
)
def test_only_letting_in_is_done_to_a_protected_address(
    monkeypatch: pytest.MonkeyPatch, action: str, refused: bool
) -> None:
    monkeypatch.setattr(network, "protected_here", lambda: {"203.0.113.9": "you are there"})
    (guard,) = job({"id": "r1"}, Ledger([])).guards
    identity = {"address": "203.0.113.9"}
    act = Act(action, "203.0.113.9", identity, "reversible", "why", Undo("t.back", identity))
    assert (guard(act) is not None) == refused


def test_every_undo_of_the_domains_has_a_performer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "protected_here", dict)
    needed = {"firewall.unblock", "fail2ban.unban", "firewall.add_iptables_rule"}
    needed |= {"postgres.restore.drop", "postgres.restore.swap_back", "postgres.write_access.read_write"}
    assert needed <= set(job({"id": "r1"}, Ledger([])).perform)


def test_an_act_on_a_server_is_taken_back_there_with_the_configured_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(network, "protected_here", dict)
    asked: list[object] = []

    def enter(server: Server, *_given: object, **_more: object) -> None:
        asked.append(server.administrator)
        raise IdentityChanged("server", "that is enough", "")

    monkeypatch.setattr(write_access, "enter", enter)
    params = {"id": "r1", "services": {}, "postgres": {"host": "127.0.0.1", "password": "x"}}
    access = Access(host="127.0.0.1", database="shop")
    with pytest.raises(IdentityChanged):
        job(params, Ledger([])).perform["postgres.write_access.read_write"](
            {**identity_of(Server(access)), "open": None}
        )
    assert asked == [replace(access, password="x")]


def test_every_action_is_in_the_documentation() -> None:
    documented = (Path(__file__).parents[5] / "docs" / "actions.md").read_text()
    assert [name for name in (*firewall.PERFORM, *fail2ban.PERFORM) if f"`{name}`" not in documented] == []
