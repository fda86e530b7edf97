# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering import model
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.contract import Report
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.model import Outcome

from .conftest import make_act, make_finding, make_step


def outcomes(**statuses: str) -> list[Outcome]:
    return [Outcome(host, status) for host, status in statuses.items()]


@pytest.mark.parametrize(
    ("statuses", "tally"),
    [
        ({"a": "ok", "b": "ok"}, "2 hosts"),
        ({"a": "ok"}, "a"),
        ({"a": "changed", "b": "changed"}, "2 hosts changed"),
        ({"a": "ok", "b": "failed", "c": "changed"}, "1 ok, 1 changed, 1 failed"),
        ({"a": "ok", "b": "unreachable"}, "1 ok, 1 unreachable"),
    ],
)
def test_a_step_counts_its_hosts(statuses: dict[str, str], tally: str) -> None:
    assert make_step(*outcomes(**statuses)).tally == tally


def test_a_play_of_one_host_does_not_repeat_it() -> None:
    assert make_step(*outcomes(a="ok"), hosts=1).tally == ""
    assert make_step(*outcomes(a="failed"), hosts=1).tally == "failed"


def test_check_mode_changes_nothing_and_says_so() -> None:
    assert make_step(*outcomes(a="changed", b="ok"), check=True).tally == "1 ok, 1 would change"


def test_a_step_is_as_bad_as_its_worst_host() -> None:
    assert make_step(*outcomes(a="ok", b="changed", c="unreachable", d="failed")).status == "unreachable"


def test_hosts_share_a_finding_and_its_subject_loses_their_names() -> None:
    step = make_step(
        *(
            Outcome(host, "ok", [Report((make_finding(subject=f"/ on {host}"),))])
            for host in ("zekka1", "zekka2")
        )
    )
    ((hosts, finding),) = model.findings(step)
    assert (hosts, finding.subject) == (["zekka1", "zekka2"], "/")


def test_the_worst_finding_comes_first_whatever_host_has_it() -> None:
    step = make_step(
        Outcome("a", "ok", [Report((make_finding("notice"), make_finding("warning")))]),
        Outcome("b", "ok", [Report((make_finding("critical"),))]),
    )
    assert [finding.level for _hosts, finding in model.findings(step)] == ["critical", "warning", "notice"]


def test_acts_with_the_same_reason_are_told_together_on_all_hosts() -> None:
    both = Report((), (make_act("a"), make_act("b"), make_act("c", reason="another")))
    groups, left_out = model.acts(make_step(Outcome("x", "ok", [both]), Outcome("y", "ok", [both])), False)
    assert [(group.hosts, group.targets) for group in groups] == [
        (["x", "y"], ("a", "b")),
        (["x", "y"], ("c",)),
    ]
    assert left_out == 0


def test_a_long_plan_is_cut_but_never_a_refusal() -> None:
    many = [make_act(f"t{i}", reason=f"r{i}") for i in range(40)]
    last = make_act("protected", "refused", "it is a management address")
    step = make_step(Outcome("x", "ok", [Report((), (*many, last))]))
    groups, left_out = model.acts(step, everything=False)
    assert groups[-1].act == last
    assert len(groups) + left_out == 41
    assert len(model.acts(step, everything=True)[0]) == 41


def test_a_refused_act_promises_no_undo() -> None:
    (group,), _left_out = model.acts(
        make_step(Outcome("x", "ok", [Report((), (make_act(status="refused"),))])), False
    )
    assert group.consequence == ""


def test_the_live_line_names_who_is_awaited() -> None:
    step = make_step(*outcomes(a="ok"))
    step.running = {"b", "c"}
    step.attempt = "attempt 2 of 9"
    assert step.live == "Look  1 of 3 hosts, waiting for b, c  attempt 2 of 9"
