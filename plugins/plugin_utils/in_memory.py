# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module on a host whose disk may be full: what Ansible unpacks for it there is unpacked in memory.

It costs nothing where there is room. Python takes the first place that takes a few bytes, and one that has
no more room than that shows only when the module is unpacked; then it is run again with the next.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import UNPACKED_IN
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.ledger import NO_ROOM

# Ansible fills in its settings when it is imported.
C: Any = constants
MEMORY = UNPACKED_IN["TEMP"]
# Where it is tried again, one after the other.
PLACES = (*UNPACKED_IN.values(), "/tmp", "/var/tmp")
_NOT_UNPACKED = re.compile(
    r"\[Errno \d+\] (?:No space left on device|Disk quota exceeded|Read-only file system|Input/output error"
    r"|No usable temporary directory found)"
)
# Without pipelining. sftp only says that it failed, so this has to be taken for a full disk.
_NOT_SENT = re.compile(
    r"Failed to create temporary directory|No space left on device|[Ff]ailed to transfer file"
)


class InMemoryAction(ActionBase):
    """The base of the actions that run a module on a host."""

    def _execute_module(self, *given: Any, **options: Any) -> dict[str, Any]:
        execute: Any = self._sent_somewhere
        asked = self._task.environment
        try:
            for first in ({}, *({"TMPDIR": place} for place in PLACES)):
                # What comes later in the list wins, so a TMPDIR of the inventory is tried first.
                self._task.environment = [UNPACKED_IN, *(asked or ()), first]
                result: dict[str, Any] = execute(*given, **options)
                if not was_not_unpacked(result):
                    return result
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            # What puts the module together does so on this side.
            here = BadInput(
                f"directory {C.DEFAULT_LOCAL_TMP} of the controller",
                error.strerror or str(error),
                "Free a few megabytes, or use memory: export ANSIBLE_LOCAL_TEMP=/dev/shm.",
            )
            return {"failed": True, **here.as_result()}
        finally:
            self._task.environment = asked
        failure = Unreachable(
            f"host {self._task_host(options)}",
            f"no room to unpack the module in {', '.join(PLACES)}",
            "Free 2 MB and an inode in one of them; df -h and df -i show them.",
        )
        return {**result, **failure.as_result()}

    def _sent_somewhere(self, *given: Any, **options: Any) -> dict[str, Any]:
        execute: Any = super()._execute_module
        try:
            result: dict[str, Any] = execute(*given, **options)
        except AnsibleError as error:
            if not _NOT_SENT.search(str(error)):
                raise
            shell: Any = self._connection._shell
            remove: Any = self._remove_tmp_path
            remove(shell.tmpdir)
            shell.set_option("remote_tmp", MEMORY)
            # Those that another user than root may look into.
            shell.set_option("system_tmpdirs", [MEMORY])
            result = execute(*given, **options)
        return result

    @staticmethod
    def _task_host(options: Mapping[str, Any]) -> str:
        return str((options.get("task_vars") or {}).get("inventory_hostname", ""))


def was_not_unpacked(result: Mapping[str, Any]) -> bool:
    """Whether a module was not even begun, because the host had no room for it."""
    said = f"{result.get('module_stderr', '')}{result.get('module_stdout', '')}"
    # With the second it had begun, and what it has done must not be done again.
    return "_ansiballz_main" in said and "runpy" not in said and bool(_NOT_UNPACKED.search(said))
