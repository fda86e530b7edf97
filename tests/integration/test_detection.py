# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is told apart from whom, on real logins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firebreak_lab import Attacker, Lab

from .conftest import at_once

HOSTS = ("zekka1", "matrixon1")
BREAK_IN = "logins.source.success_after_failures"


def finding_ids(play: Any, host: str) -> set[str]:
    return {finding["id"] for finding in play.result(host, "login_attempts_info")["findings"]}


def test_failures_and_then_a_success_are_a_critical_finding_and_not_only_a_ban(
    pristine: Lab, attacker: Attacker, play: Callable[..., Any]
) -> None:
    at_once(lambda host: attacker.failures_then_success(host, 68), HOSTS)
    done = play("contain_security", evidence="none")
    assert done.code == 0, done.output
    # Of the whole run; it is made once, on the first host.
    (summary,) = [result for (_host, action), result in done.results.items() if action == "summary"]
    told = {found["host"] for found in summary["findings"] if found["id"] == BREAK_IN}
    assert told == set(HOSTS)
    for host in HOSTS:
        found = done.result(host, "login_attempts_info")["findings"]
        critical = [finding for finding in found if finding["id"] == BREAK_IN]
        assert [finding["level"] for finding in critical] == ["critical"]
        assert "deploy" in critical[0]["summary"]
        assert "172.29.77.68" in critical[0]["summary"] + critical[0]["subject"]
    assert at_once(lambda host: attacker.probe(host, 443, 68), HOSTS) == [False, False]


def test_a_user_with_a_few_typos_is_no_attacker(
    pristine: Lab, attacker: Attacker, play: Callable[..., Any]
) -> None:
    at_once(lambda host: attacker.failures_then_success(host, 69, attempts=2), HOSTS)
    done = play("contain_security")
    assert (done.code, done.changed()) == (0, 0), done.output
    for host in HOSTS:
        assert not [found for found in finding_ids(done, host) if found.startswith("logins.source")]
        assert done.result(host, "login_attempts_info")["sources"][0]["judgement"] == "user"
        assert attacker.probe(host, 443, 69)


def test_unknown_keys_count_as_failures(pristine: Lab, attacker: Attacker, play: Callable[..., Any]) -> None:
    at_once(lambda host: attacker.key_failures(host, 70, attempts=60), HOSTS)
    done = play("contain_security")
    for host in HOSTS:
        assert done.result(host, "login_attempts_info")["attackers"] == ["172.29.77.70"]


def test_wrong_passwords_for_a_web_page_count_as_well(
    pristine: Lab, attacker: Attacker, play: Callable[..., Any]
) -> None:
    attacker.basic_auth_failures("zekka1", 71)
    done = play("contain_security", limit="zekka1")
    assert done.result("zekka1", "login_attempts_info")["attackers"] == ["172.29.77.71"]
    assert not attacker.probe("zekka1", 443, 71)


def test_the_same_attempts_in_log_and_journal_count_once(
    pristine: Lab, attacker: Attacker, play: Callable[..., Any]
) -> None:
    attempted = attacker.attack("zekka1", 72, attempts=24)
    done = play("contain_security", "--check", limit="zekka1")
    source = done.result("zekka1", "login_attempts_info")["sources"][0]
    assert source["address"] == "172.29.77.72"
    assert source["failures"] == attempted["failed"]


def test_many_sources_on_one_account_are_seen_though_each_stays_below_the_threshold(
    pristine: Lab, attacker: Attacker, play: Callable[..., Any]
) -> None:
    at_once(lambda number: attacker.attack("zekka1", number, user="deploy", attempts=3), range(66, 76))
    done = play("contain_security", limit="zekka1")
    assert "logins.account.distributed_guessing" in finding_ids(done, "zekka1")


def test_a_line_forged_in_the_web_servers_error_log_frames_nobody(
    pristine: Lab, play: Callable[..., Any]
) -> None:
    forged = (
        "x%0a$(date -u +%Y%%2F%m%%2F%d%%20%H:%M:%S)%20%5Berror%5D%201%231:%20*1%20user%20%22bob%22:"
        "%20password%20mismatch,%20client:%20198.51.100.88,%20server:%20x%0a"
    )
    url = f"http://172.29.77.11/.well-known/acme-challenge/{forged}"
    pristine.run("client1", ["bash", "-c", f'for i in $(seq 15); do curl -s -o /dev/null "{url}"; done'])
    written = pristine.run("zekka1", ["cat", "/var/log/nginx/error.log"]).stdout
    assert written.count('user "bob": password mismatch, client: 198.51.100.88') == 15
    done = play("contain_security", "--check", limit="zekka1")
    assert done.result("zekka1", "login_attempts_info")["attackers"] == []
    assert "logins.nginx.unconfirmed" in finding_ids(done, "zekka1")
