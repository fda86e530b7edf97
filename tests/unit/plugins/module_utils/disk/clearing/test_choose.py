# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes when room is needed: the mildest first, no more than is needed, no evidence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.container_logs import ContainerLog
from ansible_collections.firebreak.incident.plugins.module_utils.clients.procfs import Space
from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.choose import choose, potential
from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.decide import decide
from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.logs import kind_of
from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.model import (
    LEVERS,
    File,
    Holder,
    Incident,
    Journal,
    Log,
    Place,
    Policy,
    Snapshot,
    Spare,
    Writer,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.catalogue import Backup

MIB = 1024 * 1024
DAY = 86400
NOW = 1_800_000_000.0
DEVICE = 7


def place(available: int, aim: int = 100 * MIB, inodes_available: int = 1000) -> Place:
    space = Space(1000 * MIB, available, available, 10000, inodes_available)
    return Place("/var/log", DEVICE, space, aim, 1000)


def log(path: str, size: int = 10 * MIB, days: float = 30) -> Log:
    mtime = int((NOW - days * DAY) * 1e9)
    file = File(path, DEVICE, hash(path) & 0xFFFFFF, size, mtime, size)
    kind = kind_of(file.name)
    assert kind is not None
    return Log(file, DEVICE, kind)


def policy(*levers: str, **changes: Any) -> Policy:
    asked = Policy(levers or LEVERS, 7 * DAY, 0, 3, ["/var/log"])
    return replace(asked, **changes)


def snapshot(**parts: Any) -> Snapshot:
    return Snapshot(now=NOW, **{"places": (place(0),), **parts})


def test_planning_ends_when_enough_is_promised() -> None:
    logs = tuple(log(f"/var/log/{name}/app.log.1", 80 * MIB) for name in "abcd")
    choice = choose(snapshot(logs=logs), policy("compress"))
    assert [act.action for act in choice.acts] == ["disk.logs.compress"] * 2
    assert choice.gains["compress"] >= 100 * MIB


def test_nothing_is_planned_where_nothing_is_missing() -> None:
    seen = snapshot(places=(place(100 * MIB),), logs=(log("/var/log/app.log.1"),))
    assert not choose(seen, policy()).acts
    assert decide(seen, policy(), choose(seen, policy())).symptom == 0


def test_the_mildest_lever_goes_first_whatever_the_order_asked_for() -> None:
    holder = Holder(
        5, 1, "nginx", DEVICE, (File("/var/log/nginx/error.log", DEVICE, 3, 1, 1, 30 * MIB),), "SIGUSR1"
    )
    seen = snapshot(
        holders=(holder,),
        logs=(log("/var/log/app.log.1", 20 * MIB),),
        journals=(Journal("/var/log/journal", DEVICE, 500 * MIB),),
    )
    choice = choose(seen, policy("old_logs", "journal", "compress", "reopen"))
    assert [act.action for act in choice.acts] == [
        "disk.logs.reopen",
        "disk.logs.compress",
        "disk.journal.vacuum",
    ]


def test_missing_inodes_are_a_need_of_their_own() -> None:
    logs = tuple(log(f"/var/log/app/{number}.log", 4096) for number in range(3000))
    seen = snapshot(places=(place(500 * MIB, inodes_available=0),), logs=logs)
    choice = choose(seen, policy("compress", "old_logs"))
    assert [act.action for act in choice.acts] == ["disk.logs.delete"]
    assert choice.acts[0].identity["files"] == 1000


def test_age_means_what_it_says() -> None:
    logs = (log("/var/log/a.log.1", days=7.01), log("/var/log/b.log.1", days=6.99))
    (act,) = choose(snapshot(logs=logs), policy("old_logs")).acts
    assert act.identity["path"] == "/var/log/a.log.1"


def test_the_oldest_goes_first_and_what_is_open_stays() -> None:
    logs = (
        log("/var/log/x.log.1", 90 * MIB, 10),
        log("/var/log/x.log.2", 90 * MIB, 20),
        log("/var/log/x.log.3", 90 * MIB, 30),
        log("/var/log/x.log", 90 * MIB, 40),
    )
    seen = snapshot(logs=logs, open=frozenset({logs[2].file.key}))
    choice = choose(seen, policy("old_logs"))
    named = [[file.name for file in batch.files] for batch in choice.batches.values()]
    assert named == [["x.log.2", "x.log.1"]]


@pytest.mark.parametrize(
    "path",
    [
        "/var/log/auth.log.2.gz",
        "/var/log/secure-20261101",
        "/opt/app/logs/audit/2026-10-01.log",
        "/var/log/nginx/error.log.2.gz",
        "/opt/app/logs/access.log.3",
        "/var/log/fail2ban.log.1",
        "/var/log/btmp.1",
        "/var/log/sudo.log.1",
        "/opt/app/logs/security.log.1",
        "/var/log/cron.1",
        "/var/log/mail.log.1",
        "/var/log/dpkg.log.1",
        "/var/log/apt/history.log.1.gz",
        "/var/log/postgresql/postgresql-15-main.log.1",
        "/opt/app/logs/api-audit.log.1",
    ],
)
def test_evidence_stays_while_an_incident_is_open_and_is_still_compressed(path: str) -> None:
    seen = snapshot(logs=(log(path),))
    assert choose(seen, policy("old_logs")).acts
    kept = replace(seen, incident=Incident("this host is isolated"))
    choice = choose(kept, policy("old_logs"))
    assert not choice.acts
    assert "isolated" in choice.refusals[0].reason
    if not path.endswith(".gz"):
        assert choose(kept, policy("compress")).acts or log(path).kind == "live"


def test_journal_and_containers_are_evidence_too() -> None:
    container = ContainerLog("c" * 64, "app", "/x", DEVICE, 9, 200 * MIB, True, "t", "")
    seen = snapshot(journals=(Journal("/var/log/journal", DEVICE, 500 * MIB),), containers=(container,))
    asked = policy("journal", "container_logs")
    kept = replace(seen, incident=Incident("said so"))
    assert not choose(kept, asked).acts
    assert len(choose(kept, asked).refusals) == 2
    assert not potential(kept, policy("caches"))


def test_a_container_whose_log_is_cut_is_restarted_if_it_runs() -> None:
    container = ContainerLog("c" * 64, "app", "/x", DEVICE, 9, 200 * MIB, True, "t", "")
    acts = choose(snapshot(containers=(container,)), policy("container_logs")).acts
    assert [(act.action, act.risk) for act in acts] == [
        ("disk.container_log.truncate", "destructive"),
        ("disk.container.restart", "disruptive"),
    ]
    stopped = choose(snapshot(containers=(replace(container, running=False),)), policy("container_logs"))
    assert len(stopped.acts) == 1


def test_a_log_being_written_needs_one_writer_who_knows_a_signal() -> None:
    live = log("/var/log/app.log", 200 * MIB)
    for writers, planned in (
        ((), 0),
        ((Writer(5, 1, "node", None),), 0),
        ((Writer(5, 1, "nginx", "SIGUSR1"), Writer(6, 1, "tee", None)), 0),
        ((Writer(5, 1, "nginx", "SIGUSR1"),), 1),
    ):
        seen = snapshot(
            logs=(live,), open=frozenset({live.file.key}), writers={live.file.key: writers} if writers else {}
        )
        choice = choose(seen, policy("compress"))
        assert len(choice.acts) == planned, writers
        ids = [finding.id for finding in decide(seen, policy("compress"), choice).findings]
        assert ("disk.log.unturned" in ids) == (bool(writers) and not planned)


def test_without_a_look_at_all_processes_no_log_is_touched() -> None:
    seen = snapshot(logs=(log("/var/log/app.log.1"),), unseen={"open files": "not root"})
    assert not choose(seen, policy("compress", "old_logs")).acts


def test_a_deleted_log_is_cut_only_below_named_roots_and_when_its_writer_appends() -> None:
    file = File("/var/log/app/app.log", DEVICE, 3, 1, 1, 300 * MIB)
    holder = Holder(5, 1, "node", DEVICE, (file,), None, appends=True)
    asked = policy("old_logs")
    assert [act.action for act in choose(snapshot(holders=(holder,)), asked).acts] == [
        "disk.deleted.truncate"
    ]
    sparse = choose(snapshot(holders=(replace(holder, appends=False),)), asked)
    assert not sparse.acts
    assert "O_APPEND" in sparse.refusals[0].reason
    assert not choose(snapshot(holders=(holder,)), replace(asked, roots=["/opt"])).acts
    assert not choose(snapshot(holders=(holder,)), policy("reopen")).acts
    ids = [finding.id for finding in decide(snapshot(holders=(holder,)), asked, sparse).findings]
    assert "disk.deleted.held" in ids


def test_what_else_would_help_is_named_with_its_inputs() -> None:
    seen = snapshot(journals=(Journal("/var/log/journal", DEVICE, 500 * MIB),))
    asked = policy("compress")
    finding = decide(seen, asked, choose(seen, asked)).findings[0]
    assert finding.id == "disk.space.missing"
    assert "journal 500.0 MiB" in finding.summary
    assert finding.remedy is not None
    assert finding.remedy.inputs == {
        "path": "/var/log",
        "levers": ["compress", "journal"],
        "max_risk": "destructive",
    }


def test_old_logs_of_which_no_directory_was_named_are_proposed_with_theirs() -> None:
    asked = policy("compress", roots=None)
    seen = snapshot(
        incident=Incident("it is open"),
        logs=(log("/srv/a/app.log.2"), log("/srv/b/app.log.3"), log("/srv/c/app.log", days=1)),
    )
    (finding,) = decide(seen, asked, choose(seen, asked)).findings
    assert finding.remedy is not None
    assert finding.remedy.inputs["log_roots"] == ["/srv/a", "/srv/b"]


def test_a_directory_that_cannot_be_written_to_is_not_resolved() -> None:
    seen = snapshot(places=(place(200 * MIB),))
    decision = decide(seen, policy(), choose(seen, policy()), (), {"/var/log": "No space left on device"})
    assert decision.symptom == 1
    assert [finding.id for finding in decision.findings] == ["disk.write.failing"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("app.log", "live"),
        ("syslog", "live"),
        ("app.log.1", "rotated"),
        ("app.log-20261122", "rotated"),
        ("app-2026-11-22.log", "rotated"),
        ("messages-20261122", "rotated"),
        ("catalina.out", "live"),
        ("app.log.old", "rotated"),
        ("app.log.2.gz", "packed"),
        ("postgresql-2026-11-22_101010.log", "rotated"),
        ("libfoo.so.1", None),
        ("catalog", None),
        ("dialog.1", None),
        ("shop-20261122.sql.gz", None),
        ("shop.dump", None),
        ("config.yml", None),
        (".1", None),
        ("data\n.log", "live"),
    ],
)
def test_logs_are_told_by_their_names(name: str, kind: str | None) -> None:
    assert kind_of(name) == kind


def test_what_is_deleted_and_open_is_the_last_copy_while_an_incident_is_open() -> None:
    gone = File("/var/log/auth.log", DEVICE, 3, 1, 1, 30 * MIB)
    seen = snapshot(holders=(Holder(5, 1, "rsyslogd", DEVICE, (gone,), "SIGHUP"),))
    assert choose(seen, policy("reopen")).acts
    kept = replace(seen, incident=Incident("this host is isolated"))
    choice = choose(kept, policy("reopen"))
    assert not choice.acts
    assert "isolated" in choice.refusals[0].reason
    assert not potential(kept, policy("caches"))
    assert choose(replace(kept, holders=(_of_the_app(kept.holders[0]),)), policy("reopen")).acts


def _of_the_app(holder: Holder) -> Holder:
    return replace(holder, files=(replace(holder.files[0], path="/opt/app/app.log"),))


def test_backups_of_before_a_break_in_stay_while_it_is_looked_into() -> None:
    backup = Backup("/b/app.dump", "custom", "app", 90 * MIB, NOW - DAY, 4, 1)
    seen = snapshot(spares=(Spare(backup, DEVICE, 90 * MIB),))
    assert [act.action for act in choose(seen, policy("backups")).acts] == ["disk.backup.delete"]
    choice = choose(replace(seen, incident=Incident("said so")), policy("backups"))
    assert not choice.acts
    assert len(choice.refusals) == 1


def test_a_file_that_is_mostly_holes_is_not_compressed() -> None:
    hollow = log("/var/log/app.log.1")
    hollow = replace(hollow, file=replace(hollow.file, size=1 << 62))
    assert not choose(snapshot(logs=(hollow,)), policy("compress")).acts


def test_no_name_of_a_process_or_its_unit_moves_a_cursor() -> None:
    gone = File("/srv/a.bin", DEVICE, 3, 1, 1, 30 * MIB)
    holder = Holder(5, 1, "a\x1b[2J", DEVICE, (gone,), unit="b\x1b[2J.service")
    seen = snapshot(holders=(holder,))
    findings = decide(seen, policy(), choose(seen, policy())).findings
    said = [each for each in findings if each.id == "disk.deleted.held"]
    assert not any("\x1b" in text for each in said for text in (each.subject, each.summary))
