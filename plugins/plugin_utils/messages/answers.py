# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers answer over HTTP: never followed elsewhere, never more than is worth reading, and never told
with an address in it, which may be secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from requests import RequestException

MOST_BYTES = 1024 * 1024
# Where it leads to may be anybody's, who would be told what is secret.
ELSEWHERE = "it sends elsewhere, where nothing is sent"


def body_of(answer: Any) -> bytes:
    """Its beginning, of an answer that was asked for with `stream`. Raises `RequestException`."""
    data = b""
    for chunk in answer.iter_content(65536):
        data += chunk
        if len(data) >= MOST_BYTES:
            break
    return data[:MOST_BYTES]


def never_sent(error: RequestException) -> bool:
    """Whether there was no connection that it could have been sent over."""
    import requests

    if isinstance(
        error, (requests.ConnectTimeout, requests.exceptions.SSLError, requests.exceptions.InvalidURL)
    ):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return type(reason).__name__ in ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError")


def why(error: RequestException) -> str:
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    return "it could not be reached" if never_sent(error) else "the connection broke off"
