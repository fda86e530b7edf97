# SPDX-License-Identifier: GPL-3.0-or-later
"""Isolates a host, and lets that last once a new SSH connection has shown that it can still be reached."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.module_utils.common.validation import check_type_list

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.isolation.job import ISOLATED
from ansible_collections.firebreak.incident.plugins.module_utils.isolation.observe import FORBIDDEN
from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import parse_duration
from ansible_collections.firebreak.incident.plugins.plugin_utils.inventory import resolve
from ansible_collections.firebreak.incident.plugins.plugin_utils.with_context import (
    ActionModule as WithContext,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.with_context import own_addresses_towards

# ssh takes the first word it is given about a setting, so these win over whatever follows.
NEW_CONNECTION = "-o ControlMaster=no -o ControlPath=none"
PORTS = 3
PORT_SECONDS = 1.0
ATTEMPTS = 3


class ActionModule(WithContext):
    """The module of the same name, once to isolate and once more, over a new connection, to confirm."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        variables = task_vars or {}
        if self._task.args.get("state", ISOLATED) != ISOLATED or self._task.args.get("confirm"):
            return super().run(tmp, task_vars)
        try:
            seconds = parse_duration(self._task.args.get("dead_man_seconds", 120))
            self._require_ssh()
        except FirebreakError as error:
            return {"failed": True, **error.as_result()}
        self._task.args = {**self._task.args, "management_addresses": self._management(variables)}
        latest = datetime.now(UTC) + timedelta(seconds=seconds)
        try:
            result = super().run(tmp, task_vars)
        except AnsibleConnectionFailure as error:
            end = iso(latest + timedelta(minutes=1))
            return {
                "failed": True,
                "msg": f"The connection was not made or broke: {error.message.rstrip('.')}. "
                f"Had the isolation begun by then, the host frees itself, at {end} at the latest.",
            }
        after = result.get("after") or {}
        if after.get("timer") and after.get("intact") and not result.get("unreachable"):
            return self._proved(result, after["timer"], task_vars)
        return self._left(result, latest)

    def _require_ssh(self) -> None:
        if self._connection.transport != "ssh":
            raise BadInput(
                f"connection {self._connection.transport}",
                "the host is not reached over SSH, so no new connection over the network can show that it "
                "still can be reached once it is isolated",
                "Reach it with ansible_connection: ssh.",
            )

    def _management(self, variables: Mapping[str, Any]) -> list[str]:
        given = list(check_type_list(self._task.args.get("management_addresses") or []))
        given += self._templar.template(variables.get("firebreak_management_addresses")) or ()
        endpoints, _unresolved = resolve({"host": self._host})
        given += own_addresses_towards(endpoints.get("host", ()))
        return list(dict.fromkeys(map(str, given)))

    @property
    def _host(self) -> str:
        return str(self._connection.get_option("host") or self._play_context.remote_addr)

    def _left(self, result: dict[str, Any], latest: datetime) -> dict[str, Any]:
        """With nothing to confirm. A host that was isolated by half frees itself."""
        after = result.get("after") or {}
        if result.get("failed") and (result.get("changed") or after.get("timers")):
            result["msg"] = f"{result.get('msg')} The host frees itself, at {iso(latest)} or soon after."
        if after.get("isolated") and not result.get("failed") and not self._task.check_mode:
            return _leaking(result, reachable(self._host, _ports(result)))
        return result

    def _proved(self, result: dict[str, Any], timer: str, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        until = next(each["until"] for each in result["after"]["timers"] if each["unit"] == timer)
        confirmed = self._confirmed(timer, str(result["connection"]), until, task_vars)
        if confirmed.get("failed"):
            return _unproved(
                result,
                until,
                f"it could not be confirmed over a new connection: {confirmed.get('msg')}",
                "See where new SSH connections come from, and name it in firebreak_management_addresses. "
                "Logins that ask a directory server (LDAP) do not work while a host is isolated.",
            )
        ports = _ports(result)
        reached = reachable(self._host, ports)
        closed = [port for port in ports if port not in reached]
        kept = {
            **result,
            "after": {**_known(result["after"], confirmed["after"]), "timer": None},
            "findings": confirmed["findings"],
            "confirmed": True,
            "proof": {"management": confirmed["connection"], "inbound": closed, "outbound": FORBIDDEN},
        }
        if kept.get("failed"):
            kept["msg"] = f"{kept.get('msg')} The host is isolated all the same, and that was confirmed."
        return _leaking(kept, reached)

    def _confirmed(
        self, timer: str, connection: str, until: str, task_vars: dict[str, Any] | None
    ) -> Mapping[str, Any]:
        """The module's answer over a new connection, tried again while there is time."""
        arguments = {"confirm": {"timer": timer, "connection": connection}}
        answer: dict[str, Any] = {}
        for _attempt in range(ATTEMPTS):
            try:
                with self._new_connection():
                    answer = self._execute_module(module_args=arguments, task_vars=task_vars)
            except AnsibleConnectionFailure as error:
                answer = {"failed": True, "msg": error.message}
            else:
                break
            if datetime.now(UTC) >= datetime.fromisoformat(until):
                break
            time.sleep(1)
        return answer

    @contextlib.contextmanager
    def _new_connection(self) -> Iterator[None]:
        """ssh is told to share no connection with anything, ours or an earlier command's."""
        usual = self._connection.get_option("ssh_args")
        self._connection.set_option("ssh_args", f"{NEW_CONNECTION} {usual or ''}")
        try:
            yield
        finally:
            self._connection.set_option("ssh_args", usual)


def reachable(host: str, ports: Sequence[int]) -> list[int]:
    """The ports that accept a connection from here within a second."""

    def connects(port: int) -> bool:
        try:
            with socket.create_connection((host, port), PORT_SECONDS):
                return True
        except OSError:
            return False

    if not ports:
        return []
    with ThreadPoolExecutor(max_workers=len(ports)) as pool:
        return [port for port, connected in zip(ports, pool.map(connects, ports), strict=True) if connected]


def _ports(result: Mapping[str, Any]) -> list[int]:
    return list(result.get("listening") or ())[:PORTS]


def _leaking(result: dict[str, Any], reached: Sequence[int]) -> dict[str, Any]:
    """Something that still answers is told, and is no reason to open everything else again."""
    if not reached:
        return result
    told = (
        f"The host is isolated, but port {reached[0]} of it can still be reached from here. See what "
        f"answers there, a proxy or another machine on the way or the host itself."
    )
    return {
        **result,
        "failed": True,
        "verdict": "improved",
        "msg": " ".join(filter(None, (result.get("msg"), told))),
    }


def _known(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {key: after[key] for key in before if key in after}


def _unproved(result: Mapping[str, Any], until: str, problem: str, cure: str) -> dict[str, Any]:
    return {
        **result,
        "failed": True,
        "confirmed": False,
        "verdict": "unchanged",
        "msg": f"The host was isolated, and {problem.rstrip('.')}. It frees itself at {until}. {cure}",
    }
