# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened in an incident. Each event holds the hash of the one before: none can be altered alone."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Set
from dataclasses import dataclass, fields
from typing import Any

BEGINNING = "sha256:" + "0" * 64

OPENED, CLOSED, REOPENED = "incident.opened", "incident.closed", "incident.reopened"
# The kind of a row that was made unreadable by hand.
UNREADABLE = "unreadable"

# What the data of one event may take, in bytes, and its key, in characters: PostgreSQL indexes no more.
LARGEST, LONGEST_KEY = 1 << 20, 500


@dataclass(frozen=True)
class Draft:
    """What somebody wants recorded. Of several with the same `key` in an incident only the first is.

    `time` is UTC, ISO 8601; `kind` is dotted (`act.done`); `host` is None for what concerns no host;
    `data` is JSON-plain and holds no secret.
    """

    key: str
    time: str
    kind: str
    actor: str
    host: str | None
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Event(Draft):
    """As it was recorded: `number` counts from 1 in the `incident`, `previous` is the hash before it."""

    incident: str
    number: int
    previous: str
    digest: str

    @classmethod
    def following(cls, draft: Draft, incident: str, number: int, previous: str) -> Event:
        told = {field.name: getattr(draft, field.name) for field in fields(Draft)}
        told.update(incident=incident, number=number, previous=previous)
        return cls(**told, digest=_hash(told))

    @property
    def genuine(self) -> bool:
        """Whether it is what was hashed when it was recorded."""
        told = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "digest"}
        return self.digest == _hash(told)


def storable(draft: Draft) -> Draft:
    """As every database takes it and gives it back: a fault in what a host answers must lose no event."""
    key, host = _text(draft.key), None if draft.host is None else _text(draft.host)
    if len(key) > LONGEST_KEY:
        key = f"{key[: LONGEST_KEY - 65]}#{hashlib.sha256(key.encode()).hexdigest()}"
    data: Mapping[str, Any] = _plain(draft.data)
    if len(canonical(data)) > LARGEST:
        # What is small is kept, of the rest that it was there.
        large = [name for name, value in data.items() if len(canonical(value)) > LARGEST // len(data)]
        data = {**data, **{name: type(data[name])() for name in large}, "too_large": large[:100]}
    return Draft(key, _text(draft.time), _text(draft.kind), _text(draft.actor), host, data)


def _plain(value: Any) -> Any:
    """What JSON gives back as it was; what it does not know as text."""
    if value is None or isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, Set)):
        return [_plain(each) for each in value]
    return str(value)


def _text(value: Any) -> str:
    """Without what is no UTF-8 and what PostgreSQL does not take."""
    return str(value).encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _hash(told: Mapping[str, Any]) -> str:
    return "sha256:" + hashlib.sha256(canonical(told).encode()).hexdigest()
