# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host has that starts by itself, in a form to keep elsewhere and to compare with."""

from __future__ import annotations

import hashlib
from typing import Any, Iterable, Mapping

from ..errors import BadInput
from ..finding import WARNING, Finding
from .model import Exposure, Item, Snapshot

VERSION = 1
# They come and go by themselves and do not outlive a reboot.
PASSING = frozenset({"transient"})


class Baseline:
    """`items` maps a topic to its objects, each with a digest of what matters of it."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        items = content.get("items")
        if content.get("version") != VERSION or not isinstance(items, Mapping):
            raise BadInput(
                "baseline",
                f"it is none of version {VERSION}",
                "Write a new one from a host that is known clean.",
            )
        self._items: Mapping[str, Any] = items

    def state(self, topic: str, key: str, digest: str) -> str:
        """`same`, `changed` or `added`."""
        known = self._items.get(topic)
        if not isinstance(known, Mapping) or key not in known:
            return "added"
        return "same" if known[key] == digest else "changed"

    def covers(self, topic: str) -> bool:
        """Whether the topic was seen when the baseline was taken."""
        return topic in self._items


def file_digest(item: Item) -> str:
    """Of content, mode and owner. Times are left out: a restored file is the same file."""
    link = str(item.detail.get("link", ""))
    return _digest(
        (item.sha256, str(item.size) if not item.sha256 else "", oct(item.mode), str(item.uid), link)
    )


def key_digest(item: Item) -> str:
    """Of the options in front of a key; the file it stands in may change around it."""
    return _digest((item.text,))


def exposure_digest(found: Exposure) -> str:
    return _digest(sorted(found.how))


def take(snapshot: Snapshot, unvouched: Iterable[Item]) -> dict[str, Any]:
    """The content of a baseline file. A topic that was not seen is left out, and not compared later."""
    items: dict[str, dict[str, str]] = {}
    if snapshot.files is not None and snapshot.owners is not None:
        items["files"] = {}
    if snapshot.privileged is not None and snapshot.owners is not None:
        items["privileged"] = {}
    for item in unvouched:
        topic = "privileged" if item.kind in ("suid", "capability") else "files"
        if item.kind not in PASSING and topic in items:
            items[topic][printable(item.key)] = file_digest(item)
    if snapshot.privileged is not None:
        # Rights that a package's file got later leave its checksum as it was.
        items["rights"] = {printable(item.path): oct(item.mode) for item in snapshot.privileged.items}
    if snapshot.accounts is not None:
        items["keys"] = {printable(item.key): key_digest(item) for item in snapshot.accounts.keys}
        items["accounts"] = {printable(one.name): str(one.uid) for one in snapshot.accounts.accounts}
    if snapshot.containers is not None:
        items["containers"] = {one.name: exposure_digest(one) for one in snapshot.containers}
    return {
        "version": VERSION,
        "items": {topic: dict(sorted(found.items())) for topic, found in items.items()},
    }


def printable(text: str) -> str:
    """What a host calls something, without what would play with a terminal or is no text at all."""
    whole = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in whole
    )


def _digest(parts: Iterable[str]) -> str:
    joined = "\0".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.sha256(joined).hexdigest()[:32]


def refused(path: str) -> Finding:
    """A baseline is for what is known to be good."""
    return Finding(
        id="persistence.baseline.refused",
        level=WARNING,
        subject="persistence baseline",
        summary=f"no baseline was written to {path}: it would take what is critical here for good",
        evidence={"path": path},
    )
