# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what the modules `pg_backup_info` and `pg_backup` need for what they were asked."""

from __future__ import annotations

import math
import shlex
from typing import Any, Callable, Mapping, Sequence

from ...errors import BadInput, Unreachable
from ...finding import Finding
from ...information import Context
from ...lifecycle import Job
from ...moments import parse_iso
from ...plan import DESTRUCTIVE, DISRUPTIVE, RISKS
from ...quantities import parse_duration
from ..entry import SPEC as ENTRY
from ..entry import reach
from ..server import Server, describe
from .act import Setting, performers
from .catalogue import GLOBALS, Backup, by_age, everything, unfinished
from .decide import Wishes, change, inform
from .observe import (
    DEPTHS,
    NEWEST,
    Cluster,
    Examined,
    Proofs,
    Snapshot,
    cluster_of,
    examined,
    now,
    reader,
    room_of,
    wanted,
    way_in,
)

SHARED: Mapping[str, Any] = {
    **ENTRY,
    "backup": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "directory": {"type": "path", "default": "/var/backups/firebreak"},
            "keep": {"type": "int", "default": 7},
            "command": {"type": "raw"},
            "command_user": {"type": "str"},
        },
    },
    "databases": {"type": "list", "elements": "str", "default": []},
    "all_databases": {"type": "bool", "default": False},
    "timeout": {"type": "str", "default": "1h"},
}
INFO_SPEC: Mapping[str, Any] = {
    **SHARED,
    "verify": {"type": "str", "choices": list(DEPTHS), "default": NEWEST},
    "max_age": {"type": "str", "default": "26h"},
}
# What the life cycle asks of every module, with the risk that taking a backup has.
SPEC: Mapping[str, Any] = {
    **SHARED,
    "max_age": {"type": "str", "default": "1h"},
    "since": {"type": "str"},
    "lock_timeout": {"type": "str", "default": "10s"},
    "prune": {"type": "bool", "default": False},
    "max_risk": {"type": "str", "choices": list(RISKS), "default": DISRUPTIVE},
}


def information(
    params: Mapping[str, Any],
) -> tuple[Callable[[], Snapshot], Callable[[Snapshot], tuple[Mapping[str, Any], Sequence[Finding]]]]:
    """What `run_info` takes. A server that does not answer is no reason not to look at the files."""
    max_age, seconds = parse_duration(params["max_age"]), parse_duration(params["timeout"])

    def observe() -> Snapshot:
        server, unseen = way_in(params)
        cluster = None
        if not unseen:
            try:
                cluster = cluster_of(server)
            except Unreachable as error:
                unseen = str(error)
        proofs = Proofs(reader(server), seconds)
        return _snapshot(params, server, cluster, unseen, lambda own: examined(own, proofs, params["verify"]))

    return observe, lambda snapshot: inform(snapshot, max_age)


def job(params: Mapping[str, Any]) -> Job[Snapshot]:
    wishes, server = _wishes(params), reach(params)
    seconds = parse_duration(params["timeout"])
    proofs = Proofs(reader(server), seconds)
    seen: list[Cluster] = []

    def observe() -> Snapshot:
        cluster = cluster_of(server)
        seen[:] = [cluster]
        return _snapshot(
            params,
            server,
            cluster,
            "",
            lambda own: examined(own, proofs, NEWEST, wishes.since, recorded=wishes.prune),
            lambda one: wishes.prune and proofs.of(one).ok,
        )

    setting = Setting(
        server=server,
        cluster=lambda: seen[0],
        proofs=proofs,
        context=Context.from_params(params),
        seconds=seconds,
        lock_seconds=parse_duration(params["lock_timeout"]),
    )
    return Job(
        observe=observe,
        decide=lambda snapshot: change(snapshot, wishes),
        perform=performers(setting),
    )


def _snapshot(
    params: Mapping[str, Any],
    server: Server,
    cluster: Cluster | None,
    unseen: str,
    examine: Callable[[Sequence[Backup]], tuple[Examined, ...]],
    counted: Callable[[Backup], bool] = lambda one: True,
) -> Snapshot:
    directory = params["backup"]["directory"]
    configured = server.administrator.database
    databases = wanted(params["databases"], params["all_databases"], configured, cluster, server)
    moment = now()
    backups = by_age(everything(directory), moment)
    dumps = [one for one in backups if one.kind != GLOBALS]
    # One without a name can be of the only database that is meant, but not of each of several.
    unnamed = [None] if len(databases) == 1 else []
    return Snapshot(
        subject=describe(server),
        now=moment,
        databases=databases,
        examined={
            name: examine([one for one in dumps if one.database in (name, *unnamed)]) for name in databases
        },
        room=room_of(directory, server, cluster),
        cluster=cluster,
        unseen=unseen,
        globals=tuple(one for one in backups if one.kind == GLOBALS and counted(one)),
        unfinished=unfinished(directory),
    )


def _wishes(params: Mapping[str, Any]) -> Wishes:
    backup, present = params["backup"], now()
    # The names of files and the times in manifests are not finer than that.
    since = math.floor(
        parse_iso(params["since"]).timestamp()
        if params["since"]
        else present - parse_duration(params["max_age"])
    )
    if backup["keep"] < 1:
        raise BadInput(f"keep {backup['keep']}", "the last backup is never deleted", "Give 1 or more.")
    if params["prune"] and params["max_risk"] != DESTRUCTIVE:
        raise BadInput("prune", "it deletes backups, which is destructive", "Give max_risk: destructive.")
    return Wishes(
        since=since,
        max_age=max(0, math.floor(present) - since),
        keep=backup["keep"],
        prune=params["prune"],
        command=_words(backup["command"]),
        command_user=backup["command_user"],
    )


def _words(command: Any) -> tuple[str, ...]:
    if not command:
        return ()
    try:
        words = shlex.split(command) if isinstance(command, str) else list(map(str, command))
    except ValueError as error:
        raise BadInput(f"command {command!r}", str(error), "Write it as a list of words.") from None
    if isinstance(command, dict) or not words or not words[0].startswith("/"):
        problem = "it is not the full path of a program and its words"
        raise BadInput(f"command {command!r}", problem, "Give its path, or a list of words.")
    return tuple(words)
