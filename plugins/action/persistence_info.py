# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings what the controller knows to the look: the baseline, and the key that it logs in with itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import constants

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso, utc_now
from ansible_collections.firebreak.incident.plugins.module_utils.persistence.baseline import refused
from ansible_collections.firebreak.incident.plugins.plugin_utils.evidence.session import unseen
from ansible_collections.firebreak.incident.plugins.plugin_utils.private_file import write_privately
from ansible_collections.firebreak.incident.plugins.plugin_utils.with_context import (
    ActionModule as WithContext,
)

SIZE_LIMIT = 32 * 1024 * 1024
KEY_VARIABLES = ("ansible_ssh_private_key_file", "ansible_private_key_file")
# Ansible fills in its settings when it is imported.
C: Any = constants


class ActionModule(WithContext):
    """Runs the module; `baseline` is read before and `write_baseline` written after it, on the controller."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        variables = task_vars or {}
        host = str(variables.get("inventory_hostname", ""))
        arguments = dict(self._task.args)
        try:
            known = file_of(arguments.get("baseline"), host)
            target = file_of(arguments.get("write_baseline"), host)
            arguments["expected"] = read_baseline(known, host) if known else None
        except FirebreakError as error:
            return {"failed": True, **error.as_result()}
        arguments["known_keys"] = [*(arguments.get("known_keys") or ()), *self._own_keys(variables)]
        self._task.args = arguments
        # The host's own log would tell the intruder what is known of it, and be large.
        with unseen(self._task, self._play_context, self._connection):
            result = super().run(tmp, task_vars)
        # Some of it is long, and all of it is on the controller already.
        result.get("invocation", {}).get("module_args", {}).pop("expected", None)
        result["baseline_file"] = None
        if target and not result.get("failed") and not self._task.check_mode:
            self._write(target, host, result)
        return result

    def _write(self, target: Path, host: str, result: dict[str, Any]) -> None:
        """Only of a host on which nothing critical was found, or the intruder would be in it."""
        if any(finding["level"] == "critical" for finding in result["findings"]):
            result["findings"].append(refused(str(target)).as_dict())
            return
        content = {**result["baseline"], "host": host, "taken": iso(utc_now())}
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = write_privately(target, json.dumps(content, indent=1, sort_keys=True) + "\n")
            result["baseline_file"] = str(path)
        except OSError as error:
            problem = BadInput(
                f"write_baseline {target}", str(error.strerror), "Name a file that can be written."
            )
            result.update(failed=True, **problem.as_result())

    def _own_keys(self, variables: Mapping[str, Any]) -> list[str]:
        """The public halves of the keys that the controller may log in with."""
        named = [self._templar.template(variables[name]) for name in KEY_VARIABLES if variables.get(name)]
        named += [C.DEFAULT_PRIVATE_KEY_FILE] if C.DEFAULT_PRIVATE_KEY_FILE else []
        halves = [Path(f"{name}.pub").expanduser() for name in named]
        return public_keys(halves or sorted(Path("~/.ssh").expanduser().glob("id_*.pub")))


def file_of(given: Any, host: str) -> Path | None:
    """`<given>/<host>.json`, or `given` itself when it is named like a file."""
    if not given:
        return None
    path = Path(str(given)).expanduser()
    return path if path.suffix == ".json" else path / f"{host}.json"


def read_baseline(path: Path, host: str) -> Any:
    """What a baseline file holds; None where there is no file yet. Raises `BadInput`."""
    try:
        with path.open("rb") as stream:
            content = json.loads(stream.read(SIZE_LIMIT))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"baseline {path}", str(error.strerror), "Name a file that can be read.") from error
    except ValueError as error:
        raise BadInput(
            f"baseline {path}", f"it is no JSON ({error})", "Write it anew from a clean host."
        ) from error
    if not isinstance(content, dict) or content.get("host") != host:
        whose = content.get("host") if isinstance(content, dict) else None
        raise BadInput(f"baseline {path}", f"it is that of {whose}, not of {host}", "Name a folder instead.")
    return content


def public_keys(paths: list[Path]) -> list[str]:
    """Those that are there."""
    found = []
    for path in paths:
        try:
            found.append(path.read_text(encoding="utf-8", errors="replace").strip()[:16384])
        except OSError:
            continue
    return found
