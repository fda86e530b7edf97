# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done to block an address or to let it go."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.firebreak.incident.plugins.module_utils.addresses import (
    ALWAYS,
    Protected,
    parse_network,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.sockets import Connection
from ansible_collections.firebreak.incident.plugins.module_utils.firewall import act
from ansible_collections.firebreak.incident.plugins.module_utils.firewall.decide import (
    ORDER,
    block,
    inform,
    release,
)
from ansible_collections.firebreak.incident.plugins.module_utils.firewall.model import Unseen
from ansible_collections.firebreak.incident.plugins.module_utils.firewall.observe import Snapshot
from ansible_collections.firebreak.incident.plugins.module_utils.firewall.own_table import Element, OwnTable
from ansible_collections.firebreak.incident.plugins.module_utils.firewall.request import Request, distinct
from ansible_collections.firebreak.incident.plugins.module_utils.guard import Limits, protect, restrain

NOW = datetime(2026, 11, 21, 23, 40, tzinfo=UTC)
DAY = 86400


def asked(*addresses: str, state: str = "present", seconds: int = DAY, kill: bool = True) -> Request:
    return Request(addresses, state, seconds, kill)


def holding(*elements: tuple[str, float], armed: bool = True, **given_more: Any) -> Snapshot:
    blocked = tuple(Element(address, seconds, 0) for address, seconds in elements)
    return Snapshot(NOW, OwnTable(blocked, armed=armed), **given_more)


def connected(peer: str, where: str = "host", port: int = 443) -> Connection:
    return Connection("tcp", peer, 50000, "192.0.2.1", port, where)


class TestBlocking:
    def test_an_address_that_is_free_is_blocked_and_can_be_let_go(self) -> None:
        decision = block(holding(), asked("203.0.113.7"))
        (only,) = decision.plan.acts
        assert (only.action, only.target) == ("firewall.block", "203.0.113.7")
        assert only.identity == {"address": "203.0.113.7", "seconds": DAY}
        assert only.undo and only.undo.identity == {"address": "203.0.113.7"}
        assert decision.symptom == 1
        assert [finding.id for finding in decision.findings] == ["firewall.address.open"]

    def test_a_block_that_lasts_a_tenth_of_what_is_asked_is_in_place(self) -> None:
        decision = block(holding(("203.0.113.7", DAY / 10)), asked("203.0.113.7"))
        assert (decision.symptom, decision.plan.acts) == (0, ())

    def test_a_block_that_ends_sooner_is_extended_and_the_undo_keeps_what_was_left(self) -> None:
        decision = block(holding(("203.0.113.7", DAY / 10 - 1)), asked("203.0.113.7"))
        (only,) = decision.plan.acts
        assert only.undo and only.undo.identity["restore"] == [{"address": "203.0.113.7", "seconds": 8639}]

    def test_a_blocked_network_holds_the_addresses_in_it(self) -> None:
        assert block(holding(("203.0.113.0/24", DAY)), asked("203.0.113.7")).symptom == 0

    def test_a_network_takes_the_place_of_the_blocks_inside_it(self) -> None:
        decision = block(holding(("203.0.113.7", 500)), asked("203.0.113.0/24"))
        (only,) = decision.plan.acts
        assert only.identity["replaces"] == ["203.0.113.7"]
        assert only.undo and only.undo.identity["restore"] == [{"address": "203.0.113.7", "seconds": 500}]

    def test_an_address_in_a_network_that_ends_soon_is_refused_with_the_way_out(self) -> None:
        decision = block(holding(("203.0.113.0/24", 60)), asked("203.0.113.7"))
        assert decision.plan.acts == ()
        assert "ask for that network" in decision.plan.refusals[0].reason
        assert decision.symptom == 1

    def test_a_table_that_lost_its_rules_blocks_nobody_whatever_it_lists(self) -> None:
        decision = block(holding(("203.0.113.7", DAY), armed=False), asked("203.0.113.7"))
        assert [each.action for each in decision.plan.acts] == ["firewall.block"]
        assert "made anew" in decision.plan.acts[0].reason

    def test_connections_are_ended_after_the_block_stands(self) -> None:
        live = (connected("203.0.113.7"), connected("203.0.113.7", "pid 42"), connected("203.0.113.8"))
        decision = block(holding(connections=live), asked("203.0.113.7"))
        assert [(each.action, each.risk) for each in decision.plan.acts] == [
            ("firewall.block", "reversible"),
            ("firewall.disconnect", "disruptive"),
        ]
        assert decision.symptom == 3
        assert decision.state["connections"] == 2

    def test_a_reversible_plan_with_live_connections_is_refused_as_a_whole(self) -> None:
        decision = block(holding(connections=(connected("203.0.113.7"),)), asked("203.0.113.7"))
        restrained = restrain(decision.plan, Limits("reversible", 100), ())
        assert restrained.acts == ()
        assert len(restrained.refusals) == 2

    def test_connections_that_are_to_be_left_alone_are_told_and_not_counted(self) -> None:
        snapshot = holding(("203.0.113.7", DAY), connections=(connected("203.0.113.7"),))
        decision = block(snapshot, asked("203.0.113.7", kill=False))
        assert (decision.symptom, decision.plan.acts) == (0, ())
        assert [finding.id for finding in decision.findings] == ["firewall.connections.alive"]

    def test_a_connection_that_survives_the_block_is_still_a_symptom(self) -> None:
        snapshot = holding(("203.0.113.7", DAY), connections=(connected("203.0.113.7"),))
        decision = block(snapshot, asked("203.0.113.7"))
        assert decision.symptom == 1
        assert [each.action for each in decision.plan.acts] == ["firewall.disconnect"]

    def test_a_forwarded_flow_counts_until_its_packets_are_dropped(self) -> None:
        flow = (connected("203.0.113.7", "conntrack"),)
        assert block(holding(connections=flow), asked("203.0.113.7")).symptom == 2
        after = block(holding(("203.0.113.7", DAY), connections=flow), asked("203.0.113.7"))
        assert (after.symptom, after.plan.acts) == (0, ())

    def test_namespaces_that_could_not_be_seen_are_told(self) -> None:
        snapshot = holding(("203.0.113.7", DAY), unseen=(Unseen("connections", "pid 42: no"),))
        findings = block(snapshot, asked("203.0.113.7")).findings
        assert [finding.id for finding in findings] == ["firewall.layer.unseen"]

    def test_the_same_request_gives_the_same_digest_at_any_time(self) -> None:
        first = block(holding(("203.0.113.7", 50.5)), asked("203.0.113.7")).plan.digest
        assert block(holding(("203.0.113.7", 40.1)), asked("203.0.113.7")).plan.digest == first


networks = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.tuples(st.ip_addresses(v=4), st.integers(8, 32)).map(
        lambda pair: str(ipaddress.ip_network(pair, strict=False))
    ),
    st.sampled_from([*ALWAYS, "127.0.0.1", "::1", "104.16.0.9", "fe80::1", "::ffff:127.0.0.1"]),
)


@given(wanted=st.lists(networks, max_size=8), extra=st.lists(networks, max_size=4), live=st.booleans())
def test_nothing_protected_is_ever_among_the_acts(wanted: list[str], extra: list[str], live: bool) -> None:
    addresses = distinct(wanted)
    protected = Protected.of(ALWAYS, dict.fromkeys(extra, "it is ours"))
    connections = tuple(
        connected(str(parse_network(address).network_address)) for address in addresses if live
    )
    plan = block(holding(connections=connections), asked(*addresses)).plan
    allowed = restrain(plan, Limits("destructive", 1000), (protect(protected),))
    fenced = [parse_network(text) for text in [*ALWAYS, *extra]]
    for each in allowed.acts:
        touched = parse_network(each.identity["address"])
        assert not any(touched.version == one.version and touched.overlaps(one) for one in fenced)
    assert len(allowed.acts) + len(allowed.refusals) == len(plan.acts)


class TestLettingGo:
    def test_own_blocks_go_with_the_time_that_is_left_as_the_undo(self) -> None:
        decision = release(holding(("203.0.113.7", 500.4)), asked("203.0.113.7", state="absent"))
        (only,) = decision.plan.acts
        assert (only.action, dict(only.identity)) == ("firewall.unblock", {"address": "203.0.113.7"})
        assert only.undo and only.undo.identity == {"address": "203.0.113.7", "seconds": 500}
        assert decision.symptom == 1

    def test_it_is_what_takes_a_block_back_in_the_ledger(self) -> None:
        undo = block(holding(), asked("203.0.113.7")).plan.acts[0].undo
        gone = release(holding(("203.0.113.7", 500)), asked("203.0.113.7", state="absent")).plan.acts[0]
        assert undo and (undo.action, undo.identity) == (gone.action, gone.identity)

    def test_a_rule_for_a_network_stays_is_named_and_keeps_the_symptom(self, snapshot: Snapshot) -> None:
        decision = release(snapshot, asked("203.0.115.9", state="absent"))
        assert (decision.symptom, decision.plan.acts) == (1, ())
        refused = next(each for each in decision.plan.refusals if "203.0.115.0/24" in each.reason)
        assert "-A INPUT -s 203.0.115.0/24 -j DROP" in refused.reason

    def test_a_rule_for_everybody_is_refused_and_no_symptom(self, snapshot: Snapshot) -> None:
        decision = release(snapshot, asked("192.0.2.1", state="absent"))
        assert (decision.symptom, decision.plan.acts, decision.findings) == (0, (), ())
        assert all("everybody" in each.reason for each in decision.plan.refusals)

    def test_every_layer_at_once_has_one_act_for_each_rule(self, snapshot: Snapshot) -> None:
        wanted = ["203.0.113.20", "203.0.113.21", "203.0.113.40", "203.0.113.50", "203.0.113.60"]
        wanted += ["203.0.113.70", "203.0.113.71", "203.0.113.80"]
        acts = release(snapshot, asked(*wanted, state="absent")).plan.acts
        assert len(acts) == len(wanted)
        assert [ORDER.index(each.action) for each in acts] == sorted(
            ORDER.index(each.action) for each in acts
        )
        assert all(each.risk == "reversible" for each in acts)

    def test_two_entries_of_one_line_go_one_after_the_other(self, snapshot: Snapshot) -> None:
        acts = release(snapshot, asked("203.0.113.70", "203.0.113.71", state="absent")).plan.acts
        assert [(each.identity["old"], each.identity["new"]) for each in acts] == [
            ("sshd: 203.0.113.70, 203.0.113.71", "sshd: 203.0.113.71"),
            ("sshd: 203.0.113.71", None),
        ]

    def test_rules_go_from_the_last_to_the_first_so_that_numbers_stay_true(self, snapshot: Snapshot) -> None:
        wanted = ["203.0.113.40", "203.0.113.41", "203.0.113.45"]
        acts = release(snapshot, asked(*wanted, state="absent")).plan.acts
        indexes = [each.undo.identity["index"] for each in acts if each.undo]
        assert indexes == sorted(indexes, reverse=True)

    def test_everything_that_is_done_or_taken_back_has_a_performer(self, snapshot: Snapshot) -> None:
        every = [f"203.0.113.{number}" for number in range(20, 90)]
        acts = release(snapshot, asked(*every, state="absent")).plan.acts
        names = {each.action for each in acts} | {each.undo.action for each in acts if each.undo}
        assert names - set(act.PERFORM) == {"fail2ban.unban", "fail2ban.ban"}


class TestInforming:
    def test_a_blocked_address_has_a_finding_that_leads_to_the_fix(self, snapshot: Snapshot) -> None:
        data, findings = inform(snapshot, ["203.0.113.20"])
        assert [each["layer"] for each in data["blocks"]] == ["nft", "hosts.deny"]
        assert [finding.id for finding in findings] == ["firewall.address.blocked"]
        assert findings[0].remedy and findings[0].remedy.inputs == {"address": "203.0.113.20"}

    def test_what_firebreak_blocks_itself_is_listed_without_findings(self) -> None:
        data, findings = inform(holding(("203.0.113.7", 60)), [])
        assert [each["until"] for each in data["blocks"]] == ["2026-11-21T23:41:00.000Z"]
        assert findings == []

    def test_a_layer_that_could_not_be_read_is_never_silence(self) -> None:
        data, findings = inform(holding(unseen=(Unseen("ufw", "broken"),)), ["203.0.113.7"])
        assert data["unseen"] == [{"layer": "ufw", "reason": "broken"}]
        assert [finding.id for finding in findings] == ["firewall.layer.unseen"]


@pytest.mark.parametrize("line", ["sshd: 203.0.113.70", "sshd : 203.0.113.70 : spawn /bin/true"])
def test_the_last_client_of_a_line_takes_the_line_with_it(snapshot: Snapshot, line: str) -> None:
    entry = replace(snapshot.layers.hosts_deny[0], line=line)
    layers = replace(snapshot.layers, hosts_deny=(entry,))
    acts = release(replace(snapshot, layers=layers), asked("203.0.113.70", state="absent")).plan.acts
    assert [each.identity["new"] for each in acts] == [None]
