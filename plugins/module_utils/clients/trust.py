# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom this system trusts. To load its certificates takes longer than most answers: once for all who ask."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssl import SSLContext

_LOADING = threading.Lock()


def system_trust() -> SSLContext:
    """For a client that verifies. It is shared: whoever wants it otherwise makes one of their own."""
    with _LOADING:
        return _load()


@lru_cache(maxsize=None)
def _load() -> SSLContext:
    # Only who encrypts needs it.
    import ssl

    return ssl.create_default_context()
