# SPDX-License-Identifier: GPL-3.0-or-later
"""What a walk comes to, added up as it goes: nothing is kept of a file that is not among the biggest."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from dataclasses import replace
from heapq import heappush, heappushpop
from typing import Callable, Collection, Iterable, List, Mapping, Tuple

from ..clients.tree import Folder, Tree
from .kinds import LAYER, NOTHING, WAL, Context, context_of, kind_of, settles
from .large import Totals, largest
from .model import AGES, Area, File, Share, Usage

BLOCK = 512
# A file that claims so much more than it takes has holes.
SPARSE = 1024 * 1024
# Their sizes are wanted whatever their share: volumes and the layers that containers write to.
NAMED = frozenset({"_data", "diff"})
MOST_AREAS = 5000
MOST_ENDINGS = 1000
# Directories that are remembered until the end, and the longest path of one.
MOST_TOTALS, LONGEST = 20_000, 4096

# Bytes, inode, device and so on of a file: what is compared first comes first.
_Heap = List[Tuple[int, int, File]]


def measure(
    roots: Iterable[str],
    now: float,
    top: int,
    time_is_over: Callable[[], bool],
    pinned: Collection[str] = (),
    skip: Collection[str] = (),
) -> Usage:
    """Walk all `roots`, which lie on one filesystem and not in each other. The `pinned` become areas too."""
    started, roots = time.monotonic(), tuple(roots)
    gathered = _Gathered(now, top, frozenset(pinned))
    usage = Usage(roots, 0.0)
    for root in roots:
        tree = Tree(root, time_is_over, skip)
        try:
            for folder in tree.folders():
                gathered.add(folder)
        except OSError as error:
            usage = _with(usage, 1, {root: error.strerror or str(error)}, (), True)
        gathered.close(0)
        usage = _with(usage, tree.unreadable, tree.first_unreadable, tree.mounts, tree.complete)
    # One root may be mounted in another one.
    mounts = tuple(mount for mount in usage.mounts if mount not in roots)
    return gathered.as_usage(replace(usage, mounts=mounts, seconds=time.monotonic() - started))


def _with(
    usage: Usage, unreadable: int, first: Mapping[str, str], mounts: Iterable[str], complete: bool
) -> Usage:
    return replace(
        usage,
        unreadable=usage.unreadable + unreadable,
        first_unreadable={**usage.first_unreadable, **first},
        mounts=(*usage.mounts, *mounts),
        complete=usage.complete and complete,
    )


class _Open:
    """A directory that is being walked: blocks and entries of it and of what is below it as far as known."""

    __slots__ = ("blocks", "context", "entries", "own", "path", "starts", "waiting")

    def __init__(self, path: str, context: Context, starts: bool) -> None:
        self.path, self.context, self.starts = path, context, starts
        self.blocks = self.entries = self.own = self.waiting = 0


class _Gathered:
    def __init__(self, now: float, top: int, pinned: frozenset[str]) -> None:
        self._top, self._pinned = top, pinned
        self._open: list[_Open] = []
        # Kind to blocks and files of each age.
        self._cells: dict[str, list[list[int]]] = defaultdict(lambda: [[0, 0] for _age in AGES])
        self._limits = [now - seconds for _name, seconds in AGES if seconds is not None]
        self._biggest: dict[str, _Heap] = {}
        self._floors: dict[str, int] = {}
        self._endings: dict[Context, dict[str, str]] = {}
        self._totals = Totals(MOST_TOTALS)
        self._areas: list[Area] = []
        self._files = self._directories = self._size = self._sparse = self._sparse_bytes = self._blocks = 0

    def add(self, folder: Folder) -> None:
        path, status = folder.path, folder.status
        self.close(folder.depth)
        above = self._open[-1].context if self._open else _above(path)
        context = context_of(path, above)
        kept = path if len(path) < LONGEST else ""
        this = _Open(kept, context, context is not above and context.certain)
        self._open.append(this)
        self._directories += 1
        self._size += status.st_size
        blocks, entries = self._count(folder, this)
        this.blocks, this.entries = blocks + status.st_blocks, entries + 1
        this.own = entries

    def _count(self, folder: Folder, this: _Open) -> tuple[int, int]:
        """Adds up the files in it. This is where the time goes."""
        context, cells, floors = this.context, self._cells, self._floors
        endings = self._endings.setdefault(context, {})
        day, week, month = self._limits
        total = entries = size = 0
        for name, status in folder.files:
            blocks, claimed, modified = status.st_blocks, status.st_size, status.st_mtime
            ending = name[name.rfind(".") :]
            kind = settled = endings.get(ending)
            if not kind:
                kind = kind_of(name, context)
                if settled is None and len(endings) < MOST_ENDINGS:
                    # Empty where more than the ending tells.
                    endings[ending] = kind if settles(ending) else ""
            age = 0 if modified > day else 1 if modified > week else 2 if modified > month else 3
            cell = cells[kind][age]
            cell[0] += blocks
            cell[1] += 1
            entries += 1
            if blocks:
                total += blocks
                if blocks > floors.get(kind, 0):
                    self._note(folder.path, name, kind, status)
            size += claimed
            if claimed - blocks * BLOCK > SPARSE:
                self._sparse += 1
                self._sparse_bytes += claimed - blocks * BLOCK
            if context.kind is WAL and name.endswith(".ready"):
                this.waiting += 1
        self._size += size
        self._files += entries
        return total, entries

    def _note(self, folder: str, name: str, kind: str, status: os.stat_result) -> None:
        path = f"{folder.rstrip('/')}/{name}"
        bytes_, inode = status.st_blocks * BLOCK, status.st_ino
        file = File(path, kind, bytes_, status.st_size, status.st_mtime, status.st_dev, inode)
        heap = self._biggest.setdefault(kind, [])
        if len(heap) < self._top:
            heappush(heap, (status.st_blocks, inode, file))
        else:
            heappushpop(heap, (status.st_blocks, inode, file))
            self._floors[kind] = heap[0][0]

    def close(self, depth: int) -> None:
        """All directories that are as deep as that or deeper: they have been walked to the end."""
        while len(self._open) > depth:
            done = self._open.pop()
            if self._open:
                above = self._open[-1]
                above.blocks += done.blocks
                above.entries += done.entries
                if done.context.kind is WAL:
                    above.waiting += done.waiting
            else:
                self._blocks += done.blocks
            # What a layer of a container consists of is nobody's to tidy up.
            if done.path and (done.context.kind is not LAYER or done.starts or done.path.endswith("/diff")):
                self._totals.add(done.path, done.blocks * BLOCK, done.entries)
            if done.path:
                self._keep(done)

    def _keep(self, done: _Open) -> None:
        wanted = done.starts or done.path in self._pinned or done.path.rpartition("/")[2] in NAMED
        if wanted and len(self._areas) < MOST_AREAS:
            kind, owner = done.context.kind, done.context.owner
            self._areas.append(Area(done.path, kind, owner, done.blocks * BLOCK, done.entries, done.waiting))

    def as_usage(self, usage: Usage) -> Usage:
        shares = [
            Share(kind, age, cell[0] * BLOCK, cell[1])
            for kind, cells in self._cells.items()
            for (age, _seconds), cell in zip(AGES, cells)
            if cell[1]
        ]
        biggest = [item[2] for heap in self._biggest.values() for item in heap]
        return replace(
            usage,
            bytes=self._blocks * BLOCK,
            size=self._size,
            files=self._files,
            directories=self._directories,
            sparse=self._sparse,
            sparse_bytes=self._sparse_bytes,
            shares=tuple(sorted(shares, key=lambda share: -share.bytes)),
            biggest=tuple(sorted(biggest, key=lambda file: -file.bytes)),
            large=tuple(largest(self._totals, self._top, by_entries=False)),
            crowded=tuple(largest(self._totals, self._top, by_entries=True)),
            areas=tuple(sorted(self._areas, key=lambda area: -area.bytes)),
        )


def _above(path: str) -> Context:
    """What the directories above a root say of it."""
    parts, context = path.split("/"), NOTHING
    for end in range(2, len(parts)):
        context = context_of("/".join(parts[:end]), context)
    return context
