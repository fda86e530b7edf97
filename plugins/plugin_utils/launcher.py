# SPDX-License-Identifier: GPL-3.0-or-later
"""How this very Ansible was started, so that the next command can be started the same way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import constants, context

from .rendering.command import Launcher

# Ansible fills in its settings when it is imported.
C: Any = constants


def current_launcher(playbook: Path, in_awx: bool = False) -> Launcher:
    """`playbook` is the path of the running one. In AWX the command line is not the user's."""
    if in_awx:
        return Launcher(running=playbook.stem)
    defaults = {
        "inventory": C.DEFAULT_HOST_LIST,
        "remote_user": C.DEFAULT_REMOTE_USER,
        "private_key_file": C.DEFAULT_PRIVATE_KEY_FILE,
        "vault_ids": C.DEFAULT_VAULT_IDENTITY_LIST,
        "vault_password_files": C.DEFAULT_VAULT_PASSWORD_FILE,
    }
    return Launcher.of(playbook, context.CLIARGS, defaults, Path.cwd())


def launcher_of(variables: Mapping[str, Any]) -> Launcher:
    """From what a task knows; one that is run by itself is taken for one of our playbooks."""
    run = (variables.get("firebreak_run") or {}).get("run") or {}
    playbook = Path(variables.get("playbook_dir", "playbooks")) / f"{run.get('playbook') or 'triage'}.yml"
    return current_launcher(playbook, in_awx="awx_job_id" in variables)
