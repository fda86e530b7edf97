# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as they are returned and recorded."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


def iso(moment: datetime) -> str:
    """UTC, ISO 8601 with milliseconds and Z."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def iso_at(seconds: float) -> str:
    """The same of a time in seconds since the epoch."""
    return iso(_EPOCH + timedelta(seconds=seconds))
