# SPDX-License-Identifier: GPL-3.0-or-later
"""A failed or unreachable result in one sentence, with the cure where it is known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.quantities import speak_count

from .text import clean, clean_lines


@dataclass(frozen=True)
class Failure:
    """`lines` say what happened, shortest first line first; `cure` what to do about it."""

    lines: tuple[str, ...]
    cure: str = ""

    @property
    def sentence(self) -> str:
        return " ".join(self.lines)


Meaning = tuple[str, str, str]

# What ssh says, what it means, and what helps. `{0}` is the first group, where there is one.
_SSH: tuple[Meaning, ...] = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for \S+ has changed",
        "its ssh host key is not the known one",
        "If the host was reinstalled, replace the key (ssh-keygen -R). "
        "If it was not, do not log in: treat it as taken over.",
    ),
    (
        r"Host key verification failed|No \S+ host key is known",
        "its ssh host key is not known here",
        "Compare its fingerprint, then log in once by hand: ssh asks and remembers.",
    ),
    (
        r"Permission denied \(([^)]*)\)",
        "ssh let nobody in ({0})",
        "Load the key (ssh-add -l shows what is loaded), or name user and key: -u, --private-key.",
    ),
    (
        r"Could not resolve hostname ([^\s:]+)",
        "the name {0} does not resolve",
        "Put its address into the inventory: ansible_host. DNS may be the incident.",
    ),
    (
        r"connect to host (\S+ port \d+): Connection refused",
        "ssh is refused on {0}",
        "The machine answers, sshd does not: look at it on the provider's console.",
    ),
    (
        r"connect to host (\S+ port \d+): (?:Connection|Operation) timed out",
        "no answer from {0}",
        "Look at power, load and firewall on the provider's console.",
    ),
    (
        r"connect to host (\S+ port \d+): (?:No route to host|Network is unreachable)",
        "no way to {0}",
        "Look at the network here first (VPN?), then on the provider's console.",
    ),
    (
        r"kex_exchange_identification|Connection (?:closed|reset) by|banner exchange",
        "sshd accepted the connection and closed it",
        "It may be out of memory, at MaxStartups, or this address is banned there (fail2ban): "
        "look from another address or the console.",
    ),
    (
        r"Shared connection to (\S+) closed|Broken pipe|mux_client",
        "the ssh connection broke",
        "Run it again. What was done before it broke is in the host's ledger.",
    ),
)
# What Ansible says when it is on the host and gets no further.
_ON_HOST: tuple[Meaning, ...] = (
    (
        r"Failed to create temporary directory",
        "nothing can be written to the remote temporary directory",
        "The disk may be full or read-only: go on in memory with -e ansible_remote_tmp=/dev/shm/.ansible.",
    ),
    (
        r"[Mm]issing sudo password|sudo: a (?:terminal|password) is required",
        "sudo asks for a password",
        "Give it with -K.",
    ),
    (
        r"[Ii]ncorrect sudo password|[Tt]imeout \(?[^)]*\)? ?waiting for privilege escalation",
        "sudo did not let us in",
        "Give the password with -K; when sudo hangs, DNS on the host may be dead.",
    ),
)
_NOISE = re.compile(
    r"^(?:Task failed|Action failed|Module failed|Failed to connect to the host via ssh"
    r"|Data could not be sent to remote host \S+|Make sure this host can be reached over ssh):?\s*"
)
_EMPTY = frozenset({"", "MODULE FAILURE", "non-zero return code", "Unknown error"})


def unreachable(result: Mapping[str, Any]) -> Failure:
    """Why a host was not reached. What ssh says before it gives up (banners, warnings) is left out."""
    text = str(result.get("msg") or "")
    known = _known(text, _SSH + _ON_HOST)
    if known is not None:
        return known
    said = [line for line in (_bare(line) for line in text.splitlines()) if line and not _is_banner(line)]
    return Failure((said[-1] if said else "it does not answer, and ssh does not say why",))


def failed(result: Mapping[str, Any]) -> Failure:
    """What a task failed with: its message, and the last line of what the program wrote when that is mute."""
    if "censored" in result:
        return Failure(("the message is hidden (no_log)",), "Run the step by hand on the host to see it.")
    errors = result.get("argument_errors")
    if errors:
        return Failure(tuple(clean(error) for error in errors))
    message = result.get("msg")
    text = "\n".join(map(str, message)) if isinstance(message, list) else str(message or "")
    known = _known(text, _ON_HOST)
    if known is not None:
        return known
    lines = [line for line in (_bare(line) for line in clean_lines(text)) if line]
    if not lines or lines[0].rstrip(".") in _EMPTY or lines[0].startswith("MODULE FAILURE"):
        lines = [*_exit_code(result), *_last_words(result)]
    if result.get("attempts"):
        lines.append(f"given up after {speak_count(result['attempts'], 'attempt')}")
    return (
        Failure(tuple(lines)) if lines else Failure(("it failed without a word",), "-vvv shows the result.")
    )


def _known(text: str, meanings: tuple[Meaning, ...]) -> Failure | None:
    for pattern, meaning, cure in meanings:
        match = re.search(pattern, text)
        if match:
            return Failure((clean(meaning.format(*match.groups())),), cure)
    return None


def _bare(line: str) -> str:
    previous, line = "", clean(line)
    while line != previous:
        previous, line = line, _NOISE.sub("", line)
    return line


def _is_banner(line: str) -> bool:
    return line.startswith(("Warning: Permanently added", "@@@", "debug1:", "OpenSSH_"))


def _exit_code(result: Mapping[str, Any]) -> list[str]:
    return [f"exit code {clean(result['rc'])}"] if result.get("rc") else []


def _last_words(result: Mapping[str, Any]) -> list[str]:
    for key in ("stderr", "module_stderr", "module_stdout", "stdout"):
        lines = clean_lines(result.get(key) or "")
        if lines:
            return lines[-1:]
    return []
