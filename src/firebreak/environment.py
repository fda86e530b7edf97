# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment that Ansible is started in: the caller's, so that it does what it does at a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.config.manager import ConfigManager, find_ini_config_file
from ansible.errors import AnsibleError

from ansible_collections.firebreak.incident.plugins.module_utils import errors
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput

_TIMELINE = "firebreak.incident.timeline"
_COLLECTIONS = ("~/.ansible/collections", "/usr/share/ansible/collections")


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """What is set beside this process's own environment; `given` wins over that and over ansible.cfg.

    Raises `BadInput`.
    """
    settings = _Settings(given)
    callbacks = [*settings.texts("ANSIBLE_CALLBACKS_ENABLED", "CALLBACKS_ENABLED"), _TIMELINE]
    # The plugins that were imported here are those that belong to the playbook.
    collections = [
        str(_root()),
        *(settings.texts("ANSIBLE_COLLECTIONS_PATH", "COLLECTIONS_PATHS", os.pathsep)),
    ]
    return {
        # A virtual environment need not be activated.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        **given,
        "ANSIBLE_CALLBACKS_ENABLED": ",".join(dict.fromkeys(callbacks)),
        "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(dict.fromkeys(collections)),
        # ansible-runner would switch it off where nobody has said a word in the environment.
        "ANSIBLE_HOST_KEY_CHECKING": settings.text("ANSIBLE_HOST_KEY_CHECKING", "HOST_KEY_CHECKING"),
        # Nobody looks at the screen.
        "ANSIBLE_STDOUT_CALLBACK": "default",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        # A result longer than this is dropped without a word.
        "MAX_EVENT_RES": str(sys.maxsize),
    }


class _Settings:
    """Ansible's settings as a playbook started here would have them."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given
        file = given.get("ANSIBLE_CONFIG") or find_ini_config_file()
        try:
            self._config = ConfigManager(file)
        except AnsibleError as error:
            raise BadInput(
                f"file {file}", str(error), "Mend it, or name another in ANSIBLE_CONFIG."
            ) from error

    def text(self, variable: str, name: str) -> str:
        return self._given.get(variable) or str(self._value(name)[0])

    def texts(self, variable: str, name: str, separator: str = ",") -> Sequence[str]:
        if variable in self._given:
            return [text for text in self._given[variable].split(separator) if text]
        value, origin = self._value(name)
        if name == "COLLECTIONS_PATHS" and origin == "default":
            return _COLLECTIONS
        return [str(each) for each in value or ()]

    def _value(self, name: str) -> tuple[Any, str]:
        try:
            value, origin = self._config.get_config_value_and_origin(name)
        except AnsibleError as error:
            raise BadInput(f"Ansible's setting {name}", str(error), "Mend it in ansible.cfg.") from error
        return value, str(origin)


def _root() -> Path:
    """The directory that holds `ansible_collections`, installed or checked out."""
    return Path(errors.__file__).absolute().parents[5]
