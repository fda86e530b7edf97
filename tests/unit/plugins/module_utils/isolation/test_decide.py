# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.addresses import parse_network
from ansible_collections.firebreak.incident.plugins.module_utils.clients.sockets import Connection
from ansible_collections.firebreak.incident.plugins.module_utils.isolation import decide
from ansible_collections.firebreak.incident.plugins.module_utils.isolation.observe import DeadMan, Snapshot
from ansible_collections.firebreak.incident.plugins.module_utils.isolation.request import Request
from ansible_collections.firebreak.incident.plugins.module_utils.isolation.table import Table
from ansible_collections.firebreak.incident.plugins.module_utils.ledger import Entry
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import Decision

from .conftest import MANAGEMENT

Make = Callable[..., Connection]
Look = Callable[..., Snapshot]
REQUEST = Request(tuple(MANAGEMENT), 22, 120)
UNTIL = "2026-11-21T22:02:00.000Z"
OLD = DeadMan("firebreak-release-old", UNTIL)
OWN = DeadMan("firebreak-release-run-2", UNTIL)


def ids(found: Snapshot | Decision) -> list[str]:
    findings = found.findings if isinstance(found, Decision) else decide.report(found)[1]
    return [finding.id for finding in findings]


def test_a_host_that_is_open_is_isolated_in_one_act(snapshot: Look, connection: Make) -> None:
    held = connection("192.0.2.1", 443, "203.0.113.9", 50000)
    decision = decide.isolate(snapshot(connections=(held,)), REQUEST, None)
    (act,) = decision.plan.acts
    assert decision.symptom == 2
    assert (act.action, act.risk) == ("network.isolate", "disruptive")
    assert act.identity == {"management": ["198.51.100.0/28"], "port": 22, "dead_man_seconds": 120}
    assert act.undo is not None
    assert act.undo.action == "network.release"
    assert "203.0.113.9 port 50000" in act.reason
    assert decision.findings == ()


def test_an_isolated_host_needs_nothing(snapshot: Look, standing: Table, begun: Entry) -> None:
    decision = decide.isolate(snapshot(table=standing, begun=begun), REQUEST, None)
    assert (decision.symptom, decision.plan.acts) == (0, ())
    assert ids(decision) == ["isolation.host.isolated"]


def test_the_timer_of_this_run_is_no_symptom_and_one_of_an_earlier_run_is(
    snapshot: Look, standing: Table, begun: Entry
) -> None:
    waiting = snapshot(table=standing, begun=begun, dead_men=(OWN,))
    assert decide.isolate(waiting, REQUEST, OWN.unit).symptom == 0
    assert "isolation.host.unconfirmed" in ids(waiting)
    both = replace(waiting, dead_men=(OWN, OLD))
    decision = decide.isolate(both, REQUEST, OWN.unit)
    assert decision.symptom == 1
    assert OLD.unit in decision.plan.acts[0].reason


def test_a_timer_left_by_an_earlier_task_of_the_same_run_is_a_symptom(
    snapshot: Look, standing: Table, begun: Entry
) -> None:
    waiting = snapshot(table=standing, begun=begun, dead_men=(OWN,))
    assert decide.isolate(waiting, REQUEST, None).symptom == 1


def test_a_table_that_was_tampered_with_is_made_anew(snapshot: Look, standing: Table, begun: Entry) -> None:
    altered = replace(standing, faults=("chain output has 'accept', which is not ours",))
    found = snapshot(table=altered, begun=begun)
    assert decide.isolate(found, REQUEST, None).plan.acts
    assert ids(found) == ["isolation.table.altered"]
    assert not decide.intact(found)


def test_an_address_that_nobody_asked_for_is_tampering(snapshot: Look, standing: Table, begun: Entry) -> None:
    opened = replace(standing, management=MANAGEMENT | {parse_network("203.0.113.66")})
    found = snapshot(table=opened, begun=begun)
    (act,) = decide.isolate(found, REQUEST, None).plan.acts
    assert act.identity["management"] == ["198.51.100.0/28"]
    assert "203.0.113.66" in act.reason


def test_a_datagram_that_got_out_tells_of_what_the_rules_do_not_show(
    snapshot: Look, standing: Table, begun: Entry
) -> None:
    leaking = snapshot(table=standing, begun=begun, passed=("192.0.2.1",))
    assert ids(leaking) == ["isolation.table.altered"]
    assert decide.isolate(leaking, REQUEST, None).symptom == 1


def test_a_second_responder_does_not_shut_out_the_first(
    snapshot: Look, standing: Table, begun: Entry
) -> None:
    second = Request((parse_network("203.0.113.5"),), 22, 120)
    (act,) = decide.isolate(snapshot(table=standing, begun=begun), second, None).plan.acts
    assert act.identity["management"] == ["198.51.100.0/28", "203.0.113.5"]


def test_ssh_on_another_port_makes_the_table_anew(snapshot: Look, standing: Table, begun: Entry) -> None:
    other = replace(REQUEST, port=2222)
    assert decide.isolate(snapshot(table=standing, begun=begun), other, None).symptom == 1


def test_a_connection_that_is_left_is_told_and_ended_again(
    snapshot: Look, standing: Table, begun: Entry, connection: Make
) -> None:
    held = connection("192.0.2.1", 443, "203.0.113.9", 50000)
    found = snapshot(table=standing, begun=begun, connections=(held,))
    assert decide.isolate(found, REQUEST, None).symptom == 1
    assert ids(found) == ["isolation.host.isolated", "isolation.connection.survives"]


def test_containers_that_still_reach_each_other_are_told(
    snapshot: Look, standing: Table, begun: Entry, connection: Make
) -> None:
    inner = connection("172.18.0.7", 50000, "172.18.0.3", 5432, "pid 4242")
    found = snapshot(table=standing, begun=begun, connections=(inner,), bridged=frozenset())
    assert ids(found) == ["isolation.host.isolated", "isolation.bridge.open"]
    assert decide.isolate(found, REQUEST, None).symptom == 0


def test_what_could_not_be_looked_into_is_told(snapshot: Look, standing: Table, begun: Entry) -> None:
    assert "isolation.connection.unseen" in ids(
        snapshot(table=standing, begun=begun, unseen=("nsenter is missing",))
    )


def test_a_host_that_is_open_is_nothing_wrong(snapshot: Look, connection: Make) -> None:
    held = connection("192.0.2.1", 443, "203.0.113.9", 50000)
    data, findings = decide.report(snapshot(connections=(held,)))
    assert findings == []
    assert (data["isolated"], data["since"], data["connections"]["foreign"]) == (False, None, 0)


def test_the_report_says_since_when_by_whom_and_what_was_dropped(
    snapshot: Look, standing: Table, begun: Entry
) -> None:
    data, (finding,) = decide.report(snapshot(table=standing, begun=begun))
    assert (data["since"], data["run"], data["dropped"]["forward"]) == (begun.time, "run-1", 3)
    assert "10 packets were dropped (5 of them its own or its containers')" in finding.summary


@pytest.mark.parametrize("dead_men", [(), (OLD,)])
def test_a_release_takes_table_and_timers_away(
    snapshot: Look, standing: Table, dead_men: tuple[DeadMan, ...]
) -> None:
    decision = decide.release(snapshot(table=standing, dead_men=dead_men))
    (act,) = decision.plan.acts
    assert decision.symptom == 1 + len(dead_men)
    assert (act.action, act.identity) == ("network.release", {"table": "inet firebreak_isolation"})


def test_releasing_by_hand_is_known_as_the_undo_of_isolating(snapshot: Look, standing: Table) -> None:
    (isolate,) = decide.isolate(snapshot(), REQUEST, None).plan.acts
    (release,) = decide.release(snapshot(table=standing)).plan.acts
    assert isolate.undo is not None
    assert (isolate.undo.action, isolate.undo.identity) == (release.action, release.identity)
    assert isolate.target == release.target


def test_a_free_host_needs_no_release(snapshot: Look) -> None:
    decision = decide.release(snapshot())
    assert (decision.symptom, decision.plan.acts) == (0, ())
