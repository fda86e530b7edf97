# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.plan import DESTRUCTIVE, REVERSIBLE
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance.room import (
    Room,
    Volume,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.restore.decide import (
    Request,
    decide,
    inform,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.restore.model import (
    Choice,
    Database,
    Difference,
    Report,
    Snapshot,
)

from .conftest import make_backup, make_copy, make_live, make_session, make_snapshot

SWAP = Request(swap=True, began="2026-11-22T05:59:59.000Z")


def names(decision: Any) -> list[str]:
    return [act.action.rpartition(".")[2] for act in decision.plan.acts]


def refusal(decision: Any) -> str:
    """Why; the plan is refused as a whole."""
    assert not decision.plan.acts and decision.symptom > 0
    return str(decision.plan.refusals[0].reason)


def test_without_swap_nothing_touches_the_database_in_use(seen: Snapshot) -> None:
    decision = decide(seen, Request(), Report())
    assert names(decision) == ["create", "load", "check"]
    assert {act.risk for act in decision.plan.acts} == {REVERSIBLE}
    assert {act.undo.action for act in decision.plan.acts if act.undo} == {"postgres.restore.drop"}
    assert decision.symptom == 1


def test_a_swap_is_destructive_and_names_both_databases(seen: Snapshot) -> None:
    decision = decide(seen, SWAP, Report())
    assert names(decision) == ["create", "load", "check", "swap"] and decision.symptom == 2
    swap = decision.plan.acts[-1]
    assert swap.risk == DESTRUCTIVE
    assert (swap.identity["oid"], swap.identity["side"]) == (10, "shop_restore_20261122T050000Z")
    assert swap.undo and swap.undo.action == "postgres.restore.swap_back"


def test_the_same_backup_gives_the_same_digest_later(seen: Snapshot) -> None:
    later = replace(seen, now="2026-11-22T09:00:00.000Z")
    assert decide(seen, SWAP, Report()).plan.digest == decide(later, SWAP, Report()).plan.digest


def test_a_checked_copy_is_not_made_again(seen: Snapshot) -> None:
    ready = replace(seen, others=(make_copy(),))
    assert decide(ready, Request(), Report()).symptom == 0
    decision = decide(ready, SWAP, Report())
    assert names(decision) == ["swap"] and decision.symptom == 1


@pytest.mark.parametrize(
    "copy", [{"checked": False}, {"sha256": "other"}, {"swapped": "2026-11-22T05:40:00.000Z"}]
)
def test_any_other_copy_is_left_alone_and_made_anew(seen: Snapshot, copy: dict[str, Any]) -> None:
    decision = decide(replace(seen, others=(make_copy(**copy),)), Request(), Report())
    assert names(decision) == ["create", "load", "check"]
    assert decision.plan.acts[0].identity["side"].endswith("Z_2")
    assert [finding.id for finding in decision.findings] == ["postgres.restore.left_over"]


def in_use(swapped: str) -> Snapshot:
    mark = make_copy(swapped=swapped, replaced=9).mark
    return make_snapshot(live=make_live(database=Database(10, "shop", 5, mark=mark)))


def test_what_was_put_in_place_within_the_hour_is_not_restored_again() -> None:
    decision = decide(in_use("2026-11-22T05:00:00.000Z"), SWAP, Report())
    assert (decision.symptom, decision.plan.acts) == (0, ())
    assert [finding.id for finding in decision.findings] == ["postgres.restore.repeated"]
    assert 'ALTER DATABASE "shop" RESET firebreak.restore' in decision.findings[0].summary


def test_after_an_hour_it_is() -> None:
    assert decide(in_use("2026-11-22T04:59:59.999Z"), SWAP, Report()).symptom == 2


def test_the_run_that_did_it_is_not_told_that_it_is_repeated() -> None:
    assert decide(in_use("2026-11-22T05:59:59.500Z"), SWAP, Report()).findings == ()


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ({"in_recovery": True}, "standby"),
        ({"superuser": False}, "no superuser"),
        ({"live": None}, "there is no database shop"),
        ({"room": Room(Volume("/data", "8:1", 1_199_999))}, "needs about"),
        ({"choice": Choice()}, "for there is none"),
        (
            {"choice": Choice(passed_over=((make_backup("/b/cut.dump"), "it was cut off"),))},
            "/b/cut.dump: it was cut off",
        ),
    ],
)
def test_no_copy_is_begun_that_cannot_be_made(change: dict[str, Any], because: str) -> None:
    for request in (Request(), SWAP):
        assert because in refusal(decide(make_snapshot(**change), request, Report()))


def test_room_that_is_not_seen_does_not_keep_anybody_from_it() -> None:
    assert names(decide(make_snapshot(room=Room(unseen="elsewhere")), Request(), Report()))


def test_a_damaged_database_may_be_smaller_than_its_backup(seen: Snapshot) -> None:
    large = replace(seen, choice=replace(seen.choice, text=10**9))
    assert "1.1 GiB" in refusal(decide(large, Request(), Report()))


@pytest.mark.parametrize(
    ("live", "because"),
    [
        ({"slots": ("cdc",)}, "slot cdc"),
        ({"subscriptions": ("from_main",)}, "from_main"),
        ({"prepared": ("tx 1",)}, "tx 1"),
        ({"sessions": (make_session(application="pg_dump"),)}, "it is pg_dump"),
        ({"sessions": (make_session(superuser=True, user="dba"),)}, "role dba is a superuser"),
        ({"sessions": (make_session(backend_type="walsender"),)}, "walsender"),
        ({"sessions": (make_session(backend_type="pg_cron launcher"),)}, "pg_cron launcher"),
    ],
)
def test_what_blocks_a_swap_is_said_before_anything_is_begun(live: dict[str, Any], because: str) -> None:
    blocked = make_snapshot(live=make_live(**live))
    assert because in refusal(decide(blocked, SWAP, Report()))
    assert names(decide(blocked, Request(), Report())) == ["create", "load", "check"]


@pytest.mark.parametrize(
    "session",
    [
        make_session(),
        make_session(backend_type="autovacuum worker"),
        make_session(backend_type="parallel worker", leader_pid=77),
        make_session(application="firebreak", superuser=True),
    ],
)
def test_sessions_that_can_end_are_no_obstacle(session: Any) -> None:
    assert names(decide(make_snapshot(live=make_live(sessions=(session,))), SWAP, Report()))


def test_differences_are_told_table_by_table(seen: Snapshot) -> None:
    report = Report(differences=[Difference("public.items", 50, 50, 0), Difference("public.same", 1, 1, 1)])
    decision = decide(replace(seen, others=(make_copy(),)), Request(), report)
    differs = next(finding for finding in decision.findings if finding.id == "postgres.restore.differs")
    assert "public.items 50 (0 before)" in differs.summary and "same" not in differs.summary


def test_the_way_to_keep_damaged_files_is_said(seen: Snapshot) -> None:
    damaged = replace(seen, live=make_live(checksum_failures=3, last_checksum_failure="then"), wal=500)
    data, findings = inform(damaged, Request(), [], None)
    assert data["data_copy"]["bytes"] == 1_000_500 and "cp -a /data" in data["data_copy"]["command"]
    (corrupt,) = findings
    assert (corrupt.id, corrupt.level) == ("postgres.data.corrupt", "critical")
    assert corrupt.remedy and corrupt.remedy.playbook == "restore_database"


def test_a_newer_backup_that_cannot_be_restored_is_named(seen: Snapshot) -> None:
    choice = replace(seen.choice, passed_over=((make_backup("/b/cut.dump"), "it was cut off"),))
    data, findings = inform(replace(seen, choice=choice), Request(), [], None)
    assert data["latest"] == "/b/shop.dump"
    assert [finding.id for finding in findings] == ["postgres.restore.passed_over"]
    assert "/b/cut.dump" in findings[0].summary


@pytest.mark.parametrize(
    ("free", "kept", "wished"),
    [(6_000_000, 2_000_000, True), (3_100_000, 2_000_000, False), (4_100_000, None, False)],
)
def test_loading_leaves_room_for_the_log_it_writes(
    seen: Snapshot, free: int, kept: int | None, wished: bool
) -> None:
    live = make_live(database=Database(10, "shop", 2_000_000))
    state = replace(seen, live=live, room=Room(Volume("/data", "8:1", free)), wal_kept=kept)
    decision = decide(state, Request(), Report())
    if wished:
        assert names(decision) == ["create", "load", "check"]
    else:
        assert "stop the server" in refusal(decision)


def test_a_database_that_stayed_closed_is_said(seen: Snapshot) -> None:
    closed = replace(seen, live=make_live(database=Database(10, "shop", 1000, connectable=False)))
    assert inform(closed, Request(), [], None)[1][0].id == "postgres.database.closed"
    assert decide(closed, Request(), Report()).findings[0].level == "critical"


def test_an_empty_copy_that_was_cut_off_before_its_mark_is_said(seen: Snapshot) -> None:
    left = [Database(30, "shop_restore_20261121T050000Z"), Database(31, "shop_restore_me")]
    (finding,) = decide(replace(seen, others=tuple(left)), Request(), Report()).findings
    assert [one["oid"] for one in finding.evidence["databases"]] == [30]


def test_a_backup_that_has_nothing_in_common_with_what_is_in_use_is_a_warning(seen: Snapshot) -> None:
    report = Report(differences=[Difference("a.x", 3, 3, None), Difference("a.y", None, None, 9)])
    (finding,) = decide(seen, Request(), report).findings
    assert finding.level == "warning" and "another database" in finding.summary


def test_a_restored_database_that_stayed_read_only_is_said(seen: Snapshot) -> None:
    mark = make_copy(swapped="2026-11-22T05:59:00.000Z").mark
    live = make_live(database=Database(20, "shop", 1000, mark=mark), read_only=True)
    (finding,) = decide(replace(seen, live=live), Request(swap=True, began="2026"), Report()).findings
    assert finding.id == "postgres.restore.read_only" and "pg_write_access" in finding.summary
    contained = replace(seen, live=make_live(read_only=True))
    assert decide(contained, Request(), Report()).findings == ()
