# SPDX-License-Identifier: GPL-3.0-or-later
"""Those who can say whose the bytes are: the container engine, the database, the directory of backups."""

from __future__ import annotations

from typing import Any, Callable, Iterator, Mapping
from urllib.parse import quote

from ..clients.container_logs import container_logs
from ..clients.docker import Engine, socket_path
from ..errors import FirebreakError
from .model import Backups, Docker, Volume, Wal

# Counting images is quick, but it waits for whatever the engine does to them.
SIZES_SECONDS = 15.0
SIZES = "/system/df?type=image&type=build-cache"

Remaining = Callable[..., float]


def see_docker(remaining: Remaining) -> Docker | None:
    """None where there is no engine. Raises `Unreachable`."""
    path = socket_path()
    if path is None:
        return None
    logs = container_logs(path, remaining)
    engine = Engine(path, remaining)
    try:
        listed = engine.get("/containers/json?all=true") or ()
        inspected = [engine.get(f"/containers/{quote(item['Id'])}/json") or {} for item in listed]
        volumes = (engine.get("/volumes") or {}).get("Volumes") or ()
    finally:
        engine.close()
    used = {mount.get("Name") for item in inspected for mount in item.get("Mounts") or ()}
    sizes, unseen = None, None
    engine = Engine(path, lambda: remaining(SIZES_SECONDS))
    try:
        sizes = engine.get(SIZES)
    except FirebreakError as error:
        unseen = str(error)
    finally:
        engine.close()
    return Docker(
        logs=logs,
        layers={layer: name for item in inspected for layer, name in _layer(item)},
        volumes=tuple(
            Volume(str(item.get("Name")), str(item.get("Mountpoint")), item.get("Name") in used)
            for item in volumes
        ),
        unseen=unseen,
        **(_sizes(sizes) if sizes else {}),
    )


def _layer(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    directory = ((found.get("GraphDriver") or {}).get("Data") or {}).get("UpperDir")
    if directory:
        yield str(directory), str(found.get("Name", "")).lstrip("/")


def _sizes(found: Mapping[str, Any]) -> dict[str, int]:
    images, built = found.get("Images") or (), found.get("BuildCache") or ()
    unused = [image for image in images if image.get("Containers") == 0]
    return {
        "images": int(found.get("LayersSize") or 0),
        # What an image shares with another one stays.
        "images_unused": sum(_count(image, "Size") - _count(image, "SharedSize") for image in unused),
        "build_cache": sum(_count(item, "Size") for item in built if not item.get("Shared")),
        "build_cache_unused": sum(
            _count(item, "Size") for item in built if not item.get("InUse") and not item.get("Shared")
        ),
    }


def _count(found: Mapping[str, Any], key: str) -> int:
    # -1 stands for what was not counted.
    return max(0, int(found.get(key) or 0))


def see_backups(directory: str, keep: int | None) -> Backups:
    """The dumps that lie there, not verified. Raises `Unreachable`."""
    from ..postgres.backup.catalogue import everything

    found = everything(directory)
    kept: dict[tuple[str, str | None], int] = {}
    beyond = []
    for one in found:
        series = ("globals" if one.kind == "globals" else "", one.database)
        kept[series] = kept.get(series, 0) + 1
        if keep is not None and kept[series] > keep:
            beyond.append(one)
    return Backups(
        directory=directory,
        keep=keep,
        count=len(found),
        bytes=sum(one.size for one in found),
        oldest=min((one.created for one in found), default=None),
        newest=max((one.created for one in found), default=None),
        beyond=len(beyond),
        beyond_bytes=sum(one.size for one in beyond),
    )


def see_wal(params: Mapping[str, Any], remaining: Remaining) -> Wal:
    """Raises `FirebreakError` when the server cannot be asked."""
    from ..clients.postgres import Failed
    from ..postgres.entry import SECONDS, enter, reach
    from ..postgres.look import ask
    from ..postgres.server import describe
    from ..postgres.sessions.look import SERVER
    from ..postgres.storage.look import UPKEEP
    from ..postgres.storage.observe import DIRECTORIES, OVERALL

    server = reach(params)
    with enter(server, remaining(SECONDS)) as session:
        facts = ask(session, SERVER, UPKEEP, OVERALL)
        try:
            counted: Mapping[str, Any] = ask(session, DIRECTORIES)
        except Failed:
            counted = {}
    return Wal(
        subject=describe(server),
        bytes=counted.get("wal_bytes"),
        max_bytes=facts["max_wal_bytes"],
        slots=tuple(facts["slots"]),
        archiver=facts["archiver"],
        waiting=counted.get("archive_waiting"),
    )
