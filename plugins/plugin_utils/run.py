# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of a playbook: its id, its limits, the inputs a person gave it."""

from __future__ import annotations

import difflib
import json
import os
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.yaml import yaml_load

from ansible_collections.firebreak.incident.plugins.module_utils.addresses import parse_network
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import parse_duration

# Extra variables that are not inputs: Ansible's own, ours for inventories, and what AWX adds to every job.
FOREIGN_PREFIXES = ("ansible_", "firebreak_", "awx_", "tower_")
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
WRONG_TYPE = re.compile(r"(?:argument|Elements value for option) '(\w+)' is of type .*? convert to (\w+)")
KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "dict": "a mapping"}


def parse_id(text: str) -> str:
    """The id of a run or an incident: letters, digits, dot, dash and underscore."""
    if not ID.fullmatch(text):
        raise BadInput(
            f"id {text!r}", "it is not an id", "Use up to 64 letters, digits, dots, dashes and underscores."
        )
    return text


def parse_report(text: str) -> Path:
    """A file that can be written, told before any host is asked rather than after."""
    path = Path(text).absolute()
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise BadInput(f"report {text}", f"it cannot be written in {path.parent}", "Name another file.")
    return path


# What `x_type` of an option may say; the value stays as it was typed.
TYPES = {
    "address": parse_network,
    "duration": parse_duration,
    "id": parse_id,
    "report": parse_report,
}


def new_run_id(now: datetime | None = None) -> str:
    """Sorts by time, is read out over the phone, and two runs of one second differ."""
    return f"{now or datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


@dataclass(frozen=True)
class Scenario:
    """A playbook and the `.meta.yml` beside it. `opens` says that its incident is not there before it."""

    name: str
    changes: bool
    options: Mapping[str, Mapping[str, Any]]
    opens: bool = False

    @classmethod
    def of(cls, playbook: Path) -> Scenario:
        path = playbook.with_suffix(".meta.yml")
        try:
            meta = yaml_load(path.read_text(encoding="utf-8"))
            main = meta["argument_specs"]["main"]
            return cls(playbook.stem, main["x_changes"], main["options"], main.get("x_opens", False))
        except FileNotFoundError:
            raise BadInput(
                f"playbook {playbook.name}", f"{path.name} is missing", "Put it beside it."
            ) from None
        except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            raise BadInput(
                f"file {path}", f"it is not a scenario's meta file ({error})", "Mend it."
            ) from error

    def inputs(self, variables: Mapping[str, Any], extra: Collection[str]) -> dict[str, Any]:
        """The inputs, checked, cast and with their defaults.

        `variables` is whatever the play knows; `extra` names the variables that a person gave to this
        run, none of which may be a word the playbook does not know.
        """
        for name in extra:
            if name not in self.options and not name.startswith(FOREIGN_PREFIXES):
                raise BadInput(f"input {name!r}", f"{self.name} has no such input", self._suggestion(name))
        given = {name: variables[name] for name in self.options if name in variables}
        checked = ArgumentSpecValidator(dict(self.options)).validate(given)
        if checked.error_messages:
            nameless = self.options.get("incident", {}).get("required") and not given.get("incident")
            raise BadInput(
                f"inputs of {self.name}",
                "; ".join(_plainly(message, given) for message in checked.error_messages),
                "The playbook escalate with --check names the incidents that are open."
                if nameless
                else "docs/inputs.md lists every input.",
            )
        inputs: dict[str, Any] = checked.validated_parameters
        for name, value in inputs.items():
            option = self.options[name]
            if "x_min" in option and value < option["x_min"]:
                raise BadInput(f"input {name!r}", f"{value} is too small", f"Give {option['x_min']} or more.")
            check = TYPES.get(option.get("x_type", ""))
            if check and value not in (None, ""):
                try:
                    check(value)
                except BadInput as error:
                    raise BadInput(
                        f"input {name!r}", str(error), "docs/inputs.md lists every input."
                    ) from error
        return inputs

    def _suggestion(self, name: str) -> str:
        close = difflib.get_close_matches(name, self.options, n=1)
        if close:
            return f"Did you mean {close[0]!r}?"
        return f"It takes {', '.join(sorted(self.options)) or 'none'}."


def _plainly(message: str, given: Mapping[str, Any]) -> str:
    """What Ansible says of a wrong type names classes of Python, and not always the same ones."""
    wrong = WRONG_TYPE.match(message)
    if wrong is None:
        return message
    name, kind = wrong.groups()
    return f"{name} is {json.dumps(given[name], default=str)[:80]}, and {KINDS.get(kind, kind)} is needed"


def check_fleet(hosts: Sequence[str], limit: str | None, all_hosts: bool) -> None:
    """Refuse to change more than one host when nobody said which."""
    if len(hosts) > 1 and not limit and not all_hosts:
        raise BadInput(
            f"{len(hosts)} hosts",
            "this changes hosts and nobody said which ones",
            "Name them with --limit (for instance -l prod), or give -e all_hosts=true to mean every one.",
        )
