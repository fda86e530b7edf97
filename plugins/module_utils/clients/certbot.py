# SPDX-License-Identifier: GPL-3.0-or-later
"""certbot, 2 to 5: one lineage renewed, and what it says when that fails.

Its exit code is 0 where nothing was due too, so that whoever calls it looks at the lineage afterwards.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Sequence

from ..errors import Unreachable
from .command import Completed, find, run

PROGRAM = "certbot"
# snap and pip put it where no search path of a service leads.
ELSEWHERE = ("/snap/bin/certbot", "/opt/certbot/bin/certbot")
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
# A challenge by DNS waits for minutes until everybody has the record.
SECONDS = 420.0
DETAIL = 600
LOCKED = "locked"

_CHALLENGE = re.compile(
    r"^[ \t]*(?:Domain|Identifier):[ \t]*(?P<name>\S+)[ \t]*\n[ \t]*Type:[ \t]*(?P<kind>\S+)[ \t]*\n"
    r"[ \t]*Detail:[ \t]*(?P<detail>.*?)(?=\n[ \t]*\n|\n[ \t]*(?:Domain|Identifier|Hint):|\Z)",
    re.MULTILINE | re.DOTALL,
)
_PROTOCOL = re.compile(r"urn:ietf:params:acme:error:(?P<kind>\w+)(?: :: )?(?P<detail>[^\n]*)")
_BROKEN = re.compile(
    r"Renewal configuration file (?P<file>\S+) is broken\.\s*The error was: (?P<detail>[^\n]*)"
)
_ODD = re.compile(
    r"Renewal configuration file .*? produced an unexpected error: (?P<detail>[^\n]*?)(?: Skipping\.)?$", re.M
)
_FAILED = re.compile(r"Failed to renew certificate \S+ with error: (?P<detail>[^\n]*)")
_HOOK = re.compile(r"(?:Hook '\S+'|\S+ command) [^\n]*(?:reported|returned) error code \d+")
_NOISE = ("Saving debug log", "Ask for help", "All renewals failed", "All simulated renewals", "- - -")

_REACH = (
    "See that http://{name}/.well-known/acme-challenge/ comes from the webroot of this host, from outside too"
)
CURES = {
    "unauthorized": f"{_REACH}.",
    "incorrectResponse": f"{_REACH}.",
    "connection": f"{_REACH}: port 80, firewall, and the addresses that {{name}} has.",
    "tls": f"{_REACH}: the redirect leads to TLS that does not work.",
    "dns": "Mend the A, AAAA or TXT records of {name}; see: dig +trace {name}",
    "caa": "Let the CAA records of {name} allow this certificate authority.",
    "rateLimited": "Wait as long as it says. Every further try, forced ones above all, makes it longer.",
    "rejectedIdentifier": "The authority does not sign for {name}; see its policy.",
    "accountDoesNotExist": "Register anew at its server (certbot register --server ...) and write the id, "
    "which is below /etc/letsencrypt/accounts, as account = into {config}.",
    "configuration": "Mend {config}, from a backup or with: certbot certonly --cert-name {lineage}",
    LOCKED: "See what it does (pgrep -a certbot, systemctl status certbot), let it finish, and repeat.",
}
SOMETHING = "See /var/log/letsencrypt/letsencrypt.log on this host."


@dataclass(frozen=True)
class Problem:
    """`kind` is the type of an ACME problem (RFC 8555) or one of CURES, `name` the identifier concerned."""

    kind: str
    detail: str
    name: str = ""

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.kind, self.name, self.detail)))


def program() -> str | None:
    """The full path, None when the host does not have it."""
    return find(PROGRAM) or next((path for path in ELSEWHERE if os.access(path, os.X_OK)), None)


def renew(lineage: str, force: bool = False, rehearse: bool = False, timeout: float = SECONDS) -> Completed:
    """Have one lineage renewed if certbot, too, holds that it is due; with `force` whatever it holds.

    `rehearse` orders at the staging server of Let's Encrypt and keeps nothing. Raises `Unreachable`.
    """
    path = program()
    if path is None:
        raise missing()
    # In one word, so that no name is an option.
    words = [path, "renew", f"--cert-name={lineage}", "--non-interactive", "--no-random-sleep-on-renew"]
    words += ["--force-renewal"] if force else []
    words += ["--dry-run"] if rehearse else []
    return run(words, timeout)


def missing() -> Unreachable:
    return Unreachable(
        "program certbot", "it is not on this host", "Install it (package certbot), or renew where it runs."
    )


def problems(answer: Completed) -> tuple[Problem, ...]:
    """Why it failed, as the certificate authority or certbot itself says; at least one."""
    said = f"{answer.stdout}\n{answer.stderr}"
    found = [
        Problem(match["kind"], _short(match["detail"]), match["name"]) for match in _CHALLENGE.finditer(said)
    ] or [Problem(match["kind"], _short(match["detail"])) for match in _PROTOCOL.finditer(said)]
    if "Another instance of Certbot is already running" in said:
        found = [Problem(LOCKED, "another certbot is running")]
    if not found:
        found = [_own(said)]
    return tuple(dict.fromkeys(found))


def cure(problem: Problem, lineage: str, config: str) -> str:
    text = CURES.get(problem.kind, SOMETHING)
    return text.format(name=problem.name or lineage, lineage=lineage, config=config)


def skipped(answer: Completed) -> str:
    """Why it did nothing and still was content."""
    said = (line.strip() for line in answer.stdout.splitlines())
    return next((line for line in said if "not yet due" in line or "(skipped)" in line), "it gives no reason")


def hooks_failed(answer: Completed) -> tuple[str, ...]:
    """What it says of hooks of the site that failed; the renewal stands all the same."""
    return tuple(dict.fromkeys(_HOOK.findall(f"{answer.stdout}\n{answer.stderr}")))


def _own(said: str) -> Problem:
    for kind, pattern in (("configuration", _BROKEN), ("configuration", _ODD), ("", _FAILED)):
        match = pattern.search(said)
        if match:
            detail = match["detail"]
            gone = detail.startswith("Account at") and "does not exist" in detail
            return Problem("accountDoesNotExist" if gone else kind, _short(detail))
    return Problem("", _short(_last(said.splitlines())))


def _last(lines: Sequence[str]) -> str:
    told = [line.strip() for line in lines if line.strip() and not line.strip().startswith(_NOISE)]
    return told[-1] if told else "it gave no reason"


def _short(text: str) -> str:
    return " ".join(text.split())[:DETAIL].rstrip()
