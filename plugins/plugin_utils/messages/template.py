# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of messages, from files. What was left unfilled is refused with its name rather than sent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import TemplateError, Undefined, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput

from ..placeholders import Unfilled, refuse_placeholders

BUILT_IN = Path(__file__).parent / "templates"
SUFFIX = ".j2"
# What chats make of it would wake everybody: <!channel>, <@U1>, @everyone.
_CALLS = re.compile(r"(?<=<)(?=[!#])|(?<=<@)|(?<=@)(?=(?:everyone|here|channel|all)\b)", re.IGNORECASE)
# As much of one value as anybody reads in a message, and of a subject as every receiver takes.
LONGEST, LONGEST_SUBJECT = 4000, 250
_CODE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_SUBJECT = "Subject:"


class _Missing(Undefined):
    """May be asked for, as in `{% if update %}`, and not be written."""

    def __str__(self) -> str:
        return self._fail_with_undefined_error()

    def __iter__(self) -> Iterator[Any]:
        return self._fail_with_undefined_error()


@dataclass(frozen=True)
class Text:
    subject: str
    body: str


@dataclass(frozen=True)
class Templates:
    """`directory` holds those of the site, each of which takes the place of the built-in one of its name."""

    directory: Path | None = None

    @classmethod
    def of(cls, given: Any) -> Templates:
        """Raises `BadInput` for a directory that is not there."""
        if not given:
            return cls()
        directory = Path(str(given)).expanduser()
        if not directory.is_dir():
            raise BadInput(f"firebreak_templates {directory}", "there is no such directory", "Mend the path.")
        return cls(directory)

    def names(self) -> list[str]:
        return sorted({path.stem for place in self._places() for path in place.glob(f"*{SUFFIX}")})

    def render(self, name: str, values: Mapping[str, Any]) -> Text:
        """Raises `Unfilled`, and `BadInput` for a template that is not there or cannot be read."""
        path = next((place / f"{name}{SUFFIX}" for place in self._places() if _has(place, name)), None)
        if path is None:
            raise BadInput(f"template {name!r}", "there is none", f"It is one of {', '.join(self.names())}.")
        try:
            source = path.read_text(encoding="utf-8")
            refuse_placeholders(f"template {path}", _CODE.sub("", source))
            told = {key: value for key, value in values.items() if value not in (None, "", (), [])}
            written = _ENVIRONMENT.from_string(source).render(
                {key: clean(value) for key, value in told.items()}
            )
        except UndefinedError as error:
            name = str(error.message).split("'")[1] if "'" in str(error.message) else str(error.message)
            raise Unfilled(
                f"template {path}",
                f"{name} is not filled in",
                "Give it, or ask in the template if it is there.",
            ) from error
        except (OSError, UnicodeDecodeError, TemplateError) as error:
            raise BadInput(f"template {path}", f"it cannot be read: {error}", "Mend it.") from error
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            # What its expressions trip over; the words may hold a value.
            raise BadInput(f"template {path}", f"it ends with {type(error).__name__}", "Mend it.") from error
        return _text(f"template {path}", written)

    def _places(self) -> Iterator[Path]:
        if self.directory is not None:
            yield self.directory
        yield BUILT_IN


def clean(value: Any) -> Any:
    """Without what would begin a header, steer a terminal or call everybody of a chat; not without end."""
    if isinstance(value, str):
        text = "".join(map(_plain, shortened(value, LONGEST).replace("\r\n", "\n")))
        return _CALLS.sub(" ", text)
    if isinstance(value, (list, tuple)):
        return [clean(each) for each in value]
    if isinstance(value, Mapping):
        return {clean(name): clean(each) for name, each in value.items()}
    return value


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _plain(character: str) -> str:
    if character.isprintable() or character in "\n\t":
        return character
    return " " if character.isspace() else ""


def _text(where: str, written: str) -> Text:
    head, _newline, body = written.lstrip().partition("\n")
    subject = " ".join(head.removeprefix(_SUBJECT).split())
    if not head.startswith(_SUBJECT) or not subject or not body.strip():
        raise BadInput(where, "it has no subject or no text", f"Begin with a line '{_SUBJECT} …'.")
    return Text(shortened(subject, LONGEST_SUBJECT), body.strip() + "\n")


def _has(place: Path, name: str) -> bool:
    return re.fullmatch(r"[a-z_]{1,40}", name) is not None and (place / f"{name}{SUFFIX}").is_file()


_ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=_Missing, trim_blocks=True, lstrip_blocks=True, autoescape=False, keep_trailing_newline=True
)
