# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws who waits for whom in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.lock_tree import draw


def lock_tree(tree: Sequence[Mapping[str, Any]], width: int = 100) -> str:
    try:
        return draw(tree, int(width))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(
            f"lock_tree: that is no tree of pg_locks_info ({type(error).__name__}: {error}). "
            f"Give it the `tree` of its result."
        ) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., str]]:
        return {"lock_tree": lock_tree}
