# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.roots import (
    directories_of,
    log_roots,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import (
    BadInput,
)


@pytest.mark.parametrize(
    "root",
    [
        "/",
        "//",
        "/var",
        "/var/",
        "/etc",
        "/etc/ssl",
        "/usr",
        "/home",
        "/var/lib",
        "/var/lib/postgresql",
        "var",
        "/no",
    ],
)
def test_a_directory_that_holds_other_things_is_no_log_root(root: str) -> None:
    with pytest.raises(BadInput):
        log_roots([root], ())


def test_a_link_to_a_refused_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "logs").symlink_to("/etc")
    with pytest.raises(BadInput, match="/etc"):
        log_roots([str(tmp_path / "logs")], ())
    (tmp_path / "app/inner").mkdir(parents=True)
    assert log_roots([str(tmp_path / "app"), str(tmp_path / "app/inner")], ()) == (str(tmp_path / "app"),)


def test_a_link_that_a_pattern_finds_leads_nowhere(tmp_path: Path) -> None:
    for name in ("real/apps/one/logs", "elsewhere/logs"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "apps").symlink_to(tmp_path / "real/apps")
    (tmp_path / "real/apps/two").symlink_to(tmp_path / "elsewhere")
    assert directories_of(f"{tmp_path}/apps/*/logs/*.log") == (f"{tmp_path}/apps/one/logs",)
    assert directories_of("/var/lo[g]/*.log") == ("/var/log",)
