# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.procfs import Space
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.catalogue import Backup
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.decide import (
    NEVER,
    Wishes,
    change,
    inform,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.findings import (
    estimate,
    lacking,
    reserve,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.observe import (
    Examined,
    Room,
    Snapshot,
)

from .conftest import MIB, NOW, PLAIN

HOUR, DAY = 3600, 86400
Make = Callable[..., Backup]
Snap = Callable[..., Snapshot]


def wishes(max_age: float = HOUR, **more: Any) -> Wishes:
    return Wishes(since=NOW - max_age, max_age=max_age, keep=more.pop("keep", 2), **more)


def ids(snapshot: Snapshot, max_age: float = DAY) -> list[str]:
    return [finding.id for finding in inform(snapshot, max_age)[1]]


def test_a_young_backup_that_can_be_read_is_enough(snapshot: Snap, backup: Make) -> None:
    decision = change(snapshot({"shop": (Examined(backup(HOUR - 1), True),)}), wishes())
    assert (decision.symptom, decision.plan.acts, decision.findings) == (0, (), ())


@pytest.mark.parametrize("verified", [False, None])
def test_one_that_cannot_be_read_or_was_not_is_none(
    verified: bool | None, snapshot: Snap, backup: Make
) -> None:
    young = Examined(backup(60), verified, "it is empty")
    decision = change(snapshot({"shop": (young, Examined(backup(2 * HOUR, proved=True)))}), wishes())
    assert [(act.action, act.risk) for act in decision.plan.acts] == [
        ("postgres.backup", "disruptive"),
        ("postgres.backup.globals", "disruptive"),
    ]
    # By how much the newest that is known to be good is too old.
    assert decision.symptom == HOUR


def test_no_backup_at_all_is_the_worst(snapshot: Snap) -> None:
    assert change(snapshot(), wishes()).symptom == NEVER


def test_a_new_one_on_demand_is_done_when_it_is_younger_than_the_demand(snapshot: Snap, backup: Make) -> None:
    demand = wishes(0)
    before = change(snapshot({"shop": (Examined(backup(0.5), True),)}), demand)
    assert before.symptom == 1 and before.plan.acts[0].reason == "a new backup of shop is wished"
    after = replace(snapshot({"shop": (Examined(backup(-0.5), True),)}), now=NOW + 5)
    assert change(after, demand).symptom == 0
    assert not any(each.id == "postgres.backup.old" for each in change(after, demand).findings)


def test_each_database_is_dumped_for_itself_and_the_roles_once(snapshot: Snap, backup: Make) -> None:
    state = snapshot({"shop": (), "other": (), "fresh": (Examined(backup(1, "fresh"), True),)})
    acts = change(state, wishes()).plan.acts
    assert [act.identity for act in acts] == [
        {"directory": "/b", "database": "shop"},
        {"directory": "/b", "database": "other"},
        {"directory": "/b"},
    ]
    # A time in it would make every approved plan another one a second later.
    assert not change(state, wishes()).plan.sequential


def test_the_site_s_script_takes_the_place_of_the_dumps(snapshot: Snap) -> None:
    acts = change(snapshot(), wishes(command=("/opt/b.sh", "-x"), command_user="web")).plan.acts
    assert [(act.action, act.identity) for act in acts] == [
        (
            "postgres.backup.command",
            {"directory": "/b", "command": ["/opt/b.sh", "-x"], "user": "web", "databases": ["shop"]},
        )
    ]


def test_without_room_nothing_is_written_but_old_ones_may_go(snapshot: Snap, backup: Make) -> None:
    old = tuple(Examined(backup(DAY * n, proved=True, path=f"/b/{n}"), True) for n in (1, 2, 3))
    state = snapshot({"shop": old}, free=5 * MIB)
    decision = change(state, wishes(prune=True))
    assert [act.identity["path"] for act in decision.plan.acts] == ["/b/2", "/b/3"]
    assert [act.action for act in decision.plan.refusals] == ["postgres.backup", "postgres.backup.globals"]
    assert "5.0 MiB free" in decision.plan.refusals[0].reason


def test_the_newest_good_ones_stay_however_old(snapshot: Snap, backup: Make) -> None:
    examined = (
        Examined(backup(1, path="/b/broken"), False, "it is empty"),
        Examined(backup(2, path="/b/1"), True),
        Examined(backup(3, path="/b/unread")),
        Examined(backup(400 * DAY, path="/b/2"), True),
        Examined(backup(450 * DAY, path="/b/of-the-site"), True),
        Examined(backup(500 * DAY, path="/b/3", proved=True), True),
        Examined(backup(600 * DAY, None, path="/b/unnamed"), True),
    )
    acts = change(snapshot({"shop": examined}), wishes(prune=True)).plan.acts
    assert [(act.action, act.risk, act.identity["path"]) for act in acts] == [
        ("postgres.backup.delete", "destructive", "/b/3")
    ]
    assert change(snapshot({"shop": examined}), wishes()).plan.acts == ()


def test_what_was_begun_in_the_future_is_never_new_enough_and_pushes_nothing_out(
    snapshot: Snap, backup: Make
) -> None:
    own = [Examined(backup(n * DAY, path=f"/b/{n}", proved=True), True) for n in (1, 2, 3)]
    future = [Examined(backup(-n * DAY, path=f"/b/future{n}", proved=True), True) for n in (1, 2, 3)]
    state = snapshot({"shop": (*own, *future)})
    decision = change(state, wishes(prune=True))
    acts = [(act.action, act.identity.get("path")) for act in decision.plan.acts]
    # The one that is about to be taken is the second of two to keep.
    assert acts == [
        ("postgres.backup", None),
        ("postgres.backup.globals", None),
        ("postgres.backup.delete", "/b/2"),
        ("postgres.backup.delete", "/b/3"),
    ]
    assert decision.symptom == DAY - HOUR + 2
    assert "postgres.backup.future" in ids(state)


def test_what_a_dump_that_was_cut_off_has_left_is_said(snapshot: Snap, backup: Make) -> None:
    state = snapshot({"shop": (Examined(backup(1), True),)}, unfinished=(("/b/x.part", 5 * MIB),))
    (finding,) = inform(state, DAY)[1]
    assert finding.id == "postgres.backup.unfinished" and "5.0 MiB" in finding.summary


def test_roles_go_with_the_dumps(snapshot: Snap, backup: Make) -> None:
    roles = tuple(backup(n, None, kind="globals", path=f"/b/{n}.globals.sql") for n in (1, 2, 3))
    state = snapshot({"shop": (Examined(backup(1), True),)}, globals=roles)
    decision = change(state, wishes(prune=True))
    assert [act.target for act in decision.plan.acts] == ["/b/3.globals.sql"]
    assert decision.symptom == 1


def test_what_is_missing_is_said(snapshot: Snap) -> None:
    assert ids(snapshot()) == ["postgres.backup.missing"]


def test_a_healthy_directory_has_no_findings(snapshot: Snap, backup: Make) -> None:
    data, findings = inform(snapshot({"shop": (Examined(backup(HOUR), True, "", 2, 50),)}), DAY)
    assert findings == []
    assert data["databases"][0]["latest"]["tables"] == 2
    assert data["directory"]["room"] is True


def test_an_old_backup_is_said_to_be_old(snapshot: Snap, backup: Make) -> None:
    finding = inform(snapshot({"shop": (Examined(backup(3 * DAY), True),)}), 26 * HOUR)[1][0]
    assert finding.id == "postgres.backup.old"
    assert "can be read is 3 d old (/b/shop-259200.dump)" in finding.summary
    assert finding.remedy is not None and finding.remedy.playbook == "backup_database"
    untried = inform(snapshot({"shop": (Examined(backup(3 * DAY)),)}), 26 * HOUR)[1][0]
    assert "the newest that is there" in untried.summary


def test_the_latest_is_not_the_newest_when_that_is_broken(snapshot: Snap, backup: Make) -> None:
    state = snapshot(
        {"shop": (Examined(backup(1), False, "it is empty"), Examined(backup(2), True), Examined(backup(3)))}
    )
    data, findings = inform(state, DAY)
    assert data["databases"][0]["latest"]["path"] == "/b/shop-2.dump"
    assert data["databases"][0]["passed_over"] == [{"path": "/b/shop-1.dump", "reason": "it is empty"}]
    assert [finding.id for finding in findings] == ["postgres.backup.broken"]
    assert "/b/shop-2.dump is used instead" in findings[0].summary


def test_when_all_are_broken_there_is_nothing_to_fall_back_on(snapshot: Snap, backup: Make) -> None:
    data, findings = inform(snapshot({"shop": (Examined(backup(1), False, "it is empty"),)}), DAY)
    assert data["databases"][0]["latest"] is None
    assert "no other one can be" in findings[0].summary


def test_what_could_not_be_tried_is_neither_good_nor_broken(snapshot: Snap, backup: Make) -> None:
    assert ids(snapshot({"shop": (Examined(backup(1), None, "pg_restore is not on this host"),)})) == [
        "postgres.backup.unverified"
    ]


def test_a_server_that_is_not_seen_has_no_size(snapshot: Snap, backup: Make) -> None:
    state = snapshot({"shop": (Examined(backup(1), True),)}, cluster=None, unseen="it is stopped")
    assert ids(state) == ["postgres.backup.unmeasured"]


def test_a_standby_is_as_old_as_what_it_has_replayed(snapshot: Snap, backup: Make) -> None:
    cluster = replace(PLAIN, standby=True, behind_seconds=7200.0)
    _data, findings = inform(snapshot({"shop": (Examined(backup(1), True),)}, cluster=cluster), DAY)
    assert [finding.id for finding in findings] == ["postgres.backup.standby"]
    assert "2 h old" in findings[0].summary


def test_a_dump_takes_at_most_the_database_or_twice_the_last_dump(snapshot: Snap, backup: Make) -> None:
    assert estimate(snapshot(), ["shop"]) == 100 * MIB
    assert estimate(snapshot({"shop": (Examined(backup(1), True),)}), ["shop"]) == 10 * MIB
    # One that was never read to its end says nothing about the next one.
    assert estimate(snapshot({"shop": (Examined(backup(1)),)}), ["shop"]) == 100 * MIB
    hidden = replace(PLAIN, databases={"shop": None})
    assert estimate(snapshot(cluster=hidden), ["shop"]) == 0


@pytest.mark.parametrize(
    ("free", "total", "needed", "data", "inodes", "said"),
    [
        (5000, 10_000, 100, False, 10, None),
        (1100, 10_000, 90, False, 10, None),
        (1100, 10_000, 110, False, 10, "must stay free"),
        # A small filesystem keeps a tenth, a large one 1 GiB.
        (1200, 1_000_000, 100, False, 10, None),
        (1200, 1_000_000, 200, False, 10, "must stay free"),
        (9000, 100_000, 100, False, 10, None),
        (9000, 100_000, 100, True, 10, "91 % full"),
        (5000, 10_000, 100, False, 0, "no inode"),
    ],
)
def test_room_is_what_is_left_afterwards(
    free: int, total: int, needed: int, data: bool, inodes: int, said: str | None
) -> None:
    room = Room("/b", True, Space(total * MIB, free * MIB, free * MIB, 100, inodes), data)
    because = lacking(room, needed * MIB)
    assert (because is None) if said is None else (because is not None and said in because)


def test_a_filesystem_without_inodes_of_its_own_is_not_full() -> None:
    room = Room("/b", True, Space(10**12, 10**12, 10**12, 0, 0), False)
    assert lacking(room, 5) is None
    assert reserve(10**12) == 1024**3
