# SPDX-License-Identifier: GPL-3.0-or-later
"""The password hashes of local accounts: read, compared, set. A hash never goes into a message.

Python has no crypt any more from 3.13 on, so the system's own library is asked.
"""

from __future__ import annotations

import ctypes
import hmac
from pathlib import Path

from ..errors import FirebreakError
from .accounts import records
from .command import require, run

SHADOW = Path("/etc/shadow")
LIBRARIES = ("libcrypt.so.1", "libcrypt.so.2")
MARKS = ("*", "!", "x")


def password_hash(user: str, path: Path = SHADOW) -> str | None:
    """What stands in the password field, None without such an account. Raises `Unreachable`."""
    found = (fields for fields in records(path) if fields[0] == user and len(fields) > 1)
    return next((fields[1] for fields in found), None)


def usable(stored: str) -> bool:
    """Whether a password can fit it: not locked, not empty."""
    return bool(stored) and not stored.startswith(MARKS)


def matches(secret: str, stored: str) -> bool | None:
    """Whether the password fits the hash; None where the system's library cannot tell."""
    if not usable(stored):
        return False
    library = _library()
    if library is None:
        return None
    made = library.crypt(secret.encode(), stored.encode())
    # A method that the library does not know gives nothing, or something that begins with an asterisk.
    if not made or made.startswith(b"*"):
        return None
    return hmac.compare_digest(made, stored.encode())


def set_password(user: str, secret: str) -> None:
    """Hashed by the host's own method."""
    _chpasswd(user, secret, [])


def set_hash(user: str, stored: str) -> None:
    """Put back what stood there."""
    _chpasswd(user, stored, ["-e"])


def _chpasswd(user: str, value: str, options: list[str]) -> None:
    answer = run([require("chpasswd", "passwd"), *options], timeout=30.0, stdin=f"{user}:{value}\n")
    if not answer.ok:
        raise FirebreakError(
            f"account {user}",
            f"chpasswd refused: {answer.complaint.replace(value, '***')}",
            "See that /etc has room and that /etc/shadow is not immutable (lsattr /etc/shadow).",
        )


def _library() -> ctypes.CDLL | None:
    for name in LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.crypt.restype = ctypes.c_char_p
        library.crypt.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
        return library
    return None
