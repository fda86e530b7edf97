# SPDX-License-Identifier: GPL-3.0-or-later
"""What changed, the newest first: most trouble follows a change. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Iterator, Mapping, Sequence, TypeVar

from ..clients.docker import Container, moment
from ..clients.packages_log import INSTALLED, REMOVED, UPGRADED, PackageChange, Run
from ..clients.systemd import Unit
from ..finding import NOTICE, Finding
from ..moments import iso_at
from ..quantities import speak_count, speak_duration, speak_list
from .observe import WINDOW, Release, Snapshot

Item = TypeVar("Item")

BOOT, PACKAGES, CONTAINER, SERVICE, RELEASE, FILES = (
    "boot",
    "packages",
    "container",
    "service",
    "release",
    "files",
)
TOLD = 100
NAMED = 4
# What happens within so many seconds is one thing that somebody did.
SERVICES_GAP, FILES_GAP, PACKAGES_GAP = 15.0, 60.0, 120.0
BOOT_SECONDS = 180.0
# A start so soon after the creation is the same `up`.
CREATED_GAP = 60.0
# Started for each login, or whenever somebody asks them something.
ON_DEMAND = (
    "user@",
    "user-runtime-dir@",
    "getty@",
    "systemd-hostnamed",
    "systemd-timedated",
    "systemd-localed",
    "packagekit",
    "polkit",
)


@dataclass(frozen=True)
class Change:
    """`time` in seconds since the epoch."""

    time: float
    kind: str
    subject: str
    what: str
    by: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "time": iso_at(self.time)}


def judge(seen: Snapshot) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    changes = changes_of(seen)
    data = {
        "window_seconds": WINDOW,
        "boot": None if seen.boot is None else iso_at(seen.boot),
        "changes": [change.as_dict() for change in changes[:TOLD]],
        "left_out": max(0, len(changes) - TOLD),
        "releases": [_release_data(release) for release in seen.releases],
        "reboot_required": seen.reboot is not None,
        "unseen": dict(seen.unseen),
    }
    return data, [*_recent(changes, seen), *_outdated(seen), *_reboot(seen), *_unseen(seen)]


def changes_of(seen: Snapshot) -> list[Change]:
    """Those within the window, the newest first."""
    since = seen.now.timestamp() - WINDOW
    found = [*_boot_and_services(seen), *_packages(seen), *_containers(seen), *_releases(seen), *_files(seen)]
    recent = (change for change in found if since <= change.time <= seen.now.timestamp() + 60)
    return sorted(recent, key=lambda change: -change.time)


def _boot_and_services(seen: Snapshot) -> Iterator[Change]:
    offset = seen.now.timestamp() - seen.monotonic
    started = [(unit.active_since + offset, unit) for unit in seen.units or () if _is_lasting(unit)]
    booted = [] if seen.boot is None else [one for one in started if one[0] <= seen.boot + BOOT_SECONDS]
    if seen.boot is not None:
        with_it = f" with {speak_count(len(booted), 'service')}" if booted else ""
        yield Change(seen.boot, BOOT, "host", f"booted{with_it}")
    for time, group in _grouped([one for one in started if one not in booted], SERVICES_GAP):
        yield Change(
            time, SERVICE, speak_list([unit.name for unit in group], NAMED), f"started{_by_itself(group)}"
        )


def _is_lasting(unit: Unit) -> bool:
    return unit.active == "active" and unit.kind != "oneshot" and not unit.name.startswith(ON_DEMAND)


def _by_itself(units: Sequence[Unit]) -> str:
    """Whether systemd did it, because the service had ended."""
    said = [f"{unit.name} {unit.restarts} times" for unit in units if unit.restarts]
    return f" ({', '.join(said[:NAMED])} by systemd after it had ended)" if said else ""


def _packages(seen: Snapshot) -> Iterator[Change]:
    if seen.packages is None:
        return
    rest = list(seen.packages.changes)
    for run in seen.packages.runs:
        end = run.end if run.end is not None else seen.now.timestamp()
        own = [one for one in rest if run.start - 2 <= one.time <= end + 2]
        rest = [one for one in rest if not run.start - 2 <= one.time <= end + 2]
        if own:
            yield Change(own[-1].time, PACKAGES, _package_names(own), _package_verbs(own), _who(run))
    for time, group in _grouped([(one.time, one) for one in rest], PACKAGES_GAP):
        yield Change(time, PACKAGES, _package_names(group), _package_verbs(group))


def _who(run: Run) -> str:
    return f"{run.who or 'root'}: {run.command[:120]}"


def _package_names(found: Sequence[PackageChange]) -> str:
    # What was asked for comes last: what it needs is installed before it.
    return speak_list(list(dict.fromkeys(one.name for one in reversed(found))), NAMED)


def _package_verbs(found: Sequence[PackageChange]) -> str:
    parts = []
    for verb in (UPGRADED, INSTALLED, REMOVED):
        own = {one.name: one for one in found if one.verb == verb}
        if len(own) == 1:
            one = next(iter(own.values()))
            versions = " → ".join(version for version in (one.old, one.new) if version)
            parts.append(f"{verb} {one.name} {versions}".rstrip())
        elif own:
            parts.append(f"{verb} {len(own)}")
    return ", ".join(parts)


def _containers(seen: Snapshot) -> Iterator[Change]:
    found = seen.containers.found if seen.containers else ()
    made: dict[str, list[tuple[float, str]]] = {}
    for container in found:
        created, started, finished = (
            _moment(text, seen.now) for text in (container.created, container.started, container.finished)
        )
        if created is not None:
            made.setdefault(f"created from {container.image}", []).append((created, container.name))
        if started is not None and (created is None or started - created > CREATED_GAP):
            again = f", {speak_count(container.restarts, 'time')} by the engine" if container.restarts else ""
            made.setdefault(f"started{again}", []).append((started, container.name))
        if finished is not None and container.state in ("exited", "dead"):
            made.setdefault(f"ended with code {container.exit_code}", []).append((finished, container.name))
    for what, each in made.items():
        for time, names in _grouped(each, SERVICES_GAP):
            yield Change(time, CONTAINER, speak_list(names, NAMED), what)


def _moment(text: str, now: datetime) -> float | None:
    then = moment(text)
    return None if then is None else min(then, now).timestamp()


def _releases(seen: Snapshot) -> Iterator[Change]:
    for release in seen.releases:
        if release.link is not None:
            yield Change(
                release.linked, RELEASE, release.service, f"{release.directory} leads to {release.link}"
            )
        for move in release.checkout.moves if release.checkout else ():
            what = f"{move.old[:9]} → {move.new[:9]} ({move.subject[:120]})"
            yield Change(move.time, RELEASE, release.service, what, move.who)


def _files(seen: Snapshot) -> Iterator[Change]:
    for time, group in _grouped([(time, path) for path, time in seen.files.written], FILES_GAP):
        yield Change(time, FILES, speak_list(sorted(group), NAMED), "written")


def _grouped(found: Sequence[tuple[float, Item]], gap: float) -> Iterator[tuple[float, list[Item]]]:
    """Those that follow each other within `gap` seconds, with the time of the last of them."""
    group: list[Item] = []
    last = 0.0
    for time, item in sorted(found, key=lambda pair: pair[0]):
        if group and time - last > gap:
            yield last, group
            group = []
        group.append(item)
        last = time
    if group:
        yield last, group


def _release_data(release: Release) -> dict[str, Any]:
    found = release.checkout
    return {
        "service": release.service,
        "directory": release.directory,
        "link": release.link,
        "branch": found.branch if found else None,
        "commit": found.commit if found else None,
        "since": iso_at(found.moves[-1].time) if found and found.moves else None,
    }


def _recent(changes: Sequence[Change], seen: Snapshot) -> Iterator[Finding]:
    if not changes:
        return
    now = seen.now.timestamp()
    told = "; ".join(
        f"{speak_duration(now - change.time)} ago {change.subject} {change.what}" for change in changes[:3]
    )
    many = f"{speak_count(len(changes), 'thing')} changed within {speak_duration(WINDOW)}"
    yield Finding(
        id="changes.recent.seen",
        level=NOTICE,
        subject="what changed",
        summary=f"{many}, the last: {told}",
        evidence={"count": len(changes), "last": [change.as_dict() for change in changes[:10]]},
    )


def _outdated(seen: Snapshot) -> Iterator[Finding]:
    images = seen.containers.images if seen.containers else {}
    for container in seen.containers.found if seen.containers else ():
        current = images.get(container.image)
        if container.state == "running" and current and container.image_id and current != container.image_id:
            yield Finding(
                id="changes.image.outdated",
                level=NOTICE,
                subject=f"container {container.name}",
                summary=f"{container.name} runs an older image than {container.image} stands for now: it "
                f"changes when it is created anew",
                evidence=_image_evidence(container, current),
            )


def _image_evidence(container: Container, current: str) -> dict[str, Any]:
    return {"image": container.image, "running": container.image_id, "current": current}


def _reboot(seen: Snapshot) -> Iterator[Finding]:
    if seen.reboot is not None:
        why = f" by {speak_list(seen.reboot, NAMED)}" if seen.reboot else ""
        yield Finding(
            id="changes.reboot.required",
            level=NOTICE,
            subject="host",
            summary=f"a reboot is asked for{why}: what was upgraded is not all in use yet",
            evidence={"packages": list(seen.reboot)},
        )


def _unseen(seen: Snapshot) -> Iterator[Finding]:
    reasons = dict(seen.unseen)
    if not seen.files.complete and "files" not in reasons:
        reasons["files"] = "/etc holds more than was looked at"
    if reasons:
        told = "; ".join(f"{part} ({reason})" for part, reason in reasons.items())
        yield Finding(
            id="changes.part.unseen",
            level=NOTICE,
            subject="what changed",
            summary=f"changes that are not known: {told}",
            evidence=reasons,
        )
