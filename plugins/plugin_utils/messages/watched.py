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

from .answers import ELSEWHERE, body_of, never_sent, why
from .channel import Claim, Taken

if TYPE_CHECKING:
    from requests import Session

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

    @property
    def refusal(self) -> str:
        if self.status is None:
            return "it was refused"
        return f"HTTP {self.status}{f', {ELSEWHERE}' if self.status < 400 else ''}"


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
                response = super().send(request, **{**options, "allow_redirects": False, "stream": True})
                # As it would be without `stream`, but no longer than is worth reading.
                vars(response).update(_content=body_of(response), _content_consumed=True)
            except requests.RequestException as error:
                watch.error = why(error)
                watch.unanswered = not never_sent(error)
                raise
            response.close()
            watch.status = response.status_code if response.status_code >= 300 else None
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
