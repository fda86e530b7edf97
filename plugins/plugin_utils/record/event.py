# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened in an incident. Each event holds the hash of the one before: none can be altered alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

BEGINNING = "sha256:" + "0" * 64

OPENED, CLOSED, REOPENED = "incident.opened", "incident.closed", "incident.reopened"


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


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _hash(told: Mapping[str, Any]) -> str:
    return "sha256:" + hashlib.sha256(canonical(told).encode()).hexdigest()
