# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.packages import (
    Differs,
    Verification,
)

from .conftest import NOW, OLD, make_snapshot, remarkable, summed

NEW = NOW - 600
CHANGED, MISSING = "persistence.package.changed", "persistence.package.missing"


class TestPackages:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"path": "/usr/bin/ls", "how": "changed", "runs": True}, (CHANGED, "critical")),
            ({"path": "/usr/bin/ls", "how": "replaced", "runs": True}, (CHANGED, "critical")),
            ({"path": "/usr/share/x", "how": "changed", "ctime": NEW}, (CHANGED, "warning")),
            ({"path": "/usr/share/x", "how": "changed"}, (CHANGED, "notice")),
            ({"path": "/usr/bin/ls", "how": "missing", "runs": True}, (MISSING, "notice")),
            (
                {"path": "/etc/x", "how": "changed", "conffile": True, "ctime": NEW},
                ("persistence.conffile.changed", "notice"),
            ),
        ],
    )
    def test_what_differs_weighs_by_what_it_is(self, given: dict[str, Any], expected: Any) -> None:
        verification = Verification("dpkg", 10, (Differs(**{"package": "p", "ctime": OLD, **given}),))
        assert summed(remarkable(make_snapshot(verification=verification))) == [expected]

    def test_many_files_of_a_package_are_one_finding(self) -> None:
        files = tuple(Differs(f"/usr/bin/{number}", "p", "changed", runs=True) for number in range(300))
        found = remarkable(make_snapshot(verification=Verification("dpkg", 300, files)))
        assert len(found) == 1
        assert found[0].evidence["file_count"] == 300

    def test_checksums_that_were_written_later_prove_nothing(self) -> None:
        verification = Verification("dpkg", 10, edited=("coreutils",))
        assert summed(remarkable(make_snapshot(verification=verification))) == [
            ("persistence.package.edited", "warning")
        ]
