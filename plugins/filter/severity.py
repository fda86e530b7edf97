# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says how bad an incident is, why, and what is due when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.moments import parse_iso, utc_now
from ansible_collections.firebreak.incident.plugins.plugin_utils.severity.judge import judge
from ansible_collections.firebreak.incident.plugins.plugin_utils.severity.site import (
    DEADLINES_VARIABLE,
    RULES_VARIABLE,
    Scale,
)


def severity(
    facts: Mapping[str, Any],
    detected: str | None = None,
    rules: Sequence[Mapping[str, Any]] | None = None,
    deadlines: Mapping[Any, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    if not isinstance(facts, Mapping):
        raise AnsibleFilterError("severity: that is no dictionary of facts. Give it {users_percent: 60}.")
    try:
        scale = Scale.of({RULES_VARIABLE: rules, DEADLINES_VARIABLE: deadlines})
        when = parse_iso(str(detected)) if detected else utc_now()
        return judge(facts, when, scale.rules, scale.deadlines).as_dict()
    except BadInput as error:
        raise AnsibleFilterError(f"severity: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., dict[str, Any]]]:
        return {"severity": severity}
