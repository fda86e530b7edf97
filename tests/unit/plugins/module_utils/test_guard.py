# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.firebreak.incident.plugins.module_utils.addresses import Protected
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.guard import Limits, protect, restrain
from ansible_collections.firebreak.incident.plugins.module_utils.plan import (
    REFUSED,
    REVERSIBLE,
    RISKS,
    Act,
    Plan,
    Undo,
    riskier,
)

from .conftest import make_act

SITE = Protected.of({"203.0.113.0/24": "this site protects it"})
names = st.text(alphabet="abcdefgh", min_size=1, max_size=2)


@st.composite
def acts(draw: st.DrawFn) -> Act:
    identity = {"name": draw(names)}
    risk = draw(st.sampled_from(RISKS))
    undo = Undo("test.unset", identity) if risk == REVERSIBLE else None
    return Act("test.set", identity["name"], identity, risk, "why", undo)


plans = st.lists(acts(), max_size=8).map(lambda drawn: Plan(tuple(drawn)))
limits = st.builds(Limits, max_risk=st.sampled_from(RISKS), max_actions=st.integers(0, 8))


@given(plans, limits, st.sets(names))
def test_no_plan_over_its_ceiling_is_partly_done(plan: Plan, allowed: Limits, protected: set[str]) -> None:
    unprotected = [act for act in plan.acts if act.target not in protected]
    over = len(unprotected) > allowed.max_actions or any(
        riskier(act.risk, allowed.max_risk) for act in unprotected
    )
    kept = restrain(plan, allowed, [lambda act: "protected" if act.target in protected else None])
    assert list(kept.acts) == ([] if over else unprotected)


@given(plans, limits, st.sets(names))
def test_nothing_protected_is_ever_among_the_acts(plan: Plan, allowed: Limits, protected: set[str]) -> None:
    kept = restrain(plan, allowed, [lambda act: "protected" if act.target in protected else None])
    assert not [act for act in kept.acts if act.target in protected]


@given(plans, limits)
def test_every_act_is_either_allowed_or_refused_with_a_reason(plan: Plan, allowed: Limits) -> None:
    kept = restrain(plan, allowed, [])
    assert len(kept.acts) + len(kept.refusals) == len(plan.acts)
    assert all(act.status == REFUSED and act.reason for act in kept.refusals)


def test_the_first_guard_that_objects_gives_the_reason(act: Act) -> None:
    kept = restrain(
        Plan((act,)), Limits("reversible", 1), [lambda _: None, lambda _: "first", lambda _: "second"]
    )
    assert [refusal.reason for refusal in kept.refusals] == ["first"]


def test_protected_acts_do_not_count_against_the_ceiling(act: Act) -> None:
    other = Act("test.set", "b", {"name": "b"}, "destructive", "why")
    kept = restrain(
        Plan((act, other)), Limits("reversible", 1), [lambda a: "protected" if a.target == "b" else None]
    )
    assert kept.acts == (act,)


def test_a_refusal_names_the_ceiling_and_the_number(act: Act) -> None:
    kept = restrain(Plan((act,)), Limits("reversible", 0), [])
    assert "1 acts and max_actions is 0" in kept.refusals[0].reason


def test_an_approved_plan_that_has_changed_since_is_not_carried_out(act: Act) -> None:
    with pytest.raises(BadInput, match="no longer the approved one") as raised:
        restrain(Plan((act,)), Limits("reversible", 1, "sha256:of-another-plan"), [])
    assert raised.value.result["plan_digest"] == Plan((act,)).digest


def test_the_approved_plan_is_carried_out(act: Act) -> None:
    plan = Plan((act,))
    assert restrain(plan, Limits("reversible", 1, plan.digest), []).acts == (act,)


def test_an_approved_plan_that_is_already_carried_out_is_no_error() -> None:
    assert restrain(Plan(), Limits("reversible", 1, "sha256:old"), []).acts == ()


@given(st.ip_addresses(network="203.0.113.0/24"))
def test_every_address_of_a_protected_network_is_refused(address: ipaddress.IPv4Address) -> None:
    assert protect(SITE)(make_act(identity={"address": str(address), "seconds": 60}))


def test_an_act_without_an_address_is_none_of_its_business() -> None:
    assert protect(SITE)(make_act()) is None
