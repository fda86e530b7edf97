# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gzip
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.logs import find_logs
from ansible_collections.firebreak.incident.plugins.module_utils.logins import scan as scan_module
from ansible_collections.firebreak.incident.plugins.module_utils.logins.scan import Period, plan_parts, scan

START = 1795304000
EVERYTHING = Period(0.0, 4e9)


def write(path: Path, begin: int, end: int, compress: bool = False) -> Path:
    """A failure each second, of 7 sources by turns, and after each hundred a login."""
    text = "".join(
        f"{second}.{fraction} web1 sshd[1]: {what} password for root from 192.0.2.{second % 7} port 4 ssh2\n"
        for second in range(begin, end)
        for fraction, what in (("000000", "Failed"), ("500000", "Accepted"))
        if what == "Failed" or second % 100 == 99
    ).encode()
    path.write_bytes(gzip.compress(text) if compress else text)
    os.utime(path, (end, end))
    return path


def failures(folder: Path, period: Period = EVERYTHING, budget: int = 1 << 40) -> int:
    parts = plan_parts("ssh", find_logs([f"{folder}/auth.log*"])[0], period, budget)
    return sum(source.tries.failures for source in scan(parts, period)[0].sources.values())


def test_rotated_and_compressed_files_are_one_log(tmp_path: Path) -> None:
    write(tmp_path / "auth.log.2.gz", START, START + 1000, compress=True)
    write(tmp_path / "auth.log.1", START + 1000, START + 2000)
    write(tmp_path / "auth.log", START + 2000, START + 2500)
    assert failures(tmp_path) == 2500


@pytest.mark.parametrize("compress", [False, True])
def test_only_the_period_is_counted_to_the_second(tmp_path: Path, compress: bool) -> None:
    write(tmp_path / "auth.log", START, START + 20_000, compress)
    assert failures(tmp_path, Period(START + 5000, START + 5999)) == 1000
    assert failures(tmp_path, Period(START - 500, START + 9)) == 10
    assert failures(tmp_path, Period(START + 19_990, START + 99_999)) == 10


def test_what_was_last_written_before_the_period_is_not_opened(tmp_path: Path) -> None:
    write(tmp_path / "auth.log.1", START, START + 1000)
    files, _troubles = find_logs([f"{tmp_path}/auth.log*"])
    assert not plan_parts("ssh", files, Period(START + 2000, START + 3000), 1 << 40)


def test_where_the_budget_bites_the_newest_is_read_and_the_rest_is_told(tmp_path: Path) -> None:
    write(tmp_path / "auth.log.2.gz", START, START + 1000, compress=True)
    write(tmp_path / "auth.log.1", START + 1000, START + 2000)
    write(tmp_path / "auth.log", START + 2000, START + 3000)
    size = (tmp_path / "auth.log").stat().st_size
    files, _troubles = find_logs([f"{tmp_path}/auth.log*"])
    parts = plan_parts("ssh", files, EVERYTHING, size + size // 2)
    _tally, scanned = scan(parts, EVERYTHING)
    assert sum(log.bytes for log in scanned) <= size + size // 2
    assert [log.left_out > 0 for log in scanned] == [True, True, False]
    assert sum(log.left_out + log.bytes for log in scanned) == sum(file.size for file in files)
    assert scanned[0].bytes == 0


@pytest.mark.parametrize("compress", [False, True])
def test_two_processes_say_the_same_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compress: bool
) -> None:
    write(tmp_path / "auth.log.1", START, START + 3000, compress)
    write(tmp_path / "auth.log", START + 3000, START + 9000)
    parts = plan_parts("ssh", find_logs([f"{tmp_path}/auth.log*"])[0], EVERYTHING, 1 << 40)
    alone, scanned_alone = scan(parts, EVERYTHING)
    monkeypatch.setattr(scan_module, "_WORTH_TWO", 0)
    monkeypatch.setattr("threading.active_count", lambda: 1)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    together, scanned = scan(parts, EVERYTHING)
    assert scanned == scanned_alone
    assert together.sources.keys() == alone.sources.keys()
    for address, source in alone.sources.items():
        other = together.sources[address]
        assert (other.tries, other.first, other.last) == (source.tries, source.first, source.last)
        assert other.successes == source.successes


def test_without_the_childs_answer_its_work_is_done_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "auth.log", START, START + 5000)
    parts = plan_parts("ssh", find_logs([f"{tmp_path}/auth.log"])[0], EVERYTHING, 1 << 40)
    monkeypatch.setattr(scan_module, "_WORTH_TWO", 0)
    monkeypatch.setattr("threading.active_count", lambda: 1)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    parent = os.getpid()
    dump = pickle.dump

    def die_in_the_child(*arguments: Any, **options: Any) -> None:
        if os.getpid() != parent:
            os._exit(9)
        dump(*arguments, **options)

    monkeypatch.setattr(pickle, "dump", die_in_the_child)
    tally, _scanned = scan(parts, EVERYTHING)
    assert sum(source.tries.failures for source in tally.sources.values()) == 5000


def test_a_damaged_file_keeps_what_was_read_and_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "auth.log.1.gz", START, START + 50_000, compress=True)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + whole[-4:])
    os.utime(path, (START + 50_000, START + 50_000))
    parts = plan_parts("ssh", find_logs([str(path)])[0], EVERYTHING, 1 << 40)
    tally, [scanned] = scan(parts, EVERYTHING)
    assert scanned.trouble
    assert 0 < sum(source.tries.failures for source in tally.sources.values()) < 50_000
