# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import user_processes
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

HOST = "/docker/" + "1c" * 32


def put(
    root: Path,
    pid: int,
    group: str,
    *,
    parent: int = 1,
    uid: int = 1001,
    spaces: str = "",
    login: str = "1001",
) -> None:
    folder = root / str(pid)
    folder.mkdir()
    (folder / "stat").write_text(f"{pid} (a) b) S {parent} " + "0 " * 17 + f"{pid}00 0 0\n")
    (folder / "status").write_text(
        f"Name:\ta) b\nPPid:\t{parent}\nUid:\t{uid}\t0\t{uid}\t{uid}\nNSpid:\t{pid}{spaces}\n"
    )
    (folder / "cgroup").write_text(f"9:name=systemd:{HOST}{group}\n8:pids:/x\n0::{HOST}\n")
    (folder / "loginuid").write_text(login)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    put(tmp_path, 1, "/init.scope", parent=0, uid=0, login=str(2**32 - 1))
    put(tmp_path, 20, "/user.slice/user-1001.slice/session-3.scope")
    put(tmp_path, 21, "/system.slice/docker-ab.scope", parent=20, spaces="\t1", login=str(2**32 - 1))
    (tmp_path / "22").mkdir()
    (tmp_path / "self").mkdir()
    return tmp_path


def test_a_process_has_all_its_users_and_its_group_below_the_hosts_own(proc: Path) -> None:
    found = {process.pid: process for process in user_processes.processes(proc)}
    assert set(found) == {1, 20, 21}
    assert found[20].uids == {0, 1001}
    assert (found[20].group, found[20].login, found[20].nested) == (
        "/user.slice/user-1001.slice/session-3.scope",
        1001,
        False,
    )
    assert (found[21].login, found[21].nested, found[21].started) == (None, True, 2100)
    assert found[20].name == "a) b"


def test_the_line_of_a_process_ends_before_the_first_one(proc: Path) -> None:
    found = user_processes.processes(proc)
    assert [process.pid for process in user_processes.ancestors(found, 21)] == [21, 20]


def test_hidden_processes_are_not_an_empty_host(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="hidden"):
        user_processes.processes(tmp_path)


def test_a_signal_reaches_only_the_process_that_was_meant() -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        since = user_processes.started(child.pid)
        assert since is not None
        assert not user_processes.send(child.pid, since - 1, signal.SIGKILL), "another one had this pid then"
        assert child.poll() is None
        assert user_processes.send(child.pid, since, signal.SIGKILL)
        assert child.wait(10) == -signal.SIGKILL
        assert not user_processes.send(child.pid, since, signal.SIGKILL)
    finally:
        child.kill()
        child.wait()


def test_this_process_is_found_on_this_machine() -> None:
    line = user_processes.ancestors(user_processes.processes())
    assert line[0].pid == os.getpid()
