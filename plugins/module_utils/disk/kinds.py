# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file is by its path, for whoever must decide whether it can go. Pure."""

from __future__ import annotations

import re
from typing import Mapping, NamedTuple

LOG, ROTATED, DUMP, CORE = "log", "rotated_log", "dump", "core"
JOURNAL, CACHE = "journal", "package_cache"
CONTAINER_LOG, LAYER = "container_log", "container_layer"
DATABASE, WAL, TEMPORARY, OTHER = "database", "wal", "temporary", "other"
KINDS = (
    *(LOG, ROTATED, DUMP, CORE, JOURNAL, CACHE, CONTAINER_LOG, LAYER, DATABASE, WAL, TEMPORARY),
    OTHER,
)


class Context(NamedTuple):
    """What a directory says of the files in it: a kind, whether their names have no say, whose it is."""

    kind: str
    certain: bool = True
    owner: str = ""


NOTHING = Context(OTHER, False)
# By the last parts of the path of a directory. Below one the same holds until another one is met.
_BY_TAIL: Mapping[str, Context] = {
    "log/journal": Context(JOURNAL, owner="journald"),
    "cache/apt": Context(CACHE, owner="apt"),
    "apt/lists": Context(CACHE, owner="apt lists"),
    "cache/dnf": Context(CACHE, owner="dnf"),
    "cache/libdnf5": Context(CACHE, owner="dnf"),
    "cache/yum": Context(CACHE, owner="yum"),
    "cache/zypp": Context(CACHE, owner="zypper"),
    "cache/PackageKit": Context(CACHE, owner="PackageKit"),
    "pacman/pkg": Context(CACHE, owner="pacman"),
    "cache/apk": Context(CACHE, owner="apk"),
    "snapd/cache": Context(CACHE, owner="snapd"),
    ".cache/pip": Context(CACHE, owner="pip"),
    ".cache/uv": Context(CACHE, owner="uv"),
    ".cache/yarn": Context(CACHE, owner="yarn"),
    ".cache/go-build": Context(CACHE, owner="go"),
    ".cache/composer": Context(CACHE, owner="composer"),
    ".npm/_cacache": Context(CACHE, owner="npm"),
    "systemd/coredump": Context(CORE, owner="systemd-coredump"),
    "log/pods": Context(CONTAINER_LOG, owner="kubelet"),
    "docker/overlay2": Context(LAYER, owner="docker"),
    "docker/image": Context(LAYER, owner="docker"),
    "docker/buildkit": Context(LAYER, owner="docker"),
    "docker/containers": Context(OTHER, False, "docker"),
    "storage/overlay": Context(LAYER, owner="podman"),
    "containerd/io.containerd.content.v1.content": Context(LAYER, owner="containerd"),
    "containerd/io.containerd.snapshotter.v1.overlayfs": Context(LAYER, owner="containerd"),
    # Files of a volume are what they are called.
    "docker/volumes": Context(OTHER, False, "docker"),
}
_BY_PATH: Mapping[str, Context] = {
    "/tmp": Context(TEMPORARY, False),
    "/var/crash": Context(CORE, owner="kernel and apport"),
    "/var/lib/postgresql": Context(DATABASE, False, "postgresql"),
    "/var/lib/pgsql": Context(DATABASE, False, "postgresql"),
    "/var/lib/mysql": Context(DATABASE, False, "mysql"),
    "/var/lib/mongodb": Context(DATABASE, False, "mongodb"),
    "/var/lib/redis": Context(DATABASE, False, "redis"),
    "/var/lib/elasticsearch": Context(DATABASE, False, "elasticsearch"),
    "/var/lib/prometheus": Context(DATABASE, False, "prometheus"),
    "/var/log": Context(LOG, False),
    "/var/tmp": Context(TEMPORARY, False),
}
_BY_NAME: Mapping[str, Context] = {
    "pg_wal": Context(WAL, owner="postgresql"),
    "pg_xlog": Context(WAL, owner="postgresql"),
    "logs": Context(LOG, False),
    "backups": Context(DUMP, False),
    "backup": Context(DUMP, False),
}
_DATABASE = Context(DATABASE, False, "postgresql")
_TABLES = re.compile(r"/base/\d+$|/pg_(?!wal)[a-z]+$")

_BY_ENDING: Mapping[str, str] = {
    **dict.fromkeys((".log", ".err"), LOG),
    **dict.fromkeys((".sql", ".dump", ".bak", ".backup", ".pgdump", ".pgsql", ".hprof", ".bkp"), DUMP),
    **dict.fromkeys((".core", ".vmcore"), CORE),
    **dict.fromkeys((".ibd", ".sqlite", ".sqlite3", ".db", ".rdb", ".aof", ".wt", ".mdb"), DATABASE),
    **dict.fromkeys((".tmp", ".temp", ".swp", ".part"), TEMPORARY),
    **dict.fromkeys((".deb", ".rpm"), CACHE),
    **dict.fromkeys((".journal", ".journal~"), JOURNAL),
}
# The name before these tells, or the place.
_PACKED = frozenset({".old", ".gz", ".xz", ".zst", ".bz2", ".lz4", ".zip", ".tgz", ".tar", ".7z"})
_ARCHIVE = re.compile(r"\.(?:tar\.\w+|tgz|tar|zip|7z)$|\.(?:sql|dump|bak|backup|rdb)\.\w+$", re.IGNORECASE)
# app.log.1, app.log-20261122, app-2026-11-22.log.gz, syslog.2.gz, messages-20261122, app.log.2026-11-22T03
_TURN = r"(?:\.\d{1,4}|[-_.]\d{4}-?\d\d-?\d\d(?:[-_T.]?\d[\d:-]*)?|[-_.]\d{10})"
_ROTATED = re.compile(rf"(?:\.(?:log|out|err){_TURN}|{_TURN}\.(?:log|out|err))(?:\.\w{{1,3}})?$")
_ROTATED_HERE = re.compile(rf"{_TURN}(?:\.\w{{1,3}})?$|\.old$")
_PACKED_LOG = re.compile(r"\.(?:log|out|err)\.\w{1,3}$")
_CORE = re.compile(r"core(?:\.\d+|\.[^/]+\.\d+)?$")
_CONTAINER_LOG = re.compile(r"[0-9a-f]{64}-json\.log(?:\.\d+)?(?:\.gz)?$")
# A segment of PostgreSQL's WAL, wherever it was archived to; a binary log of MySQL.
_WAL = re.compile(r"[0-9A-F]{24}(?:\.(?:partial|gz|zst|lz4))?$|(?:mysql-bin|binlog|mariadb-bin)\.\d{6}$")


def context_of(path: str, above: Context) -> Context:
    """Of the directory `path`; `above` is that of the directory it is in."""
    head, _slash, name = path.rpartition("/")
    if above.certain:
        return above
    found = _BY_PATH.get(path) or _BY_TAIL.get(head.rpartition("/")[2] + "/" + name) or _BY_NAME.get(name)
    if found is not None:
        return found if found.kind != LOG or above.kind in (OTHER, TEMPORARY) else above
    if (name.startswith("pg_") or name.isdigit()) and _TABLES.search(path):
        return _DATABASE
    return above


def kind_of(name: str, context: Context) -> str:
    """Of a file of that name in a directory of that context."""
    if context.certain:
        return context.kind
    dot = name.rfind(".")
    if dot >= 0:
        ending = name[dot:]
        known = _BY_ENDING.get(ending)
        if known is not None:
            if known is LOG and _ROTATED.search(name):
                return ROTATED
            return CONTAINER_LOG if known is LOG and _CONTAINER_LOG.match(name) else known
        if ending in _PACKED or not ending[1:].isalpha():
            return _packed(name, context.kind)
        return context.kind
    if len(name) < 24 and "-" not in name and name != "core":
        return context.kind
    return _packed(name, context.kind)


def settles(ending: str) -> bool:
    """Whether the kind of every file with this ending is the same in one context."""
    return ending[1:].isalpha() and ending not in _PACKED and _BY_ENDING.get(ending) is not LOG


def _packed(name: str, around: str) -> str:
    if _CONTAINER_LOG.match(name):
        return CONTAINER_LOG
    if _WAL.match(name):
        return WAL
    if _ARCHIVE.search(name):
        return DUMP
    if around == LOG:
        return ROTATED if _ROTATED_HERE.search(name) or _PACKED_LOG.search(name) else LOG
    if _ROTATED.search(name) or _PACKED_LOG.search(name):
        return ROTATED
    if _CORE.match(name):
        return CORE
    return around
