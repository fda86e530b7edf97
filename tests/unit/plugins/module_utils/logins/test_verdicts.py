# SPDX-License-Identifier: GPL-3.0-or-later
"""Log files as they are found on hosts, each with the verdict that is expected: alarms and false ones."""

from __future__ import annotations

import gzip
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.addresses import ALWAYS, Protected
from ansible_collections.firebreak.incident.plugins.module_utils.logins.decide import decide
from ansible_collections.firebreak.incident.plugins.module_utils.logins.judge import Policy
from ansible_collections.firebreak.incident.plugins.module_utils.logins.observe import Request, observe

FIXTURES = Path(__file__).parents[3] / "fixtures" / "logins"


@dataclass(frozen=True)
class Case:
    """A log, the end of a window of an hour, and what is to come of it."""

    log: str
    now: str
    attackers: list[str] = field(default_factory=list)
    judgements: dict[str, tuple[str, int]] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    nginx: bool = False


CASES = [
    Case(
        "debian12_brute_force.log",
        "2026-11-21T22:30:00",
        ["203.0.113.7"],
        {"203.0.113.7": ("attacker", 11), "198.51.100.20": ("user", 1)},
        ["logins.source.brute_force"],
    ),
    Case(
        "debian13_break_in.log",
        "2026-11-21T22:30:00",
        ["2001:db8::66"],
        {"2001:db8::66": ("broke_in", 12)},
        ["logins.source.success_after_failures"],
    ),
    Case(
        "rsyslog_new_year.log",
        "2027-01-01T00:20:00",
        ["192.0.2.9"],
        {"192.0.2.9": ("attacker", 12)},
        ["logins.source.brute_force"],
    ),
    Case("spoofed_names.log", "2026-11-21T22:30:00", [], {"203.0.113.66": ("below_threshold", 8)}),
    Case(
        "quiet_bastion.log",
        "2026-11-21T22:45:00",
        [],
        {"198.51.100.6": ("user", 1), "198.51.100.8": ("user", 0)},
    ),
    Case(
        "nginx_basic_auth.log",
        "2026-11-21T22:45:00",
        ["203.0.113.80"],
        {
            "203.0.113.80": ("attacker", 11),
            "203.0.113.81": ("below_threshold", 4),
            "198.51.100.30": ("below_threshold", 1),
        },
        ["logins.source.brute_force", "logins.log.tampered"],
        nginx=True,
    ),
    Case(
        "nginx_docker_json.log",
        "2026-11-21T22:45:00",
        ["203.0.113.90"],
        {"203.0.113.90": ("attacker", 10)},
        ["logins.source.brute_force"],
        nginx=True,
    ),
]


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def look(path: Path, case: Case, window: str = "1h") -> tuple[dict[str, Any], list[str]]:
    pattern = [f"{path}*"]
    request = Request.from_params(
        {
            "window": window,
            "max_bytes": "1g",
            "logs": [] if case.nginx else pattern,
            "nginx_logs": pattern if case.nginx else [],
            "nginx_access_logs": [str(path.parent / "access.log")],
            "journal": False,
            "now": case.now,
        },
        datetime.now(UTC),
    )
    data, findings = decide(observe(request), Policy(10, 10, Protected.of(ALWAYS)))
    return dict(data), [one.id for one in findings if one.id != "logins.window.incomplete"]


def written(case: Case, folder: Path, compress: bool) -> Path:
    path = folder / case.log
    shutil.copy(FIXTURES / case.log, path)
    moment = datetime.fromisoformat(case.now).replace(tzinfo=UTC).timestamp()
    if compress:
        path = path.with_name(f"{case.log}.1.gz")
        path.write_bytes(gzip.compress((folder / case.log).read_bytes()))
        (folder / case.log).unlink()
    os.utime(path, (moment - 300, moment - 300))
    refused = [
        f'{address} - admin [21/Nov/2026:22:05:00 +0000] "GET / HTTP/1.1" 401 172 "-" "curl"\n'
        for address, (_judgement, failures) in case.judgements.items()
        for _time in range(failures)
    ]
    (folder / "access.log").write_text("".join(refused))
    return path


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.log)
def test_a_log_is_judged_as_expected(case: Case, compress: bool, tmp_path: Path) -> None:
    data, findings = look(written(case, tmp_path, compress), case)
    assert data["attackers"] == case.attackers
    assert {one["address"]: (one["judgement"], one["failures"]) for one in data["sources"]} == case.judgements
    assert [one for one in findings if one != "logins.log.clock_differs"] == case.findings


def test_every_example_has_a_verdict() -> None:
    assert {path.name for path in FIXTURES.iterdir()} == {case.log for case in CASES}


def test_a_year_less_log_is_rotated_at_new_year(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.log == "rsyslog_new_year.log")
    lines = (FIXTURES / case.log).read_bytes().splitlines(keepends=True)
    for name, part, when in (
        ("auth.log.1", lines[:6], "2026-12-31T23:55:10"),
        ("auth.log", lines[6:], "2027-01-01T00:05:10"),
    ):
        moment = datetime.fromisoformat(when).replace(tzinfo=UTC).timestamp()
        (tmp_path / name).write_bytes(b"".join(part))
        os.utime(tmp_path / name, (moment, moment))
    data, _findings = look(tmp_path / "auth.log", case)
    [source] = data["sources"]
    assert source["failures"] == 12
    assert (source["first"], source["last"]) == ("2026-12-31T23:50:10.000Z", "2027-01-01T00:05:10.000Z")


def test_of_a_year_less_log_only_the_window_counts(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.log == "rsyslog_new_year.log")
    path = written(case, tmp_path, compress=False)
    # The same days a year ago, before a summer of silence: not to be taken for today's.
    path.write_bytes(path.read_bytes() + b"Jul  1 00:00:00 db1 CRON[1]: x\n" + path.read_bytes())
    os.utime(path, (1798763000, 1798763000))
    data, _findings = look(path, case, window="25m")
    assert [(one["address"], one["failures"]) for one in data["sources"]] == [("192.0.2.9", 7)]
