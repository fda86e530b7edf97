# SPDX-License-Identifier: GPL-3.0-or-later
"""One request, as a user's program would send it, with everything about it bounded.

No proxy is used and redirects are left to the caller: what is asked is what is looked at.
"""

from __future__ import annotations

import http.client
import socket
import time
from dataclasses import dataclass
from typing import Mapping
from urllib.parse import quote, urlsplit

from ..errors import BadInput
from .trust import system_trust

BODY_BUDGET = 64 * 1024
AGENT = "firebreak-triage"
# What may stand in a path or a query as it is; anything else is written as %XX.
URL_CHARACTERS = "%/:=&?~+!$,;'@()*[]"
PORTS = {"http": 80, "https": 443}
# What else an endpoint may be: not asked for a page, but for its certificate.
ENDPOINT_PORTS = {**PORTS, "postgresql": 5432, "smtp": 25, "smtps": 465}


@dataclass(frozen=True)
class Target:
    """A URL taken apart. `connect_host` and `connect_port` are where the connection really goes."""

    scheme: str
    host: str
    port: int
    path: str
    connect_host: str
    connect_port: int

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == ENDPOINT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """Without the query, which may hold a token."""
        return f"{self.scheme}://{self.authority}{self.path.partition('?')[0]}"


@dataclass(frozen=True)
class Page:
    """An answer with the text of its body; `whole` is False when there was more than was read."""

    answer: Answer
    text: str = ""
    whole: bool = True


@dataclass(frozen=True)
class Answer:
    """`status` is None when there was none, and `error` says why. `seconds` until the body was read."""

    seconds: float
    status: int | None = None
    error: str | None = None
    location: str | None = None
    body_bytes: int = 0


def parse_target(url: str, connect_to: str | None = None, ports: Mapping[str, int] | None = None) -> Target:
    """`ports` are the schemes that are meant, with their ports: those of the web where none are named.

    Raises `BadInput`, which does not repeat a password.
    """
    ports = ports or PORTS
    try:
        parts = urlsplit(url)
        port = parts.port
        name = (parts.hostname or "").encode("idna").decode()
    except ValueError:
        raise _bad_url("it cannot be read") from None
    if parts.scheme not in ports or not name:
        raise _bad_url(f"it is not an absolute {' or '.join(ports)} URL")
    if "@" in parts.netloc:
        raise _bad_url(f"the one for {name} holds a name or a password")
    port = port or ports[parts.scheme]
    host, connect_port = _host_and_port(connect_to) if connect_to else (name, port)
    path = quote(parts.path or "/", safe=URL_CHARACTERS)
    query = "?" + quote(parts.query, safe=URL_CHARACTERS) if parts.query else ""
    return Target(parts.scheme, name, port, path + query, host, connect_port)


def get(target: Target, verify: bool, timeout: float) -> Answer:
    """Never raises for what the other side does: that is the answer.

    `timeout` bounds each step; reading stops when it is over as a whole.
    """
    return fetch(target, verify, timeout, BODY_BUDGET).answer


def fetch(target: Target, verify: bool, timeout: float, budget: int) -> Page:
    """The same with the body, of which `budget` bytes are read at most."""
    started = time.monotonic()
    try:
        return _fetch(target, verify, timeout, started + timeout, budget)
    except (OSError, http.client.HTTPException) as error:
        return Page(Answer(time.monotonic() - started, error=_reason(error, target, timeout)))


def _fetch(target: Target, verify: bool, timeout: float, until: float, budget: int) -> Page:
    connection = http.client.HTTPConnection(target.host)
    plain = socket.create_connection((target.connect_host, target.connect_port), timeout)
    try:
        connection.sock = _encrypted(plain, target.host, verify) if target.scheme == "https" else plain
        headers = {"Host": target.authority, "User-Agent": AGENT, "Accept": "*/*"}
        connection.request("GET", target.path, headers=headers)
        answer = connection.getresponse()
        body = _drained(answer, until, budget)
    finally:
        connection.close()
        plain.close()
    seen = Answer(
        time.monotonic() - until + timeout,
        status=answer.status,
        location=answer.getheader("Location"),
        body_bytes=len(body),
    )
    return Page(seen, body.decode("utf-8", "replace"), len(body) < budget)


def _drained(answer: http.client.HTTPResponse, until: float, budget: int) -> bytes:
    """The body: one that breaks off in the middle is no answer."""
    body = bytearray()
    while len(body) < budget:
        if time.monotonic() > until:
            raise socket.timeout
        chunk = answer.read1(budget - len(body))
        if not chunk:
            if answer.length:
                raise http.client.IncompleteRead(b"", answer.length)
            break
        body += chunk
    return bytes(body)


def _encrypted(plain: socket.socket, host: str, verify: bool) -> socket.socket:
    if verify:
        return system_trust().wrap_socket(plain, server_hostname=host)
    # Only who encrypts needs it.
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain, server_hostname=host)


def _reason(error: Exception, target: Target, timeout: float) -> str:
    where = f"{target.connect_host}:{target.connect_port}"
    if isinstance(error, socket.timeout):
        return f"no answer from {where} within {timeout:.1f} s"
    if isinstance(error, socket.gaierror):
        return f"the name {target.connect_host} cannot be resolved: {error.strerror}"
    verification = getattr(error, "verify_message", None)
    if verification:
        return f"the certificate is not to be trusted: {verification}"
    if isinstance(error, http.client.RemoteDisconnected):
        return f"{where} closed the connection without an answer"
    if isinstance(error, http.client.IncompleteRead):
        return f"{where} broke off in the middle of its answer"
    if isinstance(error, http.client.HTTPException):
        return f"{where} does not speak HTTP ({type(error).__name__})"
    problem = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return f"{where}: {problem}"


def _host_and_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise BadInput(
            f"connect_to {text!r}", "it is not host:port", "Write 127.0.0.1:443 or [2001:db8::1]:443."
        )
    return host, int(port)


def _bad_url(problem: str) -> BadInput:
    return BadInput("url", problem, "Write https://host.example/path; secrets have no place in it.")
