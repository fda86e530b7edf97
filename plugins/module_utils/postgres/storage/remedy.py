# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook is told that puts a database's tables and indexes right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...finding import Remedy

PLAYBOOK = "fix_database_performance"


@dataclass(frozen=True)
class Place:
    """`database` is set when it is another one than the playbook goes to by itself. Nothing can be changed on
    a standby."""

    subject: str
    database: str | None = None
    standby: bool = False

    def remedy(self, cures: bool = True, **inputs: Any) -> Remedy | None:
        """Inputs of the playbook by name."""
        if self.standby:
            return None
        given = {**inputs, "database": self.database} if self.database else inputs
        return Remedy(PLAYBOOK, given, cures)
