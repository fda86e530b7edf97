# SPDX-License-Identifier: GPL-3.0-or-later
"""The module of the same name, with the run's context."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ansible_collections.firebreak.incident.plugins.plugin_utils import with_context


class ActionModule(with_context.ActionModule):
    """Opens the connection while the module is put together: either takes a good part of a second.

    Only where it stays open for the module, which is what ssh does. A host that is not reached is told by
    the attempt itself.
    """

    _opened: Future[Any] | None = None

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        if self._connection.transport == "ssh":
            pool = ThreadPoolExecutor(max_workers=1)
            self._opened = pool.submit(self._connection.exec_command, "true", sudoable=False)
            pool.shutdown(wait=False)
        return super().run(tmp, task_vars)

    def _low_level_execute_command(self, *given: Any, **options: Any) -> dict[str, Any]:
        if self._opened is not None:
            self._opened.result()
        execute: Any = super()._low_level_execute_command
        result: dict[str, Any] = execute(*given, **options)
        return result
