# SPDX-License-Identifier: GPL-3.0-or-later
"""Places that Apprise can bring a message to, by URL: chat, e-mail, pagers, telephones and 100 more."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import (
    BadInput,
    FirebreakError,
    Unreachable,
)

from .channel import (
    ACCEPTED,
    CONNECT_SECONDS,
    READ_SECONDS,
    REFUSED,
    UNKNOWN,
    Channel,
    Claim,
    Message,
    Outcome,
    Taken,
    address_id,
    bounded,
)
from .mail import Mail

# Which attribute of Apprise's service takes the key, where the receiver shows a message of one key once.
KEYED: Mapping[str, str] = {"pagerduty": "dedup", "opsgenie": "alias"}
_MAIL = ("mailto", "mailtos")
# Of a title that is shown as one Apprise escapes nothing.
_NO_MARKUP = str.maketrans("<>", "\u2039\u203a")


@dataclass(frozen=True)
class AppriseChannel:
    id: str
    shown: str
    deduplicates: bool
    service: Any = field(repr=False)

    def send(self, message: Message, claim: Claim) -> Outcome:
        return bounded(lambda: self._send(message, claim))

    def _send(self, message: Message, claim: Claim) -> Outcome:
        from apprise import NotifyFormat, NotifyType, OverflowMode

        from .watched import Watch, watching

        keyed = KEYED.get(scheme_of(self.service))
        if keyed:
            setattr(self.service, keyed, message.token)
        watch = Watch(message.token, claim)
        kind = NotifyType.FAILURE if message.urgent else NotifyType.INFO
        try:
            with watching(watch):
                if not _speaks_http(self.service):
                    watch.claimed = _claimed(claim)
                delivered = self.service.notify(
                    title=message.subject.translate(_NO_MARKUP),
                    body=message.body,
                    notify_type=kind,
                    # So that it is escaped where markup is read: a title may come from whoever attacks.
                    body_format=NotifyFormat.TEXT,
                    # One message, cut off where the receiver takes no more rather than refused by it.
                    overflow=OverflowMode.TRUNCATE,
                )
        except (Taken, FirebreakError):
            raise
        except Exception as error:
            # Of a hundred plugins, whatever one of them trips over.
            return Outcome(UNKNOWN if watch.claimed else REFUSED, watch.error or type(error).__name__)
        if delivered:
            return Outcome(ACCEPTED)
        if watch.lost:
            raise Taken
        if watch.unanswered:
            return Outcome(UNKNOWN, watch.error)
        return Outcome(REFUSED, watch.error or watch.refusal)


def channel_of(where: str, given: Any) -> Channel:
    """From a URL, or `{url: …, deduplicates: true}` for a receiver that knows a message again by its key.

    Raises `BadInput` that names where it is written, for the URL itself is secret.
    """
    url, deduplicates = given, None
    if isinstance(given, Mapping):
        if set(given) - {"url", "deduplicates"}:
            raise BadInput(where, "it cannot be read", "Write a URL, or {url: …, deduplicates: true}.")
        url, deduplicates = given.get("url"), given.get("deduplicates")
    service = _service(where, str(url or ""))
    scheme = scheme_of(service)
    name, known = address_id(str(url)), bool(scheme in KEYED if deduplicates is None else deduplicates)
    if scheme in _MAIL:
        if not service.targets:
            raise BadInput(where, "it names nobody to write to", "Write an address that exists after to=.")
        return _mail(service, name, known)
    return AppriseChannel(name, f"{service.service_name} {name[:6]}", known, service)


def scheme_of(service: Any) -> str:
    protocol = service.secure_protocol or service.protocol
    first = protocol if isinstance(protocol, str) else protocol[0]
    return str(first)


def _service(where: str, url: str) -> Any:
    service = _instantiated(url)
    if not service:
        raise BadInput(
            where, "Apprise cannot read this URL", "See https://appriseit.com/services for how to write it."
        )
    targets = len(service)
    if targets != 1:
        raise BadInput(
            where, f"it names {targets} receivers", "Write one URL for each, so that each is told once."
        )
    service.socket_connect_timeout, service.socket_read_timeout = CONNECT_SECONDS, READ_SECONDS
    return service


def _instantiated(url: str) -> Any:
    """None for what is no URL of Apprise's. It loads all it has, of which much is deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            import apprise
        except ImportError as error:
            raise Unreachable(
                "messages", "apprise is not installed here", "pip install 'firebreak[messages]'"
            ) from error
        # It would write addresses to the terminal.
        logger = logging.getLogger("apprise")
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
        return apprise.Apprise.instantiate(url, suppress_exceptions=True)


def _mail(service: Any, name: str, deduplicates: bool) -> Mail:
    address = str(service.targets[0][1])
    return Mail(
        id=name,
        shown=f"e-mail …@{address.rpartition('@')[2]} {name[:6]}",
        deduplicates=deduplicates,
        host=str(service.smtp_host),
        port=int(service.port),
        secure=str(service.secure_mode),
        sender=(str(service.from_addr[0] or ""), str(service.from_addr[1])),
        to=address,
        copies=tuple(sorted({*service.cc, *service.bcc})),
        user=str(service.user or ""),
        password=str(service.password or ""),
        verify=bool(service.verify_certificate),
    )


def _speaks_http(service: Any) -> bool:
    """Whether its requests are seen when it makes them; of the others the beginning is all that is known."""
    modules = {
        kind.__module__ for kind in type(service).__mro__ if kind.__module__.startswith("apprise.plugins.")
    }
    return any(hasattr(sys.modules[module], "requests") for module in modules)


def _claimed(claim: Claim) -> bool:
    if not claim():
        raise Taken
    return True
