# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may log in: accounts, their keys and what sshd is told."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from dataclasses import replace
from typing import Iterator, Sequence

from .look import expand, item_at, read, text_of
from .model import Account, Accounts, Item, Setting

SSHD_CONFIG = "/etc/ssh/sshd_config"
DEFAULT_KEY_FILES = ".ssh/authorized_keys .ssh/authorized_keys2"
INCLUDE_DEPTH = 4
LONGEST_KEY = 16384
PASSWD_LIMIT = 8 * 1024 * 1024
_KEY = re.compile(
    r"(?P<options>.*?)(?:^|\s)"
    r"(?P<type>(?:ssh|ecdsa-sha2|sk-ssh|sk-ecdsa-sha2)-[a-z0-9@.-]{1,60})[ \t]{1,8}"
    r"(?P<blob>[A-Za-z0-9+/]{40,}={0,3})"
    r"(?:[ \t](?P<comment>.*))?$"
)


def observe_accounts() -> Accounts:
    passwords = dict(_passwords(text_of("/etc/shadow", PASSWD_LIMIT)))
    accounts = tuple(parse_passwd(text_of("/etc/passwd", PASSWD_LIMIT), passwords))
    before = text_of("/etc/passwd-", PASSWD_LIMIT)
    passwd = item_at("account", "/etc/passwd")
    settings = tuple(sshd_settings(SSHD_CONFIG))
    return Accounts(
        accounts=accounts,
        earlier=frozenset(account.name for account in parse_passwd(before, {})) if before else None,
        changed=passwd.ctime if passwd else 0.0,
        docker_members=tuple(_members("docker", accounts)),
        keys=tuple(_keys(accounts, settings)),
        settings=settings,
    )


def homes() -> list[str]:
    """The home of every account of this host, each once."""
    found = (account.home.rstrip("/") for account in parse_passwd(text_of("/etc/passwd", PASSWD_LIMIT), {}))
    return sorted({home for home in found if home.count("/") and home not in ("/nonexistent", "/proc")})


def parse_passwd(text: str, passwords: dict[str, str]) -> Iterator[Account]:
    for line in text.split("\n"):
        fields = line.split(":")
        if len(fields) == 7 and fields[2].isdigit():
            password = "empty" if not fields[1] else passwords.get(fields[0], "unknown")
            yield Account(fields[0], int(fields[2]), fields[5], fields[6], password)


def parse_keys(text: str, item: Item, user: str) -> Iterator[Item]:
    """The keys of one authorized_keys file, named by their fingerprints as ssh-keygen gives them."""
    for line in text.split("\n"):
        found = None if line.lstrip().startswith("#") else _KEY.match(line.strip()[:LONGEST_KEY])
        if found is None:
            continue
        yield replace(
            item,
            kind="key",
            name=fingerprint(found["blob"]),
            text=found["options"].strip(),
            sha256=hashlib.sha256(found["options"].encode("utf-8", "surrogateescape")).hexdigest(),
            detail={"user": user, "type": found["type"], "comment": (found["comment"] or "").strip()[:200]},
        )


def fingerprint(blob: str) -> str:
    """`SHA256:…` of a public key in base64; empty when it is none."""
    try:
        data = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return "SHA256:" + base64.b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def sshd_settings(path: str, depth: int = INCLUDE_DEPTH) -> Iterator[Setting]:
    """Every line of sshd's configuration that sets something, also those for certain users only."""
    for line in text_of(path).split("\n"):
        keyword, _space, value = line.strip().replace("=", " ", 1).partition(" ")
        if not keyword or keyword.startswith("#"):
            continue
        if keyword.lower() == "include" and depth:
            for pattern in value.split():
                for included in expand(pattern if pattern.startswith("/") else f"/etc/ssh/{pattern}"):
                    yield from sshd_settings(included, depth - 1)
        else:
            yield Setting(path, keyword.lower(), value.strip().strip('"'))


def key_files(account: Account, patterns: Sequence[str]) -> Iterator[str]:
    """Where sshd looks for the keys of an account."""
    for pattern in patterns:
        path = pattern.replace("%%", "\0").replace("%h", account.home).replace("%u", account.name)
        path = path.replace("%U", str(account.uid)).replace("\0", "%")
        yield path if path.startswith("/") else f"{account.home.rstrip('/')}/{path}"


def _keys(accounts: Sequence[Account], settings: Sequence[Setting]) -> Iterator[Item]:
    values = [setting.value for setting in settings if setting.keyword == "authorizedkeysfile"]
    patterns = sorted({pattern for value in values or [DEFAULT_KEY_FILES] for pattern in value.split()})
    # Not asked for by sshd any more, yet one line of configuration away.
    patterns = sorted({*patterns, *DEFAULT_KEY_FILES.split()} - {"none"})
    seen = set()
    for account in accounts:
        for path in key_files(account, patterns):
            item = None if path in seen else item_at("key", path)
            seen.add(path)
            if item is not None and "link" in item.detail:
                # sshd follows it, so what counts is where it leads.
                item = item_at("key", os.path.realpath(path))
            if item is not None:
                yield from parse_keys(read(item).text, item, account.name)


def _passwords(shadow: str) -> Iterator[tuple[str, str]]:
    for line in shadow.split("\n"):
        fields = line.split(":")
        if len(fields) > 2:
            password = fields[1]
            locked = password.startswith(("!", "*"))
            yield fields[0], "locked" if locked else "set" if password else "empty"


def _members(group: str, accounts: Sequence[Account]) -> Iterator[str]:
    for line in text_of("/etc/group", PASSWD_LIMIT).split("\n"):
        fields = line.split(":")
        if len(fields) == 4 and fields[0] == group:
            yield from (name for name in fields[3].split(",") if name)
