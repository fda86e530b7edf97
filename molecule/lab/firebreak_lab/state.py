# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own key, known hosts and secrets, in `.lab/` of the checkout."""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import subprocess
import tarfile
from pathlib import Path

from .model import STATE_DIR, LabError

KEY = STATE_DIR / "id_ed25519"
KNOWN_HOSTS = STATE_DIR / "known_hosts"
SECRETS = STATE_DIR / "secrets.json"
TARGET_DIR = "/etc/firebreak-lab"
NAMES = (
    "zekka_postgres_password",
    "zekka_redis_password",
    "zekka_admin_token",
    "matrixon_postgres_password",
    "matrixon_admin_token",
    "basic_auth_password",
    "deploy_password",
)


def complete() -> bool:
    """True when this checkout has what is needed to log in."""
    return KEY.exists() and KNOWN_HOSTS.exists() and SECRETS.exists()


def ensure_key() -> str:
    """The public key, made now if there is none."""
    STATE_DIR.mkdir(mode=0o700, exist_ok=True)
    STATE_DIR.chmod(0o700)
    if not KEY.exists():
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "firebreak-lab", "-f", str(KEY)]
        try:
            subprocess.run(argv, check=True, capture_output=True, timeout=20)
        except (OSError, subprocess.SubprocessError) as error:
            raise LabError(f"ssh-keygen made no key ({error}); is openssh-client installed?") from error
    return KEY.with_suffix(".pub").read_text()


def new_secrets() -> dict[str, str]:
    """Fresh random values; hexadecimal, so that no file format needs to quote them."""
    return {name: secrets.token_hex(16) for name in NAMES}


def read_secrets() -> dict[str, str]:
    """The secrets of the running lab."""
    try:
        return dict(json.loads(SECRETS.read_text()))
    except OSError as error:
        raise LabError(f"{SECRETS} cannot be read ({error}); is the lab up?") from error


def write_secrets(values: dict[str, str]) -> None:
    """Write the secrets for this user only."""
    _write(SECRETS, json.dumps(values, indent=2, sort_keys=True) + "\n")


def write_known_hosts(keys: dict[tuple[str, ...], list[str]]) -> None:
    """Write one line for each host key; the names and addresses of a host share it."""
    lines = [f"{','.join(names)} {key}" for names, host_keys in keys.items() for key in host_keys]
    _write(KNOWN_HOSTS, "\n".join(lines) + "\n")


def _write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    part.replace(path)


def remove() -> None:
    """Forget everything."""
    shutil.rmtree(STATE_DIR, ignore_errors=True)


def as_environment(values: dict[str, str]) -> str:
    """The form in which a host keeps the secrets."""
    return "".join(f"{name.upper()}={value}\n" for name, value in sorted(values.items()))


def from_environment(text: str) -> dict[str, str]:
    """The secrets out of a host's file."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.lower(): value for name, _, value in pairs}


def target_archive(public_key: str, values: dict[str, str]) -> bytes:
    """A tar archive of what a host is given before its first boot."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        folder = tarfile.TarInfo(TARGET_DIR.lstrip("/"))
        folder.type, folder.mode = tarfile.DIRTYPE, 0o700
        archive.addfile(folder)
        for name, text in (("authorized_keys", public_key), ("secrets.env", as_environment(values))):
            data = text.encode()
            info = tarfile.TarInfo(f"{folder.name}/{name}")
            info.size, info.mode = len(data), 0o600
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()
