# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.firebreak.incident.plugins.filter.lock_tree import FilterModule


def test_nobody_waits() -> None:
    assert FilterModule().filters()["lock_tree"]([]) == "nobody waits for a lock"


@pytest.mark.parametrize("given", [None, "text", [1], [{"pid": 4}], {"tree": []}])
def test_what_is_no_tree_is_said_so(given: object) -> None:
    with pytest.raises(AnsibleFilterError, match="no tree of pg_locks_info"):
        FilterModule().filters()["lock_tree"](given)
