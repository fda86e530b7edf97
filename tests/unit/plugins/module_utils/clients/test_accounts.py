# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import accounts
from ansible_collections.firebreak.incident.plugins.module_utils.clients.accounts import Account, Places
from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError, Unreachable

HASH = "$y$j9T$eGtpUd0.kzrVwwPsrQWh0$f6VZ0T5mTt7Kq3bJ"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(
        passwd=tmp_path / "passwd",
        shadow=tmp_path / "shadow",
        linger=tmp_path / "linger",
        crontabs=(tmp_path / "crontabs",),
        at_jobs=(tmp_path / "at",),
        pam=tmp_path / "pam.d",
    )


def write(places: Places, field: str, expires: str = "", passwd: str = "x") -> None:
    places.passwd.write_text(f"deploy:{passwd}:1001:1001::/home/deploy:/bin/bash\nnonsense\n\n")
    places.shadow.write_text(f"root:*:20779:0:99999:7:::\ndeploy:{field}:20779:0:99999:7::{expires}:\n")


@pytest.mark.parametrize(
    ("field", "password"),
    [
        (HASH, "set"),
        ("ab1cdefghijkl", "set"),
        (f"!{HASH}", "locked"),
        (f"!!{HASH}", "locked"),
        ("", "empty"),
        ("!", "none"),
        ("!!", "none"),
        ("*", "none"),
        ("!*", "none"),
        ("*LK*", "none"),
    ],
)
def test_the_password_field_says_what_fits(places: Places, field: str, password: str) -> None:
    write(places, field)
    assert accounts.accounts(places) == (Account("deploy", 1001, "/bin/bash", password),)
    assert HASH not in repr(accounts.accounts(places))


def test_a_hash_in_passwd_itself_is_the_one_that_counts(places: Places) -> None:
    write(places, "!", passwd=HASH)
    assert accounts.accounts(places)[0].password == "set"


def test_the_day_of_expiry_is_read_and_an_account_without_shadow_has_none(places: Places) -> None:
    write(places, HASH, expires="20881")
    assert accounts.accounts(places)[0].expires == 20881
    places.shadow.write_text("")
    assert accounts.accounts(places)[0] == Account("deploy", 1001, "/bin/bash", "none", None, False)


def test_without_the_right_to_read_shadow_nothing_is_said_of_accounts(places: Places) -> None:
    places.passwd.write_text("")
    with pytest.raises(Unreachable, match="Run as root"):
        accounts.accounts(places)


@pytest.mark.parametrize(
    ("before", "after", "expires", "words"),
    [
        ("set", "locked", 1, ["--lock", "--expiredate", "1"]),
        ("empty", "none", 1, ["--lock", "--expiredate", "1"]),
        ("locked", "set", None, ["--unlock", "--expiredate", ""]),
        ("none", "empty", 20881, ["--password", "", "--expiredate", "20881"]),
        ("none", "none", 1, ["--expiredate", "1"]),
    ],
)
def test_a_change_is_one_step(
    monkeypatch: pytest.MonkeyPatch, before: str, after: str, expires: int | None, words: list[str]
) -> None:
    asked: list[Sequence[str]] = []

    def run(argv: Sequence[str], timeout: float) -> Completed:
        asked.append(argv)
        return Completed(argv, 0, "", "")

    monkeypatch.setattr(accounts, "run", run)
    monkeypatch.setattr(accounts, "require", lambda program, package: program)
    accounts.change("deploy", before, after, expires)
    assert asked == [["usermod", *words, "--", "deploy"]]


def test_what_usermod_refuses_is_said_with_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        accounts, "run", lambda argv, timeout: Completed(argv, 1, "", "cannot lock /etc/passwd")
    )
    monkeypatch.setattr(accounts, "require", lambda program, package: program)
    with pytest.raises(FirebreakError, match="account deploy: usermod refused: cannot lock"):
        accounts.change("deploy", "set", "locked", 1)


def test_what_can_start_without_a_login(places: Places) -> None:
    assert accounts.lingering(places) == accounts.with_crontab(places) == frozenset()
    for folder, name in (
        (places.linger, "deploy"),
        (places.crontabs[0], "deploy"),
        (places.at_jobs[0], "a00001"),
    ):
        folder.mkdir()
        (folder / name).write_text("")
    (places.at_jobs[0] / ".SEQ").write_text("")
    assert accounts.lingering(places) == accounts.with_crontab(places) == {"deploy"}
    assert accounts.at_jobs(places) == ((places.at_jobs[0] / "a00001").stat().st_uid,)


@pytest.mark.parametrize(
    ("sshd", "blind"),
    [
        ("@include common-auth\n@include common-account\n", False),
        ("account include common-account\n", False),
        ("account required pam_sss.so\n", False),
        ("# account required pam_unix.so\naccount required pam_nologin.so\n", True),
        ("auth required pam_unix.so\naccount required pam_permit.so\n", True),
        ("@include sshd\n", True),
    ],
)
def test_an_account_phase_that_ignores_the_date_is_seen(places: Places, sshd: str, blind: bool) -> None:
    places.pam.mkdir()
    (places.pam / "common-auth").write_text("auth required pam_unix.so\n")
    (places.pam / "common-account").write_text(
        "account [success=1 new_authtok_reqd=done default=ignore] \\\n  pam_unix.so\n"
    )
    (places.pam / "sshd").write_text(sshd)
    assert accounts.blind_to_expiry("sshd", places) is blind
    assert accounts.blind_to_expiry("atd", places) is False, "a door that does not exist"
