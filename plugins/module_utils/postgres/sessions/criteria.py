# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sessions are meant."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any, Iterable, Mapping

from ...addresses import Network, parse_network
from ...errors import BadInput
from ...quantities import parse_duration
from .session import STATES, Session

TERMINATE, CANCEL = "terminate", "cancel"
# Who comes over the socket has no address.
LOCAL = "local"
_TEXTS: Mapping[str, Any] = {"type": "list", "elements": "str"}
CRITERIA_SPEC: Mapping[str, Any] = {
    "states": {**_TEXTS, "choices": list(STATES)},
    "min_age": {"type": "str"},
    "users": _TEXTS,
    "applications": _TEXTS,
    "databases": _TEXTS,
    "clients": _TEXTS,
    "pids": {"type": "list", "elements": "int"},
}


@dataclass(frozen=True)
class Criteria:
    """All that are not None must hold; an empty one holds for nobody. `min_age` is in seconds.

    `clients` are networks, with None among them for the socket.
    """

    states: frozenset[str] | None = None
    min_age: int | None = None
    users: frozenset[str] | None = None
    applications: frozenset[str] | None = None
    databases: frozenset[str] | None = None
    clients: tuple[Network | None, ...] | None = None
    pids: frozenset[int] | None = None

    @property
    def of_state(self) -> bool:
        """Whether a session is no longer meant once it does something else."""
        return self.states is not None or self.min_age is not None

    def match(self, session: Session) -> bool:
        return (
            _among(session.state, self.states)
            and (self.min_age is None or session.age >= self.min_age)
            and _among(session.user, self.users)
            and _among(session.application or "", self.applications)
            and _among(session.database, self.databases)
            and (self.clients is None or self._from_there(session.client, self.clients))
            and _among(session.pid, self.pids)
        )

    @staticmethod
    def _from_there(client: str | None, clients: Iterable[Network | None]) -> bool:
        if client is None:
            return None in clients
        address = ipaddress.ip_address(client.partition("%")[0])
        return any(network is not None and address in network for network in clients)


def parse_criteria(params: Mapping[str, Any]) -> Criteria:
    """From the options of CRITERIA_SPEC. Raises `BadInput`."""
    if all(params[name] is None for name in CRITERIA_SPEC):
        raise BadInput(
            "pg_sessions", "nothing says which sessions are meant", f"Give one of {', '.join(CRITERIA_SPEC)}."
        )
    clients = params["clients"]
    return Criteria(
        states=_set(params["states"]),
        min_age=None if params["min_age"] is None else parse_duration(params["min_age"]),
        users=_set(params["users"]),
        applications=_set(params["applications"]),
        databases=_set(params["databases"]),
        clients=clients if clients is None else tuple(map(_network, clients)),
        pids=_set(params["pids"]),
    )


def _set(given: Iterable[Any] | None) -> frozenset[Any] | None:
    return None if given is None else frozenset(given)


def _among(value: Any, wanted: frozenset[Any] | None) -> bool:
    return wanted is None or value in wanted


def _network(text: str) -> Network | None:
    return None if text == LOCAL else parse_network(text)
