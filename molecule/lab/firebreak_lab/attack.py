# SPDX-License-Identifier: GPL-3.0-or-later
"""What the client does to the hosts: real logins, requests and connections from its addresses."""

from __future__ import annotations

import ipaddress
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import state
from .lab import Lab
from .model import ATTACKERS, CLIENT, LabError, address, lab_hosts

SERVER_NAMES = {"zekka1": "api.zekka.example", "matrixon1": "matrixon.example"}
WEB_PORTS = (80, 443, 8448)
# A connection is called dead after a silence; it has so many seconds to fall silent.
FELT_WITHIN = 4.0


@dataclass(frozen=True)
class Connection:
    """A connection that the client keeps open."""

    lab: Lab
    id: str
    source: str
    target: str
    port: int
    source_port: int

    def state(self) -> dict[str, Any]:
        """`alive`, and `why` when it is not."""
        return _agent(self.lab, "ask", {"id": self.id, "word": "state"})

    def alive(self) -> bool:
        """True while the other side still answers on this very connection."""
        return bool(self.state()["alive"])

    def dies(self) -> bool:
        """Whether it is dead by now, or soon: that nothing is heard any more shows only after a while."""
        end = time.monotonic() + FELT_WITHIN
        while self.alive():
            if time.monotonic() > end:
                return False
            time.sleep(0.2)
        return True

    def close(self) -> None:
        """Close it from the client's side."""
        _agent(self.lab, "ask", {"id": self.id, "word": "close"})

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Attacker:
    """Acts from client1; `source` is a number (66 to 75, or 50) or one of its addresses."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def attack(
        self,
        target: str,
        source: int | str = 66,
        *,
        user: str = "root",
        attempts: int = 30,
        family: str = "ipv4",
    ) -> dict[str, Any]:
        """Failed ssh password logins, all at once."""
        ends = _ends(target, source, family)
        return _agent(self.lab, "passwords", ends | {"user": user, "attempts": attempts}, timeout=120)

    def key_failures(
        self,
        target: str,
        source: int | str = 66,
        *,
        user: str = "root",
        attempts: int = 20,
        family: str = "ipv4",
    ) -> dict[str, Any]:
        """Logins with keys the host does not know, five for each connection."""
        ends = _ends(target, source, family)
        return _agent(self.lab, "keys", ends | {"user": user, "attempts": attempts}, timeout=120)

    def basic_auth_failures(
        self,
        target: str = "zekka1",
        source: int | str = 66,
        *,
        user: str = "admin",
        attempts: int = 30,
        family: str = "ipv4",
    ) -> dict[str, Any]:
        """Wrong passwords for the page behind HTTP basic authentication."""
        ends = _ends(target, source, family)
        url = f"https://{SERVER_NAMES[target]}/private/"
        more = {"url": url, "user": user, "attempts": attempts, "port": 443}
        return _agent(self.lab, "basic", ends | more, timeout=120)

    def failures_then_success(
        self, target: str, source: int | str = 66, *, attempts: int = 12, family: str = "ipv4"
    ) -> dict[str, Any]:
        """Wrong passwords for `deploy`, and then the right one: a break-in."""
        ends = _ends(target, source, family)
        password = state.read_secrets()["deploy_password"] + "\n"
        more = {"then-password": True, "user": "deploy", "attempts": attempts}
        return _agent(self.lab, "passwords", ends | more, timeout=120, stdin=password)

    def hold_connection(
        self, target: str, port: int = 443, source: int | str = 66, *, family: str = "ipv4", mode: str = ""
    ) -> Connection:
        """A connection that stays: web ports stream from the server, others send bytes."""
        number = uuid.uuid4().hex[:12]
        if target == "zekka1" and port == 80:
            mode = mode or "bytes"  # it only redirects
        mode = mode or ("stream" if port in WEB_PORTS else "bytes")
        ends = _ends(target, source, family)
        answer = _agent(
            self.lab, "hold", ends | {"id": number, "port": port, "mode": mode, "name": SERVER_NAMES[target]}
        )
        if not answer["held"]:
            raise LabError(f"no connection from {ends['source']} to {target} port {port}: {answer['why']}")
        return Connection(self.lab, number, str(ends["source"]), str(ends["target"]), port, answer["port"])

    def probe(self, target: str, port: int = 443, source: int | str = 66, *, family: str = "ipv4") -> bool:
        """True when a new TCP connection comes about within 2 seconds."""
        return bool(_agent(self.lab, "probe", _ends(target, source, family) | {"port": port})["open"])

    def get(
        self, target: str, path: str = "/", source: int | str = 50, *, family: str = "ipv4"
    ) -> tuple[int, str]:
        """What a user sees: status (0 when there is no answer) and body of one HTTPS request."""
        ends = _ends(target, source, family)
        more = {"url": f"https://{SERVER_NAMES[target]}{path}", "port": 443}
        answer = _agent(self.lab, "fetch", ends | more)
        return int(answer["status"]), str(answer.get("body", answer.get("error", "")))


def _ends(target: str, source: int | str, family: str) -> dict[str, object]:
    hosts = lab_hosts()
    if target not in SERVER_NAMES:
        raise LabError(f"{target!r} is no target; there are {', '.join(SERVER_NAMES)}")
    if isinstance(source, str):
        family = f"ipv{ipaddress.ip_address(source).version}"
    else:
        if source not in ATTACKERS and source != hosts[CLIENT].number:
            raise LabError(f"{CLIENT} has no address {source}; it has 50 and 66 to 75")
        source = address(source, family)
    return {"target": address(hosts[target].number, family), "source": source}


def _agent(
    lab: Lab, command: str, options: Mapping[str, object], *, timeout: float = 30, stdin: str | None = None
) -> dict[str, Any]:
    argv = ["lab-agent", command]
    for name, value in options.items():
        argv += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    result = lab.run(CLIENT, argv, timeout=timeout, input=stdin).check(f"lab-agent {command} on {CLIENT}")
    return dict(json.loads(result.stdout))
