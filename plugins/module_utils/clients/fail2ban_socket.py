# SPDX-License-Identifier: GPL-3.0-or-later
"""fail2ban asked over its own socket, as its client program does: that one takes as long to start as
all questions together take to answer.

What comes back is a pickle. Nothing in it is ever looked up or called: every class that it names becomes
`Named`, and only a socket of root's (or one's own) is believed at all.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import socket
import struct
import time
from pathlib import Path
from typing import Any, Iterator, Sequence

from .command import Completed

PATH = Path("/var/run/fail2ban/fail2ban.sock")
END, CLOSE = b"<F2B_END_COMMAND>", b"<F2B_CLOSE_COMMAND>"
BUDGET = 16 * 1024 * 1024


class Named:
    """Stands for an object of any class: its parts, and nothing of what it could do."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts

    def __setstate__(self, state: Any) -> None:
        """Forgotten: it is the parts that say what is wrong."""


def ask(words: Sequence[str], timeout: float) -> Completed | None:
    """The answer as the client program would print it; None when the program has to be asked itself."""
    try:
        status, value = _answer(words, timeout)
    except (OSError, pickle.UnpicklingError, ValueError, TypeError, EOFError, AttributeError, IndexError):
        return None
    if status == 0:
        return Completed(tuple(words), 0, rendered(value) + "\n", "")
    parts = value.parts if isinstance(value, Named) else (value,)
    return Completed(tuple(words), 255, "", f"{type(value).__name__}: {' '.join(map(str, parts))}\n")


def loads(data: bytes) -> Any:
    """The value of a pickle of plain values. Raises `UnpicklingError` and what else a broken one makes it."""
    return _Plain(io.BytesIO(data)).load()


def rendered(value: Any) -> str:
    """Lines for labelled values, words for the others, as far as anybody here reads them."""
    if isinstance(value, (list, tuple)):
        if value and all(isinstance(each, dict) for each in value):
            return repr(list(value))
        if value and all(_labelled(each) for each in value):
            return "\n".join(_lines(value))
        if value and all(isinstance(each, (list, tuple)) for each in value):
            return repr([list(each) for each in value])
        return "\n".join(str(each) for each in value)
    return str(value)


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return type(name, (Named,), {})


def _labelled(each: Any) -> bool:
    return isinstance(each, tuple) and len(each) == 2 and isinstance(each[0], str)


def _lines(labelled: Sequence[Any]) -> Iterator[str]:
    for label, value in labelled:
        words = value if isinstance(value, (list, tuple)) else [value]
        if words and all(_labelled(each) for each in words):
            yield from _lines(words)
        else:
            yield f"{label}:\t{' '.join(str(word) for word in words)}"


def _answer(words: Sequence[str], timeout: float) -> tuple[int, Any]:
    until = time.monotonic() + timeout
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.settimeout(timeout)
        channel.connect(str(PATH))
        _trusted(channel)
        channel.sendall(pickle.dumps(list(words), protocol=2) + END)
        data = bytearray()
        while END not in data[-65536 - len(END) :]:
            if time.monotonic() > until or len(data) > BUDGET:
                raise ValueError("no answer that ends")
            part = channel.recv(65536)
            if not part:
                raise EOFError
            data += part
        with contextlib.suppress(OSError):
            channel.sendall(CLOSE + END)
    status, value = loads(bytes(data).partition(END)[0])
    return int(status), value


def _trusted(channel: socket.socket) -> None:
    peer = channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    if struct.unpack("3i", peer)[1] not in (0, os.geteuid()):
        raise ValueError("the socket is another user's")
