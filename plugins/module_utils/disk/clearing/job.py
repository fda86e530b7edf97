# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what the module `disk_space` needs for what it was asked."""

from __future__ import annotations

from typing import Any, Mapping

from ...clients.procfs import Procfs
from ...errors import BadInput
from ...information import Context
from ...ledger import Ledger, places
from ...lifecycle import Decision, Job
from ...plan import DISRUPTIVE, RISKS
from ...quantities import parse_duration, parse_size
from ...services import POSTGRES_SPEC, SERVICES_SPEC, parse_services
from .act import Workshop
from .choose import choose
from .decide import decide
from .incident import AUTO, CHOICES
from .manifest import Manifest
from .model import BACKUPS, CACHES, COMPRESS, LEVERS, OLD_LOGS, REOPEN, Policy, Snapshot
from .observe import Request, observe
from .pack import Packer
from .probe import can_write
from .reopening import Reopener
from .spares import Backups, keep_of

STAGING = "staging"
MOST_PROBES = 10
# Logs younger than that are not deleted, in seconds.
YOUNGEST = 3600
SPEC: Mapping[str, Any] = {
    **SERVICES_SPEC,
    **POSTGRES_SPEC,
    "path": {"type": "path"},
    "free": {"type": "str"},
    "levers": {
        "type": "list",
        "elements": "str",
        "choices": list(LEVERS),
        "default": [REOPEN, CACHES, COMPRESS],
    },
    "log_roots": {"type": "list", "elements": "path", "default": []},
    "older_than": {"type": "str", "default": "7d"},
    "journal_keep": {"type": "str", "default": "100m"},
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
    "keep": {"type": "int"},
    "security_incident": {"type": "str", "choices": list(CHOICES), "default": AUTO},
    "max_risk": {"type": "str", "choices": list(RISKS), "default": DISRUPTIVE},
}


def job(params: Mapping[str, Any], ledger: Ledger | None = None) -> Job[Snapshot]:
    """Raises `BadInput`."""
    policy, procfs, book = _policy(params), Procfs(), ledger or Ledger()
    backups = Backups(params) if BACKUPS in policy.levers else None
    request = Request(
        path=params["path"],
        free=params["free"],
        levers=policy.levers,
        roots=policy.roots,
        security_incident=params["security_incident"],
        evidence=Context.from_params(params).evidence,
        services=parse_services(params["services"]),
        spares=backups.spares if backups else tuple,
    )
    manifest = Manifest(Context.from_params(params).run)
    workshop = Workshop(
        procfs=procfs,
        manifest=manifest,
        packer=Packer([f"{place}/{STAGING}" for place in places()], manifest.note),
        reopener=Reopener(procfs),
        delete_backup=backups.delete if backups else _no_backups,
    )
    probed: tuple[str, ...] = ()

    def look() -> Snapshot:
        nonlocal probed
        snapshot = observe(procfs, request, book.entries())
        if workshop.begun:
            workshop.manifest.settle()
        else:
            probed = tuple(path for place in snapshot.places for path in place.probes)[:MOST_PROBES]
        return snapshot

    def judge(snapshot: Snapshot) -> Decision:
        choice = choose(snapshot, policy)
        if not workshop.begun:
            workshop.batches = choice.batches
            return decide(snapshot, policy, choice)
        # Nothing is written by who only looks; so the proof comes after something was done.
        probes = {path: can_write(path) for path in probed}
        return decide(snapshot, policy, choice, workshop.work, probes)

    return Job(observe=look, decide=judge, perform=workshop.performers())


def _policy(params: Mapping[str, Any]) -> Policy:
    levers, keep = params["levers"], keep_of(params)
    if OLD_LOGS in levers and not params["log_roots"]:
        raise BadInput("old_logs", "it deletes logs, and no directory is named", "Give log_roots.")
    if keep < 1:
        raise BadInput(f"keep {keep}", "the last backup is never deleted", "Give 1 or more.")
    older_than = parse_duration(params["older_than"])
    # A plain number is one of seconds, and who writes 7 means days.
    if OLD_LOGS in levers and older_than < YOUNGEST:
        raise BadInput(
            f"older_than {params['older_than']!r}", "that is less than an hour", "Write for example 7d."
        )
    return Policy(
        levers=levers,
        older_than=older_than,
        journal_keep=parse_size(params["journal_keep"]),
        keep=keep,
        roots=params["log_roots"] or None,
    )


def _no_backups(identity: Mapping[str, Any]) -> None:
    raise BadInput("backups", "it was not asked for", "Name it in levers.")
