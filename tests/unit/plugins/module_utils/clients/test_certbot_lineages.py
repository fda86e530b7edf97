# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.certbot_lineages import (
    Lineage,
    archived,
    complaints,
    parse,
    parse_log,
    read,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

# certbot 2.1, Debian 12.
CONFIG = """# renew_before_expiry = 30 days
version = 2.1.0
archive_dir = {root}/archive/api.example
cert = {root}/live/api.example/cert.pem
privkey = {root}/live/api.example/privkey.pem
chain = {root}/live/api.example/chain.pem
fullchain = {root}/live/api.example/fullchain.pem

# Options used in the renewal process
[renewalparams]
account = e70ebfa1ec660e1c5f5853bb4e0bc8f8
renew_hook = systemctl reload nginx
server = https://acme.example:14000/dir
authenticator = webroot
webroot_path = /var/www/acme,
key_type = ecdsa
[[webroot_map]]
api.example = /var/www/acme
www.api.example = /var/www/other
"""
ACCOUNT = "accounts/acme.example:14000/dir/e70ebfa1ec660e1c5f5853bb4e0bc8f8"
LOG = """2026-11-22 08:00:00,001:ERROR:certbot._internal.renewal:Failed to renew certificate a with error: old
Successfully received certificate.
2026-11-22 09:09:21,001:DEBUG:acme.client:Storing nonce: x
Certbot failed to authenticate some domains (authenticator: webroot).
  Domain: api.example
  Type:   unauthorized
  Detail: 127.0.0.1: Invalid response from http://api.example/.well-known/acme-challenge/x: 404
2026-11-22 09:09:21,500:ERROR:certbot._internal.renewal:Failed to renew certificate api.example with error: \
Some challenges have failed.
2026-11-22 09:09:21,501:ERROR:certbot._internal.log:
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("renewal", "live/api.example", "archive/api.example", ACCOUNT):
        (tmp_path / folder).mkdir(parents=True)
    for kind in ("cert", "chain", "fullchain", "privkey"):
        for number in (2, 10):
            (tmp_path / f"archive/api.example/{kind}{number}.pem").touch()
        link = tmp_path / f"live/api.example/{kind}.pem"
        link.symlink_to(f"../../archive/api.example/{kind}10.pem")
    (tmp_path / ACCOUNT / "regr.json").touch()
    write(tmp_path, CONFIG)
    return tmp_path


def write(root: Path, text: str) -> None:
    (root / "renewal/api.example.conf").write_text(text.replace("{root}", str(root)))


def only(root: Path) -> Lineage:
    (lineage,) = read(root)
    return lineage


def test_what_certbot_itself_does_not_see_is_no_lineage(root: Path) -> None:
    # Its name would be empty, and certbot takes that for all of them.
    (root / "renewal/.conf").write_text(CONFIG)
    (root / "renewal/.saved.conf").write_text(CONFIG)
    assert only(root).name == "api.example"


def test_its_files_are_found_behind_a_link_too(root: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(root)
    write(
        link, CONFIG.replace("archive/api.example\n", "archive/api.example/\n").replace("{root}", str(link))
    )
    (lineage,) = read(link)
    assert lineage.archive == f"{link}/archive/api.example"
    assert lineage.holds(os.path.realpath(lineage.fullchain))


def test_a_lineage_of_certbot_is_understood(root: Path) -> None:
    lineage = only(root)
    assert (lineage.name, lineage.version, lineage.problem) == ("api.example", "2.1.0", None)
    assert lineage.server == "https://acme.example:14000/dir"
    assert (lineage.authenticator, lineage.hook) == ("webroot", "systemctl reload nginx")
    assert lineage.webroots == {"api.example": "/var/www/acme", "www.api.example": "/var/www/other"}
    assert (lineage.account_present, lineage.renews) == (True, True)
    assert (lineage.live, lineage.key) == (f"{root}/live/api.example", f"{root}/live/api.example/privkey.pem")
    assert [path.name for path in archived(lineage)] == ["cert2.pem", "cert10.pem"]
    assert lineage.holds(f"{root}/archive/api.example/fullchain10.pem")
    assert not lineage.holds(f"{root}/archive/api.example2/fullchain1.pem")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("fullchain = {root}", "nothing = {root}", "does not say where fullchain"),
        ("live/api.example/privkey.pem", "live/gone/privkey.pem", "gone/privkey.pem leads nowhere"),
        ("authenticator = webroot", "", "no authenticator"),
        (CONFIG, "", "does not say where cert and chain and fullchain and privkey"),
        (CONFIG, "\0\xff[[[garbage", "does not say where"),
    ],
)
def test_a_damaged_one_says_what_is_wrong(root: Path, old: str, new: str, problem: str) -> None:
    write(root, CONFIG.replace(old, new))
    assert problem in str(only(root).problem)


def test_what_newer_ones_write_is_understood(root: Path) -> None:
    text = CONFIG.replace("renew_hook = systemctl reload nginx", "deploy_hook = 'sh -c \"echo #1\"'  # note")
    text = text.replace("[renewalparams]\n", "[renewalparams]\nautorenew = False\nari_retry_after = 2027\n")
    text = (
        text[: text.index("[[webroot_map]]")] + "[acme_renewal_info]\nari_retry_after = 2027-01-01T00:00:00\n"
    )
    write(root, text)
    lineage = only(root)
    assert (lineage.hook, lineage.renews) == ('sh -c "echo #1"', False)
    assert lineage.webroots == {"*": "/var/www/acme"}
    assert lineage.problem is None


def test_an_account_that_is_gone_is_seen(root: Path) -> None:
    (root / ACCOUNT / "regr.json").unlink()
    assert only(root).account_present is False
    write(root, CONFIG.replace("https://acme.example:14000/dir", "https://../../../etc"))
    assert only(root).account_present is False


def test_without_certbot_there_is_none(tmp_path: Path) -> None:
    assert read(tmp_path / "gone") == ()
    (tmp_path / "renewal").mkdir()
    assert read(tmp_path) == ()


def test_who_may_not_look_is_not_told_that_there_is_none(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(Unreachable, match=r"Permission denied.*root"):
        read(root)


def test_sections_quotes_and_comments_are_told_apart() -> None:
    text = "a = 1 # one\n'b' = \"two # 2\"\n# c = 3\n[s]\nd=\n[[deep]]\ne = x=y\nnothing\n= z\n"
    found = parse(text)
    assert found[""] == {"a": "1", "b": "two # 2"}
    assert found["s"] == {"d": ""}
    assert found["deep"] == {"e": "x=y", "": "z"}


def test_the_log_tells_the_problem_since_the_last_success(tmp_path: Path) -> None:
    detail, error = parse_log(LOG)
    assert detail.startswith("127.0.0.1: Invalid response")
    assert error.startswith("2026-11-22 09:09:21 Failed to renew certificate api.example")
    assert parse_log("") == parse_log("garbage\0\n") == complaints(tmp_path / "gone") == ()
