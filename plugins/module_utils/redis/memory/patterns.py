# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys are named alike, as globs that SCAN understands. Pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import Callable, Iterable, Mapping, Pattern, Sequence

ANY = "*"
# Where more different words than this stand in one place, those with less than this share of it vary.
WIDE, RARE = 30, 0.02
LONGEST_WORD = 40

_SEPARATORS = r":/|.,;_\-@#~ ={}()&+"
_HEX = "[0-9a-fA-F]"
_PART = re.compile(
    rf"({_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}(?![^{_SEPARATORS}])|[^{_SEPARATORS}]+)|([{_SEPARATORS}]+)"
)
_NUMBER = re.compile(r"\d+")
# Hexadecimal with a digit in it; or long, and of digits and letters; or long, and of small and big letters.
_NAME_OF_ONE = re.compile(
    rf"(?=.*\d){_HEX}{{8,}}|(?=.*\d)(?=.*[A-Za-z])[\w%]{{16,}}|(?=.*[a-z])(?=.*[A-Z].*[A-Z])\w{{22,}}",
    re.ASCII,
)
_NUMBERED = re.compile(r"([A-Za-z]{3,})\d+|([A-Za-z]+)\d{2,}", re.ASCII)
_UUID = re.compile(rf"{_HEX}{{8}}-.{{27}}")


def pattern_of(name: str) -> str:
    """`session:*` for session:8f3a-…: numbers, identifiers and what is no text become `*`."""
    return _glob(_words(name))


def patterns_of(names: Sequence[str]) -> list[str]:
    """The same for many at once: a word that is another one in nearly every key becomes `*` as well."""
    words = [_words(name) for name in names]
    wide = _widened(Counter(words))
    return [_glob(wide[each]) for each in words]


def matcher(glob: str) -> Callable[[str], bool]:
    """Whether a key matches as SCAN would say: `*`, `?`, `[a-z]`, `[^a]`, and `\\` before a character."""
    segments = _segments(_bytes(glob))
    expressions = [re.compile(b"".join(each), re.DOTALL) for each in segments]
    return lambda name: _matches(expressions, len(segments[-1]), _bytes(name))


def _words(name: str) -> tuple[str, ...]:
    """Words and separators in turn; `*` for a word that names one of its kind."""
    return tuple(
        separators if separators else _general(word) for word, separators in _PART.findall(name[:1024])
    ) or (ANY,)


def _general(word: str) -> str:
    if (
        len(word) > LONGEST_WORD
        or not word.isprintable()
        or _NUMBER.fullmatch(word)
        or _NAME_OF_ONE.fullmatch(word)
        or _UUID.fullmatch(word)
    ):
        return ANY
    found = _NUMBERED.fullmatch(word)
    return _escaped(word) if found is None else f"{found.group(1) or found.group(2)}{ANY}"


def _escaped(word: str) -> str:
    return re.sub(r"([*?\[\]\\])", r"\\\1", word)


def _widened(counted: Mapping[tuple[str, ...], int]) -> Mapping[tuple[str, ...], tuple[str, ...]]:
    found = {words: words for words in counted}
    for place in range(max(map(len, counted), default=0)):
        behind: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for words, count in counted.items():
            if len(words) > place:
                behind[found[words][:place]][words[place]] += count
        vary = {start: _rare(seen) for start, seen in behind.items() if len(seen) > WIDE}
        for words, general in found.items():
            if len(words) > place and words[place] in vary.get(general[:place], ()):
                found[words] = (*general[:place], ANY, *general[place + 1 :])
    return found


def _rare(seen: Mapping[str, int]) -> frozenset[str]:
    least = RARE * sum(seen.values())
    return frozenset(word for word, count in seen.items() if count < least)


def _glob(words: Iterable[str]) -> str:
    """Joined; what lies between two that vary varies too: `date:*` for date:2026-11-21."""
    kept: list[str] = []
    for word in words:
        if word == ANY and len(kept) > 1 and kept[-2].endswith(ANY) and not kept[-2].endswith("\\*"):
            kept.pop()
        else:
            kept.append(word)
    return "".join(kept)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _matches(expressions: Sequence[Pattern[bytes]], last: int, name: bytes) -> bool:
    """What lies between two stars is taken where it is first found: no name, however long, is gone through
    again and again. The last expression stands for `last` bytes.
    """
    if len(expressions) == 1:
        return expressions[0].fullmatch(name) is not None
    found = expressions[0].match(name)
    for expression in expressions[1:-1]:
        found = found and expression.search(name, found.end())
    if found is None or len(name) - last < found.end():
        return False
    return expressions[-1].fullmatch(name, len(name) - last) is not None


def _segments(glob: bytes) -> list[list[bytes]]:
    """What stands between its stars, as expressions for one byte each."""
    segments: list[list[bytes]] = [[]]
    place = 0
    while place < len(glob):
        one = glob[place : place + 1]
        place += 1
        parts = segments[-1]
        if one == b"*":
            segments.append([])
        elif one == b"?":
            parts.append(b".")
        elif one == b"[":
            inside, place = _class(glob, place)
            parts.append(inside)
        elif one == b"\\" and place < len(glob):
            parts.append(re.escape(glob[place : place + 1]))
            place += 1
        else:
            parts.append(re.escape(one))
    return segments


def _class(glob: bytes, place: int) -> tuple[bytes, int]:
    """What stands in brackets; one that is never closed ends with the pattern."""
    negated = glob[place : place + 1] == b"^"
    place += negated
    members = b""
    while place < len(glob) and glob[place : place + 1] != b"]":
        if glob[place : place + 1] == b"\\" and place + 1 < len(glob):
            place += 1
            members += re.escape(glob[place : place + 1])
        elif glob[place + 1 : place + 2] == b"-" and place + 2 < len(glob):
            first, last = sorted((glob[place : place + 1], glob[place + 2 : place + 3]))
            members += re.escape(first) + b"-" + re.escape(last)
            place += 2
        else:
            members += re.escape(glob[place : place + 1])
        place += 1
    if not members:
        return (b"." if negated else b"(?!)"), place + 1
    return b"[" + (b"^" if negated else b"") + members + b"]", place + 1
