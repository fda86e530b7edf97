# SPDX-License-Identifier: GPL-3.0-or-later
"""Files in place of messages, to rehearse with: one for each message, whatever happens meanwhile."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..private_file import write_privately
from .channel import ACCEPTED, REFUSED, TAKEN, Claim, Message, Outcome


@dataclass(frozen=True)
class Sandbox:
    """Stands for the place with `id`; `shown` says which that would be."""

    directory: Path
    id: str
    shown: str
    deduplicates: bool = True

    def send(self, message: Message, claim: Claim) -> Outcome:
        if not claim():
            return Outcome(TAKEN)
        told = re.sub(r"[^A-Za-z0-9._-]+", "_", f"{message.incident}.{message.event}.{message.audience}")
        path = self.directory / f"{told}.{message.token[:16]}.txt"
        lines = [
            f"To: {self.shown}",
            f"Audience: {message.audience}",
            f"Event: {message.event}",
            f"Key: {message.key}",
            f"Subject: {message.subject}",
            "",
            message.body,
        ]
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():
                write_privately(path, "\n".join(lines))
        except OSError as error:
            return Outcome(REFUSED, f"{self.directory}: {error.strerror}")
        return Outcome(ACCEPTED)
