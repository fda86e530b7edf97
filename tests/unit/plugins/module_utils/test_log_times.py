# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import datetime

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.log_times import Clock

from .conftest import epoch


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        (b"2026-11-21T22:01:07.123456+00:00", "2026-11-21T22:01:07.123456"),
        (b"2026-11-21T23:01:07+01:00", "2026-11-21T22:01:07"),
        (b"2026-11-21T18:31:07.5-0330", "2026-11-21T22:01:07.500000"),
        (b"2026-11-21T22:01:07Z", "2026-11-21T22:01:07"),
        (b"torn\n2026-11-21T22:01:07Z", "2026-11-21T22:01:07"),
    ],
)
def test_full_stamps_are_read_in_their_own_zone(stamp: bytes, expected: str, zone: str) -> None:
    assert Clock(0.0).seconds(stamp) == epoch(expected)


def test_a_stamp_without_a_zone_is_in_the_hosts(zone: str) -> None:
    here = datetime(2026, 11, 21, 22, 0, 0).timestamp()
    assert Clock(here).seconds(b"Nov 21 22:00:00") == here


@pytest.mark.parametrize(
    ("latest", "stamp", "expected"),
    [
        ("2027-01-01T00:10:00", b"Dec 31 23:59:59", "2026-12-31T23:59:59"),
        ("2027-01-01T00:10:00", b"Jan  1 00:05:00", "2027-01-01T00:05:00"),
        # The writer's clock may be a little ahead of the file system's.
        ("2026-12-31T23:59:59", b"Jan  1 00:00:01", "2027-01-01T00:00:01"),
        ("2027-02-28T00:00:00", b"Feb 29 12:00:00", "2024-02-29T12:00:00"),
        ("2027-01-05T00:00:00", b"Feb  1 00:00:00", "2026-02-01T00:00:00"),
    ],
)
def test_the_missing_year_is_the_last_that_fits(latest: str, stamp: bytes, expected: str, utc: None) -> None:
    assert Clock(epoch(latest)).seconds(stamp) == epoch(expected)


@pytest.mark.parametrize(
    "stamp",
    [b"", b"Foo 21 22:00:00", b"Nov 31 22:00:00", b"2026-13-01T00:00:00Z", b"0000-01-01T00:00:00Z", b"123"],
)
def test_what_is_no_stamp_is_no_time(stamp: bytes) -> None:
    assert Clock(1e9).seconds(stamp) is None


def test_a_leap_second_is_a_time(utc: None) -> None:
    assert Clock(1.8e9).seconds(b"2016-12-31T23:59:60Z") == epoch("2016-12-31T23:59:59")
