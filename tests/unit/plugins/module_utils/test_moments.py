# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso, iso_at, parse_iso


@pytest.mark.parametrize("text", ["2026-11-22T03:00:07.125Z", "1970-01-01T00:00:00.000Z"])
def test_a_time_is_read_as_it_was_written(text: str) -> None:
    assert iso(parse_iso(text)) == text
    assert iso_at(parse_iso(text).timestamp()) == text


def test_a_time_may_be_finer_or_coarser() -> None:
    assert iso(parse_iso("2026-11-22T03:00:07Z")) == "2026-11-22T03:00:07.000Z"
    assert parse_iso("2026-11-22T03:00:07.123456Z").microsecond == 123456


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-11-22", "2026-11-22T03:00:07+01:00", "2026-13-22T03:00:07Z"]
)
def test_what_is_no_utc_time_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="it is not UTC in ISO 8601"):
        parse_iso(text)
