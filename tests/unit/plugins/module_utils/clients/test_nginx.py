# SPDX-License-Identifier: GPL-3.0-or-later
"""Access rules of nginx, found through includes, edited with a way back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import nginx
from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed
from ansible_collections.firebreak.incident.plugins.module_utils.clients.line_file import Edit
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError

MAIN = "/etc/nginx/nginx.conf"
FILES = {
    MAIN: """
http {
    log_format x '$remote_addr "deny 192.0.2.9;" {';
    # deny 192.0.2.8;
    include /etc/nginx/conf.d/*.conf;
    server {
        server_name "a.example";
        include blocks;
        location ~ "^/x{2}$" { deny   203.0.113.9 ; allow all; }
    }
}
""",
    "/etc/nginx/conf.d/b.conf": "deny 203.0.113.7;\n",
    "/etc/nginx/blocks": "deny 2001:db8::/64; deny 203.0.113.8;\n",
}


def test_rules_are_found_in_order_with_the_block_they_stand_in() -> None:
    found = nginx.parse(FILES, MAIN)
    assert [(rule.what, rule.block.split(" > ")[-1]) for rule in found] == [
        ("203.0.113.7", "http"),
        ("2001:db8::/64", "server"),
        ("203.0.113.8", "server"),
        ("203.0.113.9", "location ~ ^/x{2}$"),
        ("all", "location ~ ^/x{2}$"),
    ]
    assert found[3].number == 9


def test_one_directive_is_taken_out_of_its_line() -> None:
    assert nginx.without("deny 203.0.113.7; # by hand", "203.0.113.7") == "# by hand"
    assert nginx.without("  deny 203.0.113.7;", "203.0.113.7") is None
    assert nginx.without("deny 1.2.3.4; deny 203.0.113.7;", "1.2.3.4") == "deny 203.0.113.7;"


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "deny.conf"
    path.write_text("deny 203.0.113.7;\nkeep;\n")
    state: dict[str, Any] = {"path": path, "calls": [], "test": (0, ""), "reload": (0, "")}

    def run(argv: Sequence[str], **_given: Any) -> Completed:
        state["calls"].append(list(argv[1:]))
        code, stderr = state["test" if argv[1] == "-t" else "reload"]
        return Completed(tuple(argv), code, "", stderr)

    monkeypatch.setattr(nginx, "run", run)
    monkeypatch.setattr(nginx, "require", lambda program, package: program)
    state["edit"] = Edit(str(path), 1, "deny 203.0.113.7;", None)
    return state


def test_the_configuration_is_tested_before_it_is_loaded(host: dict[str, Any]) -> None:
    nginx.edit(host["edit"])
    assert host["calls"] == [["-t"], ["-s", "reload"]]
    assert host["path"].read_text() == "keep;\n"
    nginx.edit(host["edit"].reverse)
    assert host["path"].read_text() == "deny 203.0.113.7;\nkeep;\n"


@pytest.mark.parametrize("step", ["test", "reload"])
def test_when_it_fails_the_old_file_is_put_back(host: dict[str, Any], step: str) -> None:
    host[step] = (1, "nginx: [emerg] broken\n")
    with pytest.raises(FirebreakError, match="broken"):
        nginx.edit(host["edit"])
    assert host["path"].read_text() == "deny 203.0.113.7;\nkeep;\n"


def test_an_nginx_that_does_not_run_need_not_reload(host: dict[str, Any]) -> None:
    host["reload"] = (1, 'nginx: [error] invalid PID number "" in "/run/nginx.pid"\n')
    nginx.edit(host["edit"])
    assert host["path"].read_text() == "keep;\n"


def test_an_edit_that_is_done_already_reloads_nothing(host: dict[str, Any]) -> None:
    nginx.edit(Edit(str(host["path"]), 1, "deny 192.0.2.1;", None))
    assert host["calls"] == []
