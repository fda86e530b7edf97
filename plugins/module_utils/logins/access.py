# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx's access log says about refused logins, to hold its error log against.

nginx writes the path of a missing file into its error log as the client sent it, line breaks decoded. So
an outsider can write whole lines there, about any address. The access log is escaped: an address at the
beginning of its line is a client that really came.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Sequence

from ..clients.logs import find_logs, line_start, read_blocks
from ..errors import Unreachable
from .tally import Tally, Tries, canonical_address

# 401 in nginx's default formats `combined` and `main`, bare or wrapped by Docker.
_REFUSED = re.compile(
    rb'(?:\n|"log":")([0-9A-Fa-f.:]{2,45}) - [^\n]*?\] \\?"(?:[^"\\\n]|\\+[^"\n])*\\?" 401 '
)
BUDGET = 256 * 1024 * 1024


def refusals(patterns: Sequence[str], since: float, budget: int = BUDGET) -> Counter[str]:
    """How often each address was answered 401, in files written to after `since` (seconds since the epoch).

    Of more than `budget` bytes the newest are read. What cannot be read confirms nothing.
    """
    counts: Counter[bytes] = Counter()
    for file in reversed(find_logs(patterns)[0]):
        if file.mtime < since or budget <= 0 or (file.compressed and file.size > budget):
            continue
        start = 0 if file.compressed else line_start(file, file.size - budget)
        budget -= file.size - start
        try:
            for block in read_blocks(file, start):
                counts.update(_REFUSED.findall(block))
        except Unreachable:
            continue
    found: Counter[str] = Counter()
    for raw, times in counts.items():
        address = canonical_address(raw)
        if address is not None:
            found[address] += times
    return found


def confirmed(web: Tally, refused: Counter[str]) -> tuple[Tally, int]:
    """The tally with no more failures of each address than were refused, and how many that leaves out."""
    left_out = 0
    sources = {}
    for address, source in web.sources.items():
        failures = min(source.tries.failures, refused[address])
        left_out += source.tries.failures - failures
        if failures:
            sources[address] = replace(source, tries=Tries(failures))
    return replace(web, sources=sources), left_out
