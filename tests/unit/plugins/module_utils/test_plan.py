# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.firebreak.incident.plugins.module_utils.plan import Act, Plan, Undo

from .conftest import make_act

identities = st.dictionaries(st.text(max_size=5), st.one_of(st.integers(), st.text(max_size=5)), max_size=3)


@given(st.lists(identities, min_size=1, max_size=5), identities, st.data())
def test_the_digest_changes_when_an_identity_changes(
    drawn: list[dict[str, object]], other: dict[str, object], data: st.DataObject
) -> None:
    plan = Plan(tuple(make_act(identity=identity) for identity in drawn))
    position = data.draw(st.integers(0, len(drawn) - 1))
    changed = list(plan.acts)
    changed[position] = replace(changed[position], identity=other)
    assert (Plan(tuple(changed)).digest == plan.digest) == (other == drawn[position])


@given(st.permutations(["a", "b", "c"]))
def test_the_digest_does_not_depend_on_the_order_of_observation(order: list[str]) -> None:
    assert Plan(tuple(map(make_act, order))).digest == Plan(tuple(map(make_act, "abc"))).digest


def test_the_digest_tells_two_actions_on_one_object_apart(act: Act) -> None:
    assert Plan((replace(act, action="test.other"),)).digest != Plan((act,)).digest


def test_the_digest_does_not_depend_on_the_words_of_the_reason(act: Act) -> None:
    assert Plan((replace(act, reason="idle for 15 min"),)).digest == Plan((act,)).digest


def test_nothing_is_called_reversible_without_its_undo() -> None:
    with pytest.raises(ValueError, match="reversible without its undo"):
        make_act(undo=None)


def test_an_unknown_risk_is_refused() -> None:
    with pytest.raises(ValueError, match="'harmless' is none of"):
        make_act(risk="harmless")


def test_the_diff_shows_one_line_for_each_act_and_each_refusal(act: Act) -> None:
    plan = Plan((act,), (make_act("b").refused("protected"),))
    assert plan.as_lines().splitlines() == [
        "planned  test.set a (reversible): the test wants it",
        "refused  test.set b (reversible): protected",
    ]


def test_an_act_is_json_plain() -> None:
    assert make_act(undo=Undo("test.unset", {"name": "a"})).as_dict() == {
        "action": "test.set",
        "target": "a",
        "identity": {"name": "a"},
        "risk": "reversible",
        "status": "planned",
        "reason": "the test wants it",
        "undo": {"action": "test.unset", "identity": {"name": "a"}},
    }
