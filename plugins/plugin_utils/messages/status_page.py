# SPDX-License-Identifier: GPL-3.0-or-later
"""The public page that says how the service is, over its HTTP API.

An incident is made there once and updated afterwards. Each text ends with a reference, by which it is found
again when nobody knows whether it arrived: then the page is asked first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput

from ..people.due import RESOLUTION
from .answers import ELSEWHERE, body_of, why
from .channel import (
    ACCEPTED,
    CONNECT_SECONDS,
    READ_SECONDS,
    REFUSED,
    TAKEN,
    UNKNOWN,
    Claim,
    Message,
    Outcome,
    address_id,
    bounded,
)

VARIABLE = "firebreak_status_page"
_KEYS = {"url", "token", "kind", "page"}
INVESTIGATING, RESOLVED = "investigating", "resolved"


class _Unexpected(ValueError):
    """An answer that says nothing of what was asked."""


@dataclass(frozen=True)
class Api:
    """`listed` and `one` are asked for what is there, `create` and `update` are method and path."""

    listed: str
    one: str
    create: tuple[str, str]
    update: tuple[str, str]
    header: tuple[str, str]
    states: Mapping[str, Any]
    create_body: Mapping[str, str]
    update_body: Mapping[str, str]
    # Where the body and the answer have it, when not at the top.
    inside: str | None = None
    answer: str | None = None


APIS: Mapping[str, Api] = {
    "statuspage": Api(
        listed="/v1/pages/{page}/incidents?limit=20",
        one="/v1/pages/{page}/incidents/{id}",
        create=("POST", "/v1/pages/{page}/incidents"),
        update=("PATCH", "/v1/pages/{page}/incidents/{id}"),
        header=("Authorization", "OAuth {token}"),
        states={INVESTIGATING: INVESTIGATING, RESOLVED: RESOLVED},
        create_body={"name": "subject", "status": "state", "body": "text"},
        update_body={"status": "state", "body": "text"},
        inside="incident",
    ),
    "cachet": Api(
        listed="/api/v1/incidents?sort=id&order=desc&per_page=20",
        one="/api/v1/incidents/{id}/updates",
        create=("POST", "/api/v1/incidents"),
        update=("POST", "/api/v1/incidents/{id}/updates"),
        header=("X-Cachet-Token", "{token}"),
        states={INVESTIGATING: 1, RESOLVED: 4},
        create_body={"name": "subject", "status": "state", "message": "text", "visible": "visible"},
        update_body={"status": "state", "message": "text"},
        answer="data",
    ),
    "cachet3": Api(
        listed="/api/incidents?per_page=20",
        one="/api/incidents/{id}/updates?sort=-created_at&per_page=50",
        create=("POST", "/api/incidents"),
        update=("POST", "/api/incidents/{id}/updates"),
        header=("Authorization", "Bearer {token}"),
        states={INVESTIGATING: 1, RESOLVED: 4},
        create_body={"name": "subject", "status": "state", "message": "text", "visible": "visible"},
        update_body={"status": "state", "message": "text"},
        answer="data",
    ),
    "generic": Api(
        listed="/incidents",
        one="/incidents/{id}",
        create=("POST", "/incidents"),
        update=("PATCH", "/incidents/{id}"),
        header=("Authorization", "Bearer {token}"),
        states={INVESTIGATING: INVESTIGATING, RESOLVED: RESOLVED},
        create_body={"name": "subject", "status": "state", "body": "text"},
        update_body={"name": "subject", "status": "state", "body": "text"},
    ),
}


@dataclass(frozen=True)
class StatusPage:
    """`made` is the id that the page gave the incident, when it is known."""

    url: str
    api: Api
    page: str
    token: str = field(repr=False)
    made: str | None = None
    deduplicates: bool = True

    @property
    def id(self) -> str:
        return address_id(self.url + self.page)

    @property
    def shown(self) -> str:
        return f"status page {self.id[:6]}"

    @classmethod
    def of(cls, given: Any, made: str | None = None) -> StatusPage:
        """Raises `BadInput`."""
        if (
            not isinstance(given, Mapping)
            or set(given) - _KEYS
            or not given.get("url")
            or not given.get("token")
        ):
            raise BadInput(VARIABLE, "it cannot be read", "Give it url and token, kind and page if need be.")
        if not _is_web(str(given["url"])):
            raise BadInput(f"{VARIABLE}.url", "it is no address of a web server", "Begin it with https://.")
        kind = str(given.get("kind") or "generic")
        if kind not in APIS:
            raise BadInput(f"{VARIABLE}.kind", f"{kind!r} is not known", f"It is one of {', '.join(APIS)}.")
        api = APIS[kind]
        if "{page}" in api.one and not given.get("page"):
            raise BadInput(f"{VARIABLE}.page", "it is missing", f"{kind} has several: name the page's id.")
        return cls(
            str(given["url"]).rstrip("/"), api, str(given.get("page") or ""), str(given["token"]), made
        )

    @property
    def problem(self) -> BadInput | None:
        """What makes it unsafe to use; it is used all the same."""
        where = urlsplit(self.url)
        if where.scheme == "https" or where.hostname in ("localhost", "127.0.0.1", "::1"):
            return None
        return BadInput(f"{VARIABLE}.url", "everybody on the way can read the token", "Use https://.")

    def send(self, message: Message, claim: Claim) -> Outcome:
        return bounded(lambda: self._send(message, claim))

    def _send(self, message: Message, claim: Claim) -> Outcome:
        import requests

        try:
            made, there = self._look(message)
            if there:
                return Outcome(ACCEPTED, data={"page_incident": made})
            if not claim():
                return Outcome(TAKEN)
        except (requests.RequestException, ValueError) as error:
            return Outcome(REFUSED, _why(error))
        try:
            return Outcome(ACCEPTED, data={"page_incident": self._write(message, made)})
        except requests.HTTPError as error:
            return Outcome(REFUSED, _why(error))
        except requests.ConnectTimeout as error:
            return Outcome(REFUSED, _why(error))
        except (requests.RequestException, ValueError) as error:
            return Outcome(UNKNOWN, _why(error))

    def _look(self, message: Message) -> tuple[str | None, bool]:
        """The incident on the page, None when it was not made, and whether it has this message already."""
        made, texts = self.made, ""
        if made is None:
            ours = (each for each in self._entries() if _about(message) in json.dumps(each))
            entry = next(ours, None)
            if entry is None:
                return None, False
            # Of some the first text is here only.
            made, texts = str(entry["id"]), json.dumps(entry)
        texts += json.dumps(self._ask("GET", self.api.one, None, made))
        return made, _reference(message) in texts

    def _entries(self) -> Iterator[Mapping[str, Any]]:
        answer = self._ask("GET", self.api.listed, None)
        entries = answer.get("data") if isinstance(answer, Mapping) else answer
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, Mapping) and "id" in entry:
                yield entry

    def _write(self, message: Message, made: str | None) -> str:
        state = RESOLVED if message.event == RESOLUTION else INVESTIGATING
        told = {
            "subject": message.subject,
            "text": f"{message.body.rstrip()}\n\n{_about(message)}{_reference(message)}",
            "state": self.api.states[state],
            "visible": 1,
        }
        shape = self.api.update_body if made else self.api.create_body
        body: dict[str, Any] = {name: told[value] for name, value in shape.items()}
        method, path = self.api.update if made else self.api.create
        answer = self._ask(method, path, {self.api.inside: body} if self.api.inside else body, made)
        if made:
            return made
        inner = answer.get(self.api.answer) if self.api.answer and isinstance(answer, Mapping) else answer
        if not isinstance(inner, Mapping) or inner.get("id") is None:
            raise _Unexpected("it does not say that it has it")
        return str(inner["id"])

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None, made: str | None = None) -> Any:
        import requests

        name, value = self.api.header
        with requests.request(
            method,
            self.url + path.format(page=self.page, id=made),
            json=body,
            headers={name: value.format(token=self.token), "Accept": "application/json"},
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            allow_redirects=False,
            stream=True,
        ) as answer:
            answer.raise_for_status()
            if answer.status_code >= 300:
                raise _Unexpected(f"HTTP {answer.status_code}, {ELSEWHERE}")
            data = body_of(answer)
        try:
            return json.loads(data) if data.strip() else {}
        except (ValueError, RecursionError):
            raise _Unexpected("its answer cannot be read") from None


def _is_web(url: str) -> bool:
    try:
        where = urlsplit(url)
    except ValueError:
        return False
    return where.scheme in ("https", "http") and bool(where.hostname)


def _about(message: Message) -> str:
    """Tells one incident from the others of the page, and no reader anything."""
    return f"Reference: {address_id(message.incident)}"


def _reference(message: Message) -> str:
    return f"-{message.token[:8]}"


def _why(error: Exception) -> str:
    import requests

    if isinstance(error, requests.RequestException):
        return why(error)
    return str(error) if isinstance(error, _Unexpected) else "its answer cannot be read"
