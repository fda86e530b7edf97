# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory says runs on a host: `firebreak_services`, `firebreak_postgres`, `firebreak_redis`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from .errors import BadInput

SYSTEMD, COMPOSE = "systemd", "compose"
# The keys of a service with the types of their values. Others are mistakes: a misspelt `essential`
# would go unnoticed until the night it matters.
KEYS: Mapping[str, type] = {
    "runtime": str,
    "unit": str,
    "project": str,
    "service": str,
    "health": str,
    "essential": bool,
    "logs": list,
    "directory": str,
}
UNIT_SUFFIXES = (".service", ".socket", ".target", ".timer", ".mount", ".path", ".slice", ".scope")


# The options of modules that must know what runs here and how to get in, each documented in the fragment of
# its name.
SERVICES_SPEC: Mapping[str, Any] = {"services": {"type": "dict", "default": {}}}
POSTGRES_SPEC: Mapping[str, Any] = {
    "postgres": {
        "type": "dict",
        "options": {
            "service": {"type": "str"},
            "host": {"type": "str"},
            "port": {"type": "int", "default": 5432},
            "socket": {"type": "str"},
            "database": {"type": "str"},
            "user": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "application_user": {"type": "str"},
            "application_password": {"type": "str", "no_log": True},
            "application_is_superuser": {"type": "bool", "default": False},
        },
    },
}
REDIS_SPEC: Mapping[str, Any] = {
    "redis": {
        "type": "dict",
        "options": {
            "service": {"type": "str"},
            "host": {"type": "str"},
            "port": {"type": "int", "default": 6379},
            "socket": {"type": "str"},
            "user": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "tls": {"type": "bool", "default": False},
            "caches": {"type": "list", "elements": "str", "default": []},
        },
    },
}
ENDPOINTS_SPEC: Mapping[str, Any] = {
    "endpoints": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "url": {"type": "str", "required": True},
            "connect_to": {"type": "str"},
            "certificate": {"type": "str"},
            "verify": {"type": "bool", "default": True},
        },
    },
}
SPEC: Mapping[str, Any] = {**SERVICES_SPEC, **POSTGRES_SPEC, **REDIS_SPEC}


@dataclass(frozen=True)
class Service:
    """`unit` for systemd; `service`, and perhaps `project`, for compose. `health` is a URL.

    `logs` are file patterns, `directory` is where its release is checked out.
    """

    name: str
    runtime: str
    unit: str | None = None
    project: str | None = None
    service: str | None = None
    health: str | None = None
    essential: bool = True
    logs: tuple[str, ...] = ()
    directory: str | None = None

    @property
    def target(self) -> str:
        """How its runtime calls it."""
        if self.runtime == SYSTEMD:
            return str(self.unit)
        return f"{self.project}/{self.service}" if self.project else str(self.service)


def parse_services(given: Mapping[str, Any] | None) -> tuple[Service, ...]:
    """Raises `BadInput` that names the service and the key."""
    return tuple(_service(str(name), values) for name, values in (given or {}).items())


def _service(name: str, values: Any) -> Service:
    subject = f"service {name}"
    _check(subject, values)
    runtime = values.get("runtime")
    unit = service = None
    if runtime == SYSTEMD:
        unit = _unit(subject, _needed(subject, values, "unit"))
    elif runtime == COMPOSE:
        service = _needed(subject, values, "service")
    else:
        raise BadInput(subject, f"its runtime is {runtime!r}", f"Write {SYSTEMD} or {COMPOSE}.")
    return Service(
        name=name,
        runtime=runtime,
        unit=unit,
        project=values.get("project"),
        service=service,
        health=values.get("health"),
        essential=values.get("essential") is not False,
        logs=tuple(str(pattern) for pattern in values.get("logs") or ()),
        directory=values.get("directory"),
    )


def _unit(subject: str, name: str) -> str:
    # It is given to systemctl, where it must be neither an option nor a pattern.
    if name.startswith("-") or any(character in name for character in "*?[ \n"):
        raise BadInput(subject, f"unit {name!r} is no name of a unit", "Write for example nginx.service.")
    return name if name.endswith(UNIT_SUFFIXES) else f"{name}.service"


def _check(subject: str, values: Any) -> None:
    if not isinstance(values, Mapping):
        raise BadInput(subject, "it is no dictionary", f"Its keys are {', '.join(KEYS)}.")
    for key, value in values.items():
        if key not in KEYS:
            raise BadInput(subject, f"{key!r} means nothing", f"Its keys are {', '.join(KEYS)}.")
        if value is not None and not isinstance(value, KEYS[key]):
            raise BadInput(
                subject, f"{key} is of type {type(value).__name__}", f"Write a {KEYS[key].__name__}."
            )


def _needed(subject: str, values: Mapping[str, Any], key: str) -> str:
    value = values.get(key)
    if not value:
        raise BadInput(subject, f"it has no {key}", f"Give its {key}.")
    return str(value)
