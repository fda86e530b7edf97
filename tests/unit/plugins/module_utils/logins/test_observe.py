# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.logs import TooMuch
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.logins import observe as observe_module
from ansible_collections.firebreak.incident.plugins.module_utils.logins.observe import (
    Request,
    Snapshot,
    observe,
)

NOW = 1795304000
ADDRESS = "192.0.2.1"


def line(
    second: int, message: str = f"Failed password for root from {ADDRESS} port 4 ssh2", tag: str = "sshd[1]"
) -> str:
    return f"{second}.000000 web1 {tag}: {message}\n"


class Journal:
    """A journal that holds these lines; remembers for which periods it was asked."""

    def __init__(self, lines: str, too_much: int = 0) -> None:
        self.lines = [text.encode() + b"\n" for text in lines.splitlines()]
        self.asked: list[tuple[float, float]] = []
        self.too_much = too_much

    def begins(self) -> bytes:
        if not self.lines:
            raise Unreachable("the journal", "it holds nothing", "See that journald runs.")
        return self.lines[0]

    def read(self, _names: Iterable[str], since: float, until: float, _budget: int) -> Iterator[bytes]:
        self.asked.append((since, until))
        if len(self.asked) <= self.too_much:
            raise TooMuch
        yield b"\n" + b"".join(text for text in self.lines if since <= float(text.split()[0]) < until + 1)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def look(journal: Journal | None = None, window: int = 1000, **files: str) -> Snapshot:
        journal = journal or Journal("")
        monkeypatch.setattr(observe_module, "journal_begins", journal.begins)
        monkeypatch.setattr(observe_module, "read_journal", journal.read)
        for name, text in files.items():
            path = tmp_path / f"{name}.log"
            path.write_text(text)
            last = float(text.splitlines()[-1].split()[0]) if name == "auth" else NOW
            os.utime(path, (last, last))
        return observe(request(tmp_path, window=str(window)))

    return look


def request(folder: Path, **given: Any) -> Request:
    params = {
        "window": "1000",
        "max_bytes": "1g",
        "logs": [f"{folder}/auth.log*"],
        "nginx_logs": [f"{folder}/nginx.log*"],
        "nginx_access_logs": [f"{folder}/access.log*"],
        "journal": True,
        "now": None,
    }
    return Request.from_params({**params, **given}, datetime.fromtimestamp(NOW, UTC))


def failures(snapshot: Snapshot) -> int:
    return sum(source.tries.failures for source in snapshot.sources.values())


def test_what_is_in_the_file_and_in_the_journal_counts_once(host: Any) -> None:
    text = "".join(line(NOW - 1000 + second) for second in range(0, 1000, 10))
    snapshot = host(Journal(line(NOW - 5000) + text), auth=line(NOW - 2000) + text)
    assert failures(snapshot) == 100
    assert snapshot.seen_from == NOW - 1000


def test_the_journal_says_what_a_dead_rsyslog_has_missed(host: Any) -> None:
    text = "".join(line(NOW - 1000 + second) for second in range(0, 1000, 10))
    cut = "".join(text.splitlines(keepends=True)[:40])
    assert failures(host(Journal(line(NOW - 5000) + text), auth=line(NOW - 2000) + cut)) == 100


def test_the_journal_says_what_was_before_the_oldest_file(host: Any) -> None:
    text = "".join(line(NOW - 1000 + second) for second in range(0, 1000, 10))
    rest = "".join(text.splitlines(keepends=True)[60:])
    snapshot = host(Journal(line(NOW - 5000) + text), auth=rest)
    assert failures(snapshot) == 100
    assert snapshot.seen_from == NOW - 1000


def test_the_journal_is_read_whole_where_no_file_has_a_line_of_sshd(host: Any) -> None:
    text = "".join(line(NOW - 1000 + second) for second in range(0, 1000, 10))
    cron = "".join(line(NOW - 1000 + second, "x", "CRON[1]") for second in range(0, 1000, 10))
    journal = Journal(line(NOW - 5000) + text)
    assert failures(host(journal, auth=cron)) == 100
    assert journal.asked == [(NOW - 1000, NOW)]


def test_a_quiet_host_with_a_journal_is_seen(host: Any) -> None:
    snapshot = host(Journal(line(NOW - 5000, "Server listening on :: port 22.")))
    assert not snapshot.sources
    assert not snapshot.silent
    assert snapshot.seen_from == NOW - 1000


def test_a_journal_that_begins_later_than_the_window_is_told(host: Any) -> None:
    assert host(Journal(line(NOW - 300))).seen_from == NOW - 300


def test_of_too_large_a_journal_the_newest_is_read_and_that_is_told(host: Any) -> None:
    text = "".join(line(NOW - 1000 + second) for second in range(0, 1000, 10))
    snapshot = host(Journal(line(NOW - 5000) + text, too_much=1))
    assert failures(snapshot) == 50
    assert snapshot.seen_from == NOW - 500


def test_a_journal_that_is_always_too_large_is_a_trouble(host: Any) -> None:
    snapshot = host(Journal(line(NOW - 5000), too_much=99))
    assert "too much" in snapshot.unread[0].problem


def test_neither_log_nor_journal_is_no_answer(host: Any) -> None:
    with pytest.raises(Unreachable, match=r"^sshd: no log of it could be read") as refused:
        host()
    for said in ("Run with become, or start the journal. Looked at: ", "auth.log*, the journal"):
        assert said in str(refused.value)
    for option in ("logs=", "journal="):
        assert option not in str(refused.value)


def test_logs_of_nginx_do_not_stand_in_for_those_of_sshd(host: Any) -> None:
    with pytest.raises(Unreachable, match=r"^sshd: "):
        host(nginx="2026/11/21 22:00:00 [error] 1#1: *1 x\n")


def test_a_log_without_sshd_and_without_a_journal_is_silent_and_not_clean(host: Any) -> None:
    snapshot = host(auth=line(NOW - 10, "x", "CRON[1]"))
    assert snapshot.silent
    assert "the journal" in [unread.path for unread in snapshot.unread]


def test_a_log_with_sshd_needs_no_journal(host: Any) -> None:
    snapshot = host(auth=line(NOW - 2000) + line(NOW - 10))
    assert failures(snapshot) == 1
    assert not snapshot.silent
    assert not snapshot.unread


def test_a_log_in_another_zone_is_told(host: Any, tmp_path: Path) -> None:
    host(auth=line(NOW - 3600))
    os.utime(tmp_path / "auth.log", (NOW - 5, NOW - 5))
    assert observe(request(tmp_path)).clock_differs == {f"{tmp_path}/auth.log": 3595}


def test_only_nginx_is_read_when_only_nginx_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "nginx.log").write_text("2026/11/21 22:00:00 [error] 1#1: *1 x\n")
    snapshot = observe(request(tmp_path, logs=[], journal=False))
    assert [Path(log.path).name for log in snapshot.scanned] == ["nginx.log"]
    with pytest.raises(Unreachable):
        observe(request(tmp_path, logs=[], journal=False, nginx_logs=["/nonexistent"]))


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": "0"},
        {"max_bytes": "0"},
        {"window": "x"},
        {"now": "yesterday"},
        {"logs": [], "nginx_logs": [], "journal": False},
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        request(tmp_path, **wrong)


@pytest.mark.parametrize("now", ["2026-11-21T22:00:00Z", "2026-11-21T22:00:00", "2026-11-21T23:00:00+01:00"])
def test_the_end_of_the_window_may_be_given(now: str, tmp_path: Path) -> None:
    end = datetime(2026, 11, 21, 22, tzinfo=UTC).timestamp()
    period = request(tmp_path, now=now, window="1h").period
    assert (period.since, period.until) == (end - 3600, end)
