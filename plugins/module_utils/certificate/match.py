# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of its certificates nginx would take for a name and port, and which lineage is meant. Pure."""

from __future__ import annotations

import re
from typing import Iterable, Sequence

from ..clients.nginx_tls import Configuration, NginxCertificate

Block = Sequence[NginxCertificate]


def serving(
    configurations: Iterable[Configuration], name: str, port: int, addresses: Sequence[str], own: bool
) -> tuple[NginxCertificate, ...]:
    """The certificates of the one server block, after nginx's own rules; nothing when none listens there.

    `own` says that the addresses are of this host: only then a block takes what has a name of no block.
    """
    listening = [block for each in configurations for block in _blocks(each) if _listens(block, port)]
    # A block for just this address comes before those for every one. Behind a NAT, neither is known.
    exact = [block for block in listening if _listens(block, port, addresses)]
    wild = [block for block in listening if _listens(block, port, (None,))]
    candidates = exact or wild or listening
    if not candidates:
        return ()
    ranked = [(rank(block[0].names, name), number) for number, block in enumerate(candidates)]
    best, number = min(ranked)
    if best[0] == NO_NAME:
        if not own:
            return ()
        defaults = [number for number, block in enumerate(candidates) if _default(block, port)]
        number = defaults[0] if defaults else 0
    return tuple(candidates[number])


EXACT, BEFORE, BEHIND, PATTERN, NO_NAME = range(5)


def rank(names: Iterable[str], wanted: str) -> tuple[int, int]:
    """How well a `server_name` fits, the best first: exact, longest *.name, longest name.*, a pattern."""
    wanted = wanted.lower().rstrip(".")
    return min((_rank(name, wanted) for name in names), default=(NO_NAME, 0))


def _rank(name: str, wanted: str) -> tuple[int, int]:
    plain = name.lower()
    if plain == wanted or (plain.startswith(".") and plain[1:] == wanted):
        return EXACT, 0
    if plain.startswith(("*.", ".")) and wanted.endswith(plain.lstrip("*")):
        return BEFORE, -len(plain)
    if plain.endswith(".*") and wanted.startswith(plain[:-1]):
        return BEHIND, -len(plain)
    if plain.startswith("~"):
        try:
            # Named groups are written a little differently in PCRE.
            if re.search(re.sub(r"\(\?<(?=\w)", "(?P<", name[1:]), wanted):
                return PATTERN, 0
        except re.error:
            pass
    return NO_NAME, 0


def _blocks(configuration: Configuration) -> list[list[NginxCertificate]]:
    blocks: dict[str, list[NginxCertificate]] = {}
    for certificate in configuration.certificates:
        blocks.setdefault(certificate.place, []).append(certificate)
    return list(blocks.values())


def _listens(block: Block, port: int, addresses: Sequence[str | None] | None = None) -> bool:
    inside = block[0].inside(port)
    return any(
        listen.port == inside and (addresses is None or listen.address in addresses)
        for listen in block[0].listens
    )


def _default(block: Block, port: int) -> bool:
    inside = block[0].inside(port)
    return any(listen.port == inside and listen.default for listen in block[0].listens)
