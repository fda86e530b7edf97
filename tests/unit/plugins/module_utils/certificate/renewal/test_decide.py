# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.certificate.renewal.decide import (
    Wish,
    decide,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.clock import Clock
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import Decision
from ansible_collections.firebreak.incident.plugins.module_utils.plan import DISRUPTIVE

from .conftest import DAY, DUE, EXPIRED, NEW, NOW, certificate, held, inspected, pointed, scene

ALL = Wish()
ONE, FORCED = Wish("api.example"), Wish("api.example", force=True)
LIVE = "/etc/letsencrypt/live/api.example"


def acts(decision: Decision) -> list[str]:
    return [act.action for act in decision.plan.acts]


def refusals(decision: Decision) -> list[str]:
    return [act.reason for act in decision.plan.refusals]


def test_what_is_healthy_is_left_alone() -> None:
    ours = held(NEW)
    decision = decide(scene(inspected(NEW, ours), lineages=(ours,)), ALL)
    assert (decision.symptom, acts(decision), refusals(decision)) == (0, [], [])


@pytest.mark.parametrize("old", [DUE, EXPIRED])
def test_what_is_due_or_expired_is_renewed_and_then_reloaded(old: Any) -> None:
    ours = held(old)
    decision = decide(scene(inspected(old, ours), lineages=(ours,)), ALL)
    renew, reload = decision.plan.acts
    assert (renew.action, reload.action) == ("certificate.renew", "certificate.reload")
    assert renew.identity == {"lineage": "api.example", "fingerprint": old.fingerprint, "force": False}
    assert reload.identity["renewed"] and reload.identity["filed"] == old.fingerprint
    assert reload.identity["served"][0]["fingerprint"] == old.fingerprint
    # A reload is not tried after a renewal that failed: they have one target.
    assert renew.target == reload.target
    assert {act.risk for act in decision.plan.acts} == {DISRUPTIVE}
    assert decision.symptom == 1


def test_renewed_and_not_reloaded_is_only_reloaded() -> None:
    ours = held(NEW, EXPIRED)
    decision = decide(scene(inspected(EXPIRED, ours), lineages=(ours,)), ALL)
    assert acts(decision) == ["certificate.reload"]
    assert not decision.plan.acts[0].identity["renewed"]


def test_a_newer_one_than_the_file_is_not_taken_away() -> None:
    ours = held(certificate(60, "restored"))
    decision = decide(scene(inspected(NEW, ours), lineages=(ours,)), ALL)
    assert (decision.symptom, acts(decision)) == (0, [])


def test_only_addresses_that_serve_the_old_one_count() -> None:
    ours = held(NEW, EXPIRED)
    looks = (inspected(EXPIRED, ours, address="192.0.2.1"), inspected(NEW, ours, address="192.0.2.2"))
    decision = decide(scene(*looks, lineages=(ours,)), ALL)
    assert decision.symptom == 1
    assert [one["address"] for one in decision.plan.acts[0].identity["served"]] == ["192.0.2.1"]


def test_of_several_lineages_only_those_in_need_are_ordered() -> None:
    lineages = (held(NEW, name="a.example"), held(EXPIRED, name="b.example"), held(NEW, name="c.example"))
    decision = decide(scene(lineages=lineages), ALL)
    assert [act.identity["lineage"] for act in decision.plan.acts] == ["b.example"]
    assert decision.symptom == 1


def test_a_lineage_that_nginx_names_is_reloaded_without_an_endpoint() -> None:
    ours = held(EXPIRED)
    view = scene(lineages=(ours,))
    view = replace(view, seen=replace(view.seen, pointed=(pointed(f"{LIVE}/fullchain.pem", EXPIRED),)))
    assert acts(decide(view, ALL)) == ["certificate.renew", "certificate.reload"]


def test_a_broken_configuration_orders_nothing_and_reloads_nothing() -> None:
    broken = '[emerg] unknown directive "on" in /etc/nginx/a.conf:1'
    for ours, serves in ((held(EXPIRED), EXPIRED), (held(NEW, EXPIRED), EXPIRED)):
        decision = decide(scene(inspected(serves, ours), lineages=(ours,), broken=broken), ALL)
        assert acts(decision) == [] and decision.symptom == 1
        assert broken in refusals(decision)[0]


@pytest.mark.parametrize(
    ("changed", "view", "because"),
    [
        ({"problem": "/x leads nowhere"}, {}, "/x leads nowhere"),
        ({"account_present": False}, {}, "certbot register --server https://acme.example/dir"),
        ({"renews": False}, {}, "autorenew is off"),
        ({}, {"missing": "program certbot: it is not on this host"}, "it is not on this host"),
    ],
)
def test_what_certbot_could_not_do_is_refused_with_what_to_do(
    changed: dict[str, Any], view: dict[str, Any], because: str
) -> None:
    ours = held(EXPIRED, **changed)
    decision = decide(scene(inspected(EXPIRED, ours), lineages=(ours,), **view), ALL)
    assert acts(decision) == [] and because in refusals(decision)[0]


def test_an_account_that_the_configuration_does_not_name_is_no_obstacle() -> None:
    ours = held(EXPIRED, account=None, account_present=False)
    assert acts(decide(scene(lineages=(ours,)), ALL)) == ["certificate.renew"]


COPY = "/etc/nginx/tls/api.pem"


def test_a_copy_that_no_hook_renews_is_refused_before_anything_is_ordered() -> None:
    ours = held(EXPIRED)
    decision = decide(scene(inspected(EXPIRED, ours, pointed(COPY, EXPIRED)), lineages=(ours,)), ALL)
    assert acts(decision) == []
    assert f"{COPY}, a copy: name {LIVE}/fullchain.pem there" in refusals(decision)[0]


def test_a_copy_that_a_hook_renews_is_renewed() -> None:
    ours = held(EXPIRED, hook="cp ...")
    decision = decide(scene(inspected(EXPIRED, ours, pointed(COPY, EXPIRED)), lineages=(ours,)), ALL)
    assert acts(decision) == ["certificate.renew", "certificate.reload"]


def test_a_copy_from_before_the_renewal_is_not_mended_by_a_reload() -> None:
    ours = held(NEW, EXPIRED)
    decision = decide(scene(inspected(EXPIRED, ours, pointed(COPY, EXPIRED)), lineages=(ours,)), ALL)
    assert acts(decision) == [] and decision.symptom == 1
    assert "--deploy-hook" in refusals(decision)[0]


def test_a_link_to_the_lineage_is_no_copy() -> None:
    ours = held(NEW, EXPIRED)
    link = pointed(COPY, NEW, real="/etc/letsencrypt/archive/api.example/fullchain2.pem")
    assert acts(decide(scene(inspected(EXPIRED, ours, link), lineages=(ours,)), ALL)) == [
        "certificate.reload"
    ]


def test_a_file_inside_of_an_image_is_a_copy_and_a_variable_is_not() -> None:
    ours = held(NEW, EXPIRED)
    inside = pointed("/tls/api.pem", None, real="", file=None, container="web")
    variable = pointed("$file", None, real="", file=None, certificate="$file")
    assert acts(decide(scene(inspected(EXPIRED, ours, inside), lineages=(ours,)), ALL)) == []
    assert acts(decide(scene(inspected(EXPIRED, ours, variable), lineages=(ours,)), ALL)) != []


def test_one_that_somebody_bought_is_not_taken_for_the_one_before() -> None:
    ours, bought = held(NEW), certificate(60, "bought")
    decision = decide(scene(inspected(bought, ours, pointed(COPY, bought)), lineages=(ours,)), ALL)
    assert (decision.symptom, acts(decision), refusals(decision)) == (0, [], [])


def test_what_another_host_serves_for_itself_is_not_reloaded_here() -> None:
    ours, theirs = held(NEW, EXPIRED), certificate(60, "theirs")
    well = decide(scene(inspected(theirs, ours, foreign=True), lineages=(ours,)), ALL)
    assert (well.symptom, acts(well), refusals(well)) == (0, [], [])
    late = decide(scene(inspected(certificate(5, "theirs"), ours, foreign=True), lineages=(ours,)), ALL)
    assert (late.symptom, acts(late)) == (1, [])
    assert "renew it there" in refusals(late)[0]
    # Behind a NAT the address is not this host's, and the certificate is.
    nat = decide(scene(inspected(EXPIRED, ours, foreign=True), lineages=(ours,)), ALL)
    assert acts(nat) == ["certificate.reload"]


@pytest.mark.parametrize("wish", [ALL, FORCED])
@pytest.mark.parametrize(
    ("offset", "orders"), [(-60 * DAY, False), (-30.0, True), (60 * DAY, True), (None, True)]
)
def test_a_clock_that_is_fast_orders_nothing(wish: Wish, offset: float | None, orders: bool) -> None:
    ours = held(EXPIRED)
    view = scene(inspected(EXPIRED, ours), lineages=(ours,))
    clock = Clock(True, 0.1, "chrony", False, offset)
    decision = decide(replace(view, seen=replace(view.seen, clock=clock)), wish)
    assert bool(acts(decision)) is orders
    assert orders or "by the clock of this host" in refusals(decision)[0]


def test_what_no_lineage_holds_is_said_and_not_hidden() -> None:
    decision = decide(scene(inspected(EXPIRED, None)), ALL)
    assert decision.symptom == 1 and "no lineage of certbot" in refusals(decision)[0]
    with pytest.raises(BadInput, match="there is no lineage"):
        decide(scene(inspected(EXPIRED, None)), ONE)


def test_a_mail_server_is_not_reloaded_with_nginx() -> None:
    ours = held(NEW, EXPIRED)
    decision = decide(scene(inspected(EXPIRED, ours, starttls="smtp", port=25), lineages=(ours,)), ALL)
    assert acts(decision) == [] and "reload what does" in refusals(decision)[0]


@pytest.mark.parametrize(
    ("newest", "fits", "revoked", "forced"),
    [
        (EXPIRED, True, False, True),
        (NEW, False, False, True),
        (NEW, True, True, True),
        (DUE, True, False, False),
    ],
)
def test_force_reaches_certbot_only_where_nothing_else_helps(
    newest: Any, fits: bool, revoked: bool, forced: bool
) -> None:
    ours = held(newest, fits=fits)
    names = frozenset({"api.example"} if revoked else ())
    decision = decide(scene(inspected(newest, ours), lineages=(ours,), revoked=names), FORCED)
    assert acts(decision) == ["certificate.renew", "certificate.reload"]
    assert decision.plan.acts[0].identity["force"] is forced


def test_force_for_a_sound_lineage_is_refused_with_the_reason() -> None:
    ours = held(NEW)
    decision = decide(scene(inspected(NEW, ours), lineages=(ours,)), FORCED)
    assert acts(decision) == [] and "its key fits" in refusals(decision)[0]
    assert decision.symptom == 0


def test_a_lost_key_needs_force_and_is_not_held_against_itself() -> None:
    ours = held(NEW, fits=False)
    broken = f'[emerg] SSL_CTX_use_PrivateKey("{LIVE}/privkey.pem") failed (key values mismatch)'
    view = scene(inspected(NEW, ours), lineages=(ours,), broken=broken)
    assert "give the name and force" in refusals(decide(view, ONE))[0]
    assert acts(decide(view, FORCED)) == ["certificate.renew", "certificate.reload"]
    other = replace(view, broken="[emerg] something else in /etc/nginx/a.conf:1")
    assert acts(decide(other, FORCED)) == []


def test_lineages_that_cannot_be_read_are_an_error() -> None:
    with pytest.raises(Unreachable, match="lineages of certbot"):
        decide(scene(lineages=None), ALL)


def test_a_hook_that_failed_is_a_finding() -> None:
    ours = held(NEW)
    view = scene(inspected(NEW, ours), lineages=(ours,), hooks={"api.example": ("error code 3",)})
    found = {finding.id: finding for finding in decide(view, ALL).findings}
    assert "error code 3" in found["certificate.hook.failed"].summary


def test_the_state_shows_what_is_served_and_needed() -> None:
    ours = held(NEW, EXPIRED)
    state = decide(scene(inspected(EXPIRED, ours), lineages=(ours,)), ALL).state
    assert state["lineages"][0]["need"] is None
    assert state["endpoints"][0]["newest"] is False
    assert EXPIRED.not_after < NOW
