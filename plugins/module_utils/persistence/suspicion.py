# SPDX-License-Identifier: GPL-3.0-or-later
"""What in a script, a job or a unit is there to hide, to fetch and run, or to call home."""

from __future__ import annotations

import re
from typing import Iterator, Sequence

from .model import Item

FETCHED = "runs what it fetches"
DECODED = "runs what it decodes"
SHELL_OUT = "gives a shell to the network"
_SHELL = r"(?:\S{0,99}/)?(?:ba|da|z|k|a)?sh\b|(?:\S{0,99}/)?(?:python|perl|ruby|php|node)[\d.]*\b"
_PATTERNS: Sequence[tuple[str, str]] = (
    (r"\b(?:curl|wget|fetch)\b[^|\n]{0,200}\|[ \t]{0,20}(?:sudo[ \t]{1,9})?(?:SHELL)", FETCHED),
    (r"(?:SHELL)[ \t]{1,20}(?:-c[ \t]{1,20})?[\"']?[<$]\(?\(?[ \t]{0,20}(?:curl|wget)\b", FETCHED),
    (r"/dev/(?:tcp|udp)/", "opens a connection from the shell"),
    (r"\bbase(?:64|32)[ \t]{1,20}(?:-d|-D|--decode)\b[^\n]{0,200}\|[ \t]{0,20}(?:SHELL)", DECODED),
    (r"\beval\b[^\n]{0,200}\bbase64\b", DECODED),
    (r"\bexec[ \t]{0,20}\([^\n]{0,200}b64decode", DECODED),
    (r"\b(?:xxd|openssl)\b[^|\n]{0,200}\|[ \t]{0,20}(?:SHELL)[ \t]{0,20}$", DECODED),
    (
        r"\b(?:nc|ncat|netcat)\b[^\n;|]{0,200}\s(?:-[a-z]*[ec]\b|--exec\b|--sh-exec\b)",
        SHELL_OUT,
    ),
    (r"\bsocat\b[^\n]{0,200}\b(?:exec|system):", SHELL_OUT),
    (r"\bmkfifo\b[^\n]{0,200}\b(?:nc|ncat|netcat|telnet|openssl)\b", SHELL_OUT),
    (r"\bsocket\b[^\n]{0,200}\b(?:dup2|subprocess|pty\.spawn)\b", SHELL_OUT),
    (r"^[ \t]*auth[ \t]+sufficient[ \t]+pam_permit", "lets everybody in"),
    (r"\bLD_(?:PRELOAD|AUDIT)=", "loads a library into every program it starts"),
    (r">[ \t]*\S{0,200}authorized_keys", "writes authorized_keys"),
    (r">[ \t]*/etc/(?:ld\.so\.preload|sudoers|passwd|shadow)", "writes to a file of the system's security"),
    (r"\bchattr[ \t]{1,20}\+i", "makes files unchangeable"),
    (r"\bchmod[ \t]{1,20}(?:[ugo]*\+s|[24657]\d{3})\b", "makes a file SUID"),
    (r"\b(?:xmrig|minerd|stratum\+tcp)", "mines coins"),
    (r"\.onion\b", "speaks to a hidden service"),
)
PATTERNS = tuple(
    (re.compile(pattern.replace("SHELL", _SHELL), re.IGNORECASE | re.MULTILINE), reason)
    for pattern, reason in _PATTERNS
)
_COMMENT = re.compile(r"^[ \t]*#[^\n]*$", re.MULTILINE)
_TEMPORARY = re.compile(r"/(?:tmp|var/tmp|dev/shm)/")
_HIDDEN = re.compile(r"(?<!\.)/\.(?!\.?/)[^/\s]+")
# Whose tools live in hidden folders of home directories.
_HOMES = re.compile(r"/(?:root|home/[^/]+|var/lib/[^/]+)/\.")
_EXEC = re.compile(r"^[ \t]*Exec\w{0,20}[ \t]*=[ \t]*[-@+!:]*(.*)$", re.MULTILINE)
_UDEV = re.compile(r"\b(?:RUN|PROGRAM|IMPORT)(?:\{\w+\})?[ \t]{0,20}\+?=[ \t]{0,20}\"([^\"]*)\"")
_MODPROBE = re.compile(r"^[ \t]*install[ \t]+\S+[ \t]+(.*)$", re.MULTILINE)
_HARMLESS_INSTALL = re.compile(r"(?:/usr)?/?(?:bin/)?(?:true|false)\b|/sbin/modprobe\b")
_PAM_EXEC = re.compile(r"pam_exec\.so[ \t]+(?:\w{1,40}(?:=\S{1,200})?[ \t]+){0,9}(/\S+)")
_CRON_LINE = re.compile(r"^[ \t]*(?:@\w{1,20}|(?:[\d*,/a-zA-Z~-]{1,99}[ \t]{1,20}){5})(.*)$", re.MULTILINE)
_INTERPRETERS = re.compile(
    r"(?:\S{0,99}/)?(?:(?:ba|da|z|k|a)?sh|python[\d.]*|perl|ruby|php|env|nice|nohup|timeout|sudo)$"
)


def reasons(item: Item) -> list[str]:
    """Why a file is suspicious, in words; none when it is not."""
    text = _COMMENT.sub("", item.text)
    found = [reason for pattern, reason in PATTERNS if pattern.search(text)]
    for program in programs(item):
        if _TEMPORARY.match(program):
            found.append(f"runs {program} from a folder for temporary files")
        elif _HIDDEN.search(program) and not _HOMES.match(program):
            found.append(f"runs the hidden {program}")
    if item.mode & 0o002 and "link" not in item.detail:
        found.append("everybody may write to it")
    return list(dict.fromkeys(found))


def programs(item: Item) -> Iterator[str]:
    """The programs that a job, unit or rule starts, as far as they stand first in a command."""
    for command in _commands(item):
        words = command.replace('"', "").replace("'", "").split()
        # cron.d names the user first, other words may be interpreters and their options.
        for word in words[:5]:
            if word.startswith("/") and not _INTERPRETERS.match(word):
                yield word
                break


def _commands(item: Item) -> Iterator[str]:
    text = _COMMENT.sub("", item.text)
    if item.kind in ("unit", "transient"):
        yield from _EXEC.findall(text)
    elif item.kind == "udev":
        yield from _UDEV.findall(text)
    elif item.kind == "kernel":
        yield from (found for found in _MODPROBE.findall(text) if not _HARMLESS_INSTALL.match(found))
    elif item.kind == "pam":
        yield from _PAM_EXEC.findall(text)
    elif item.kind == "cron":
        yield from _CRON_LINE.findall(text)
    elif item.kind == "key":
        yield from re.findall(r'command="([^"]*)"', text)


def hooked(item: Item) -> list[str]:
    """What pam_exec, a udev rule, a hook of apt or modprobe is told to run."""
    if item.kind in ("udev", "kernel", "pam"):
        return list(_commands(item))
    if item.path.startswith("/etc/apt/"):
        return re.findall(r"(?:Pre|Post)-\w{1,40}[^\"]{0,99}\"([^\"]{1,999})\"", item.text)
    return []
