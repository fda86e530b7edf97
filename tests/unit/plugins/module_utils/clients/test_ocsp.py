# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import ocsp
from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed

TIMES = "\n\tThis Update: Nov 22 00:00:00 2026 GMT\n\tRevocation Time: Nov 21 00:00:00 2026 GMT\n"
OK = "Response verify OK\n"


@pytest.mark.parametrize(
    ("stdout", "stderr", "expected"),
    [
        (f"cert.pem: revoked{TIMES}", OK, True),
        (f"cert.pem: good{TIMES}", OK, False),
        (f"cert.pem: unknown{TIMES}", OK, None),
        # Anybody on the way could have written it.
        ("cert.pem: revoked\n", "Response Verify Failure\n", None),
        ("", "", None),
    ],
)
def test_only_a_signed_answer_counts(stdout: str, stderr: str, expected: bool | None) -> None:
    assert ocsp.status(stdout, stderr) is expected


def test_a_certificate_that_names_no_responder_is_not_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(argv: list[str], timeout: float) -> Completed:
        asked.append(argv)
        return Completed(argv, 0, "\n", "")

    monkeypatch.setattr(ocsp, "run", run)
    monkeypatch.setattr(ocsp, "require", lambda program, package: program)
    assert ocsp.revoked("/cert.pem", "/chain.pem") is None
    assert len(asked) == 1
