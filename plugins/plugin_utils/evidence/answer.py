# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host that may be hostile answers to `artefacts_info`, taken apart without trusting a word of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.catalogue import Step
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.model import CAUSES, FAILED, Missing
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.package import unpack

MOST_PIECES = 20_000
MOST_MISSING = 1000
# Whoever says more nonsense than that is not listened to any more.
MOST_REFUSALS = 50
TEXT, LONG_TEXT, TOKEN = 500, 4096, 16_384
KINDS = ("file", "command", "api")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@dataclass(frozen=True)
class Piece:
    """A piece of an artefact. `matches`: the sha256 that the host gave is that of what arrived."""

    step: Step
    part: str
    first: bool
    last: bool
    data: bytes
    matches: bool
    kind: str
    source: str
    command: tuple[str, ...] | None
    program_sha256: str | None
    exit_code: int | None
    complaint: str | None
    started: str | None
    finished: str | None
    cut: str | None


@dataclass(frozen=True)
class Position:
    """Where the next call goes on. `part` and `token` are the host's business and only handed back."""

    step: str
    part: str
    token: str

    def as_dict(self) -> dict[str, str]:
        return {"step": self.step, "part": self.part, "token": self.token}


@dataclass(frozen=True)
class Answer:
    """`refused` says what of the answer cannot be an honest one; `astray`: the place to go on is of that."""

    pieces: tuple[Piece, ...] = ()
    missing: tuple[Missing, ...] = ()
    next: Position | None = None
    epoch: float | None = None
    python: str | None = None
    refused: tuple[str, ...] = ()
    astray: bool = False


def read_answer(result: Mapping[str, Any], asked: Sequence[Step], most: int, together: int) -> Answer:
    """`asked` are the steps of this call; no piece may be larger than `most` bytes, nor all than `together`.

    What is packed says nothing of how large it is: a few kilobytes unpack to a few megabytes.
    """
    steps = {step.name: step for step in asked}
    refused: list[str] = []
    entries = _list(result.get("artefacts"), MOST_PIECES, refused)
    pieces = tuple(_pieces(entries, steps, most, together, refused))
    missing = tuple(_missing(_list(result.get("not_collected"), MOST_MISSING, refused)))
    epoch = result.get("epoch_seconds")
    position = _position(result.get("next"), asked)
    astray = position is None and result.get("next") is not None
    if astray:
        refused.append("a place to go on that cannot be meant")
    return Answer(
        pieces=pieces,
        missing=missing,
        next=position,
        epoch=float(epoch) if isinstance(epoch, int | float) and 0 < epoch < 1e11 else None,
        python=text(result.get("python"), 40),
        refused=tuple(refused),
        astray=astray,
    )


def text(value: Any, most: int = TEXT) -> str | None:
    """What may be shown of a text: nothing in it moves a cursor or hides a line."""
    if not isinstance(value, str):
        return None
    return "".join(each if each.isprintable() else "?" for each in value[:most])


def _list(value: Any, most: int, refused: list[str]) -> list[Any]:
    if not isinstance(value, list):
        refused.append("a list is missing in the answer")
        return []
    if len(value) > most:
        refused.append(f"{len(value)} entries where {most} are the most")
    return value[:most]


def _pieces(
    entries: Sequence[Any], steps: Mapping[str, Step], most: int, left: int, refused: list[str]
) -> Iterator[Piece]:
    for entry in entries:
        if len(refused) > MOST_REFUSALS:
            return
        step = steps.get(entry["step"]) if isinstance(entry, dict) and _is_text(entry.get("step")) else None
        if step is None:
            refused.append("an artefact that was not asked for")
            continue
        try:
            piece = _piece(entry, step, unpack(_string(entry["data"]), min(most, left)))
        except (KeyError, TypeError, ValueError) as error:
            refused.append(f"an artefact of {step.name} without sense ({type(error).__name__})")
        except FirebreakError as error:
            refused.append(f"an artefact of {step.name}: {error.problem}")
        else:
            left -= len(piece.data)
            yield piece


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _piece(entry: Mapping[str, Any], step: Step, data: bytes) -> Piece:
    command, code, digest = entry.get("command"), entry.get("exit_code"), entry.get("program_sha256")
    return Piece(
        step=step,
        part=_string(entry["part"])[:LONG_TEXT],
        first=entry["first"] is True,
        last=entry["last"] is True,
        data=data,
        matches=entry.get("sha256") == hashlib.sha256(data).hexdigest(),
        kind=entry["kind"] if entry["kind"] in KINDS else "unknown",
        source=text(entry["source"], LONG_TEXT) or "",
        command=tuple(text(word) or "" for word in command[:50]) if isinstance(command, list) else None,
        program_sha256=digest if isinstance(digest, str) and _SHA256.fullmatch(digest) else None,
        exit_code=code if isinstance(code, int) and -1024 < code < 1024 else None,
        complaint=text(entry.get("complaint")),
        started=_time(entry.get("started")),
        finished=_time(entry.get("finished")),
        cut=text(entry.get("cut")),
    )


def _time(value: Any) -> str | None:
    return str(value) if isinstance(value, str) and _TIME.fullmatch(value) else None


def _missing(entries: Sequence[Any]) -> Iterator[Missing]:
    for entry in entries:
        if isinstance(entry, dict):
            cause = entry.get("cause")
            yield Missing(
                text(entry.get("name")) or "?",
                cause if isinstance(cause, str) and cause in CAUSES else FAILED,
                text(entry.get("reason")) or "no reason was given",
            )


def _position(value: Any, asked: Sequence[Step]) -> Position | None:
    if (
        isinstance(value, dict)
        and all(_is_text(value.get(key)) for key in ("step", "part", "token"))
        and any(step.name == value["step"] for step in asked)
        and len(value["part"]) <= LONG_TEXT
        and len(value["token"]) <= TOKEN
    ):
        return Position(value["step"], value["part"], value["token"])
    return None
