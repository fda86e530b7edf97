# SPDX-License-Identifier: GPL-3.0-or-later
"""How TLS is asked for in protocols that begin without it."""

from __future__ import annotations

import socket
from typing import Callable, Mapping

from ..deadlines import Deadline

POSTGRES, SMTP = "postgres", "smtp"
SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
LINE_BUDGET, LINES = 1000, 100


def ask_for_tls(channel: socket.socket, protocol: str, deadline: Deadline) -> None:
    """Until the handshake may begin. Raises `ValueError` for a server that has none, and `OSError`."""
    _PROTOCOLS[protocol](channel, deadline)


def _postgres(channel: socket.socket, deadline: Deadline) -> None:
    channel.sendall(SSL_REQUEST)
    answer = _received(channel, deadline)
    if answer == b"N":
        raise ValueError("the server speaks no TLS (ssl is off)")
    if answer != b"S":
        raise ValueError("the server does not answer as PostgreSQL does")


def _smtp(channel: socket.socket, deadline: Deadline) -> None:
    _expect(channel, b"220", deadline)
    channel.sendall(b"EHLO firebreak.invalid\r\n")
    offered = _expect(channel, b"250", deadline)
    if not any(line[4:].strip().upper() == b"STARTTLS" for line in offered):
        raise ValueError("the server does not offer STARTTLS")
    channel.sendall(b"STARTTLS\r\n")
    _expect(channel, b"220", deadline)


def _expect(channel: socket.socket, code: bytes, deadline: Deadline) -> list[bytes]:
    """The lines of one answer, of which only the last has no dash behind its code."""
    lines: list[bytes] = []
    while len(lines) < LINES:
        line = _line(channel, deadline)
        lines.append(line)
        if line[:3] != code:
            raise ValueError("the server does not answer as SMTP does")
        if line[3:4] != b"-":
            return lines
    raise ValueError("the server's answer has no end")


def _line(channel: socket.socket, deadline: Deadline) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += _received(channel, deadline)
        if len(line) > LINE_BUDGET:
            raise ValueError("the server's answer has no end")
    return line


def _received(channel: socket.socket, deadline: Deadline) -> bytes:
    """One byte, so that nothing of the handshake is taken."""
    if deadline.over:
        raise socket.timeout
    channel.settimeout(deadline.remaining())
    data = channel.recv(1)
    if not data:
        raise ValueError("the server hung up")
    return data


_PROTOCOLS: Mapping[str, Callable[[socket.socket, Deadline], None]] = {POSTGRES: _postgres, SMTP: _smtp}
