# SPDX-License-Identifier: GPL-3.0-or-later
"""Verifies collections of evidence on the controller. No host is contacted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.finding import ranked
from ansible_collections.firebreak.incident.plugins.plugin_utils.evidence.verify import collections_in, verify


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        validate: Any = self.validate_argument_spec
        _validation, options = validate(
            argument_spec={"path": {"type": "path", "required": True}, "manifest_sha256": {"type": "str"}}
        )
        path = Path(options["path"]).absolute()
        digest = options["manifest_sha256"] or None
        try:
            found = collections_in(path)
            if digest and len(found) > 1:
                raise BadInput(
                    f"path {path}",
                    f"it holds {len(found)} collections, and one digest was given",
                    "Name the collection that it belongs to.",
                )
            verified = [verify(each, digest) for each in found]
        except FirebreakError as error:
            return {"failed": True, **error.as_result()}
        except OSError as error:
            unreadable = BadInput(f"path {path}", str(error.strerror), "Name what you can read.")
            return {"failed": True, **unreadable.as_result()}
        findings = ranked(finding for each in verified for finding in each.findings)
        return {
            "changed": False,
            "collections": [each.as_dict() for each in verified],
            "intact": all(each.intact for each in verified),
            "findings": [finding.as_dict() for finding in findings],
        }
