# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files are remarkable: a sentence for each kind of place."""

from __future__ import annotations

import re
from typing import Iterator

from ..finding import CRITICAL, NOTICE, WARNING, Finding
from ..remedies import CONTAIN_COMPROMISE
from .baseline import key_digest, printable
from .model import Item
from .observe import libraries
from .standing import LISTED, Judge, Standing
from .suspicion import hooked, reasons

# Others write here by themselves: that such a file is new says nothing, only what is in it does.
QUIET = frozenset({"home_shell"})
# New ones are ordinary enough to be no more than worth knowing.
MILD = frozenset({"sshd", "transient", "pam", "hook"})
_PRIVILEGE = re.compile(r"^[^#\n]*(?:NOPASSWD|!authenticate|\bALL[ \t]{0,20}=)[^\n]*$", re.MULTILINE)


def judge_files(judge: Judge) -> Iterator[Finding]:
    for item in judge.snapshot.files or ():
        standing = judge.weigh(item)
        if standing is not None and _remarkable(standing):
            yield _finding(standing)


def judge_keys(judge: Judge, known: frozenset[str]) -> Iterator[Finding]:
    """One finding for each file that has keys nobody vouches for."""
    files: dict[str, list[Item]] = {}
    for item in judge.snapshot.accounts.keys if judge.snapshot.accounts else ():
        files.setdefault(item.path, []).append(item)
    for path, keys in files.items():
        strange = []
        for item in keys:
            standing = (
                None if item.name in known and not item.text else judge.weigh(item, "keys", key_digest(item))
            )
            if standing is not None and (standing.state != "old" or standing.reasons):
                strange.append(standing)
        if strange:
            yield _keys(judge, path, strange, len(keys))


def _remarkable(standing: Standing) -> bool:
    if standing.reasons or standing.state in ("added", "changed"):
        return True
    if standing.item.kind == "preload":
        return bool(libraries(standing.item.text))
    return standing.state == "new" and standing.item.kind not in QUIET


def _mild(standing: Standing) -> bool:
    """Whether a thing is only worth knowing."""
    item = standing.item
    executable = item.kind == "hook" and (item.mode & 0o111 or hooked(item))
    told = item.kind == "pam" and hooked(item)
    return (
        standing.state in ("new", "old")
        and not standing.reasons
        and item.kind in MILD
        and not executable
        and not told
    )


def _finding(standing: Standing) -> Finding:
    item, grave = standing.item, standing.grave
    path, story, evidence = printable(item.path), standing.story, standing.evidence
    if item.kind in ("cron", "at"):
        return Finding(
            id="persistence.cron.added",
            level=CRITICAL if grave else WARNING,
            subject=f"{item.kind} {path}",
            summary=f"a job that {item.kind} starts is of unknown origin: {story}",
            evidence=evidence,
            remedy=CONTAIN_COMPROMISE if grave else None,
        )
    if item.kind == "unit" and (path.endswith(".timer") or ".timer.d/" in path):
        return Finding(
            id="persistence.timer.added",
            level=CRITICAL if grave else WARNING,
            subject=f"timer {path}",
            summary=f"a timer of systemd is of unknown origin: {story}",
            evidence=evidence,
            remedy=CONTAIN_COMPROMISE if grave else None,
        )
    if item.kind in ("unit", "transient"):
        return Finding(
            id="persistence.unit.added",
            level=CRITICAL if grave else NOTICE if _mild(standing) else WARNING,
            subject=f"unit {path}",
            summary=f"a unit or generator of systemd is of unknown origin: {story}",
            evidence=evidence,
            remedy=CONTAIN_COMPROMISE if grave else None,
        )
    if item.kind == "preload":
        named = [printable(name) for name in libraries(item.text)]
        return Finding(
            id="persistence.preload.set",
            level=CRITICAL if standing.state != "old" else WARNING,
            subject=f"preload {path}",
            summary=f"every program here first loads {', '.join(named) or 'nothing yet'}: {story}",
            evidence={**evidence, "libraries": named},
            remedy=CONTAIN_COMPROMISE if standing.state != "old" else None,
        )
    return _other(standing)


def _other(standing: Standing) -> Finding:
    item, grave = standing.item, standing.grave
    path, story, evidence = printable(item.path), standing.story, standing.evidence
    if item.kind == "sudo":
        rules = [printable(rule.strip()) for rule in _PRIVILEGE.findall(item.text)][:LISTED]
        return Finding(
            id="persistence.sudo.added",
            level=CRITICAL if grave else WARNING,
            subject=f"sudo {path}",
            summary=f"rules for becoming root are of unknown origin ({'; '.join(rules) or 'none'}): {story}",
            evidence={**evidence, "rules": rules},
            remedy=CONTAIN_COMPROMISE if grave else None,
        )
    if item.kind in ("pam", "pam_module"):
        module = item.kind == "pam_module" and standing.state != "old"
        return Finding(
            id="persistence.pam.added",
            level=CRITICAL if grave or module else NOTICE if _mild(standing) else WARNING,
            subject=f"pam {path}",
            summary=f"what checks passwords here is of unknown origin: {story}",
            evidence=evidence,
            remedy=CONTAIN_COMPROMISE if grave or module else None,
        )
    if item.kind in ("shell", "home_shell"):
        return Finding(
            id="persistence.shell.added",
            level=CRITICAL if grave else WARNING,
            subject=f"shell start file {path}",
            summary=f"what a shell runs at each login is of unknown origin: {story}",
            evidence=evidence,
            remedy=CONTAIN_COMPROMISE if grave else None,
        )
    if item.kind == "sshd":
        return Finding(
            id="persistence.sshd.changed",
            level=CRITICAL if grave else NOTICE if _mild(standing) else WARNING,
            subject=f"sshd {path}",
            summary=f"the configuration of sshd was changed: {story}",
            evidence=evidence,
            remedy=CONTAIN_COMPROMISE if grave else None,
        )
    return Finding(
        id="persistence.hook.added",
        level=CRITICAL if grave else NOTICE if _mild(standing) else WARNING,
        subject=f"{item.kind} {path}",
        summary=f"a file that the system acts on by itself is of unknown origin: {story}",
        evidence=evidence,
        remedy=CONTAIN_COMPROMISE if grave else None,
    )


def _keys(judge: Judge, path: str, strange: list[Standing], count: int) -> Finding:
    grave = any(standing.grave for standing in strange)
    users = sorted({printable(str(standing.item.detail["user"])) for standing in strange})
    names = [
        f"{printable(standing.item.name)} ({printable(str(standing.item.detail['comment'])) or 'no comment'})"
        for standing in strange
    ]
    found = sorted({reason for standing in strange for reason in reasons(standing.item)})
    unknown = "not in the baseline" if strange[0].state in ("added", "changed") else "known to nobody"
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    first = strange[0].item
    return Finding(
        id="persistence.key.added",
        level=CRITICAL if grave else WARNING,
        subject=f"keys of {', '.join(users)} in {printable(path)}",
        summary=(
            f"{len(strange)} of {count} keys that may log in as {', '.join(users)} are {unknown}: {shown}; "
            f"the file changed {judge.ago(first.ctime)}{''.join(f'; {reason}' for reason in found)}"
        ),
        evidence={
            "path": printable(path),
            "keys": [standing.evidence for standing in strange[:LISTED]],
            "key_count": count,
            "ctime": strange[0].evidence["ctime"],
            "mtime": strange[0].evidence["mtime"],
        },
        remedy=CONTAIN_COMPROMISE if grave else None,
    )
