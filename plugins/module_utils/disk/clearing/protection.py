# SPDX-License-Identifier: GPL-3.0-or-later
"""What is never deleted or cut, whatever it is called, and what is not while an incident is open."""

from __future__ import annotations

import os
import re
from typing import Callable

from .roots import within

OWN = ("/var/lib/firebreak", "/run/firebreak")
WAL = frozenset({"pg_wal", "pg_xlog", "pg_tblspc", "appendonlydir"})
# A directory with one of these is the data of a server, with everything below it.
MARKS = ("PG_VERSION", "appendonly.aof", "dump.rdb", "ibdata1", "WiredTiger")
_DATA = re.compile(r".*\.(?:rdb|aof|ibd|wal)$", re.IGNORECASE)
_LEDGER = frozenset({"ledger.jsonl"})
# Whoever writes to them does not make them: without them, no login is written down any more.
_NEVER_MADE = frozenset({"wtmp", "btmp", "utmp", "lastlog", "faillog", "tallylog"})

# What tells of a break-in. A rotated or compressed one counts like the first.
_EVIDENCE = re.compile(
    r"(?:auth\.log|secure|security|wtmp|btmp|utmp|lastlog|faillog|tallylog|fail2ban|sudo|sshd?\b|ufw"
    r"|messages|syslog|kern\.log|user\.log|daemon\.log|mail|cron|dpkg\.log|yum\.log|dnf|vsftpd|xferlog"
    r"|postgresql|mysql|mariadb)",
    re.IGNORECASE,
)
_ANYWHERE = re.compile(r"(?:^|[^a-z])(?:access|audit)", re.IGNORECASE)
_DIRECTORIES = frozenset({"audit", "journal", "sudo-io", "fail2ban", "evidence", "apt"})
# Any log of theirs is one of who came and asked for what.
_SERVERS = frozenset({"nginx", "apache2", "httpd", "caddy", "haproxy", "traefik"})


def is_evidence(path: str) -> bool:
    """Whether it may tell who was here."""
    *directories, name = path.strip("/").split("/")
    lowered = {each.lower() for each in directories}
    return bool(
        _EVIDENCE.match(name) or _ANYWHERE.search(name) or lowered & _DIRECTORIES or lowered & _SERVERS
    )


def why_not(path: str) -> str | None:
    """Why a file is not touched at all, by what it is called and where it is."""
    parts = path.strip("/").split("/")
    if any(within(path, own) for own in OWN) or parts[-1] in _LEDGER:
        return "it belongs to Firebreak's own records"
    if parts[-1] in _NEVER_MADE:
        return "logins are only written to it as long as it is there"
    if set(parts) & WAL:
        return "it belongs to a database's write-ahead log"
    if _DATA.match(parts[-1]):
        return "it is the data of a server"
    if "journal" in parts and parts[-1].endswith((".journal", ".journal~")):
        return "it belongs to the journal, which has a lever of its own"
    return None


def data_directory(path: str, exists: Callable[[str], bool] = os.path.lexists) -> str | None:
    """The data directory of a server that `path`, a directory, is or lies in."""
    while True:
        if any(exists(f"{path.rstrip('/')}/{mark}") for mark in MARKS):
            return path
        if path in ("/", ""):
            return None
        path = path.rpartition("/")[0] or "/"
