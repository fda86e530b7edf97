# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

from ansible_collections.firebreak.incident.plugins.module_utils.evidence.catalogue import (
    CATALOGUE,
    PROFILES,
    Docker,
    Journal,
    State,
    of_profile,
)


def test_a_larger_profile_contains_the_smaller_one() -> None:
    names = [[step.name for step in of_profile(profile)] for profile in PROFILES]
    assert set(names[0]) < set(names[1]) < set(names[2])
    assert names[2] == [step.name for step in CATALOGUE]


def test_names_and_files_are_used_once_and_are_safe() -> None:
    assert len({step.name for step in CATALOGUE}) == len({step.file for step in CATALOGUE}) == len(CATALOGUE)
    assert all(re.fullmatch(r"[a-z_]+\.[a-z]+", step.file) for step in CATALOGUE)


def test_the_most_volatile_comes_first() -> None:
    order = [step.name for step in CATALOGUE]
    expected = ["clock", "processes", "connections", "memory_maps", "deleted_binaries", "journal", "logs"]
    expected += ["docker_logs", "cron", "accounts", "packages"]
    assert [name for name in order if name in expected] == expected


def test_environments_are_in_the_profile_full_only() -> None:
    assert "environment" not in {step.name for step in of_profile("standard")}


def test_volatile_reads_no_disk_log_and_no_container() -> None:
    sources = {type(step.source) for step in of_profile("volatile")}
    assert State in sources
    assert not sources & {Journal, Docker}
