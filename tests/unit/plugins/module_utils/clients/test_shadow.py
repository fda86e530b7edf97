# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import shadow
from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError, Unreachable

# openssl passwd -6 -salt saltstring "Hello world!"
SHA512 = (
    "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
)


def test_the_field_of_an_account_is_found(tmp_path: Path) -> None:
    path = tmp_path / "shadow"
    path.write_text(f"root:*:19000:0:99999:7:::\ndeploy:{SHA512}:19000::::::\nodd\n\n")
    assert shadow.password_hash("deploy", path) == SHA512
    assert shadow.password_hash("root", path) == "*"
    assert shadow.password_hash("dep", path) is None
    with pytest.raises(Unreachable, match="become"):
        shadow.password_hash("deploy", tmp_path / "none")


@pytest.mark.parametrize("stored", ["", "*", "!", "!!", f"!{SHA512}", "x"])
def test_a_locked_account_has_no_password(stored: str) -> None:
    assert not shadow.usable(stored)
    assert shadow.matches("Hello world!", stored) is False


def test_a_password_is_compared_by_the_systems_library() -> None:
    if shadow.matches("x", SHA512) is None:
        pytest.skip("no libcrypt on this machine")
    assert shadow.matches("Hello world!", SHA512) is True
    assert shadow.matches("hello world!", SHA512) is False


def test_a_method_that_nobody_knows_cannot_be_told() -> None:
    assert shadow.matches("x", "$nosuch$salt$hash") is None


def test_without_a_library_it_cannot_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "LIBRARIES", ("libnosuch.so.9",))
    assert shadow.matches("Hello world!", SHA512) is None


def test_the_password_goes_by_standard_input_and_not_into_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def run(argv: list[str], timeout: float, stdin: str) -> Completed:
        asked.append((argv[1:], stdin))
        return Completed(argv, 1, "", "chpasswd: line 1: hunter2 is too short")

    monkeypatch.setattr(shadow, "require", lambda program, package: program)
    monkeypatch.setattr(shadow, "run", run)
    with pytest.raises(FirebreakError) as caught:
        shadow.set_password("deploy", "hunter2")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(FirebreakError):
        shadow.set_hash("deploy", SHA512)
    assert asked == [([], "deploy:hunter2\n"), (["-e"], f"deploy:{SHA512}\n")]
