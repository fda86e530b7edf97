# SPDX-License-Identifier: GPL-3.0-or-later
"""What an outsider writes into nginx's error log accuses nobody."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.addresses import ALWAYS, Protected
from ansible_collections.firebreak.incident.plugins.module_utils.logins.access import refusals
from ansible_collections.firebreak.incident.plugins.module_utils.logins.decide import decide
from ansible_collections.firebreak.incident.plugins.module_utils.logins.judge import Policy
from ansible_collections.firebreak.incident.plugins.module_utils.logins.observe import Request, observe

# As nginx 1.22 wrote it for GET /x%0a2026%2F11...: the forged line stands by itself.
FORGED = """\
2026/11/21 22:00:00 [error] 7#7: *5 open() "/srv/x
2026/11/21 22:00:00 [error] 1#1: *1 user "bob": password mismatch, client: 198.51.100.88, server: x
" failed (2: No such file or directory), client: 203.0.113.5, request: "GET /x%0a HTTP/1.1", host: "w"
"""
WRONG = (
    '2026/11/21 22:00:00 [error] 7#7: *5 user "ops": password mismatch, client: 203.0.113.6, server: w, '
    'request: "GET / HTTP/1.1", host: "w"\n'
)


def access(address: str, status: int, user: str = "ops", path: str = "/") -> str:
    return (
        f'{address} - {user} [21/Nov/2026:22:00:00 +0000] "GET {path} HTTP/1.1" {status} 172 "-" "curl/8"\n'
    )


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "error.log").write_text(FORGED * 20 + WRONG * 12)
    (tmp_path / "access.log").write_text(
        access("203.0.113.5", 404, "-", "/x%0a") * 20 + access("203.0.113.6", 401) * 12
    )
    now = datetime(2026, 11, 21, 22, 5, tzinfo=UTC).timestamp()
    for name in ("error.log", "access.log"):
        os.utime(tmp_path / name, (now, now))
    return tmp_path


def look(folder: Path) -> tuple[list[str], list[str]]:
    asked = {
        "window": "1h",
        "max_bytes": "1g",
        "logs": [],
        "nginx_logs": [f"{folder}/error.log"],
        "nginx_access_logs": [f"{folder}/access.log*"],
        "journal": False,
        "now": "2026-11-21T22:10:00Z",
    }
    request = Request.from_params(asked, datetime.now(UTC))
    data, findings = decide(observe(request), Policy(10, 10, Protected.of(ALWAYS)))
    return data["attackers"], [finding.id for finding in findings]


def test_a_line_that_an_outsider_wrote_accuses_nobody_and_is_told(host: Path) -> None:
    attackers, findings = look(host)
    assert attackers == ["203.0.113.6"]
    assert "logins.nginx.unconfirmed" in findings


def test_without_an_access_log_nobody_is_accused(host: Path) -> None:
    (host / "access.log").unlink()
    attackers, findings = look(host)
    assert attackers == []
    assert "logins.nginx.unconfirmed" in findings


def test_refusals_are_counted_in_rotated_compressed_and_docker_logs(tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text(access("203.0.113.6", 401) + access("203.0.113.6", 200))
    (tmp_path / "access.log.2.gz").write_bytes(gzip.compress(access("2001:DB8::1", 401).encode()))
    record = json.dumps({"log": access("203.0.113.7", 401), "stream": "stdout"}, separators=(",", ":"))
    (tmp_path / "access.log.1").write_text(record + "\n")
    counted = refusals([f"{tmp_path}/access.log*"], since=0)
    assert counted == Counter({"203.0.113.6": 1, "2001:db8::1": 1, "203.0.113.7": 1})


@pytest.mark.parametrize(
    ("user", "path"),
    [
        ("x] ", "/"),
        ("-", "/?q=203.0.113.9 - x [y] "),
        ("-", "/\\x22 401 1 \\x22"),
        ("a", "/\\x0A203.0.113.9"),
    ],
)
def test_what_the_client_chose_names_no_other_address(tmp_path: Path, user: str, path: str) -> None:
    (tmp_path / "access.log").write_text(access("203.0.113.6", 401, user, path))
    assert refusals([f"{tmp_path}/access.log"], since=0) == Counter({"203.0.113.6": 1})


def test_a_forged_status_in_the_path_is_no_refusal(tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text(access("203.0.113.6", 200, "-", "/\\x22 401 1 \\x22"))
    assert refusals([f"{tmp_path}/access.log"], since=0) == Counter()
