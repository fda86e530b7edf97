# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.packages import Owned
from ansible_collections.firebreak.incident.plugins.module_utils.persistence.model import (
    Account,
    Accounts,
    Exposure,
    KernelModule,
    Program,
    Setting,
    Walk,
)

from .conftest import NOW, OLD, make_item, make_owned, make_snapshot, remarkable, summed

NEW = NOW - 600
ROOT = Account("root", 0, "/root", "/bin/bash", "locked")
Take = Callable[[Any], "dict[str, Any]"]


def suid(path: str, **given: Any) -> Any:
    return make_item("suid", path, **{"mode": 0o4755, **given})


def walked(*items: Any, **given: Any) -> Any:
    return make_snapshot(privileged=Walk(items, 10), **given)


class TestRights:
    def test_of_a_package_they_are_ordinary(self) -> None:
        assert remarkable(walked(suid("/usr/bin/sudo"), owners=make_owned("/usr/bin/sudo"))) == []

    @pytest.mark.parametrize(
        ("ctime", "expected"), [(NEW, [("persistence.suid.added", "critical")]), (OLD, [])]
    )
    def test_of_no_package_age_decides(self, ctime: float, expected: list[Any]) -> None:
        assert summed(remarkable(walked(suid("/usr/local/bin/helper", ctime=ctime)))) == expected

    def test_a_copy_of_a_shell_is_critical_at_any_age(self) -> None:
        snapshot = walked(suid("/usr/local/bin/helper", sha256="c" * 64), shells={"c" * 64: "/usr/bin/bash"})
        found = remarkable(snapshot)
        assert summed(found) == [("persistence.suid.added", "critical")]
        assert "copy of /usr/bin/bash" in found[0].summary

    @pytest.mark.parametrize("path", ["/tmp/x", "/opt/.cache/x", "/usr/local/bin/bash"])
    def test_so_are_odd_places_and_names(self, path: str) -> None:
        assert summed(remarkable(walked(suid(path)))) == [("persistence.suid.added", "critical")]

    def test_a_packaged_shell_is_never_meant_to_have_them(self) -> None:
        snapshot = walked(suid("/usr/bin/python3.11"), owners=make_owned("/usr/bin/python3.11"))
        assert summed(remarkable(snapshot)) == [("persistence.suid.added", "critical")]

    def test_a_packaged_program_that_got_them_later_is_found_by_its_ctime(self) -> None:
        owners = {"/usr/bin/chage": Owned("passwd", OLD)}
        late = walked(suid("/usr/bin/chage", ctime=NEW), owners=owners)
        assert summed(remarkable(late)) == [("persistence.suid.added", "critical")]
        upgraded = walked(suid("/usr/bin/chage", ctime=NEW), owners={"/usr/bin/chage": Owned("passwd", NEW)})
        assert remarkable(upgraded) == []

    def test_a_strong_capability_counts_like_root(self) -> None:
        item = make_item("capability", "/opt/x", ctime=NEW, mode=0o755, detail={"capabilities": ["setuid"]})
        assert summed(remarkable(walked(item))) == [("persistence.suid.added", "critical")]
        weak = replace(item, detail={"capabilities": ["net_bind_service"]})
        assert summed(remarkable(walked(weak))) == [("persistence.suid.added", "warning")]

    def test_a_baseline_knows_the_rights_of_packaged_files_too(self, baseline_of: Take) -> None:
        owners = make_owned("/usr/bin/chage")
        expected = baseline_of(walked(owners=owners))
        found = remarkable(walked(suid("/usr/bin/chage"), owners=owners), expected=expected)
        assert summed(found) == [("persistence.suid.added", "warning")]


class TestAccounts:
    def test_root_by_another_name_is_critical(self) -> None:
        snapshot = make_snapshot(accounts=Accounts((ROOT, Account("sys2", 0, "/", "/bin/sh", "set"))))
        assert summed(remarkable(snapshot)) == [("persistence.account.superuser", "critical")]

    @pytest.mark.parametrize(("shell", "count"), [("/bin/sh", 1), ("/usr/sbin/nologin", 0)])
    def test_an_empty_password_matters_where_there_is_a_shell(self, shell: str, count: int) -> None:
        accounts = Accounts((ROOT, Account("ada", 1000, "/home/ada", shell, "empty")))
        assert len(remarkable(make_snapshot(accounts=accounts))) == count

    @pytest.mark.parametrize(("changed", "count"), [(NEW, 1), (OLD, 0)])
    def test_a_new_account_is_told_by_the_copy_of_passwd(self, changed: float, count: int) -> None:
        both = (ROOT, Account("ada", 1000, "/home/ada", "/bin/sh", "set"))
        accounts = Accounts(both, earlier=frozenset({"root"}), changed=changed)
        found = remarkable(make_snapshot(accounts=accounts))
        assert summed(found) == [("persistence.account.added", "warning")] * count

    def test_a_baseline_knows_the_accounts(self, baseline_of: Take) -> None:
        expected = baseline_of(make_snapshot())
        accounts = Accounts((ROOT, Account("ada", 1000, "/home/ada", "/bin/sh", "set")))
        found = remarkable(make_snapshot(accounts=accounts), expected=expected)
        assert summed(found) == [("persistence.account.added", "warning")]

    def test_a_program_that_names_keys_must_be_a_package_s(self) -> None:
        setting = Setting("/etc/ssh/sshd_config", "authorizedkeyscommand", "/opt/keys %u")
        accounts = Accounts((ROOT,), settings=(setting,))
        found = remarkable(make_snapshot(accounts=accounts))
        assert summed(found) == [("persistence.sshd.command", "warning")]
        assert remarkable(make_snapshot(accounts=accounts, owners=make_owned("/opt/keys"))) == []


PROCESSES = [
    ({"exe": "/memfd:x"}, [("persistence.process.odd", "critical")]),
    ({"exe": "/memfd:runc_cloned:/proc/self/exe", "age": 1.0}, []),
    ({"exe": "/memfd:runc_cloned:/proc/self/exe", "age": 900.0}, [("persistence.process.odd", "critical")]),
    ({"exe": "/opt/app", "title": "[kworker/0:1]"}, [("persistence.process.odd", "critical")]),
    ({"exe": "/dev/shm/x", "gone": True}, [("persistence.process.odd", "critical")]),
    ({"exe": "/tmp/go-build1/x"}, [("persistence.process.odd", "warning")]),
    ({"exe": "/opt/x", "gone": True}, [("persistence.process.odd", "critical")]),
    ({"exe": "/opt/x", "gone": True, "contained": True}, [("persistence.process.odd", "warning")]),
    ({"exe": "/usr/bin/owned", "gone": True}, []),
    ({"exe": "/opt/x", "preload": "/usr/local/lib/x.so"}, [("persistence.process.preloaded", "warning")]),
    ({"exe": "/opt/x", "preload": "/dev/shm/x.so"}, [("persistence.process.preloaded", "critical")]),
    ({"exe": "/opt/x", "preload": "/usr/bin/owned"}, []),
    ({"exe": "/opt/x", "listening": (4444,), "ctime": NEW}, [("persistence.process.listening", "notice")]),
    ({"exe": "/opt/x", "listening": (4444,)}, []),
]


@pytest.mark.parametrize(("given", "expected"), PROCESSES)
def test_processes(given: dict[str, Any], expected: list[Any]) -> None:
    defaults: dict[str, Any] = {"pid": 42, "title": "x", "uid": 0, "age": 600.0}
    program = Program(**{**defaults, **given})
    snapshot = make_snapshot(programs=(program,), owners=make_owned("/usr/bin/owned"))
    assert summed(remarkable(snapshot)) == expected


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (KernelModule("rk", "", hidden=True), [("persistence.module.hidden", "critical")]),
        (KernelModule("rk", "(OE)", in_tree=False), [("persistence.module.foreign", "warning")]),
        (KernelModule("zfs", "(POE)", in_tree=True), []),
        (KernelModule("zfs", "(POE)", in_tree=None), [("persistence.module.foreign", "notice")]),
    ],
)
def test_kernel_modules(module: KernelModule, expected: list[Any]) -> None:
    assert summed(remarkable(make_snapshot(modules=(module,)))) == expected


class TestContainers:
    EXPOSED = Exposure("agent", "x:1", "2027-01-15T07:00:00.1Z", True, ("it has /docker.sock",))

    def test_an_exposed_one_is_worth_knowing_and_a_new_one_a_warning(self) -> None:
        found = remarkable(make_snapshot(containers=(self.EXPOSED,)))
        assert summed(found) == [("persistence.container.exposed", "warning")]
        old = replace(self.EXPOSED, created="2020-01-15T07:00:00.1Z")
        assert summed(remarkable(make_snapshot(containers=(old,)))) == [
            ("persistence.container.exposed", "notice")
        ]

    def test_the_one_in_the_baseline_is_none(self, baseline_of: Take) -> None:
        expected = baseline_of(make_snapshot(containers=(self.EXPOSED,)))
        assert remarkable(make_snapshot(containers=(self.EXPOSED,)), expected=expected) == []

    def test_a_socket_that_everybody_may_use_is_a_warning(self) -> None:
        assert summed(remarkable(make_snapshot(docker_socket_mode=0o666))) == [
            ("persistence.docker.open", "warning")
        ]
        assert remarkable(make_snapshot(docker_socket_mode=0o660)) == []
