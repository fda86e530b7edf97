# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable
from ansible_collections.firebreak.incident.plugins.plugin_utils.evidence import session
from ansible_collections.firebreak.incident.plugins.plugin_utils.evidence.session import (
    check_pipelining,
    clock_offset,
    memory_place,
    time_limit,
    touched,
    unseen,
)


def test_a_connection_without_pipelining_is_refused_with_the_cure() -> None:
    connection: Any = SimpleNamespace(transport="ssh", is_pipelining_enabled=lambda _async: False)
    with pytest.raises(BadInput, match="pipelining = true"):
        check_pipelining(connection)
    connection.is_pipelining_enabled = lambda _async: True
    check_pipelining(connection)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("/run tmpfs\n/dev/shm tmpfs\n/tmp tmpfs\n", "/dev/shm"),
        ("/run tmpfs\n", "/run"),
        ("/dev/shm ext4\n/tmp tmpfs\n", "/tmp"),
    ],
)
def test_the_module_is_unpacked_in_memory(answer: str, expected: str) -> None:
    assert memory_place(lambda _command, _become: answer) == expected


@pytest.mark.parametrize("answer", ["", "/tmp ext4\n", "/home/evil tmpfs\n", "\x1b[2J" * 10_000])
def test_a_host_without_memory_to_unpack_in_is_refused(answer: str) -> None:
    with pytest.raises(Unreachable, match="tmpfs on /dev/shm"):
        memory_place(lambda _command, _become: answer)


def test_the_offset_is_held_against_the_middle_of_the_way_and_the_best_way_counts() -> None:
    times: Iterator[float] = iter([1000000000.0, 1000000004.0, 1000000010.0, 1000000011.0])
    answers = iter(["1000000102.000000000\n", "1000000110.500000000\n"])
    offset = clock_offset(lambda _command, _become: next(answers), lambda: next(times))
    assert offset is not None
    assert (offset.offset, offset.uncertainty) == (100.0, 0.5)


@pytest.mark.parametrize("answer", ["", "date: not found", "1e999", "9" * 5000, "1000000000.%N"])
def test_a_host_that_does_not_tell_the_time_has_no_offset(answer: str) -> None:
    assert clock_offset(lambda _command, _become: answer, lambda: 0.0) is None


def test_nothing_is_shown_meanwhile_and_everything_is_as_before_afterwards() -> None:
    task, play = SimpleNamespace(no_log=False), SimpleNamespace(no_log=None)
    connection = SimpleNamespace(_play_context=SimpleNamespace(no_log=False))
    with pytest.raises(ZeroDivisionError), unseen(task, play, connection):
        assert (task.no_log, play.no_log, connection._play_context.no_log) == (True, True, True)
        raise ZeroDivisionError
    assert (task.no_log, play.no_log, connection._play_context.no_log) == (False, None, False)


def test_a_host_that_never_answers_is_left() -> None:
    with pytest.raises(TimeoutError, match="did not answer"), time_limit(0.01):
        signal.pause()
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_a_retry_that_swallows_the_alarm_is_ended_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "AGAIN_SECONDS", 0.01)
    with pytest.raises(TimeoutError), time_limit(0.01):
        with contextlib.suppress(TimeoutError):
            signal.sigtimedwait([], 0.5)
        signal.sigtimedwait([], 0.5)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_what_the_collecting_left_behind_is_said() -> None:
    left = touched("ssh", "sudo", "/dev/shm", {"docker_changes"}, ["/usr/bin/ss"])
    assert any("login over ssh" in line for line in left)
    assert any("sudo" in line for line in left)
    assert any("/usr/bin/ss" in line for line in left)
    assert any("mounts its layers" in line for line in left)
    assert not any("sudo" in line or "ssh" in line for line in touched("local", None, "/run", set(), []))
