# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gzip
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.firebreak.incident.plugins.module_utils.clients import logs
from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed
from ansible_collections.firebreak.incident.plugins.module_utils.clients.logs import (
    LogFile,
    find_logs,
    line_start,
    newest_records,
    read_blocks,
    read_journal,
    seek_line,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable


def plain(path: Path, content: bytes) -> LogFile:
    path.write_bytes(content)
    return LogFile(str(path), len(content), 0.0, False)


def lines_of(file: LogFile, start: int = 0, end: int | None = None) -> list[bytes]:
    blocks = list(read_blocks(file, start, end))
    assert all(block.startswith(b"\n") and block.endswith(b"\n") for block in blocks)
    return [line for block in blocks for line in block[1:-1].split(b"\n")]


def test_files_come_oldest_first_whatever_their_names(tmp_path: Path) -> None:
    for name, age in (("auth.log", 0), ("auth.log.1", 100), ("auth.log.2.gz", 200)):
        content = f"{name}\n".encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    files, troubles = find_logs([f"{tmp_path}/auth.log*"])
    assert [Path(file.path).name for file in files] == ["auth.log.2.gz", "auth.log.1", "auth.log"]
    assert files[0].compressed and files[0].size == len("auth.log.2.gz\n")
    assert not troubles


def test_a_copy_put_aside_counts_once(tmp_path: Path) -> None:
    (tmp_path / "auth.log").write_bytes(b"first\nsecond\n" * 100)
    (tmp_path / "auth.log.bak").write_bytes(b"first\nsecond\n" * 90)
    (tmp_path / "auth.log.1.gz").write_bytes(gzip.compress(b"first\nsecond\n" * 100))
    (tmp_path / "auth.log.link").symlink_to(tmp_path / "auth.log")
    files, _troubles = find_logs([f"{tmp_path}/*"])
    assert len(files) == 1
    assert files[0].size == 1300


def test_directories_pipes_and_empty_files_are_no_logs(tmp_path: Path) -> None:
    (tmp_path / "auth.log.d").mkdir()
    (tmp_path / "auth.log").touch()
    os.mkfifo(tmp_path / "auth.log.pipe")
    (tmp_path / "auth.log.dangling").symlink_to(tmp_path / "nothing")
    files, troubles = find_logs([f"{tmp_path}/auth*"])
    assert not files
    assert [trouble.subject for trouble in troubles] == [f"log {tmp_path}/auth.log.dangling"]


def test_a_compression_that_is_not_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "auth.log.2.xz").write_bytes(b"\xfd7zXZ")
    _files, troubles = find_logs([f"{tmp_path}/*"])
    assert "compressed in a way that is not read" in str(troubles[0])


def test_a_relative_pattern_is_refused() -> None:
    with pytest.raises(BadInput, match="not an absolute path"):
        find_logs(["auth.log"])


def test_a_damaged_gzip_gives_what_is_whole_and_then_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "BLOCK", 4096)
    content = b"".join(b"line %d %s\n" % (number, os.urandom(20).hex().encode()) for number in range(5000))
    path = tmp_path / "auth.log.1.gz"
    path.write_bytes(gzip.compress(content)[:-2000])
    file = LogFile(str(path), len(content), 0.0, True)
    read: list[bytes] = []
    with pytest.raises(Unreachable, match="See that it is whole"):
        for block in read_blocks(file):
            read.append(block)
    assert b"".join(read).startswith(b"\nline 0 ")


def test_a_gzip_that_is_none_is_a_trouble_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "auth.log.1.gz").write_bytes(b"\x1f\x8bnonsense")
    files, troubles = find_logs([f"{tmp_path}/*"])
    assert not files
    assert len(troubles) == 1


def test_a_gzip_bomb_is_read_no_further_than_it_claims(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"x\n" * 1_000_000))
    read = sum(len(block) for block in read_blocks(LogFile(str(path), 1000, 0.0, True)))
    assert read < 1100


def test_what_is_written_while_reading_is_left_for_the_next_time(tmp_path: Path) -> None:
    file = plain(tmp_path / "auth.log", b"one\ntwo\nthr")
    with Path(file.path).open("ab") as stream:
        stream.write(b"ee\nfour\n")
    assert lines_of(file) == [b"one", b"two", b"thr"]


def test_a_file_that_shrinks_meanwhile_ends_the_lines(tmp_path: Path) -> None:
    file = plain(tmp_path / "auth.log", b"one\ntwo\n")
    (tmp_path / "auth.log").write_bytes(b"one\n")
    assert lines_of(file) == [b"one"]


def test_a_file_that_goes_meanwhile_is_unreachable(tmp_path: Path) -> None:
    file = plain(tmp_path / "auth.log", b"one\n")
    (tmp_path / "auth.log").unlink()
    with pytest.raises(Unreachable, match="No such file"):
        lines_of(file)


def test_nul_bytes_of_a_crash_do_not_hide_the_line_behind_them(tmp_path: Path) -> None:
    file = plain(tmp_path / "auth.log", b"one\n" + b"\0" * 5000 + b"two\n")
    assert lines_of(file) == [b"one", b"two"]


def test_a_line_without_an_end_is_not_gathered_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "BLOCK", 1000)
    monkeypatch.setattr(logs, "_LONGEST_LINE", 5000)
    file = plain(tmp_path / "auth.log", b"one\n" + b"x" * 100_000 + b"\ntwo\n")
    blocks = list(read_blocks(file))
    assert max(map(len, blocks)) < 10_000
    assert blocks[0] == b"\none\n"
    assert blocks[-1].endswith(b"\ntwo\n")


@given(st.binary(max_size=400), st.integers(1, 40))
def test_no_line_is_lost_or_torn_at_the_end_of_a_block(content: bytes, block: int) -> None:
    content = content.replace(b"\0", b"")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "BLOCK", block)
        file = plain(Path(folder) / "log", content)
        expected = content[:-1] if content.endswith(b"\n") else content
        assert lines_of(file) == (expected.split(b"\n") if content else [])


@given(st.lists(st.integers(0, 50), max_size=300), st.integers(0, 51))
def test_the_first_line_behind_a_time_is_found_as_by_reading_all(times: list[int], wanted: int) -> None:
    written = b"".join(b"%d %s\n" % (time, b"-" * (time * 7)) for time in sorted(times))
    with tempfile.TemporaryDirectory() as folder:
        file = plain(Path(folder) / "log", written)
        offset = seek_line(file, lambda line: int(line.split()[0]) >= wanted)
    behind = [line for line in written.splitlines() if int(line.split()[0]) >= wanted]
    assert written[offset:].splitlines() == behind


def test_lines_that_tell_no_time_do_not_hide_the_time_behind_them(tmp_path: Path) -> None:
    written = b"1 a\n" * 5000 + b"garbage\n" * 500 + b"2 b\n" * 5000
    file = plain(tmp_path / "log", written)

    def is_after(line: bytes) -> bool | None:
        return None if line.startswith(b"g") else line.startswith(b"2")

    rest = written[seek_line(file, is_after) :]
    assert rest.count(b"2 b\n") == 5000
    assert b"1 a" not in rest


def test_a_line_start_is_never_inside_a_line(tmp_path: Path) -> None:
    file = plain(tmp_path / "log", b"one\ntwo\nthree")
    assert [line_start(file, offset) for offset in (0, 1, 4, 5, 8, 9, 99)] == [0, 4, 4, 8, 8, 13, 13]


@pytest.fixture
def journalctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(script: str) -> None:
        program = tmp_path / "journalctl"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(logs, "require", lambda _program, _package: str(program))

    return install


def test_the_journal_is_asked_for_root_only_and_for_the_period(journalctl: Any) -> None:
    journalctl('echo "$@"')
    said = b"".join(read_journal(("sshd",), 1000.5, 2000.5, 10_000)).decode()
    assert "--since=@1000 --until=@2001 _UID=0 --identifier=sshd" in said


def test_more_journal_than_the_budget_is_too_much(journalctl: Any) -> None:
    journalctl("yes")
    with pytest.raises(logs.TooMuch):
        list(read_journal(("sshd",), 0, 1, 100_000))


def test_a_journal_that_hangs_is_too_much(journalctl: Any) -> None:
    journalctl("exec sleep 60")
    with pytest.raises(logs.TooMuch):
        list(read_journal(("sshd",), 0, 1, 100_000, timeout=0.1))


def test_a_journal_that_fails_is_unreachable(journalctl: Any) -> None:
    journalctl("exit 3")
    with pytest.raises(Unreachable, match="code 3"):
        list(read_journal(("sshd",), 0, 1, 100_000))


def test_an_empty_journal_is_not_an_answer(journalctl: Any) -> None:
    journalctl('echo "No journal files were found." >&2')
    with pytest.raises(Unreachable, match="No journal files were found"):
        logs.journal_begins()


def test_a_journal_that_hides_the_system_is_not_an_answer(journalctl: Any) -> None:
    journalctl(
        'echo "1795304127.962414 h app[1]: x"\n'
        'echo "Hint: You are currently not seeing messages from other users" >&2'
    )
    with pytest.raises(Unreachable, match="become"):
        logs.journal_begins()


def test_the_oldest_line_of_the_journal_is_its_first(journalctl: Any) -> None:
    journalctl('echo "1795304127.962414 h sshd[1]: x"; echo "1795304128.962414 h sshd[1]: y"')
    assert logs.journal_begins() == b"1795304127.962414 h sshd[1]: x"


def journal(monkeypatch: pytest.MonkeyPatch, stdout: str, **given: Any) -> list[Sequence[str]]:
    """A journalctl that prints this; returns how it was called."""
    calls: list[Sequence[str]] = []

    def run(argv: Sequence[str], _timeout: float, budget: int) -> Completed:
        calls.append(argv)
        return Completed(argv, **{"code": 0, "stdout": stdout, "stderr": "", **given})

    monkeypatch.setattr(logs, "require", lambda name, _package: name)
    monkeypatch.setattr(logs, "run", run)
    monkeypatch.setattr(logs, "_shown", lambda: True)
    return calls


def test_records_come_with_their_time_and_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        {"__REALTIME_TIMESTAMP": "1795314503042417", "MESSAGE": "it broke", "_BOOT_ID": "x"},
        {"__REALTIME_TIMESTAMP": "1795314503042417", "MESSAGE": [105, 116]},
        {"__REALTIME_TIMESTAMP": "1795314503042417", "MESSAGE": None},
        {"MESSAGE": "no time"},
    ]
    calls = journal(monkeypatch, "\n".join([*map(json.dumps, lines), '{"MESSAGE": "cut o']), truncated=True)
    found, cut = newest_records(["PRIORITY=3"], ["MESSAGE"], 1795310000.9, 4096, 1.0)
    assert [record.fields for record in found] == [{"MESSAGE": "it broke"}, {}, {}]
    assert (found[0].time, cut) == (1795314503.042417, True)
    assert {"--reverse", "--since=@1795310000", "PRIORITY=3"} <= set(calls[0])


def test_a_journal_without_such_records_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    journal(monkeypatch, "-- No entries --\n", code=1)
    assert newest_records([], ["MESSAGE"], 0.0, 4096, 1.0) == ([], False)


def test_a_journal_that_fails_is_no_quiet_one(monkeypatch: pytest.MonkeyPatch) -> None:
    journal(monkeypatch, "", code=1, stderr="Failed to open journal\n")
    with pytest.raises(Unreachable):
        newest_records([], ["MESSAGE"], 0.0, 4096, 1.0)


@pytest.mark.parametrize(
    ("exists", "readable", "user", "shown"),
    [
        (True, True, 1000, True),
        (True, False, 1000, False),
        (False, False, 1000, False),
        (False, False, 0, True),
    ],
)
def test_a_journal_that_hides_the_system_is_no_quiet_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, exists: bool, readable: bool, user: int, shown: bool
) -> None:
    check = logs._shown
    journal(monkeypatch, "")
    monkeypatch.setattr(logs, "_shown", check)
    monkeypatch.setattr(logs, "_JOURNAL_FILES", (str(tmp_path),))
    monkeypatch.setattr(os, "access", lambda _path, _mode: readable)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    if exists:
        (tmp_path / "machine").mkdir()
        (tmp_path / "machine" / "system.journal").write_text("")
    if shown:
        assert newest_records([], ["MESSAGE"], 0.0, 4096, 1.0) == ([], False)
    else:
        with pytest.raises(Unreachable, match="become"):
            newest_records([], ["MESSAGE"], 0.0, 4096, 1.0)
