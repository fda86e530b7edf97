# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files are not as their packages installed them: one finding for each package."""

from __future__ import annotations

from typing import Any, Iterator, Sequence

from ..clients.packages import Differs
from ..finding import CRITICAL, NOTICE, WARNING, Finding
from ..quantities import speak_count
from ..remedies import CONTAIN_COMPROMISE
from .baseline import printable
from .standing import LISTED, Judge

NAMED = 3


def judge_packages(judge: Judge) -> Iterator[Finding]:
    verification = judge.snapshot.verification
    if verification is None:
        return
    for package in sorted({item.package for item in verification.differs}):
        mine = [item for item in verification.differs if item.package == package and not item.conffile]
        changed = [item for item in mine if item.how != "missing"]
        missing = [item for item in mine if item.how == "missing" and item.runs]
        if changed:
            yield _changed(judge, package, changed)
        if missing:
            yield _missing(package, missing)
    files = [item for item in verification.differs if item.conffile and item.how != "missing"]
    fresh = [item for item in files if judge.fresh(item.ctime)]
    if fresh:
        yield Finding(
            id="persistence.conffile.changed",
            level=NOTICE,
            subject="configuration of packages",
            summary=(
                f"{speak_count(len(fresh), 'configuration file')} of packages changed lately: {_names(fresh)}"
            ),
            evidence=_evidence("", fresh),
        )
    if verification.edited:
        shown = list(verification.edited[:LISTED])
        yield Finding(
            id="persistence.package.edited",
            level=WARNING,
            subject="package database",
            summary=(
                f"checksums were written long after their package was installed, so they prove nothing: "
                f"{', '.join(shown)}"
            ),
            evidence={"packages": shown, "count": len(verification.edited)},
        )


def _changed(judge: Judge, package: str, files: Sequence[Differs]) -> Finding:
    """Programs, libraries and scripts come first and are critical at any age."""
    runs = any(item.runs for item in files)
    last = max(item.ctime for item in files)
    ordered = sorted(files, key=lambda item: not item.runs)
    count = f"{speak_count(len(files), 'file')} of package {package or '(unknown)'}"
    return Finding(
        id="persistence.package.changed",
        level=CRITICAL if runs else WARNING if judge.fresh(last) else NOTICE,
        subject=f"package {package or '(unknown)'}",
        summary=f"{count} not as installed: {_names(ordered)}; last changed {judge.ago(last)}",
        evidence={**_evidence(package, ordered), "changed": judge.ago(last)},
        remedy=CONTAIN_COMPROMISE if runs else None,
    )


def _missing(package: str, files: Sequence[Differs]) -> Finding:
    count = f"{speak_count(len(files), 'program')} of package {package or '(unknown)'}"
    return Finding(
        id="persistence.package.missing",
        level=NOTICE,
        subject=f"package {package or '(unknown)'}",
        summary=f"{count} missing: {_names(files)}",
        evidence=_evidence(package, files),
    )


def _names(files: Sequence[Differs]) -> str:
    names = ", ".join(printable(item.path) for item in files[:NAMED])
    return names + (f" and {len(files) - NAMED} more" if len(files) > NAMED else "")


def _evidence(package: str, files: Sequence[Differs]) -> dict[str, Any]:
    return {
        "package": package or None,
        "files": [printable(item.path) for item in files[:LISTED]],
        "file_count": len(files),
    }
