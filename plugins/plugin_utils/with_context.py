# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the run's context to a module: who, which incident, and which addresses are never acted against."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from ipaddress import ip_network
from typing import Any

from ansible import context as cli
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.plugin_utils.run import check_fleet, new_run_id

RESOLVE_SECONDS = 2.0
SITE_VARIABLES = {
    "firebreak_management_addresses": "it is a management address of this site",
    "firebreak_protected_addresses": "this site protects it",
}


class ActionModule(ActionBase):
    """Runs the module of the same name with the option `context` filled in."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        started = variables.get("firebreak_run") or {}
        try:
            if not started and not self._task.action.endswith("_info"):
                hosts = variables.get("ansible_play_hosts_all", [])
                check_fleet(hosts, cli.CLIARGS.get("subset"), bool(variables.get("all_hosts")))
        except FirebreakError as error:
            return {"failed": True, **error.as_result()}
        run = started.get("run") or {"id": new_run_id(), "incident": None, "playbook": None}
        given = {
            "run": run["id"],
            "incident": run["incident"],
            "playbook": run["playbook"],
            "actor": actor(variables),
            "protected": self._protected(variables),
        }
        arguments = {**self._task.args, "context": {**given, **(self._task.args.get("context") or {})}}
        result: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        return result

    def _protected(self, variables: Mapping[str, Any]) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, reason in SITE_VARIABLES.items():
            for address in self._templar.template(variables.get(name)) or ():
                found.setdefault(str(address), reason)
        hostvars = variables.get("hostvars", {})
        endpoints = {
            host: str(hostvars[host].get("ansible_host") or host)
            for host in variables.get("groups", {}).get("all", ())
        }
        for host, addresses in resolve(endpoints).items():
            for address in addresses:
                found.setdefault(address, f"it is {host} of the inventory")
        return found


def actor(variables: Mapping[str, Any]) -> str:
    """The person as AWX knows them, else the account and machine the run was started from."""
    for name in ("awx_user_name", "tower_user_name"):
        if variables.get(name):
            return str(variables[name])
    return f"{os.environ.get('SUDO_USER') or getpass.getuser()}@{socket.gethostname()}"


def resolve(endpoints: Mapping[str, str]) -> dict[str, Iterable[str]]:
    """The addresses of the inventory's hosts, with a deadline: a dead resolver is a normal condition here."""
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
        elif host != "localhost":
            Display().warning(f"{host}: its name does not resolve here, so its address is not protected")
    return found


def _addresses(name: str) -> set[str]:
    return {str(info[4][0]).partition("%")[0] for info in socket.getaddrinfo(name, None)}
