# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as they are returned and recorded."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from .errors import BadInput

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


def iso(moment: datetime) -> str:
    """UTC, ISO 8601 with milliseconds and Z."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def iso_at(seconds: float) -> str:
    """The same of a time in seconds since the epoch."""
    return iso(_EPOCH + timedelta(seconds=seconds))


def parse_iso(text: str) -> datetime:
    """A UTC time as `iso` writes it, with any number of digits of the second. Raises `BadInput`."""
    for form in ("%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%SZ"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=timezone.utc)
        except ValueError:
            continue
    raise BadInput(f"time {text!r}", "it is not UTC in ISO 8601", "Write for example 2026-01-31T03:00:00Z.")
