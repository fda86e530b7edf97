# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the run's context to a module: who, which incident, and which addresses are never acted against."""

from __future__ import annotations

import contextlib
import gc
import getpass
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible import context as cli
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.utils.display import Display

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.plugin_utils.in_memory import InMemoryAction
from ansible_collections.firebreak.incident.plugins.plugin_utils.inventory import inventory
from ansible_collections.firebreak.incident.plugins.plugin_utils.run import check_fleet, new_run_id

SITE_VARIABLES = {
    "firebreak_management_addresses": "it is a management address of this site",
    "firebreak_protected_addresses": "this site protects it",
}


class ActionModule(InMemoryAction):
    """Runs the module of the same name with the option `context` filled in."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        started = variables.get("firebreak_run") or {}
        try:
            if not started and self._changes:
                hosts = variables.get("ansible_play_hosts_all", [])
                all_hosts = boolean(variables.get("all_hosts", False), strict=False)
                check_fleet(hosts, cli.CLIARGS.get("subset"), all_hosts)
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
        # To put a module together makes objects by the hundred thousand, and the process ends with the task.
        gc.disable()
        result: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        return result

    @property
    def _changes(self) -> bool:
        return not self._task.action.endswith("_info")

    def _protected(self, variables: Mapping[str, Any]) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, reason in SITE_VARIABLES.items():
            for address in self._templar.template(variables.get(name)) or ():
                found.setdefault(str(address), reason)
        known = (variables.get("firebreak_run") or {}).get("inventory") or inventory(variables)
        for host, addresses in known["addresses"].items():
            for address in addresses:
                found.setdefault(address, f"it is {host} of the inventory")
        own = known["addresses"].get(variables.get("inventory_hostname", ""), ())
        for address in own_addresses_towards(own):
            found.setdefault(address, "it is the controller")
        if known["unresolved"] and self._changes:
            Display().warning(
                f"These names of the inventory do not resolve here, so their addresses are not protected: "
                f"{', '.join(known['unresolved'])}"
            )
        return found


def actor(variables: Mapping[str, Any]) -> str:
    """The person as AWX knows them, else the account and machine the run was started from."""
    for name in ("awx_user_name", "tower_user_name"):
        if variables.get(name):
            return str(variables[name])
    return f"{os.environ.get('SUDO_USER') or getpass.getuser()}@{socket.gethostname()}"


def own_addresses_towards(addresses: Iterable[str]) -> Iterator[str]:
    """The controller's addresses on the way to a host. Connecting a datagram socket sends nothing."""
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
            probe.connect((address, 9))
            yield probe.getsockname()[0]
