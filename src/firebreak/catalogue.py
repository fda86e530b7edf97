# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks of the collection and their inputs, from the meta files beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.firebreak.incident.plugins.module_utils import errors
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.plugin_utils.run import Scenario


@dataclass(frozen=True)
class Input:
    """`type` is Ansible's: str, int, bool, list or dict. `kind` says more of a str: duration, address, id,
    report."""

    name: str
    type: str
    description: str
    default: Any = None
    required: bool = False
    choices: tuple[str, ...] = ()
    kind: str | None = None


@dataclass(frozen=True)
class Playbook:
    """`changes` says whether it changes hosts; `path` is where it lies."""

    name: str
    path: Path
    short_description: str
    description: str
    changes: bool
    inputs: tuple[Input, ...]

    def check(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs, cast and with their defaults, as the playbook will take them. Raises `BadInput`."""
        return Scenario.of(self.path).inputs(inputs, inputs.keys())


def playbooks() -> dict[str, Playbook]:
    """Every playbook by its name."""
    return {path.stem: _read(path) for path in sorted(directory().glob("*.yml")) if _is_playbook(path)}


def playbook(name: str) -> Playbook:
    """Raises `BadInput`."""
    path = directory() / f"{name}.yml"
    if name != path.stem or not _is_playbook(path) or not path.exists():
        known = ", ".join(sorted(playbooks()))
        raise BadInput(f"playbook {name!r}", "the collection has none of that name", f"It has {known}.")
    return _read(path)


def directory() -> Path:
    """Where the collection's playbooks lie: beside its plugins, installed or checked out."""
    return Path(errors.__file__).parents[2] / "playbooks"


def _is_playbook(path: Path) -> bool:
    return path.with_suffix(".meta.yml").exists()


def _read(path: Path) -> Playbook:
    meta = yaml.safe_load(path.with_suffix(".meta.yml").read_text(encoding="utf-8"))
    main = meta["argument_specs"]["main"]
    return Playbook(
        name=path.stem,
        path=path,
        short_description=meta["short_description"],
        description=" ".join(str(meta["description"]).split()),
        changes=bool(main["x_changes"]),
        inputs=tuple(_input(name, option) for name, option in main["options"].items()),
    )


def _input(name: str, option: Mapping[str, Any]) -> Input:
    return Input(
        name=name,
        type=option["type"],
        description=" ".join(str(option["description"]).split()),
        default=option.get("default"),
        required=bool(option.get("required")),
        choices=tuple(option.get("choices") or ()),
        kind=option.get("x_type"),
    )
