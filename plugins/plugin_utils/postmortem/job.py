# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the post-mortem of an incident beside what people made of an earlier one, never over it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable

from ..private_file import write_privately
from ..record.recorder import Recorder
from ..record.verify import altered
from ..run import parse_id
from .account import Account, account
from .as_html import as_html
from .as_markdown import as_markdown
from .words import gaps

# The last line of a draft: whoever writes into the file makes it untrue.
_SEAL = re.compile(r"<!-- firebreak draft (sha256:[0-9a-f]{64}) -->\n\Z")


def write(variables: Mapping[str, Any], incident: str, directory: str, check: bool) -> dict[str, Any]:
    """Raises `FirebreakError`. In check mode it only says what it would do."""
    told, warnings = _told(Recorder.of(variables), parse_id(incident), check)
    folder = Path(directory).expanduser().absolute()
    documents = {
        folder / f"{incident}.md": as_markdown(told),
        folder / f"{incident}.html": as_html(told),
    }
    wanted = {path: sealed(text) for path, text in documents.items() if _differs(path, sealed(text))}
    if wanted and not check:
        _write(folder, wanted)
    files, left = [str(path) for path in documents], gaps(told)
    return {
        "msg": "\n".join(_spoken(files, left, bool(wanted), check)),
        "changed": bool(wanted),
        "incident": incident,
        "files": files,
        "gaps": left,
        "record_altered": list(told.doubts),
        "warnings": [*warnings, *(f"The record of {incident} was altered: {doubt}" for doubt in told.doubts)],
    }


def _spoken(files: Sequence[str], left: Sequence[str], differs: bool, check: bool) -> Iterator[str]:
    what = "would be written" if differs and check else "written" if differs else "was so already"
    yield from (f"{file}: {what}" for file in files)
    yield f"left for people: {', '.join(left)}"


def sealed(text: str) -> str:
    return f"{text}<!-- firebreak draft {_digest(text)} -->\n"


def is_draft(text: str) -> bool:
    """Whether nobody has written into it since."""
    seal = _SEAL.search(text)
    return seal is not None and seal.group(1) == _digest(text[: seal.start()])


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _told(recorder: Recorder, incident: str, check: bool) -> tuple[Account, list[str]]:
    warnings = []
    with recorder.store() as store:
        error = None if check else recorder.deliver(incident, store)
        if error is not None:
            warnings.append(f"Some of what happened waits here and is not in the document: {error}")
        events, count, digest = store.recorded(incident)
    return account(events, list(altered(events, count, digest))), warnings


def _differs(path: Path, text: str) -> bool:
    """Raises `BadInput` for a file that is not a draft any more."""
    try:
        present = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return True
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"file {path}", f"it cannot be read ({error})", "Name another directory.") from error
    if present == text:
        return False
    if not is_draft(present):
        raise BadInput(
            f"file {path}",
            "people have written in it since it was made, and that is not overwritten",
            "Move it away, or name another directory.",
        )
    return True


def _write(folder: Path, documents: Mapping[Path, str]) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, text in documents.items():
            write_privately(path, text)
    except OSError as error:
        raise Unreachable(
            f"directory {folder}", str(error.strerror or error), "Make room, or name another one."
        ) from error
