# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches the HTTP requests by which Apprise delivers: says when one begins, and how it ended.

Apprise tells only whether a message was delivered. Whether one that was not has certainly not arrived decides
whether it may be sent again, and only who makes the request knows that.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from .channel import Claim, Taken

if TYPE_CHECKING:
    from requests import RequestException, Session

_LOCAL = threading.local()
_LOCK = threading.Lock()
IDEMPOTENCY_KEY = "Idempotency-Key"


@dataclass
class Watch:
    """`lost` says that somebody else has the message; `status` is the last answer that was no success."""

    token: str
    claim: Claim
    claimed: bool = False
    lost: bool = False
    status: int | None = None
    error: str = ""
    unanswered: bool = False


@cache
def _watched() -> type[Session]:
    """Made once, for it takes the place of what it is made of."""
    import requests

    class Watched(requests.Session):
        def send(self, request: Any, **options: Any) -> Any:
            watch: Watch | None = getattr(_LOCAL, "watch", None)
            if watch is None:
                return super().send(request, **options)
            request.headers.setdefault(IDEMPOTENCY_KEY, watch.token)
            if not watch.claimed and not watch.claim():
                watch.lost = True
                raise Taken
            watch.claimed = True
            try:
                response = super().send(request, **options)
            except requests.RequestException as error:
                watch.error = _why(error)
                watch.unanswered = not _never_sent(error)
                raise
            watch.status = None if response.ok else response.status_code
            return response

    return Watched


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """The requests of this thread, while it lasts."""
    import requests

    with _LOCK:
        watched = _watched()
        # By name, since each of Apprise's plugins makes its sessions of the module's.
        for module in (requests.sessions, requests):
            vars(module)["Session"] = watched
    _LOCAL.watch = watch
    try:
        yield
    finally:
        _LOCAL.watch = None


def _never_sent(error: RequestException) -> bool:
    """Whether there was no connection that it could have been sent over."""
    import requests

    if isinstance(
        error, (requests.ConnectTimeout, requests.exceptions.SSLError, requests.exceptions.InvalidURL)
    ):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return type(reason).__name__ in ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError")


def _why(error: RequestException) -> str:
    """Without the address, which may be secret."""
    import requests

    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    return "it could not be reached" if _never_sent(error) else "the connection broke off"
