# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres import Access
from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.server import Server
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.storage.decide import inform
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.storage.observe import Snapshot

GIB = 1024**3


@pytest.fixture
def whole(facts: dict[str, Any]) -> dict[str, Any]:
    return {
        **facts,
        "database": "shop",
        "max_wal_bytes": GIB,
        "keep_wal_bytes": 0,
        "databases": [{"name": "postgres", "transactions": 10}, {"name": "shop", "transactions": 9}],
    }


def directories(**given: Any) -> dict[str, Any]:
    return {"wal_bytes": GIB, "wal_files": 64, "archive_waiting": 0, "temporary_bytes": 0, **given}


def judged(facts: dict[str, Any], **given: Any) -> list[Finding]:
    return list(inform(Snapshot(Server(Access(database="shop")), facts, **given))[1])


def test_nothing_to_say_of_a_server_at_rest(whole: dict[str, Any]) -> None:
    sizes = [{"name": "shop", "bytes": 7}, {"name": "postgres", "bytes": None}]
    parts = {"directories": directories(), "database_sizes": sizes}
    data, findings = inform(Snapshot(Server(Access(database="shop")), whole, parts))
    assert findings == []
    assert [(one["name"], one["bytes"]) for one in data["databases"]] == [("shop", 7), ("postgres", None)]
    assert data["wal"]["files"] == 64
    assert data["tables"] is None


SLOT = {
    "name": "old",
    "kind": "physical",
    "active": False,
    "wal_status": "extended",
    "safe_bytes": None,
    "retained_bytes": 5 * GIB,
}


@pytest.mark.parametrize(
    ("size", "given", "waiting", "said"),
    [
        (2 * GIB, {}, 0, None),
        (3 * GIB, {}, 0, "checkpoints do not keep up"),
        # It was told to keep as much.
        (3 * GIB, {"keep_wal_bytes": 2 * GIB}, 0, None),
        (6 * GIB, {"slots": [SLOT]}, 0, "slot old, which nobody reads, keeps 5.0 GiB"),
        (6 * GIB, {"slots": [{**SLOT, "active": True}]}, 0, "slot old, which is read, keeps 5.0 GiB"),
        (6 * GIB, {"slots": [{**SLOT, "retained_bytes": 1}]}, 380, "380 files wait for the archiver"),
    ],
)
def test_wal_beyond_its_size_has_a_reason(
    whole: dict[str, Any], size: int, given: dict[str, Any], waiting: int, said: str | None
) -> None:
    whole["archiver"]["mode"] = "on"
    part = directories(wal_bytes=size, archive_waiting=waiting)
    found = [one for one in judged({**whole, **given}, parts={"directories": part}) if "wal" in one.id]
    assert [one.level for one in found] == ["warning"] * (said is not None)
    assert said is None or said in found[0].summary


def test_temporary_files_of_what_runs_now(whole: dict[str, Any]) -> None:
    found = judged(whole, parts={"directories": directories(temporary_bytes=12 * GIB)})
    assert [(one.id, one.level) for one in found] == [("postgres.temporary.large", "notice")]


def test_what_was_not_seen_is_said_with_the_reason(whole: dict[str, Any]) -> None:
    unseen = {"directories": "permission denied for function pg_ls_waldir. Ask.", "tables": "Too long."}
    (finding,) = judged(whole, unseen=unseen)
    assert (finding.id, finding.level) == ("postgres.storage.unseen", "warning")
    assert "directories, tables: permission denied" in finding.summary


def test_who_is_shown_only_itself_is_told_so(whole: dict[str, Any]) -> None:
    assert [one.subject for one in judged({**whole, "sees_all": False})] == [
        "postgresql shop on /var/run/postgresql, activity"
    ]


def test_sequences_that_were_not_read_are_counted(whole: dict[str, Any]) -> None:
    (finding,) = judged(whole, unread=2)
    assert finding.level == "notice"
    assert "of 2 sequences it is not known" in finding.summary


def test_findings_about_the_contents_of_another_database_name_it(whole: dict[str, Any]) -> None:
    indexes = {
        "invalid": [
            {
                "index": "public.i",
                "table": "public.t",
                "unique": False,
                "ready": True,
                "partitioned": False,
                "leftover": None,
                "building": None,
            }
        ],
        "duplicates": [],
        "unused": [],
        "counted_seconds": 1.0,
    }
    (finding,) = judged({**whole, "database": "other"}, parts={"indexes": indexes})
    assert finding.subject == "postgresql other on /var/run/postgresql, index public.i"
    assert finding.remedy is not None
    assert finding.remedy.inputs == {"reindex": ["public.i"], "database": "other"}
