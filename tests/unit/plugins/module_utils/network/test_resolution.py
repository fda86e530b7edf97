# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

from ansible_collections.firebreak.incident.plugins.module_utils.clients.dns import (
    NOERROR,
    NXDOMAIN,
    SERVFAIL,
    Lookup,
    Question,
    Reply,
)
from ansible_collections.firebreak.incident.plugins.module_utils.network.names import PROBE, Names
from ansible_collections.firebreak.incident.plugins.module_utils.network.resolution import (
    describe,
    judge_names,
)

ONE, TWO = "192.0.2.53", "192.0.2.54"
TIMED_OUT = "no answer within 1 s"
FAILED = Lookup(PROBE, 2.0, error="Temporary failure in name resolution", failed=True)


def reply(
    server: str,
    name: str,
    rcode: int | None,
    *addresses: str,
    seconds: float = 0.002,
    error: str | None = None,
) -> Reply:
    return Reply(Question(server, name), seconds, rcode, addresses, error)


def working(server: str) -> tuple[Reply, ...]:
    return reply(server, "web1", NXDOMAIN), reply(server, ".", NOERROR)


def silent(server: str) -> tuple[Reply, ...]:
    return tuple(reply(server, name, None, seconds=1.0, error=TIMED_OUT) for name in ("web1", "."))


def levels(names: Names) -> dict[str, str]:
    return {finding.id: finding.level for finding in judge_names(names)}


def test_servers_that_answer_need_no_word_whatever_they_answer() -> None:
    names = Names((ONE, TWO), (), (*working(ONE), *working(TWO)))
    assert judge_names(names) == []
    assert json.loads(json.dumps(describe(names)))["servers"][0]["works"] is True


def test_nobody_who_answers_is_critical_when_programs_are_told_nothing_either() -> None:
    names = Names((ONE,), (), silent(ONE), probe=FAILED)
    assert levels(names) == {"network.dns.failing": "critical"}
    assert f"{ONE}: {TIMED_OUT}" in judge_names(names)[0].summary


def test_programs_that_are_told_by_somebody_else_do_not_suffer() -> None:
    names = Names((ONE,), (), silent(ONE), probe=Lookup(PROBE, 0.1, error="Name or service not known"))
    assert levels(names) == {"network.dns.server_down": "notice"}


def test_a_stub_that_answers_for_itself_and_has_nobody_to_ask_is_failing() -> None:
    stub = "127.0.0.53"
    replies = (reply(stub, "web1", NOERROR), reply(stub, ".", SERVFAIL), *silent(ONE))
    (finding,) = judge_names(Names((stub,), (ONE,), replies, probe=FAILED))
    assert finding.id == "network.dns.failing"
    assert "127.0.0.53: SERVFAIL; 192.0.2.53: no answer" in finding.summary


def test_docker_may_know_nobody_outside() -> None:
    docker = "127.0.0.11"
    replies = (reply(docker, "web1", NOERROR), reply(docker, ".", SERVFAIL))
    assert judge_names(Names((docker,), (), replies, probe=FAILED)) == []


def test_a_dead_first_server_slows_everything_and_a_dead_second_does_not() -> None:
    assert levels(Names((ONE, TWO), (), (*silent(ONE), *working(TWO)))) == {
        "network.dns.server_down": "warning"
    }
    assert levels(Names((ONE, TWO), (), (*working(ONE), *silent(TWO)))) == {
        "network.dns.server_down": "notice"
    }


def test_a_slow_server_is_measured_by_its_quickest_answer() -> None:
    slow = reply(ONE, ".", NOERROR, seconds=0.9)
    assert levels(Names((ONE,), (), (slow, reply(ONE, "web1", NXDOMAIN, seconds=0.01)))) == {}
    assert levels(Names((ONE,), (), (slow, reply(ONE, "web1", NXDOMAIN, seconds=0.7)))) == {
        "network.dns.slow": "warning"
    }


def test_a_name_that_the_hosts_file_turns_elsewhere_is_named() -> None:
    replies = (*working(ONE), reply(ONE, "api.example", NOERROR, "203.0.113.7"))
    lookups = {"api.example": Lookup("api.example", 0.001, ("127.0.0.1",))}
    names = Names((ONE,), (), replies, lookups, {"api.example": ("127.0.0.1",)})
    (finding,) = judge_names(names)
    assert (finding.id, finding.level) == ("network.dns.differs", "notice")
    assert "told 127.0.0.1 by the hosts file" in finding.summary


def test_answers_that_share_an_address_do_not_differ() -> None:
    replies = (*working(ONE), reply(ONE, "api.example", NOERROR, "203.0.113.7", "203.0.113.8"))
    lookups = {"api.example": Lookup("api.example", 0.001, ("2001:db8::7", "203.0.113.8"))}
    assert judge_names(Names((ONE,), (), replies, lookups)) == []
