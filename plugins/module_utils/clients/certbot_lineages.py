# SPDX-License-Identifier: GPL-3.0-or-later
"""The lineages of certbot, 2 to 5, out of its files. certbot itself need not be there, and is not asked."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Mapping

from ..errors import Unreachable

ROOT = Path("/etc/letsencrypt")
LOG = Path("/var/log/letsencrypt/letsencrypt.log")
CRON = (
    "etc/crontab",
    "etc/cron.d/*",
    "etc/cron.daily/*",
    "etc/cron.weekly/*",
    "var/spool/cron/crontabs/root",
)
CONFIG_BUDGET, LOG_BUDGET = 64 * 1024, 512 * 1024
VERSIONS, COMPLAINTS, LONGEST = 20, 3, 300
SUCCESS = "Successfully received certificate"
LIVE_FILES = ("cert", "chain", "fullchain", "privkey")
_SECTION = re.compile(r"(\[+)\s*(.*?)\s*\]+")
# A value in quotes of one or three, or up to a comment.
_VALUE = re.compile(
    r"""(?P<quote>\'{3}|"{3}|[\'"])(?P<inside>.*)(?P=quote)\s*(?:\#.*)?|(?P<bare>.*?)\s*(?:\s\#.*)?"""
)
_ERROR = re.compile(r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+:(?:ERROR|CRITICAL):[^:]*:(?P<said>.*)")
_DETAIL = re.compile(r"\s+Detail: (?P<said>.*)")
_NUMBERED = re.compile(r"cert(\d+)\.pem")


@dataclass(frozen=True)
class Lineage:
    """One `renewal/<name>.conf`. `live` and `archive` are its directories, the next four paths in `live`.

    `real` are these directories with their links followed, for /etc/letsencrypt may be a link itself.
    `webroots` maps domains to directories. `renews` is False where automatic renewal is switched off. `hook`
    is run after a renewal. `problem` is why it cannot be used as it is.
    """

    name: str
    config: str
    live: str = ""
    archive: str = ""
    real: tuple[str, ...] = ()
    certificate: str = ""
    chain: str = ""
    fullchain: str = ""
    key: str = ""
    server: str | None = None
    authenticator: str | None = None
    webroots: Mapping[str, str] = field(default_factory=dict)
    account: str | None = None
    account_present: bool = False
    renews: bool = True
    hook: str | None = None
    version: str | None = None
    problem: str | None = None

    def holds(self, path: str) -> bool:
        """Whether `path`, with its links followed, lies in one of its directories."""
        folders = (self.live, self.archive, *self.real)
        return any(folder and path.startswith(f"{folder}/") for folder in folders)


def read(root: Path = ROOT) -> tuple[Lineage, ...]:
    """All of them by name; none where certbot never was. Raises `Unreachable`."""
    for folder in (root / "renewal", root / "live"):
        # The configuration may be read by everybody, the certificates only by root.
        try:
            any(folder.iterdir())
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Unreachable(
                f"directory {folder}", str(error.strerror), "Run as root (become: true)."
            ) from error
    # certbot leaves out what is hidden; and with no name to go by, it would renew every lineage.
    configs = [path for path in (root / "renewal").glob("*.conf") if not path.name.startswith(".")]
    return tuple(_lineage(path, root) for path in sorted(configs))


def archived(lineage: Lineage) -> tuple[Path, ...]:
    """The certificates that it had and has, the oldest first, the newest VERSIONS of them."""
    folder = Path(lineage.archive)
    found: dict[int, Path] = {}
    try:
        for path in folder.iterdir() if lineage.archive else ():
            numbered = _NUMBERED.fullmatch(path.name)
            if numbered:
                found[int(numbered.group(1))] = path
    except OSError:
        return ()
    return tuple(found[number] for number in sorted(found)[-VERSIONS:])


def scheduled(systemd: bool) -> tuple[str, ...]:
    """The cron tables that start certbot. Debian's own does so only where `systemd` does not run the host."""
    found = []
    for path in sorted(path for pattern in CRON for path in Path("/").glob(pattern)):
        try:
            with path.open("rb") as stream:
                lines = stream.read(CONFIG_BUDGET).decode("utf-8", "replace").splitlines()
        except OSError:
            continue
        starts = [line for line in lines if "certbot" in line and not line.lstrip().startswith("#")]
        if any(not (systemd and "-d /run/systemd/system" in line) for line in starts):
            found.append(str(path))
    return tuple(found)


def complaints(path: Path = LOG) -> tuple[str, ...]:
    """What certbot last said was wrong, with the time, the newest last; nothing where there is no log."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - LOG_BUDGET))
            text = stream.read(LOG_BUDGET).decode("utf-8", "replace")
    except OSError:
        return ()
    return parse_log(text)


def parse_log(text: str) -> tuple[str, ...]:
    """Only what came after the last certificate was received."""
    text = text[text.rfind(SUCCESS) + 1 :]
    found: dict[str, None] = {}
    for line in text.splitlines():
        error, detail = _ERROR.match(line), _DETAIL.match(line)
        said = error or detail
        if said and said["said"].strip():
            found[f"{error['time']} {error['said']}" if error else said["said"]] = None
    return tuple(line[:LONGEST] for line in list(found)[-COMPLAINTS:])


def parse(text: str) -> dict[str, dict[str, str]]:
    """Sections by name, that of the beginning under "". Nested ones (`[[webroot_map]]`) stand beside them.

    Comments, blank lines and what has no `=` say nothing.
    """
    sections: dict[str, dict[str, str]] = {"": {}}
    inside = sections[""]
    for line in text.splitlines():
        line = line.strip()
        section = _SECTION.fullmatch(line)
        if section:
            inside = sections.setdefault(section.group(2), {})
            continue
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            inside[_unquoted(key.strip())] = _unquoted(value.strip())
    return sections


def _lineage(path: Path, root: Path) -> Lineage:
    name = path.name[: -len(".conf")]
    try:
        with path.open("rb") as stream:
            sections = parse(stream.read(CONFIG_BUDGET).decode("utf-8", "replace"))
    except OSError as error:
        return Lineage(name, str(path), problem=f"{path} cannot be read: {error.strerror}")
    top, renewal = sections[""], sections.get("renewalparams", {})
    files = {key: top.get(key, "") for key in LIVE_FILES}
    account, server = renewal.get("account"), renewal.get("server")
    live = str(Path(files["fullchain"]).parent) if files["fullchain"] else ""
    archive = str(Path(top.get("archive_dir") or root / "archive" / name))
    return Lineage(
        name=name,
        config=str(path),
        live=live,
        archive=archive,
        real=tuple(os.path.realpath(folder) for folder in (live, archive) if folder),
        certificate=files["cert"],
        chain=files["chain"],
        fullchain=files["fullchain"],
        key=files["privkey"],
        server=server,
        authenticator=renewal.get("authenticator"),
        webroots=_webroots(sections, renewal),
        account=account,
        account_present=_account_present(root, server, account),
        renews=renewal.get("autorenew", "True").lower() != "false",
        hook=renewal.get("renew_hook") or renewal.get("deploy_hook"),
        version=top.get("version"),
        problem=_problem(path, files, renewal),
    )


def _problem(path: Path, files: Mapping[str, str], renewal: Mapping[str, str]) -> str | None:
    missing = [key for key, value in files.items() if not value]
    if missing:
        return f"{path} does not say where {' and '.join(missing)} are"
    gone = [value for value in files.values() if not _exists(value)]
    if gone:
        return f"{' and '.join(gone)} {'leads' if len(gone) == 1 else 'lead'} nowhere"
    if not renewal.get("authenticator"):
        return f"{path} does not say how to renew (no authenticator)"
    return None


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:
        return False


def _webroots(sections: Mapping[str, Mapping[str, str]], renewal: Mapping[str, str]) -> dict[str, str]:
    """The map; where there is none, the one directory for everything, under *."""
    single = renewal.get("webroot_path", "").strip(", ")
    return dict(sections.get("webroot_map") or ({"*": single} if single else {}))


def _account_present(root: Path, server: str | None, account: str | None) -> bool:
    if not server or not account or "/" in account:
        return False
    folder = server.partition("://")[2] or server
    return ".." not in folder and _exists(str(root / "accounts" / folder / account / "regr.json"))


def _unquoted(text: str) -> str:
    found = _VALUE.fullmatch(text)
    return (found["inside"] or found["bare"] or "") if found else text
