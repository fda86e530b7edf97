# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what the module `network_isolation` needs for what it was asked."""

from __future__ import annotations

from typing import Any, Mapping

from ..clients import network, sockets, systemd
from ..clients.command import require
from ..clients.network import Responder
from ..errors import BadInput, FirebreakError, IdentityChanged, Unreachable
from ..information import Context, run_info
from ..ledger import Ledger
from ..lifecycle import Job, run_change
from . import act, decide, observe
from .observe import ISOLATE, RELEASE, Snapshot
from .request import Request

ISOLATED, RELEASED = "isolated", "released"
SPEC: Mapping[str, Any] = {
    "state": {"type": "str", "choices": [ISOLATED, RELEASED], "default": ISOLATED},
    "management_addresses": {"type": "list", "elements": "str", "default": []},
    "dead_man_seconds": {"type": "str", "default": "120"},
    "confirm": {
        "type": "dict",
        "options": {
            "timer": {"type": "str", "required": True},
            "connection": {"type": "str", "required": True},
        },
    },
}


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Isolate, release, or confirm what was isolated before."""
    ledger = Ledger()
    if params["confirm"]:
        return _confirm(params["confirm"], ledger)
    if params["state"] == RELEASED:
        job = Job(lambda: observe.look(ledger), decide.release, {RELEASE: act.release})
        return run_change(params, check_mode, job, ledger, cooldown=False)
    return _isolate(params, check_mode, ledger)


def _isolate(params: Mapping[str, Any], check_mode: bool, ledger: Ledger) -> dict[str, Any]:
    _require_dead_man()
    responder = network.responder()
    request = Request.of(params, responder, {each.address for each in network.own_addresses()})
    isolation = act.Isolation(Context.from_params(params).run)

    def look() -> Snapshot:
        snapshot = observe.look(ledger)
        _require_connection(responder, snapshot)
        return snapshot

    job = Job(
        observe=look,
        decide=lambda snapshot: decide.isolate(snapshot, request, isolation.armed),
        perform={ISOLATE: isolation.isolate, RELEASE: act.release},
    )
    try:
        # Whoever had to mend the way in first isolates for the fourth time, and that is no loop.
        result = run_change(params, check_mode, job, ledger, cooldown=False)
    except FirebreakError as error:
        if error.result:
            error.result = {**error.result, **_for_the_proof(responder, request)}
        raise
    return {**result, **_for_the_proof(responder, request)}


def _for_the_proof(responder: Responder | None, request: Request) -> dict[str, Any]:
    """What the controller needs to confirm an isolation, that of a host with survivors too."""
    ports = [port for port in sockets.listening() if port != request.port]
    return {"connection": _spelled(responder), "listening": ports}


def _confirm(given: Mapping[str, str], ledger: Ledger) -> dict[str, Any]:
    connection = _spelled(network.responder())
    if connection in ("", given["connection"]):
        raise IdentityChanged(
            f"connection {connection or 'of this process'}",
            "it is not a new SSH connection, so it proves nothing",
            "Confirm over a connection that was opened after the isolation (ControlPath=none).",
        )
    before = observe.look(ledger)
    if not decide.intact(before):
        raise Unreachable(
            "network isolation",
            "the table is gone or was changed, so there is nothing to confirm",
            "See what is wrong with network_isolation_info.",
        )
    act.confirm(given["timer"])
    found = run_info(lambda: observe.look(ledger), decide.report)
    return {"changed": True, "after": found, "findings": found["findings"], "connection": connection}


def _require_dead_man() -> None:
    require("systemd-run", "systemd")
    if not systemd.booted():
        raise Unreachable(
            "systemd",
            "it does not run this host, so nothing would free the host if nobody could reach it any more",
            "The host was not isolated: cut it off at the switch, the hypervisor or the cloud's firewall.",
        )


def _require_connection(responder: Responder | None, snapshot: Snapshot) -> None:
    """The connection that sshd told of must be one this host has: it is what is kept."""
    for each in snapshot.connections:
        if responder and (each.peer_port, each.local_port) == (responder.port, responder.host_port):
            return
    raise BadInput(
        f"management address {responder.address if responder else ''}",
        "the SSH connection this process was started from is not among this host's connections",
        "Reach the host over a fresh SSH connection, not from a detached terminal (screen, tmux).",
    )


def _spelled(responder: Responder | None) -> str:
    return f"{responder.address} {responder.port}" if responder else ""
