# SPDX-License-Identifier: GPL-3.0-or-later
"""One TCP connection, opened and closed at once, to see whether it can be opened."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Attempt:
    """`seconds` is how long it took; `error` says why it did not connect; `peer` is who answered."""

    connected: bool
    seconds: float
    peer: str | None = None
    error: str | None = None


def connect(host: str, port: int, timeout: float, source: str | None = None) -> Attempt:
    """Try each address of `host` until one answers, all within `timeout` seconds."""
    started = time.monotonic()
    answers, error = resolve(host, port, timeout)
    for family, kind, protocol, _name, address in answers:
        left = timeout - (time.monotonic() - started)
        if left <= 0:
            error = error or "timed out"
            break
        try:
            with socket.socket(family, kind, protocol) as channel:
                channel.settimeout(left)
                if source:
                    channel.bind((source, 0))
                channel.connect(address)
                return Attempt(True, time.monotonic() - started, peer=str(address[0]))
        except socket.timeout:
            error = f"timed out, no answer from {address[0]}"
        except OSError as failure:
            error = f"{failure.strerror or failure} ({address[0]})"
    return Attempt(False, time.monotonic() - started, error=error)


def is_own(address: str) -> bool:
    """Whether this host has the address: only then something here can listen on it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as channel:
            channel.bind((address, 0))
    except OSError:
        return False
    return True


def resolve(host: str, port: int, timeout: float) -> tuple[list[Any], str | None]:
    """What `getaddrinfo` answers for TCP, or why it does not.

    The resolver knows no deadline, so it is left behind when the time is over.
    """
    answers: list[Any] = []
    problem: list[str] = []

    def ask() -> None:
        try:
            answers.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as failure:
            problem.append(f"the name cannot be resolved: {failure}")

    worker = threading.Thread(target=ask, daemon=True)
    worker.start()
    worker.join(timeout)
    if worker.is_alive():
        return [], "timed out, the name was not resolved"
    return answers, problem[0] if problem else None
