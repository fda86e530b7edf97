# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.logs import LogFile
from ansible_collections.firebreak.incident.plugins.module_utils.logs import files
from ansible_collections.firebreak.incident.plugins.module_utils.logs.files import (
    errors_of,
    is_access_log,
    kernel_of,
    requests_of,
)

NOW = 1795314600.0


def stamp(ago: float) -> str:
    return datetime.fromtimestamp(NOW - ago, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def access(ago: float, status: int = 200, path: str = "/") -> str:
    moment = datetime.fromtimestamp(NOW - ago, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'198.51.100.7 - - [{moment}] "GET {path} HTTP/1.1" {status} 12 "-" "curl/8"\n'


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


def file(path: Path, text: str) -> LogFile:
    path.write_text(text)
    os.utime(path, (NOW, NOW))
    return LogFile(str(path), path.stat().st_size, NOW, False)


def test_errors_are_counted_in_both_windows(log: Path) -> None:
    lines = [f"{stamp(ago)} ERROR it broke\n" for ago in (5000, 4201, 4199, 700, 601, 599, 5)]
    noise = f"{stamp(3)} INFO 0 errors\n" * 5
    found = errors_of(file(log, "".join(lines) + noise), "app", NOW)
    assert (found.count.now, found.count.before, found.seen_from, found.undated) == (2, 3, None, 0)
    assert found.count.text == f"{stamp(5)} ERROR it broke"


def test_an_error_with_its_trace_is_one_error(log: Path) -> None:
    text = f"{stamp(5)} ERROR it broke\nTraceback (most recent call last):\n  File x\nValueError: ERROR\n"
    assert errors_of(file(log, text), "app", NOW).count.now == 1


def test_errors_without_a_time_count_nowhere_and_are_told(log: Path) -> None:
    found = errors_of(file(log, "ERROR it broke\n" * 20), "app", NOW)
    assert (found.count.now, found.undated, found.before_rate()) == (0, 20, 0.0)


def test_of_a_big_log_the_newest_part_is_read_and_says_from_when(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "FILE_BUDGET", 4096)
    text = "".join(f"{stamp(ago)} ERROR it broke\n" for ago in range(3000, 0, -1))
    found = errors_of(file(log, text), "app", NOW)
    assert found.seen_from is not None
    assert found.count.now == NOW - found.seen_from
    assert found.before_rate() is None


def test_a_line_that_never_ends_is_cut(log: Path) -> None:
    found = errors_of(file(log, f"{stamp(5)} ERROR {'x' * 300_000}\n"), "app", NOW)
    assert (found.count.now, len(found.count.text)) == (1, 160)


def test_garbage_is_no_error_and_no_crash(log: Path) -> None:
    log.write_bytes(os.urandom(50_000) + b"\nERROR\n" + bytes(1000))
    errors_of(LogFile(str(log), log.stat().st_size, NOW, False), "app", NOW)
    requests_of(LogFile(str(log), log.stat().st_size, NOW, False), NOW)
    kernel_of(LogFile(str(log), log.stat().st_size, NOW, False), NOW)


def test_an_access_log_is_known_by_its_lines(log: Path) -> None:
    assert is_access_log(file(log, access(5)))
    assert not is_access_log(file(log, f"{stamp(5)} INFO GET / 200\n"))


def test_requests_are_counted_with_what_has_succeeded_since_the_last_failure(log: Path) -> None:
    text = "".join(
        [access(5000, 500), access(3000), access(400, 502), access(250, 404)]
        + [access(200, 503, "/api/items?token=hidden")] * 3
        + [access(10)] * 7
    )
    found = requests_of(file(log, text), NOW)
    assert (found.total, found.client_errors, found.server_errors) == (11, 1, 3)
    assert (found.before_total, found.before_server_errors, found.good) == (2, 1, 7)
    assert found.failing == {"503 /api/items": 3}


def test_dropped_packets_and_denials_are_read_from_syslog_and_audit(log: Path) -> None:
    text = (
        f"{stamp(5)} db1 kernel: [UFW BLOCK] IN=eth0 OUT= SRC=6.6.6.6 DST=1.2.3.4 PROTO=TCP DPT=23\n"
        f"{stamp(900)} db1 kernel: [UFW BLOCK] IN=eth0 OUT= SRC=7.7.7.7 DST=1.2.3.4 PROTO=UDP DPT=53\n"
        f'type=AVC msg=audit({NOW - 5:.3f}:7): avc:  denied  {{ read }} for pid=7 comm="nginx" tcontext=a:b\n'
    )
    found = kernel_of(file(log, text), NOW)
    assert (found.packets.now, found.packets.before) == (1, 1)
    assert (dict(found.sources), dict(found.ports)) == ({"6.6.6.6": 1}, {"TCP/23": 1})
    assert {what: count.now for what, count in found.denials.items()} == {"SELinux: nginx read a:b": 1}
