# SPDX-License-Identifier: GPL-3.0-or-later
"""What a line of a log says: when it was written, whether it is an error, which request it was. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..log_times import MONTHS, Clock, moment

# Where a level or a time may stand: behind this it is part of the message.
HEAD = 160
LONGEST = 160

# Whatever an error line holds one of; most lines of a log hold none.
CANDIDATE = re.compile(
    rb"ERR|CRIT|FATAL|ALERT|EMERG|PANIC|SEVERE|[\"=\[ ](?:err|crit|fatal|alert|emerg|panic|severe)"
    rb"|evel\"? ?[:=] ?\"?[56E]|\n[EF]\d{4} "
)
# The first of these on a line is its level. In a record of JSON it may stand anywhere.
_LEVEL = re.compile(
    rb'"(?:level|severity|lvl|levelname|log\.level|loglevel|log_level)" ?: ?"?([A-Za-z]+|\d+)'
    rb'|\b(?:level|lvl|severity)="?([A-Za-z]+)'
    rb"|\[(debug|info|notice|warn|error|crit|alert|emerg|fatal)[\]:]"
    rb"|(?<![\w/-])(TRACE|DEBUG\d?|VERBOSE|INFO|NOTICE|LOG|STATEMENT|DETAIL|HINT|CONTEXT|WARN(?:ING)?|ERR(?:OR)?"
    rb"|CRIT(?:ICAL)?|FATAL|ALERT|EMERG(?:ENCY)?|PANIC|SEVERE)(?![\w./-])"
    rb"|^([EFWID])\d{4} \d\d:\d\d"
)
_BAD = frozenset(
    {b"err", b"error", b"crit", b"critical", b"fatal", b"alert", b"emerg", b"emergency", b"panic", b"severe"}
)
# nginx calls a missing file and an interrupted handshake an error; what users feel is in its access log.
_NGINX = re.compile(rb"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(crit|alert|emerg)\] (?!.*while SSL handshaking)")
_NGINX_LINE = re.compile(rb"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[")

# PostgreSQL calls it fatal to a session when somebody ends it, or comes before the server is up.
_DELIBERATE = re.compile(
    rb"FATAL:  (?:terminating [a-z ]+ due to administrator command|the database system is [a-z ]+)"
)

_DATE = re.compile(
    rb"(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,]\d{1,9})? ?(Z|UTC|GMT|[+-]\d\d:?\d\d)?"
)
_CLF = re.compile(rb"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})")
_EPOCH = re.compile(rb'"(?:time|ts|timestamp|@timestamp|t)" ?: ?"?(\d{10})(\d{3})?(?![\d])')

# The formats `combined` and `common`. A quote within a request is escaped, so that nobody writes a status.
ACCESS = re.compile(
    rb"\n[^ \n]+ [^ \n]+ [^\[\n]*\[([^\]\n]{26})\] "
    rb'"(?:[A-Z]+ )?([^ ?"\\\n]*)(?:[^"\\\n]|\\[^\n])*" (\d{3}) '
)

_SECRET = re.compile(
    r"(?P<url>://[^:/\s@]*:)[^@\s]+(?=@)"
    r"|(?P<name>(?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|authorization|cookie)[\"']?\s*[=:]\s*"
    r"[\"']?(?:bearer |basic )?)[^\s\"',;&]+",
    re.IGNORECASE,
)

_PACKET = re.compile(r"IN=\S* OUT=\S* .*?SRC=([0-9a-fA-F.:]+) .*?PROTO=(\S+)(?:.*? DPT=(\d+))?")
_DROPPED = re.compile(r"BLOCK|DROP|DENY|DENIED|REJECT", re.IGNORECASE)
_APPARMOR = re.compile(
    r'apparmor="DENIED" operation="([^"]*)"(?:.*? profile="([^"]*)")?(?:.*? name="([^"]*)")?'
)
_SELINUX = re.compile(r"avc: +denied +\{ ([^}]*) \} .*?comm=\"?([^\" ]+)\"?.*?tcontext=(\S+)")


class Packet(NamedTuple):
    """A packet that a firewall has logged and dropped. `port` is empty where its protocol has none."""

    source: str
    protocol: str
    port: str


def is_error(line: bytes) -> bool:
    """Whether its program calls this line an error or worse. `0 errors` is none, nor is `INFO … ERROR`."""
    if _NGINX_LINE.match(line):
        return _NGINX.match(line) is not None
    end = len(line) if line.lstrip()[:1] == b"{" else HEAD
    match = _LEVEL.search(line, 0, end)
    if match is None:
        return False
    word = next(group for group in match.groups() if group is not None)
    if word == b"FATAL" and _DELIBERATE.search(line):
        return False
    if word.isdigit():
        # bunyan and pino count 50 for an error; syslog counts the other way round, below 8.
        return int(word) >= 50 or int(word) <= 3
    return word.lower() in _BAD or word in (b"E", b"F")


def time_of(line: bytes, latest: float) -> float | None:
    """Seconds since the epoch, None when the line names no time. `latest`: no line is much younger."""
    head = line[: LONGEST if line[:1] != b"{" else 4096]
    match = _DATE.search(head)
    if match:
        *numbers, zone = match.groups()
        return moment([int(number) for number in numbers], zone)
    match = _CLF.search(head)
    if match:
        day, month, year, *clock, zone = match.groups()
        numbers_of = [int(year), MONTHS.get(month, 0), int(day), *(int(number) for number in clock)]
        return moment(numbers_of, zone)
    match = _EPOCH.search(head)
    return float(match.group(1)) if match else Clock(latest).line(line)


def told(text: str) -> str:
    """A message as it may be shown: short, nothing that moves the cursor, no password that it holds."""
    plain = "".join(one if one.isprintable() else " " for one in text[: 4 * LONGEST]).strip()
    hidden = _SECRET.sub(lambda match: f"{match.group('url') or match.group('name')}…", plain)
    return hidden if len(hidden) <= LONGEST else hidden[: LONGEST - 1] + "…"


def packet(message: str) -> Packet | None:
    """What a firewall's LOG rule wrote, where its prefix says that the packet went no further."""
    match = _PACKET.search(message)
    if match is None or not _DROPPED.search(message[: match.start()]):
        return None
    return Packet(match.group(1), match.group(2), match.group(3) or "")


def denial(message: str) -> str | None:
    """Who was denied what by AppArmor or SELinux, in words that are the same each time."""
    match = _APPARMOR.search(message)
    if match:
        operation, profile, name = (group or "?" for group in match.groups())
        return told(f"AppArmor: {profile} {operation} {name}")
    match = _SELINUX.search(message)
    return told(f"SELinux: {match.group(2)} {match.group(1)} {match.group(3)}") if match else None
