# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import UNPACKED_IN
from ansible_collections.firebreak.incident.plugins.plugin_utils.in_memory import (
    MEMORY,
    PLACES,
    InMemoryAction,
    was_not_unpacked,
)

FRAMES = 'Traceback (most recent call last):\n  File "<stdin>", line 249, in _ansiballz_main\n'
FULL = {"failed": True, "module_stderr": FRAMES + "OSError: [Errno 28] No space left on device"}
DONE = {"changed": False}


class Shell:
    def __init__(self) -> None:
        self.tmpdir = "/home/responder/.ansible/tmp/ansible-tmp-1"
        self.options: dict[str, Any] = {}

    def set_option(self, name: str, value: Any) -> None:
        self.options[name] = value


class Host:
    """Answers each run of the module with the next of `answers`, and notes with which environment it was."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answers: Sequence[Any]) -> None:
        self.environments: list[dict[str, str]] = []
        self.removed: list[str] = []
        remaining = list(answers)

        def execute(action: Any, **_options: Any) -> dict[str, Any]:
            merged: dict[str, str] = {}
            for environment in action._task.environment:
                merged.update(environment)
            self.environments.append(merged)
            answer = remaining.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return dict(answer)

        def remove(_action: Any, path: str) -> None:
            self.removed.append(path)

        monkeypatch.setattr(ActionBase, "_execute_module", execute)
        monkeypatch.setattr(ActionBase, "_remove_tmp_path", remove)
        self.shell = Shell()
        kind: Any = type("Action", (InMemoryAction,), {"run": None})
        self.action: Any = object.__new__(kind)
        self.action._task = SimpleNamespace(environment=[{"TMPDIR": "/data"}])
        self.action._connection = SimpleNamespace(_shell=self.shell)

    def run(self) -> dict[str, Any]:
        result: dict[str, Any] = self.action._execute_module(task_vars={"inventory_hostname": "db1"})
        return result


def test_memory_comes_after_a_place_that_the_inventory_names(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, [DONE])
    assert host.run() == DONE
    assert host.environments == [{"TMPDIR": "/data", "TEMP": "/dev/shm", "TMP": "/run"}]
    assert host.action._task.environment == [{"TMPDIR": "/data"}], "the next task has its own"


def test_python_looks_where_it_is_told_before_it_writes_to_the_disk(tmp_path: Path) -> None:
    environment = dict(zip(UNPACKED_IN, ["/nowhere", str(tmp_path)], strict=True))
    ask = "import tempfile; print(tempfile.gettempdir())"
    said = subprocess.check_output([sys.executable, "-c", ask], env=environment, text=True)
    assert said.strip() == str(tmp_path)


def test_a_place_that_takes_a_few_bytes_and_no_module_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, [FULL, FULL, DONE])
    assert host.run() == DONE
    assert [environment["TMPDIR"] for environment in host.environments] == ["/data", "/dev/shm", "/run"]


def test_a_host_without_any_room_says_so_and_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, [FULL] * 5)
    result = host.run()
    assert result["failed"]
    assert result["msg"] == (
        "host db1: no room to unpack the module in /dev/shm, /run, /tmp, /var/tmp. "
        "Free 2 MB and an inode in one of them; df -h and df -i show them."
    )
    assert len(host.environments) == 1 + len(PLACES)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (FULL, True),
        ({"module_stdout": FRAMES + "OSError: [Errno 122] Disk quota exceeded", "module_stderr": ""}, True),
        (
            {
                "module_stderr": FRAMES
                + "FileNotFoundError: [Errno 2] No usable temporary directory found in "
                "['/tmp', '/var/tmp', '/usr/tmp', '/home/responder']"
            },
            True,
        ),
        # The module had begun: it may have acted.
        (
            {
                "module_stderr": FRAMES
                + '  File "runpy.py", line 3\nOSError: [Errno 28] No space left on device'
            },
            False,
        ),
        ({"module_stderr": FRAMES + "ImportError: no module named zipfile"}, False),
        ({"module_stderr": "OSError: [Errno 28] No space left on device"}, False),
        ({"failed": True, "msg": "ledger: No space left on device"}, False),
        (DONE, False),
    ],
)
def test_only_a_module_that_was_not_begun_is_run_again(result: dict[str, Any], expected: bool) -> None:
    assert was_not_unpacked(result) is expected


@pytest.mark.parametrize(
    "error",
    [
        AnsibleConnectionFailure("Failed to create temporary directory. In some cases, …"),
        AnsibleConnectionFailure("mkdir: cannot create directory '/root/.ansible': No space left on device"),
        AnsibleError("failed to transfer file to /root/.ansible/tmp/x: sftp> put\nremote write: Failure"),
    ],
)
def test_without_pipelining_the_module_is_sent_into_memory(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    host = Host(monkeypatch, [error, DONE])
    assert host.run() == DONE
    assert host.shell.options == {"remote_tmp": MEMORY, "system_tmpdirs": [MEMORY]}
    assert host.removed == ["/home/responder/.ansible/tmp/ansible-tmp-1"]


@pytest.mark.parametrize("error", [AnsibleConnectionFailure("timed out"), TimeoutError("timed out")])
def test_a_host_that_is_not_reached_is_not_asked_twice(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    host = Host(monkeypatch, [error, DONE])
    with pytest.raises(type(error), match="timed out"):
        host.run()
    assert len(host.environments) == 1


def test_a_full_disk_of_the_controller_is_not_taken_for_that_of_the_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = Host(monkeypatch, [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))])
    result = host.run()
    assert result["failed"]
    assert re.search(r"of the controller: No space left.*export ANSIBLE_LOCAL_TEMP=/dev/shm", result["msg"])
