# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.persistence.accounts import (
    fingerprint,
    key_files,
    parse_keys,
    parse_passwd,
    sshd_settings,
)
from ansible_collections.firebreak.incident.plugins.module_utils.persistence.model import (
    Account,
    Item,
    Setting,
)

BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAIBfwdHo/fGW0e/ci01HZOPPEcM33/xtkLaKs4DKW7izR"
ADA = Account("ada", 1000, "/home/ada", "/bin/sh", "set")


def test_the_fingerprint_is_that_of_ssh_keygen() -> None:
    assert fingerprint(BLOB) == "SHA256:T9nLiSA8BkwXxZHNL2ucy+jBelZKMocFYQyhfWZY2+I"
    assert fingerprint("AAA!") == ""


@pytest.mark.parametrize(
    ("line", "options", "comment"),
    [
        (f"ssh-ed25519 {BLOB} ops@backup", "", "ops@backup"),
        (f"ssh-ed25519 {BLOB}", "", ""),
        (f'command="echo ssh-rsa x",no-pty ssh-ed25519 {BLOB} a b', 'command="echo ssh-rsa x",no-pty', "a b"),
        (f'from="10.0.0.0/8"\tsk-ssh-ed25519@openssh.com {BLOB} k\r', 'from="10.0.0.0/8"', "k"),
    ],
)  # fmt: skip
def test_a_key_has_options_and_a_comment(line: str, options: str, comment: str) -> None:
    (key,) = parse_keys(f"# ssh-rsa {BLOB} off\n\n{line}\n", Item("key", "/x"), "ada")
    assert (key.text, key.detail["comment"], key.detail["user"]) == (options, comment, "ada")
    assert key.name == fingerprint(BLOB)


@pytest.mark.parametrize("text", ["", "ssh-rsa", "\udcff" * 9000, "ssh-a " * 20000, "x" * 10**6])
def test_garbage_has_no_keys(text: str) -> None:
    assert list(parse_keys(text, Item("key", "/x"), "ada")) == []


def test_where_sshd_looks_for_keys() -> None:
    patterns = [".ssh/authorized_keys", "/etc/ssh/keys/%u", "%h/k%%", "/k/%U"]
    assert list(key_files(ADA, patterns)) == [
        "/home/ada/.ssh/authorized_keys", "/etc/ssh/keys/ada", "/home/ada/k%", "/k/1000",
    ]  # fmt: skip


def test_accounts_and_their_passwords() -> None:
    text = "root:x:0:0:r:/root:/bin/bash\nbad\nx:y:z:0:::\nada::1000:1000::/home/ada:/bin/sh\n+nis::::::\n"
    assert list(parse_passwd(text, {"root": "locked"})) == [
        Account("root", 0, "/root", "/bin/bash", "locked"),
        Account("ada", 1000, "/home/ada", "/bin/sh", "empty"),
    ]


def test_included_settings_of_sshd_are_read_and_circles_end(tmp_path: Path) -> None:
    main, part = tmp_path / "sshd_config", tmp_path / "parts.d" / "a.conf"
    part.parent.mkdir()
    main.write_text(f"# Port 1\nInclude {part.parent}/*.conf\nUsePAM yes\nMatch User x\n  ForceCommand=/x\n")
    part.write_text(f"PermitRootLogin yes\nInclude {main}\n")
    found = list(sshd_settings(str(main)))
    assert Setting(str(part), "permitrootlogin", "yes") in found
    assert found[-1] == Setting(str(main), "forcecommand", "/x")
    assert len(found) < 30
