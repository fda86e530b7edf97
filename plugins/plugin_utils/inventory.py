# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses of all hosts of the inventory, none of which is ever acted against by another."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from ipaddress import ip_network
from typing import Any

RESOLVE_SECONDS = 2.0


def inventory(variables: Mapping[str, Any]) -> dict[str, Any]:
    """`addresses` of each host by name, and the hosts that do not resolve here in `unresolved`.

    JSON-plain. Asked once for a run: what Ansible knows of one host costs it milliseconds to gather, and
    every host that asked for all others would make that minutes in a fleet.
    """
    hostvars = variables.get("hostvars", {})
    endpoints = {host: _endpoint(host, hostvars[host]) for host in variables.get("groups", {}).get("all", ())}
    found, unresolved = resolve({host: endpoint for host, endpoint in endpoints.items() if endpoint})
    return {
        "addresses": {host: sorted(addresses) for host, addresses in found.items()},
        "unresolved": unresolved,
    }


def _endpoint(host: str, known: Mapping[str, Any]) -> str | None:
    """None for what is asked from here, as a database that somebody else runs: its name is no address."""
    given = known.get("ansible_host")
    return str(given or host) if given or known.get("ansible_connection") != "local" else None


def resolve(endpoints: Mapping[str, str]) -> tuple[dict[str, Iterable[str]], list[str]]:
    """The addresses of the inventory's hosts, and the hosts whose names do not resolve.

    With a deadline: a dead resolver is a normal condition here.
    """
    found: dict[str, Iterable[str]] = {}
    names: dict[str, str] = {}
    for host, endpoint in endpoints.items():
        try:
            ip_network(endpoint)
            found[host] = (endpoint,)
        except ValueError:
            names[host] = endpoint
    pool = ThreadPoolExecutor(max_workers=32)
    lookups = {host: pool.submit(_addresses, name) for host, name in names.items()}
    wait(lookups.values(), timeout=RESOLVE_SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    for host, lookup in lookups.items():
        if lookup.done() and not lookup.cancelled() and lookup.exception() is None:
            found[host] = lookup.result()
    return found, [host for host in names if host not in found and host != "localhost"]


def _addresses(name: str) -> set[str]:
    return {str(info[4][0]).partition("%")[0] for info in socket.getaddrinfo(name, None)}
