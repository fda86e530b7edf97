# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes in JSON and back. What comes from a host is unpacked with a bound."""

from __future__ import annotations

import base64
import binascii
import zlib

from ..errors import Unreachable

_LEVEL = 1


def pack(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, _LEVEL)).decode("ascii")


def unpack(text: str, most: int) -> bytes:
    """Raises `Unreachable` for what is damaged, and for what would be more than `most` bytes."""
    if len(text) > 2 * most + 4096:
        raise _refused(f"{len(text)} characters are more than was asked for")
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.b64decode(text, validate=True), most + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise _refused(f"it is damaged ({error})") from error
    if len(data) > most:
        raise _refused(f"it unpacks to more than the {most} bytes that were asked for")
    if not unpacker.eof or unpacker.unused_data:
        raise _refused("it is cut off, or something follows it")
    return data


def _refused(problem: str) -> Unreachable:
    return Unreachable("the host's answer", problem, "Do not trust this host's Python.")
