# SPDX-License-Identifier: GPL-3.0-or-later
"""When a line of a log was written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Sequence

# A stamp without a year, or one without spaces: RFC 3339, or the journal's seconds since the epoch.
STAMP = rb"([A-Z].{14}|[^ ]{17,35})"
_DAY = 86400.0
MONTHS = {
    name: number
    for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1)
}
_SYSLOG = re.compile(rb"([A-Z][a-z]{2}) ([ 0-9][0-9]) ([0-9]{2}):([0-9]{2}):([0-9]{2})")
_RFC3339 = re.compile(
    rb"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?"
    rb"(Z|[+-][0-9]{2}:?[0-9]{2})"
)
_EPOCH = re.compile(rb"[0-9]{9,11}\.[0-9]{6}")
_LINE_STAMP = re.compile(STAMP + rb" ")


@dataclass(frozen=True)
class Clock:
    """Reads the stamps of one log. `latest`: no line of it is much younger, in seconds since the epoch.

    Stamps of RFC 3164 name neither year nor zone. They are in this host's zone, as syslog writes them, and
    the year is the last in which they are not more than a day behind `latest`.
    """

    latest: float

    def seconds(self, stamp: bytes) -> float | None:
        """Seconds since the epoch, or None when it is no stamp."""
        stamp = stamp.rpartition(b"\n")[2]
        seconds = rfc3339(stamp)
        if seconds is not None:
            return seconds
        match = _SYSLOG.fullmatch(stamp)
        if match:
            return self._yearless(match)
        return float(stamp) if _EPOCH.fullmatch(stamp) else None

    def line(self, line: bytes) -> float | None:
        """The time of a line of syslog or of the journal."""
        match = _LINE_STAMP.match(line)
        return self.seconds(match.group(1)) if match else None

    def _yearless(self, match: re.Match[bytes]) -> float | None:
        month = MONTHS.get(match.group(1), 0)
        rest = [int(text) for text in match.groups()[1:]]
        newest = datetime.fromtimestamp(self.latest + _DAY)
        # Eight years back there was a 29 February, whatever the century.
        for year in range(newest.year, newest.year - 9, -1):
            seconds = moment([year, month, *rest])
            if seconds is not None and seconds <= self.latest + _DAY:
                return seconds
        return None


def rfc3339(stamp: bytes) -> float | None:
    """Seconds since the epoch, or None when it is no such stamp."""
    match = _RFC3339.fullmatch(stamp)
    if match is None:
        return None
    *numbers, fraction, zone = match.groups()
    seconds = moment([int(number) for number in numbers], zone)
    return None if seconds is None else seconds + float(fraction or b"0")


def moment(numbers: Sequence[int], zone: bytes | None = None) -> float | None:
    """Seconds since the epoch of a year, month, day, hour, minute and second; None when there is no such.

    `zone` is `Z`, a name for it, or `+01:00`. Whoever leaves it out means that of the host.
    """
    year, month, day, hour, minute, second = numbers
    here = None if zone is None else timezone.utc
    try:
        seconds = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=here).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
    if zone is None or zone[:1] not in (b"+", b"-"):
        return seconds
    offset = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
    return seconds + offset if zone[:1] == b"-" else seconds - offset
